//! SIGINT, SIGTERM and SIGQUIT: the first asks for an orderly stop, the second ends the process at
//! once. SIGHUP asks for an orderly stop, however often it comes: a terminal that goes away sends
//! it twice, by the kernel and by the shell, and who ends a session sends SIGTERM as well. The
//! others that would end a process without any order ask for one, too. Whoever started the process
//! with SIGHUP ignored (`nohup`) wants it to outlive its terminal: then it does. SIGXFSZ, a file at
//! its size limit, ends nothing: the write fails, and is counted as on a full disk (F21).

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU,
    SIGXFSZ,
};
use signal_hook::flag;

use crate::exit::Exit;

/// Installs the handlers; the flag that is returned rises at the first signal.
///
/// # Errors
/// The system's error when it takes no handler.
pub(crate) fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let again = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU] {
        if signal != SIGHUP || !is_ignored(signal) {
            flag::register(signal, Arc::clone(&stop))?;
        }
    }
    for signal in [SIGINT, SIGTERM, SIGQUIT] {
        // In this order: a signal that comes before all three are there asks for a stop as well,
        // and none is lost. The first finds the second flag down and raises it, the next ends.
        let code = i32::from(Exit::SecondSignal.code());
        flag::register(signal, Arc::clone(&stop))?;
        flag::register_conditional_shutdown(signal, code, Arc::clone(&again))?;
        flag::register(signal, Arc::clone(&again))?;
    }
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(stop)
}

/// Whether the signal was ignored when the process started; false where the system does not tell.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_mask(&status).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The mask of ignored signals in the text of `/proc/self/status`: bit n - 1 for signal n.
fn ignored_mask(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tpitlane\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000003\n";
        assert_eq!(ignored_mask(status), Some(0x1001));
        assert_eq!(ignored_mask("Name:\tpitlane\n"), None);
    }
}
