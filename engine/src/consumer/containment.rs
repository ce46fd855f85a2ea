//! Callbacks contained: a panic ends the callback and nothing else.
//!
//! **Stacks.** A panic's is taken in its hook, an error's where the strategy makes it, the first
//! time that the consumer fails there ([`super::StrategyError`]). Whoever takes or prints a stack
//! holds a lock of the process; printing takes milliseconds. A pinned thread must not wait for
//! that, so while one is printed none is taken: such a record, like that of a repeated error, shows
//! the stack of the first failure at its site.

use std::any::Any;
use std::backtrace::Backtrace;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe, Location, PanicHookInfo};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};

use crate::event::ConsumerId;
use crate::telemetry::{Sink, SinkWriter};
use crate::text::{masked, shown};

/// Sites of errors, of all consumers, of which a thread remembers that it has taken a stack.
const STACKS_MAX: usize = 1_024;

/// A caught panic: what the hook saw.
#[derive(Debug)]
pub(crate) struct Caught {
    pub(super) message: String,
    pub(super) site: String,
    pub(super) backtrace: Option<Arc<Backtrace>>,
}

/// Number in [`CONTAINED`] while no callback runs.
const NOBODY: u32 = u32::MAX;

/// What the panic hook saw: the site, and the stack if it was free to take it.
type Noted = (String, Option<Arc<Backtrace>>);

thread_local! {
    /// The consumer whose callback runs.
    static CONTAINED: Cell<u32> = const { Cell::new(NOBODY) };
    static NOTED: RefCell<Option<Noted>> = const { RefCell::new(None) };
    /// Consumers and sites of errors whose stack was taken.
    static STACKS: RefCell<Vec<(u32, usize)>> = const { RefCell::new(Vec::new()) };
}

/// The stack of an error that a callback is making, the first time that its consumer makes one
/// there.
#[cold]
pub(super) fn stack_of_error(site: &'static Location<'static>) -> Option<Arc<Backtrace>> {
    let consumer = CONTAINED.get();
    if consumer == NOBODY {
        return None;
    }
    STACKS.with(|stacks| {
        let mut stacks = stacks.try_borrow_mut().ok()?;
        let key = (consumer, std::ptr::from_ref(site).addr());
        if stacks.len() == STACKS_MAX || stacks.contains(&key) {
            return None;
        }
        let stack = taken()?;
        stacks.push(key);
        Some(stack)
    })
}

/// Installs the process's panic hook once: a contained panic is noted for its record instead of
/// being printed; every other panic goes to the hook that was there before.
pub fn install_panic_hook() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CONTAINED.get() != NOBODY {
                note(info);
            } else if !tells_a_secret(info) {
                previous(info);
            }
        }));
    });
}

/// Whether the message holds a secret: then it is told here, masked, in place of the hook of
/// before.
fn tells_a_secret(info: &PanicHookInfo<'_>) -> bool {
    let Some(message) = info.payload_as_str() else { return false };
    let is_secret = matches!(masked(message), Cow::Owned(_));
    if is_secret {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        let site = info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let line = shown(&format!("thread '{name}' panicked at {site}:\n{message}\n"));
        // What finds no room is counted there.
        let _ = SinkWriter(Sink::standard_error()).write_all(line.as_bytes());
    }
    is_secret
}

fn note(info: &PanicHookInfo<'_>) {
    let site = info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let backtrace = taken();
    NOTED.with(|noted| {
        // A panic inside the error path must not turn into an abort: an unavailable cell is left
        // alone.
        if let Ok(mut noted) = noted.try_borrow_mut() {
            *noted = Some((site, backtrace));
        }
    });
}

/// Runs a callback of `consumer` and catches its panic, whatever its payload does when it is
/// dropped (F03).
#[inline]
pub(crate) fn contain<R>(consumer: ConsumerId, callback: impl FnOnce() -> R) -> Result<R, Caught> {
    CONTAINED.set(u32::from(consumer.0));
    let outcome = panic::catch_unwind(AssertUnwindSafe(callback));
    let outcome = match outcome {
        Ok(value) => Ok(value),
        Err(payload) => Err(caught(payload)),
    };
    CONTAINED.set(NOBODY);
    outcome
}

#[cold]
fn caught(payload: Box<dyn Any + Send>) -> Caught {
    let message = if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        masked(text).into_owned()
    } else {
        "panic with a payload that is no text".to_owned()
    };
    let noted = NOTED.with(|noted| noted.try_borrow_mut().ok().and_then(|mut noted| noted.take()));
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    match noted {
        Some((site, backtrace)) => Caught { message, site, backtrace },
        None => Caught { message, site: "unknown".to_owned(), backtrace: None },
    }
}

/// Threads that are printing a stack now.
pub(super) static PRINTING: AtomicU32 = AtomicU32::new(0);

/// The text of a stack. While it is made, no thread takes a stack.
pub(super) fn printed(backtrace: &Backtrace) -> String {
    PRINTING.fetch_add(1, Ordering::SeqCst);
    let text = backtrace.to_string();
    PRINTING.fetch_sub(1, Ordering::SeqCst);
    text
}

/// The stack of this thread, unless that would mean to wait for one that is being printed.
fn taken() -> Option<Arc<Backtrace>> {
    (PRINTING.load(Ordering::SeqCst) == 0).then(|| Arc::new(Backtrace::force_capture()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contained_panic_is_caught_with_its_site_and_stack() {
        install_panic_hook();
        let caught = contain(ConsumerId(0), || panic!("planted {}", 7)).unwrap_err();
        assert_eq!(caught.message, "planted 7");
        assert!(caught.site.contains("containment.rs"), "{}", caught.site);
        assert!(matches!(contain(ConsumerId(0), || 3), Ok(3)));
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained_too() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("second");
            }
        }
        install_panic_hook();
        let caught = contain(ConsumerId(0), || panic::panic_any(Bomb)).unwrap_err();
        assert!(caught.message.contains("no text"));
    }
}
