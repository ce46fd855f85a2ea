//! The error of a callback: what the strategy said, where it said so, and by which way it got
//! there.
//!
//! Made by `?` or `.into()` from any error or text, in the strategy: that is the last moment at
//! which the stack still shows what went wrong. The place costs nothing and is always kept. The
//! stack costs some microseconds and a lock of the process, so it is taken once for each consumer
//! and place, as [`super::containment`] decides; every further record of that place shows the first
//! one's. Where nothing fails, nothing is paid.

use std::backtrace::Backtrace;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::containment::stack_of_error;

/// What a callback returns.
pub type StrategyResult = Result<(), StrategyError>;

/// Any error a strategy wants to report; it is counted, logged and kept, and the next event
/// follows.
///
/// `?` and `.into()` make one of anything that is an error or a text. Like `Box<dyn Error>`, for
/// which it stands, it is no [`Error`] itself; [`StrategyError::source`] has the one that it was
/// made of.
pub struct StrategyError(Box<Inner>);

struct Inner {
    source: Box<dyn Error + Send + Sync>,
    site: &'static Location<'static>,
    stack: Option<Arc<Backtrace>>,
}

impl StrategyError {
    /// The error that it was made of.
    #[must_use]
    pub fn source(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0.source
    }

    /// The line of the `?` or `.into()` that made it.
    #[must_use]
    pub fn site(&self) -> &'static Location<'static> {
        self.0.site
    }

    /// The stack at that line; `None` where one of this place was kept before, and outside of
    /// callbacks.
    #[must_use]
    pub fn stack(&self) -> Option<&Arc<Backtrace>> {
        self.0.stack.as_ref()
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for StrategyError {
    #[cold]
    #[track_caller]
    fn from(error: E) -> StrategyError {
        let site = Location::caller();
        StrategyError(Box::new(Inner { source: error.into(), site, stack: stack_of_error(site) }))
    }
}

/// The error and what caused it, on one line.
impl fmt::Display for StrategyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.source.fmt(f)?;
        let mut cause = self.0.source.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for StrategyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} (at {})", self.0.site)
    }
}

#[cfg(test)]
mod tests {
    use super::super::containment::contain;
    use super::*;
    use crate::event::ConsumerId;

    #[derive(Debug, thiserror::Error)]
    #[error("no quote")]
    struct NoQuote(#[from] std::num::ParseIntError);

    fn number(text: &str) -> StrategyResult {
        let number: Result<u8, NoQuote> = text.parse().map_err(NoQuote);
        number?;
        Ok(())
    }

    /// Optimised code has no frame for a call that ends its caller: this one doesn't.
    #[inline(never)]
    fn fails(text: &str) -> StrategyResult {
        std::hint::black_box(number(text))
    }

    #[test]
    fn an_error_says_what_why_and_where() {
        let error = fails("x").unwrap_err();
        assert_eq!(error.to_string(), "no quote: invalid digit found in string");
        assert!(error.site().file().ends_with("strategy_error.rs"), "{error:?}");
        assert!(error.source().is::<NoQuote>() && error.stack().is_none(), "outside of a callback");
        assert_eq!(StrategyError::from("a text").to_string(), "a text");
    }

    #[test]
    fn each_consumer_keeps_the_stack_of_its_first_error_at_a_place() {
        let fail = |consumer| {
            let error = contain(ConsumerId(consumer), || fails("x")).unwrap().unwrap_err();
            error.stack().map(ToString::to_string)
        };
        for consumer in [1, 2] {
            // Another test may be printing one just now.
            let stack = (0..100_000).find_map(|_| fail(consumer)).expect("the first one's is kept");
            // How much of a name there is depends on what debug information the build has.
            let is_named = stack.contains("fails") && stack.contains("strategy_error.rs");
            assert!(is_named, "{stack}");
            assert_eq!((fail(consumer), fail(consumer)), (None, None), "and no other's");
        }
    }
}
