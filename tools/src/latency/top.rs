//! `latency top`: a log that is being written, or a running engine, as it is now.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use signal_hook::consts::{SIGHUP, SIGTERM};

use super::cli::TopArgs;
use super::console::Console;
use super::error::VerbError;
use super::keys::{self, Waited};
use super::top_engine::EngineSource;
use super::top_log::LogSource;
use super::top_source::{Reading, TopSource};
use crate::exit::Exit;

/// Time between two polls.
const POLL: Duration = Duration::from_millis(250);

/// Rows of a leap.
const PAGE: usize = 8;

/// Time between two tables without a terminal.
const PRINT: Duration = Duration::from_secs(1);

/// Runs `top`.
///
/// # Errors
/// [`VerbError`].
pub fn run(args: &TopArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let (unit, json) = (args.show.unit, args.show.json);
    let mut source: Box<dyn TopSource> = match args.file.as_deref() {
        Some("-") => {
            let problem = "top follows a file; standard input can't grow again";
            return Err(VerbError::Usage(problem.into()));
        }
        Some(file) if !is_engine(Path::new(file)) => {
            let mut log = LogSource::open(file, unit)?;
            if args.once {
                log.finish()?.iter().for_each(|warning| console.warn(warning));
            }
            Box::new(log)
        }
        engine => Box::new(EngineSource::open(engine.map(Path::new), unit)?),
    };
    if args.once {
        console.print(&source.text(json))?;
        return Ok(Exit::Ok);
    }
    let ended = if console.out_is_terminal && std::io::stdin().is_terminal() && !json {
        let mut terminal = ratatui::init();
        let ended = screen(&mut terminal, source.as_mut());
        if matches!(ended, Ok(Ended::Gone)) {
            // Nothing to restore, and nobody to complain to, which is what both would try.
            std::mem::forget(terminal);
            return Ok(Exit::Ok);
        }
        ratatui::restore();
        match ended? {
            Ended::Over(text) => Some(text),
            Ended::Quit | Ended::Gone => None,
        }
    } else {
        print_on(source.as_mut(), json, console)?
    };
    if let Some(ended) = ended {
        let _ignored = writeln!(console.err, "{ended}");
    }
    Ok(Exit::Ok)
}

/// Whether it is a socket, or the folder of a run; a log is a file.
fn is_engine(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket() || found.is_dir())
}

/// A table each time, until nobody reads on or there is nothing more.
fn print_on(
    source: &mut dyn TopSource,
    json: bool,
    console: &mut Console<'_>,
) -> Result<Option<&'static str>, VerbError> {
    loop {
        console.print(&source.text(json))?;
        console.flush()?;
        let until = Instant::now() + PRINT;
        while Instant::now() < until {
            if let Reading::Ended(text) = source.read()? {
                return Ok(Some(text));
            }
            thread::sleep(POLL.min(until.saturating_duration_since(Instant::now())));
        }
    }
}

/// Why the screen has ended.
enum Ended {
    /// The user has seen enough.
    Quit,
    /// There is nothing more; the text says why.
    Over(&'static str),
    /// The terminal is gone.
    Gone,
}

/// Draws until the user has seen enough, or is gone, or there is nothing more. Whoever calls it
/// restores the terminal, whatever has happened.
fn screen(terminal: &mut DefaultTerminal, source: &mut dyn TopSource) -> Result<Ended, VerbError> {
    let fail = |source| VerbError::output("terminal", source);
    let is_told_to_end = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&is_told_to_end)).map_err(fail)?;
    }
    let mut from = 0;
    while !is_told_to_end.load(Ordering::Acquire) {
        match terminal.draw(|frame| source.draw(frame, &mut from)) {
            Err(_) if keys::is_gone() => return Ok(Ended::Gone),
            drawn => drawn.map(drop).map_err(fail)?,
        }
        let until = Instant::now() + POLL;
        let mut is_moved = false;
        while !is_moved && Instant::now() < until && !is_told_to_end.load(Ordering::Acquire) {
            let event = match keys::wait(until).map_err(fail)? {
                Waited::Event(event) => event,
                Waited::Nothing => continue,
                Waited::Gone => return Ok(Ended::Gone),
            };
            if let Event::Key(key) = event
                && key.kind == KeyEventKind::Press
            {
                let interrupt = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(Ended::Quit),
                    KeyCode::Char('c') if interrupt => return Ok(Ended::Quit),
                    code => is_moved = scroll(code, &mut from),
                }
            }
        }
        if let Reading::Ended(text) = source.read()? {
            return Ok(Ended::Over(text));
        }
    }
    Ok(Ended::Quit)
}

/// Whether the key scrolls, and where to.
fn scroll(key: KeyCode, from: &mut usize) -> bool {
    *from = match key {
        KeyCode::Up | KeyCode::Char('k') => from.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => from.saturating_add(1),
        KeyCode::PageUp => from.saturating_sub(PAGE),
        KeyCode::PageDown => from.saturating_add(PAGE),
        KeyCode::Home => 0,
        KeyCode::End => usize::MAX,
        _ => return false,
    };
    true
}
