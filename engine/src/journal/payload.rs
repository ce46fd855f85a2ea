//! What records hold, as plain words of fixed places.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::format::RecordKind;
use crate::event::{ExecReport, SCHEMA_VERSION};

/// Bytes of a name.
const NAME_BYTES: usize = 64;
/// Bytes of an operator's command.
const COMMAND_BYTES: usize = 320;

/// A payload with a kind and a layout of its own.
pub trait Body: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {
    /// What it is.
    const KIND: RecordKind;
    /// Version of its layout.
    const VERSION: u8;
}

macro_rules! body {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $version:expr, $bytes:expr, {
        $($(#[$fdoc:meta])* $field:ident: $type:ty,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct $name { $($(#[$fdoc])* pub $field: $type,)+ }

        const _: () = assert!(size_of::<$name>() == $bytes);

        impl Body for $name {
            const KIND: RecordKind = RecordKind::$kind;
            const VERSION: u8 = $version;
        }
    };
}

body! {
    /// An engine starts. What follows, until the next of its kind, is in its numbers.
    RunStart, RunStart, 1, 16, {
        /// First part of the names of its orders at the venues.
        run: u32,
        /// Version of the event schema, which words on orders have.
        schema: u8,
        /// Always 0.
        reserved: [u8; 3],
        /// Its process.
        process: u64,
    }
}

body! {
    /// What a number of this run stands for.
    Named, Named, 1, 80, {
        /// The number.
        number: u32,
        /// Code of the [`NameTable`].
        table: u8,
        /// Bytes of the name in use.
        len: u8,
        /// Of an instrument, the decimal places of its prices.
        price_scale: u8,
        /// Of an instrument, the decimal places of its quantities.
        qty_scale: u8,
        /// The name, padded with zeros.
        name: [u8; NAME_BYTES],
        /// Always 0.
        reserved: [u8; 8],
    }
}

body! {
    /// A strategy's command, before it can reach the venue.
    Intent, Intent, 1, 80, {
        /// The consumer's own order number.
        client_order_id: u64,
        /// Trace of the event that caused the decision (LM-08).
        decision_id: u64,
        /// Limit price in the instrument's scale; 0 for a market order.
        price: i64,
        /// Quantity in the instrument's scale.
        qty: i64,
        /// Price at which a conditional order is triggered; 0 for any other.
        trigger_price: i64,
        /// The strategy's own name for what it wants, which it may use once; zeros are none.
        own_id: [u8; 16],
        /// Instrument number.
        instrument: u32,
        /// Consumer number.
        consumer: u16,
        /// Venue number.
        venue: u16,
        /// Code of what is asked for.
        action_code: u8,
        /// Code of the side.
        side_code: u8,
        /// Code of the order type.
        order_type_code: u8,
        /// Code of the time in force.
        time_in_force_code: u8,
        /// Code of the side of the position.
        position_side_code: u8,
        /// As in the command.
        flags: u8,
        /// Code of the price that triggers a stop.
        trigger_by_code: u8,
        /// Always 0.
        reserved: [u8; 1],
        /// The order that ends before this one is sent, by its client_order_id; 0 for none.
        replaces: u64,
    }
}

body! {
    /// A word on an order, as its strategy is told it.
    ReportRecord, Report, SCHEMA_VERSION, size_of::<ExecReport>() + 32, {
        /// What is told.
        report: ExecReport,
        /// Trace of the frame it came from.
        trace_id: u64,
        /// The venue's own time, ns since the Unix epoch; 0 where there is none.
        venue_time_ns: i64,
        /// Instrument number.
        instrument: u32,
        /// Venue number.
        venue: u16,
        /// Always 0.
        reserved: [u8; 10],
    }
}

body! {
    /// Trading was switched.
    TradingState, Trading, 1, 8, {
        /// 1 when it is on.
        is_on: u8,
        /// Always 0.
        reserved: [u8; 7],
    }
}

body! {
    /// An operator's command, once it was begun or refused.
    ControlCommand, Control, 1, 328, {
        /// 1 when it was refused.
        is_refused: u8,
        /// 1 when there was more of it.
        is_cut: u8,
        /// Bytes of the text in use.
        len: u16,
        /// Always 0.
        reserved: [u8; 4],
        /// The request as it came, JSON, padded with zeros.
        text: [u8; COMMAND_BYTES],
    }
}

body! {
    /// Something holds a strategy's orders back, or does no longer, as it is told.
    RiskRecord, Risk, 1, 32, {
        /// What was found, in the limit's own unit; 0 where it holds no longer. Of a switch: 1 when
        /// it is on.
        value: i64,
        /// The limit; of a switch 1.
        limit: i64,
        /// Consumer number.
        consumer: u16,
        /// Venue number, where it is a venue's switch; else 0.
        venue: u16,
        /// Code of the reason.
        reason_code: u8,
        /// 0 the strategy's, 1 the venue's, 2 the engine's.
        scope_code: u8,
        /// Always 0.
        reserved: [u8; 10],
    }
}

body! {
    /// What the account has of an asset, in units of 10^-8, as the venue tells it.
    BalanceRecord, Balance, 1, 64, {
        /// The asset's name: its UTF-8 bytes, the first one lowest, then zeros.
        asset: u128,
        /// Free to use.
        free: i128,
        /// Locked in orders.
        locked: i128,
        /// Venue number.
        venue: u16,
        /// Always 0.
        reserved: [u8; 14],
    }
}

body! {
    /// An engine has ended in order.
    RunStop, RunStop, 1, 16, {
        /// Reports that found no place in the journal.
        missed: u64,
        /// Orders that may still rest at a venue.
        left: u64,
    }
}

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum NameTable {
    /// A consumer.
    Consumer = 1,
    /// A venue.
    Venue = 2,
    /// An instrument.
    Instrument = 3,
}

impl NameTable {
    /// The table with this code; `None` for one of a later version.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<NameTable> {
        Some(match code {
            1 => NameTable::Consumer,
            2 => NameTable::Venue,
            3 => NameTable::Instrument,
            _ => return None,
        })
    }

    /// The name in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            NameTable::Consumer => "consumer",
            NameTable::Venue => "venue",
            NameTable::Instrument => "instrument",
        }
    }
}

