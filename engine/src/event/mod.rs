//! The canonical event: what every stage of the pipeline reads, copies and counts.
//!
//! An [`Event`] is plain old data of six cache lines: a header of one line and an inline payload
//! sized by the largest kind. It holds no pointer and owns nothing, so a copy of its used lines is
//! an independent event (FR-002). Every bit pattern of the bytes is a valid `Event`; whether it is
//! a valid *event* is decided by [`Event::kind`], and a zeroed slot never is (kinds start at 1,
//! LM-02).

#[macro_use]
mod macros;

mod exec_report;
mod fixed;
mod header;
mod id;
mod interest;
mod kind;
mod merged;
mod payload;
mod record;
mod trace_ids;
mod typed;
mod venue_ref;

pub use exec_report::{
    Certainty, ExecReport, ExecType, ExpiryReason, FEE_UNKNOWN, INFERRED, Liquidity, MAKER,
    OrderStatus, PositionSide, REDUCE_ONLY, RETOLD, RejectReason, TAKER,
};
pub use fixed::{
    AssetAmount, FixedError, Price, Qty, SCALE_MAX, format_scaled, notional, parse_scaled,
    parse_wide, push_scaled,
};
pub use header::{Event, PAYLOAD_BYTES, SCHEMA_VERSION};
pub use id::{AssetId, ClientOrderId, ConsumerId, InstrumentId, TraceId, VenueId};
pub use interest::Interest;
pub use kind::{EventClass, EventKind, KIND_SLOTS, KindCounts};
pub use merged::{Merged, MergedBook, MergedPayload};
pub use payload::{
    ASSET_NAME_BYTES_MAX, AssetName, BOOK_DEPTH, Balance, Bar, Book, BookState, BookStatus,
    BookStatusReason, ControlAck, ControlCode, ControlResult, Instrument, Level, MarkPrice, Quote,
    Risk, Side, StreamState, StreamStatus, Trade, asset_code, asset_name,
};
pub use trace_ids::{TraceIds, TraceSource};
pub use typed::{EventPayload, Payload};
pub use venue_ref::VenueRef;
