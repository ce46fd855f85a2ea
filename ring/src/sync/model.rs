//! The same under loom, with bugs that can be planted.
//!
//! A model that finds nothing may be a model that can find nothing. So each has a canary: with
//! `PITLANE_LOOM_CANARY` set to one of these, the building blocks are broken in one way, and the
//! models that rest on what was broken have to fail (`scripts/loom.sh` sees to that):
//!
//! - `relaxed`: orderings are ignored, fences are kept;
//! - `no-fence`: fences do nothing;
//! - `torn`: read-modify-writes are a load and a store;
//! - any other name: asked for by a model itself, see [`is_planted`].

use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use loom::cell::{MutPtr, UnsafeCell};
use loom::sync::atomic;

pub(crate) use loom::sync::atomic::Ordering;

/// Runs a model in every interleaving with at most three preemptions: what is missed by that is
/// missed in practice, and more takes minutes.
#[cfg(test)]
pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Whether the bug of this name is planted.
pub(crate) fn is_planted(name: &str) -> bool {
    static PLANTED: OnceLock<Option<String>> = OnceLock::new();
    let planted = PLANTED.get_or_init(|| std::env::var("PITLANE_LOOM_CANARY").ok());
    planted.as_deref() == Some(name)
}

fn ordering(wanted: Ordering) -> Ordering {
    if is_planted("relaxed") { Ordering::Relaxed } else { wanted }
}

pub(crate) fn fence(wanted: Ordering) {
    if !is_planted("no-fence") {
        atomic::fence(wanted);
    }
}

/// The operations that the crate uses, and no more.
///
/// Each takes a turn first. Loom goes back to the last access of a place only, so the load that a
/// thread does before its store would hide those that other threads did before it; turns are all of
/// one kind and hide nothing. They are relaxed, so they order nothing either.
macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name {
            value: atomic::$name,
            turns: atomic::AtomicUsize,
        }

        #[allow(dead_code)] // No protocol uses all of them.
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                let turns = atomic::AtomicUsize::new(0);
                Self { value: atomic::$name::new(value), turns }
            }

            fn take_turn(&self) -> &atomic::$name {
                self.turns.fetch_add(1, Ordering::Relaxed);
                &self.value
            }

            pub(crate) fn load(&self, wanted: Ordering) -> $value {
                self.take_turn().load(ordering(wanted))
            }

            pub(crate) fn store(&self, value: $value, wanted: Ordering) {
                self.take_turn().store(value, ordering(wanted));
            }

            pub(crate) fn swap(&self, value: $value, wanted: Ordering) -> $value {
                if is_planted("torn") {
                    let found = self.take_turn().load(Ordering::Acquire);
                    self.take_turn().store(value, Ordering::Release);
                    return found;
                }
                self.take_turn().swap(value, ordering(wanted))
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                value: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                if is_planted("torn") {
                    let found = self.take_turn().load(Ordering::Acquire);
                    if found != current {
                        return Err(found);
                    }
                    self.take_turn().store(value, Ordering::Release);
                    return Ok(found);
                }
                self.take_turn().compare_exchange(
                    current,
                    value,
                    ordering(success),
                    ordering(failure),
                )
            }
        }
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicI64, i64);
atomic!(AtomicU64, u64);

/// A lock that is only ever tried, of the parts above, so that their canaries break it too.
#[derive(Debug)]
pub(crate) struct Mutex<T> {
    is_locked: AtomicBool,
    value: UnsafeCell<T>,
}

/// Access to what a [`Mutex`] guards.
pub(crate) struct Guard<'m, T> {
    is_locked: &'m AtomicBool,
    /// Loom takes it for an access that lasts as long as this lives.
    value: Option<MutPtr<T>>,
}

// SAFETY: the value is reached through a guard only, and `try_lock` gives out one.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { is_locked: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        // Not a swap, which stores also when it fails: loom then no longer knows which is the last.
        self.is_locked.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(Guard { is_locked: &self.is_locked, value: Some(self.value.get_mut()) })
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        let value = self.value.as_ref().expect("it is there until the drop");
        // SAFETY: this guard is the only one, and it is borrowed.
        unsafe { value.deref() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        let value = self.value.as_ref().expect("it is there until the drop");
        // SAFETY: this guard is the only one, and it is borrowed mutably.
        unsafe { value.deref() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.is_locked.store(false, Ordering::Release);
    }
}

/// A cell that loom watches: two accesses that nothing orders fail the model.
pub(crate) struct SharedCell<T>(UnsafeCell<T>);

impl<T> SharedCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(access)
    }
}
