//! How much a lane checks itself, as a type.
//!
//! Both forms are always compiled and may stand side by side in one process; only the default is
//! chosen by the build.

/// Amount of checking of a lane or a pool. Sealed: [`Plain`] and [`Checked`] are all there is.
pub trait Checks: sealed::Sealed + Send + Sync + 'static {
    /// Whether returned slots are poisoned and verified, call sites are recorded, and a refused
    /// return panics.
    const CHECKED: bool;
}

/// Refuses wrong returns, counts them and logs them; checks nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// Fills each returned slot with poison, verifies it at the next claim, records call sites and
/// panics on a wrong return.
#[derive(Clone, Copy, Debug)]
pub struct Checked;

/// The form that [`crate::lane`] builds: [`Checked`] with the feature `checked` or with debug
/// assertions, [`Plain`] otherwise.
#[cfg(any(feature = "checked", debug_assertions))]
pub type DefaultChecks = Checked;

/// The form that [`crate::lane`] builds: [`Checked`] with the feature `checked` or with debug
/// assertions, [`Plain`] otherwise.
#[cfg(not(any(feature = "checked", debug_assertions)))]
pub type DefaultChecks = Plain;

impl Checks for Plain {
    const CHECKED: bool = false;
}

impl Checks for Checked {
    const CHECKED: bool = true;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Plain {}
    impl Sealed for super::Checked {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_or_debug_assertions_make_checked_the_default() {
        let is_asked_for = cfg!(any(feature = "checked", debug_assertions));
        assert_eq!(DefaultChecks::CHECKED, is_asked_for);
    }
}