impl RunStart {
    /// Of this schema.
    #[must_use]
    pub fn new(run: u32, process: u64) -> RunStart {
        RunStart { run, schema: SCHEMA_VERSION, reserved: [0; 3], process }
    }
}

impl ControlCommand {
    /// A command; of a longer one the beginning.
    #[must_use]
    pub fn new(text: &str, is_refused: bool) -> ControlCommand {
        let mut end = text.len().min(COMMAND_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = [0; COMMAND_BYTES];
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        ControlCommand {
            is_refused: u8::from(is_refused),
            is_cut: u8::from(end < text.len()),
            len: end as u16,
            reserved: [0; 4],
            text: bytes,
        }
    }

    /// The text. It comes from a file: escape it before it is shown.
    #[must_use]
    pub fn text(&self) -> &str {
        let len = usize::from(self.len).min(COMMAND_BYTES);
        str::from_utf8(&self.text[..len]).unwrap_or_default()
    }
}

impl Named {
    /// A name without scales; of a longer one the beginning.
    #[must_use]
    pub fn new(table: NameTable, number: u32, name: &str) -> Named {
        let mut end = name.len().min(NAME_BYTES);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = [0; NAME_BYTES];
        bytes[..end].copy_from_slice(&name.as_bytes()[..end]);
        Named {
            number,
            table: table as u8,
            len: end as u8,
            price_scale: 0,
            qty_scale: 0,
            name: bytes,
            reserved: [0; 8],
        }
    }

    /// The name. It comes from a file: escape it before it is shown.
    #[must_use]
    pub fn text(&self) -> &str {
        let len = usize::from(self.len).min(NAME_BYTES);
        str::from_utf8(&self.name[..len]).unwrap_or_default()
    }
}
