//! The lease: how a shared core loses one stalled agent, and its neighbours do not.
//!
//! Several agents (cells) run on one thread, their *home*. When one of them does not come back, a
//! watchdog takes all the others away and gives them to a thread that stands by; the home, when it
//! does come back, finds that it keeps the slow cell alone. Like the Go scheduler's hand-off of a
//! stuck thread, with the difference that it is for good.
//!
//! One word decides: `IDLE`, `RUNNING(cell, n)` or `TAKEN`.
//!
//! - Only the home leaves `IDLE`, so it may do so with a plain release store, and returns to it by
//!   a compare-and-swap, which fails when the word was taken meanwhile.
//! - Only the watch writes `TAKEN`, by a compare-and-swap from the very `RUNNING(cell, n)` that it
//!   has seen for too long. `n` is never used again, so an older look can't take a newer batch.
//! - Hence exactly one of the two wins. Who takes owns every cell but the one that runs, and sees
//!   all that the home did to them: it did so before the release store that the taking acquired.
//!
//! No reference to the whole exists: each cell is reached alone, by whoever owns it. Each further
//! home has a word of its own, made beforehand, so taking allocates nothing and moves no cell.
//!
//! **Cost** of a batch: one store and one compare-and-swap on a line that the home keeps in its own
//! cache; the watch's looks are a load each, of that line, and cost the home a miss each. Measured
//! (`cargo run --release -p pitlane-ring --example lease_cost`, two shared cores of an AMD EPYC): 7
//! ns an empty batch, against 9 to 11 ns of a `parking_lot` lock tried and released, and 0.6 ns of
//! neither; nearly all of it is the compare-and-swap.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::bits::Bits;
use crate::sync::{AtomicU64, Ordering, SharedCell};

/// Cells that one lease can have.
pub const LEASE_CELLS_MAX: usize = 64;

/// Bits of the word that hold the cell; the rest counts batches, for 200 years at 10 million a
/// second.
const CELL_BITS: u32 = 8;

const IDLE: u64 = 0;
const TAKEN: u64 = u64::MAX;

const _: () = assert!(LEASE_CELLS_MAX <= 1 << CELL_BITS && LEASE_CELLS_MAX <= u64::BITS as usize);

/// Makes a lease of these cells, numbered from 0: the home that runs them, and the watch over it.
///
/// # Panics
/// When there are no cells or more than [`LEASE_CELLS_MAX`].
///
/// ```
/// use pitlane_ring::lease;
///
/// let (mut home, mut watch) = lease(vec!["btc", "eth", "sol"]);
/// // On the core: each cell has its turn.
/// let stalled = home.run(0, |_cell| watch.running().expect("a batch runs"));
/// # let stalled = stalled.unwrap();
/// // A batch that came back is left alone.
/// assert!(watch.take(stalled).is_none());
/// ```
pub fn lease<T: Send>(cells: Vec<T>) -> (Home<T>, Watch<T>) {
    let count = cells.len();
    assert!(
        (1..=LEASE_CELLS_MAX).contains(&count),
        "a lease has 1 to {LEASE_CELLS_MAX} cells, not {count}"
    );
    let lease = Arc::new(Lease {
        // A home loses a cell to its successor each time, so there are never more homes than cells.
        words: (0..count).map(|_| CachePadded::new(AtomicU64::new(IDLE))).collect(),
        cells: cells.into_iter().map(|cell| SharedCell::new(Some(cell))).collect(),
    });
    let owned = CellSet(u64::MAX >> (u64::BITS as usize - count));
    let home = Home::new(Arc::clone(&lease), 0, owned, 0);
    (home, Watch { lease, word: 0, owned })
}

/// The cells, and a word for each home that there can be.
struct Lease<T> {
    words: Box<[CachePadded<AtomicU64>]>,
    /// `None` when the owner has taken it out.
    cells: Box<[SharedCell<Option<T>>]>,
}

// SAFETY: each cell has one owner at a time, which is the only one to reach it: a `Home` those of
// its set, a `Demoted` its one. Ownership passes from home to home by the compare-and-swap of
// `Watch::take`, which acquires what the home released, and on by the move of the `Standby`. The
// cells are then used on another thread than before, so `T` has to be `Send`; nothing is shared, so
// it need not be `Sync`.
unsafe impl<T: Send> Sync for Lease<T> {}
// SAFETY: as above; the last owner may drop the values on its thread.
unsafe impl<T: Send> Send for Lease<T> {}

