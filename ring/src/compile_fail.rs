//! What safe code can't do, as programs that do not compile.
//!
//! Built for documentation tests only. Each rule has a twin that compiles and differs in the one
//! line that matters, so that a program can't fail for another reason. A nightly compiler checks
//! the error codes as well, and so does a stable one with `RUSTC_BOOTSTRAP=1`, see
//! `scripts/compile_fail.sh`. What handles are not (`Clone`, `Sync`, `Send`) is in
//! `tests/handles.rs`.

/// FR-010, F08: a reference to a record ends with the consumer's callback.
///
/// ```
/// # use pitlane_ring::{Consumer, Record};
/// fn keep<E: Record>(consumer: &mut Consumer<E>) -> Option<E> {
///     let mut kept = None;
///     consumer.poll(1, |record| kept = Some(*record));
///     kept
/// }
/// ```
/// ```compile_fail,E0521
/// # use pitlane_ring::{Consumer, Record};
/// fn keep<E: Record>(consumer: &mut Consumer<E>) {
///     let mut kept = None;
///     consumer.poll(1, |record| kept = Some(record));
/// }
/// ```
struct AReferenceEndsWithTheCallback;

/// FR-010: nor does it outlive the callback of a stage.
///
/// ```
/// # use pitlane_ring::{Record, Stage};
/// fn keep<E: Record>(stage: &mut Stage<E>) {
///     let mut kept = None;
///     stage.poll(1, |record| kept = Some(*record));
/// }
/// ```
/// ```compile_fail,E0521
/// # use pitlane_ring::{Record, Stage};
/// fn keep<E: Record>(stage: &mut Stage<E>) {
///     let mut kept = None;
///     stage.poll(1, |record| kept = Some(record));
/// }
/// ```
struct AReferenceEndsWithTheCallbackOfAStage;

/// A slot that is filled can't be kept and written to after its publication.
///
/// ```
/// # use pitlane_ring::{Publisher, Record};
/// fn keep<E: Record>(publisher: &mut Publisher<E>) {
///     let mut kept = None;
///     let _ = publisher.try_publish_with(|slot| kept = Some(*slot));
/// }
/// ```
/// ```compile_fail,E0521
/// # use pitlane_ring::{Publisher, Record};
/// fn keep<E: Record>(publisher: &mut Publisher<E>) {
///     let mut kept = None;
///     let _ = publisher.try_publish_with(|slot| kept = Some(slot));
/// }
/// ```
struct ASlotIsWrittenBeforeItsPublication;

/// What the sink of displaced records sees is the cells' and ends with the call.
///
/// ```
/// # use pitlane_ring::{CellId, Conflate, MarketPublisher};
/// fn keep<E: Conflate>(publisher: &mut MarketPublisher<E>, record: &E, cell: CellId) {
///     let mut kept = None;
///     publisher.offer(record, cell, &mut |displaced, _| kept = Some(*displaced));
/// }
/// ```
/// ```compile_fail,E0521
/// # use pitlane_ring::{CellId, Conflate, MarketPublisher};
/// fn keep<E: Conflate>(publisher: &mut MarketPublisher<E>, record: &E, cell: CellId) {
///     let mut kept = None;
///     publisher.offer(record, cell, &mut |displaced, _| kept = Some(displaced));
/// }
/// ```
struct ADisplacedRecordEndsWithTheCall;

/// A callback can't reach the lane that it is called from.
///
/// ```
/// # use pitlane_ring::{Consumer, Record};
/// fn nested<E: Record>(outer: &mut Consumer<E>, inner: &mut Consumer<E>) {
///     outer.poll(1, |_| _ = inner.poll(1, |_| ()));
/// }
/// ```
/// ```compile_fail,E0501
/// # use pitlane_ring::{Consumer, Record};
/// fn nested<E: Record>(outer: &mut Consumer<E>, inner: &mut Consumer<E>) {
///     outer.poll(1, |_| _ = outer.poll(1, |_| ()));
/// }
/// ```
struct ACallbackCannotPollItsOwnLane;

/// FR-005: the recycler has no name outside.
///
/// ```
/// use pitlane_ring::RefusedReturn;
/// ```
/// ```compile_fail,E0603
/// use pitlane_ring::recycler::Recycler;
/// ```
struct TheRecyclerHasNoName;

