//! What the handles are and are not, judged by the compiler (FR-005, promise 1 of the crate).
//!
//! A line that does not hold does not compile; the tests are here to give the rules a name.

use std::cell::Cell;

use pitlane_ring::raw::{RawHandle, ReturnToken};
use pitlane_ring::{
    Absorbed, Checked, Conflate, Consumer, CriticalPublisher, Demoted, Exchange, Home, LaneGauge,
    MarketPublisher, Plain, Pool, Publisher, Record, Sleeper, Stage, Standby, Waker, Watch,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Tick(u64);

impl Record for Tick {
    fn used_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl Conflate for Tick {
    fn absorb(&mut self, _: &Self) -> Absorbed {
        Absorbed::Aggregated
    }
}

/// Every type is `Probe` in one way, and those with the trait in a second one. A mention that
/// leaves the way open compiles only while there is a single one.
macro_rules! is_not {
    ($lacking:ident: $($type:ty),+ $(,)?) => {{
        struct Second;
        trait Probe<Way> {
            fn probe() {}
        }
        impl<T: ?Sized> Probe<()> for T {}
        impl<T: ?Sized + $lacking> Probe<Second> for T {}
        $(<$type as Probe<_>>::probe();)+
    }};
}

macro_rules! is {
    ($trait:ident: $($type:ty),+ $(,)?) => {{
        fn probe<T: ?Sized + $trait>() {}
        $(probe::<$type>();)+
    }};
}

#[test]
fn the_ends_of_a_lane_are_affine_and_stay_with_one_thread_at_a_time() {
    is!(Send: Publisher<Tick, Plain>, Consumer<Tick, Plain>, Stage<Tick, Plain>);
    is!(Send: Publisher<Tick, Checked>, Consumer<Tick, Checked>, Stage<Tick, Checked>);
    is!(Send: CriticalPublisher<Tick>, MarketPublisher<Tick>);
    is_not!(Sync: Publisher<Tick>, Consumer<Tick>, Stage<Tick>);
    is_not!(Sync: CriticalPublisher<Tick>, MarketPublisher<Tick>);
    is_not!(Clone: Publisher<Tick>, Consumer<Tick>, Stage<Tick>);
    is_not!(Clone: CriticalPublisher<Tick>, MarketPublisher<Tick>);
}

/// The handle that reads stays with the thread that drives the recycler; the right to return may
/// go anywhere.
#[test]
fn a_raw_handle_stays_on_its_thread_and_a_token_does_not() {
    is_not!(Send: RawHandle<Tick>);
    is_not!(Sync: RawHandle<Tick>);
    is_not!(Clone: RawHandle<Tick>);
    is!(Send: ReturnToken<Plain>, ReturnToken<Checked>);
}

#[test]
fn a_pool_has_one_owner_and_a_sleeper_is_one_thread() {
    is_not!(Clone: Pool<u8>, Sleeper, Exchange<u8>);
}

#[test]
fn what_is_for_every_thread_may_go_to_every_thread() {
    is!(Send: LaneGauge, Waker, Exchange<u8>);
    is!(Sync: LaneGauge, Waker, Exchange<u8>);
}

/// The owners of a lease's cells are affine, and all of them may change threads with cells that are
/// `Send` and not `Sync`.
#[test]
fn each_cell_of_a_lease_has_one_owner() {
    is!(Send: Home<Cell<u8>>, Watch<Cell<u8>>, Standby<Cell<u8>>, Demoted<Cell<u8>>);
    is_not!(Clone: Home<u8>, Watch<u8>, Standby<u8>, Demoted<u8>);
    is_not!(Sync: Home<u8>);
}