impl<T> Lease<T> {
    /// Takes the value out of a cell; `None` when that was done before.
    ///
    /// # Safety
    /// The caller owns the cell, and has no reference into it.
    unsafe fn take(&self, cell: usize) -> Option<T> {
        // SAFETY: the cell is the caller's.
        self.cells[cell].with_mut(|value| unsafe { &mut *value }.take())
    }
}

/// A batch on a cell, as the watch sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Running {
    /// The cell.
    pub cell: usize,
    /// Number of the batch, from 1; it grows over all homes of a lease and is never used again.
    pub batch: u64,
}

impl Running {
    fn to_word(self) -> u64 {
        self.batch << CELL_BITS | self.cell as u64
    }

    fn from_word(word: u64) -> Option<Self> {
        let is_running = word != IDLE && word != TAKEN;
        let cell = (word & ((1 << CELL_BITS) - 1)) as usize;
        is_running.then_some(Self { cell, batch: word >> CELL_BITS })
    }
}

/// Runs the cells that it owns, one at a time, on one thread.
///
/// Dropping it drops its cells. One thread at a time uses it, by type.
pub struct Home<T: Send> {
    lease: Arc<Lease<T>>,
    /// Index of its word.
    word: usize,
    owned: CellSet,
    /// The last batch.
    batch: u64,
    /// The word was taken: what is owned is the slow cell, or nothing once that was handed out.
    is_demoted: bool,
    one_thread: PhantomData<Cell<()>>,
}

impl<T: Send> Home<T> {
    /// Runs `batch` on a cell. Never waits, locks or allocates; when the cell was slow enough to be
    /// left alone meanwhile, what `batch` returned is dropped.
    ///
    /// # Errors
    /// [`Demoted`] when the watch has taken all other cells: `batch` has run, and its cell is all
    /// that this thread has from now on. After a `batch` that panicked, the next call says so, and
    /// runs nothing.
    ///
    /// # Panics
    /// When the cell is not one of [`Self::cells`], and when this home was demoted before. A panic
    /// of `batch` goes on to the caller; the cell stays.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// let length = home.run(1, |cell| cell.len());
    /// assert_eq!(length.ok(), Some(3));
    ///
    /// // Cell 0 stalls, and the watch takes all others away meanwhile.
    /// let outcome = home.run(0, |_cell| {
    ///     let seen = watch.running().expect("a batch runs");
    ///     watch.take(seen).expect("there is another cell")
    /// });
    /// assert_eq!(outcome.unwrap_err().cell(), 0, "what this home keeps");
    /// ```
    #[inline]
    pub fn run<R>(
        &mut self,
        cell: usize,
        batch: impl FnOnce(&mut T) -> R,
    ) -> Result<R, Demoted<T>> {
        if self.is_demoted {
            return Err(self.demoted());
        }
        assert!(self.owned.contains(cell), "cell {cell} is not of this home");
        let inside = Inside::enter(self, cell);
        let result = inside.home.lease.cells[cell].with_mut(|value| {
            // SAFETY: the cell is of this home, whose word says that it runs: whoever takes the
            // rest leaves it alone. `&mut self` is borrowed, so there is no second batch.
            let value = unsafe { &mut *value };
            batch(value.as_mut().expect("a home has its cells"))
        });
        drop(inside);
        if self.is_demoted { Err(self.demoted()) } else { Ok(result) }
    }

    /// A cell between two batches, for what can't be slow: the watch takes nothing meanwhile, since
    /// the word says that no batch runs.
    ///
    /// `None` when this home was demoted: it will learn from its next [`Self::run`].
    ///
    /// # Panics
    /// When the cell is not one of [`Self::cells`].
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// assert_eq!(home.get_mut(1), Some(&mut "eth"));
    /// ```
    #[inline]
    pub fn get_mut(&mut self, cell: usize) -> Option<&mut T> {
        if self.is_demoted {
            return None;
        }
        assert!(self.owned.contains(cell), "cell {cell} is not of this home");
        // SAFETY: the cell is of this home, whose word is idle: only this home leaves that, and the
        // watch takes from a running word alone. The reference borrows the home, so no batch starts
        // before it ends.
        let value = self.lease.cells[cell].with_mut(|value| unsafe { &mut *value });
        value.as_mut()
    }

    /// The cells of this home, lowest first.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// assert!(home.cells().eq([0, 1]));
    /// ```
    #[inline]
    pub fn cells(&self) -> impl Iterator<Item = usize> + Clone + use<T> {
        self.owned.iter()
    }

