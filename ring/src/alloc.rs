//! Counts heap allocations of the threads that ask for it.
//!
//! The composition root installs it; a library imposes no allocator:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;
//!
//! pitlane_ring::alloc::count_this_thread(true);
//! let before = pitlane_ring::alloc::counted_allocations();
//! let boxed = Box::new(1);
//! assert_eq!(pitlane_ring::alloc::counted_allocations(), before + 1);
//! # drop(boxed);
//! ```
//!
//! What a library allocates by its nature, and nobody can take from it, is counted apart
//! ([`count_apart`]): then the figure of the others can be held at 0.
//!
//! Memory comes from the system's allocator. Counting is a flag of the thread and two relaxed
//! additions; it never waits, and it allocates nothing, so it can't call itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

thread_local! {
    // Const and without a destructor: no allocation and no registration at first use.
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
    static IS_APART: Cell<bool> = const { Cell::new(false) };
}

static IS_INSTALLED: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static ALLOCATED_BYTES: AtomicU64 = AtomicU64::new(0);
static ALLOCATIONS_APART: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counting.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator;

/// Switches the counting of the calling thread; returns what it was before. Off at the start of
/// each thread.
///
/// ```
/// use pitlane_ring::CountingAllocator;
/// use pitlane_ring::alloc::{
///     count_this_thread, counted_allocations, counted_bytes, is_installed, is_this_thread_counted,
/// };
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator;
///
/// assert!(is_installed(), "the program has allocated before main");
/// assert!(!count_this_thread(true));
/// assert!(is_this_thread_counted());
/// drop(std::hint::black_box(Vec::<u8>::with_capacity(64)));
/// count_this_thread(false);
/// assert_eq!((counted_allocations(), counted_bytes()), (1, 64));
/// ```
pub fn count_this_thread(is_counted: bool) -> bool {
    IS_COUNTED.replace(is_counted)
}

/// Whether the calling thread is counted.
pub fn is_this_thread_counted() -> bool {
    IS_COUNTED.get()
}

/// Runs `work`, whose allocations on a counted thread count as [`allocations_apart`] and not among
/// the others.
///
/// ```
/// use pitlane_ring::CountingAllocator;
/// use pitlane_ring::alloc::{allocations_apart, count_apart};
/// use pitlane_ring::alloc::{count_this_thread, counted_allocations};
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator;
///
/// count_this_thread(true);
/// let kept = count_apart(|| Vec::<u8>::with_capacity(64));
/// assert_eq!((counted_allocations(), allocations_apart()), (0, 1));
/// let ours = Vec::<u8>::with_capacity(64);
/// assert_eq!((counted_allocations(), allocations_apart()), (1, 1));
/// # drop((kept, ours));
/// ```
#[inline]
pub fn count_apart<R>(work: impl FnOnce() -> R) -> R {
    /// Also where `work` panics.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            IS_APART.set(self.0);
        }
    }
    let _before = Before(IS_APART.replace(true));
    work()
}

/// Allocations and reallocations of counted threads in [`count_apart`] so far.
pub fn allocations_apart() -> u64 {
    ALLOCATIONS_APART.load(Ordering::Relaxed)
}

/// Whether the process allocates through [`CountingAllocator`]; if not, the figures mean nothing.
pub fn is_installed() -> bool {
    IS_INSTALLED.load(Ordering::Relaxed)
}

/// Allocations and reallocations of all counted threads so far.
pub fn counted_allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// Bytes asked for in these allocations; of a reallocation, all its new bytes.
pub fn counted_bytes() -> u64 {
    ALLOCATED_BYTES.load(Ordering::Relaxed)
}

#[inline]
fn count(size_bytes: usize) {
    if !IS_INSTALLED.load(Ordering::Relaxed) {
        IS_INSTALLED.store(true, Ordering::Relaxed);
    }
    if !IS_COUNTED.get() {
        return;
    }
    if IS_APART.get() {
        ALLOCATIONS_APART.fetch_add(1, Ordering::Relaxed);
    } else {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        ALLOCATED_BYTES.fetch_add(size_bytes as u64, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator with the arguments it came with, and what that
// returns is returned; counting touches no memory that it hands out, never unwinds (a thread-local
// without a destructor is always accessible) and never allocates.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's obligations are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's obligations are those of the system's allocator.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: the caller's obligations are those of the system's allocator, which is also
        // where `ptr` came from.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are those of the system's allocator, which is also
        // where `ptr` came from.
        unsafe { System.dealloc(ptr, layout) }
    }
}
