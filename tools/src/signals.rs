//! SIGINT and SIGTERM: the first asks for an orderly stop, the second ends the process at once. SIGXFSZ, a
//! file at its size limit, ends nothing: the write fails, and is counted as on a full disk (F21).

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use crate::exit::Exit;

/// Installs the handlers; the flag that is returned rises at the first signal.
///
/// # Errors
/// The system's error when it takes no handler.
pub(crate) fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag down and raises it, the second finds it up.
        let code = i32::from(Exit::SecondSignal.code());
        flag::register_conditional_shutdown(signal, code, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(stop)
}