    /// Takes all cells out, with their numbers: a stopped core gives back what it ran.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// assert_eq!(home.into_cells(), [(0, "btc"), (1, "eth")]);
    /// ```
    pub fn into_cells(mut self) -> Vec<(usize, T)> {
        let owned = mem::take(&mut self.owned);
        // SAFETY: they were owned until the line above, and this is not inside any batch.
        owned.iter().filter_map(|cell| Some((cell, unsafe { self.lease.take(cell) }?))).collect()
    }

    fn new(lease: Arc<Lease<T>>, word: usize, owned: CellSet, batch: u64) -> Self {
        Self { lease, word, owned, batch, is_demoted: false, one_thread: PhantomData }
    }

    /// Hands out the one cell that is left.
    #[cold]
    fn demoted(&mut self) -> Demoted<T> {
        let cell = mem::take(&mut self.owned).iter().next();
        let cell = cell.expect("this home was demoted before and has handed out its cell");
        Demoted { lease: Arc::clone(&self.lease), cell }
    }
}

impl<T: Send> Drop for Home<T> {
    fn drop(&mut self) {
        for cell in mem::take(&mut self.owned).iter() {
            // SAFETY: the cell was owned until the line above, and this is not inside any batch.
            drop(unsafe { self.lease.take(cell) });
        }
    }
}

/// The time between entering and leaving a cell; leaves also when a batch unwinds.
struct Inside<'h, T: Send> {
    home: &'h mut Home<T>,
    running: Running,
}

impl<'h, T: Send> Inside<'h, T> {
    #[inline]
    fn enter(home: &'h mut Home<T>, cell: usize) -> Self {
        home.batch += 1;
        let running = Running { cell, batch: home.batch };
        // Release: who takes the other cells acquires all that was done to them so far. No
        // read-modify-write is needed, since the word is idle and only this home leaves that.
        home.lease.words[home.word].store(running.to_word(), Ordering::Release);
        Self { home, running }
    }
}

impl<T: Send> Drop for Inside<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let word = &self.home.lease.words[self.home.word];
        let left = word.compare_exchange(
            self.running.to_word(),
            IDLE,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if left.is_err() {
            self.home.is_demoted = true;
            self.home.owned = CellSet::of(self.running.cell);
        }
    }
}

/// Sees what a home is at, and can take from it all cells but that one. One thread uses it: a
/// watchdog, which has its own clock and its own judgement.
pub struct Watch<T: Send> {
    lease: Arc<Lease<T>>,
    /// Index of the word of the present home.
    word: usize,
    /// The cells of the present home.
    owned: CellSet,
}

impl<T: Send> Watch<T> {
    /// What the present home runs; `None` between batches.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// assert_eq!(watch.running(), None);
    /// let running = home.run(1, |_cell| watch.running()).unwrap();
    /// assert_eq!(running.map(|running| running.cell), Some(1));
    /// ```
    #[inline]
    pub fn running(&self) -> Option<Running> {
        Running::from_word(self.lease.words[self.word].load(Ordering::Acquire))
    }

    /// Takes all other cells away from a home that is still at `seen`, for whom to stand by. From
    /// then on this watches over the new home.
    ///
    /// `None` when the home has gone on, and when it has no other cell.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// let mut standby = None;
    /// let outcome = home.run(0, |_cell| {
    ///     let seen = watch.running().expect("a batch runs");
    ///     standby = watch.take(seen);
    /// });
    /// assert!(outcome.is_err());
    /// let mut home = standby.expect("there is another cell").into_home();
    /// assert_eq!(home.run(1, |cell| *cell).ok(), Some("eth"));
    /// ```
    pub fn take(&mut self, seen: Running) -> Option<Standby<T>> {
        let rest = self.owned.without(seen.cell);
        if rest.is_empty() {
            return None;
        }
        // Acquire: all that the home did to the other cells. Release: what this thread did before,
        // for the home, when its leave fails.
        self.lease.words[self.word]
            .compare_exchange(seen.to_word(), TAKEN, Ordering::AcqRel, Ordering::Acquire)
            .ok()?;
        self.word += 1;
        self.owned = rest;
        let home = Home::new(Arc::clone(&self.lease), self.word, rest, seen.batch);
        Some(Standby { home, taken_from: seen })
    }

    /// The cells of the present home, lowest first.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// assert!(watch.cells().eq([0, 1]));
    /// ```
    pub fn cells(&self) -> impl Iterator<Item = usize> + Clone + use<T> {
        self.owned.iter()
    }
}

/// All cells but the slow one, on their way to the thread that stands by.
#[must_use = "dropping it drops all its cells"]
pub struct Standby<T: Send> {
    home: Home<T>,
    taken_from: Running,
}