/// FR-005: nor can it be reached through the consumer that drives it.
///
/// ```
/// # use pitlane_ring::{Consumer, Record};
/// fn reach<E: Record>(consumer: &mut Consumer<E>) {
///     let _ = &mut *consumer;
/// }
/// ```
/// ```compile_fail,E0616
/// # use pitlane_ring::{Consumer, Record};
/// fn reach<E: Record>(consumer: &mut Consumer<E>) {
///     let _ = &mut consumer.recycler;
/// }
/// ```
struct TheRecyclerCannotBeReached;

/// FR-005: the right to return a slot can't be made up, and neither can a claim on a pool's.
///
/// ```
/// # use pitlane_ring::{Pool, PoolHandle};
/// fn give_back(pool: &mut Pool<u8>, handle: PoolHandle) {
///     let _ = pool.give_back(handle);
/// }
/// ```
/// ```compile_fail,E0451
/// # use pitlane_ring::{Pool, PoolHandle};
/// fn give_back(pool: &mut Pool<u8>, handle: PoolHandle) {
///     let _ = pool.give_back(PoolHandle { generation: 1, ..handle });
/// }
/// ```
struct AClaimCannotBeMadeUp;

/// A record holds no pointer, so that any bytes are a record.
///
/// ```
/// # use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
/// #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[repr(C)]
/// struct Tick(u64);
/// impl pitlane_ring::Record for Tick {
///     fn used_bytes(&self) -> usize {
///         8
///     }
/// }
/// ```
/// ```compile_fail,E0277
/// # use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
/// #[derive(Clone, Copy, IntoBytes, Immutable, KnownLayout)]
/// #[repr(C)]
/// struct Tick(&'static u64);
/// impl pitlane_ring::Record for Tick {
///     fn used_bytes(&self) -> usize {
///         8
///     }
/// }
/// ```
struct ARecordHoldsNoPointer;

/// The amounts of checking are two, and there is no third.
///
/// ```
/// fn is_checks<C: pitlane_ring::Checks>() {}
/// is_checks::<pitlane_ring::Plain>();
/// ```
/// ```compile_fail,E0277
/// struct Careless;
/// impl pitlane_ring::Checks for Careless {
///     const CHECKED: bool = false;
/// }
/// ```
struct ChecksAreSealed;

/// A reference to a cell of a lease ends with its batch.
///
/// ```
/// # use pitlane_ring::Home;
/// fn keep<T: Send + Clone>(home: &mut Home<T>) {
///     let mut kept = None;
///     let _ = home.run(0, |cell| kept = Some(cell.clone()));
/// }
/// ```
/// ```compile_fail,E0521
/// # use pitlane_ring::Home;
/// fn keep<T: Send + Clone>(home: &mut Home<T>) {
///     let mut kept = None;
///     let _ = home.run(0, |cell| kept = Some(cell));
/// }
/// ```
struct AReferenceToACellEndsWithTheBatch;

/// A batch reaches its own cell and no other of its home.
///
/// ```
/// # use pitlane_ring::Home;
/// fn nested<T: Send>(home: &mut Home<T>, other: &mut Home<T>) {
///     let _ = home.run(0, |_| _ = other.run(1, |_| ()));
/// }
/// ```
/// ```compile_fail,E0501
/// # use pitlane_ring::Home;
/// fn nested<T: Send>(home: &mut Home<T>, other: &mut Home<T>) {
///     let _ = home.run(0, |_| _ = home.run(1, |_| ()));
/// }
/// ```
struct ABatchReachesItsOwnCellOnly;

/// What a demoted home hands out goes with its handle.
///
/// ```
/// # use pitlane_ring::Demoted;
/// fn keep<T: Send>(mut demoted: Demoted<T>) -> T {
///     demoted.get_mut();
///     demoted.into_inner()
/// }
/// ```
/// ```compile_fail,E0505
/// # use pitlane_ring::Demoted;
/// fn keep<T: Send>(mut demoted: Demoted<T>) -> T {
///     let kept = demoted.get_mut();
///     let moved = demoted.into_inner();
///     drop(kept);
///     moved
/// }
/// ```
struct ADemotedCellGoesWithItsHandle;

/// Cells change threads, so they have to be able to.
///
/// ```
/// use std::sync::Arc;
/// let _ = pitlane_ring::lease(vec![Arc::new(1)]);
/// ```
/// ```compile_fail,E0277
/// use std::rc::Rc;
/// let _ = pitlane_ring::lease(vec![Rc::new(1)]);
/// ```
struct CellsChangeThreads;