impl<T: Send> Standby<T> {
    /// The batch that took too long.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// # let mut standby = None;
    /// # let outcome = home.run(0, |_cell| {
    /// #     standby = watch.running().and_then(|seen| watch.take(seen));
    /// # });
    /// let standby = standby.expect("there is another cell");
    /// assert_eq!(standby.taken_from().cell, 0);
    /// ```
    pub fn taken_from(&self) -> Running {
        self.taken_from
    }

    /// The cells that were taken, lowest first.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// # let mut standby = None;
    /// # let outcome = home.run(0, |_cell| {
    /// #     standby = watch.running().and_then(|seen| watch.take(seen));
    /// # });
    /// let standby = standby.expect("there is another cell");
    /// assert!(standby.cells().eq([1]));
    /// ```
    pub fn cells(&self) -> impl Iterator<Item = usize> + Clone + use<T> {
        self.home.cells()
    }

    /// The new home of the cells. To be called on its thread.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// # let mut standby = None;
    /// # let outcome = home.run(0, |_cell| {
    /// #     standby = watch.running().and_then(|seen| watch.take(seen));
    /// # });
    /// let standby = standby.expect("there is another cell");
    /// assert!(standby.into_home().cells().eq([1]));
    /// ```
    pub fn into_home(self) -> Home<T> {
        self.home
    }
}

/// The one cell that a demoted home keeps. Dropping it drops the cell.
#[must_use = "dropping it drops its cell"]
pub struct Demoted<T: Send> {
    lease: Arc<Lease<T>>,
    cell: usize,
}

impl<T: Send> Demoted<T> {
    /// The number of the cell.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// # let mut standby = None;
    /// # let outcome = home.run(0, |_cell| {
    /// #     standby = watch.running().and_then(|seen| watch.take(seen));
    /// # });
    /// let mut demoted = outcome.expect_err("the others were taken");
    /// assert_eq!(demoted.cell(), 0);
    /// ```
    pub fn cell(&self) -> usize {
        self.cell
    }

    /// The cell.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// # let mut standby = None;
    /// # let outcome = home.run(0, |_cell| {
    /// #     standby = watch.running().and_then(|seen| watch.take(seen));
    /// # });
    /// let mut demoted = outcome.expect_err("the others were taken");
    /// assert_eq!(demoted.get_mut(), &mut "btc");
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: the cell belongs to this handle alone: its home has given it up, and who took the
        // others left it out. The reference borrows the handle.
        let value = self.lease.cells[self.cell].with_mut(|value| unsafe { &mut *value });
        value.as_mut().expect("only the drop of this handle takes it out")
    }

    /// Takes the cell out.
    ///
    /// ```
    /// # use pitlane_ring::lease;
    /// # let (mut home, mut watch) = lease(vec!["btc", "eth"]);
    /// # let mut standby = None;
    /// # let outcome = home.run(0, |_cell| {
    /// #     standby = watch.running().and_then(|seen| watch.take(seen));
    /// # });
    /// let mut demoted = outcome.expect_err("the others were taken");
    /// assert_eq!(demoted.into_inner(), "btc");
    /// ```
    pub fn into_inner(self) -> T {
        // SAFETY: the cell belongs to this handle, which is here without a reference into it. The
        // drop that follows finds it empty.
        let value = unsafe { self.lease.take(self.cell) };
        value.expect("only the drop of this handle takes it out")
    }
}

impl<T: Send> Drop for Demoted<T> {
    fn drop(&mut self) {
        // SAFETY: the cell belongs to this handle, and references into it borrow the handle.
        drop(unsafe { self.lease.take(self.cell) });
    }
}

impl<T: Send> fmt::Debug for Home<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("cells", &self.owned).field("batch", &self.batch).finish()
    }
}

impl<T: Send> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("cells", &self.owned)
            .field("running", &self.running())
            .finish()
    }
}

impl<T: Send> fmt::Debug for Standby<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { home, taken_from } = self;
        f.debug_struct("Standby").field("home", home).field("taken_from", taken_from).finish()
    }
}

impl<T: Send> fmt::Debug for Demoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demoted").field("cell", &self.cell).finish()
    }
}

/// A set of cells, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct CellSet(u64);

impl CellSet {
    fn of(cell: usize) -> Self {
        Self(1 << cell)
    }

    fn without(self, cell: usize) -> Self {
        Self(self.0 & !(1 << cell))
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline]
    fn contains(self, cell: usize) -> bool {
        cell < LEASE_CELLS_MAX && self.0 >> cell & 1 == 1
    }

    fn iter(self) -> impl Iterator<Item = usize> + Clone {
        Bits(self.0).map(|cell| cell as usize)
    }
}

impl fmt::Debug for CellSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
