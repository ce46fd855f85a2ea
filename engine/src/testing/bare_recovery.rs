//! A journal of many orders, to be taken up again and again: for who measures it.

use std::path::{Path, PathBuf};

use zerocopy::FromZeros;

use crate::event::{ExecType, OrderStatus, Side, VenueRef};
use crate::instrument::{InstrumentSpec, Instruments};
use crate::journal::{
    Body, Intent, JournalFolder, JournalKeeper, JournalOptions, JournalWriter, NameTable, Named,
    ReportRecord, RunStart, read_folder,
};
use crate::order::recovery::JournalFold;
use crate::order::{OrderAction, OrderType, TimeInForce};
use crate::runtime::Clock;
use crate::world::Files;

/// Price and quantity of each order, in the instrument's scales.
const TERMS: (i64, i64) = (6_000_000, 100);
/// Orders that are open at a time.
const OPEN: u64 = 32;

/// A journal on a disk: of each order its intent, its acknowledgement and two fills.
#[doc(hidden)]
pub struct BareRecovery {
    folder: PathBuf,
    instruments: Instruments,
    records: u64,
}

struct Recording {
    ends: (JournalWriter, JournalKeeper),
    records: u64,
}

impl Recording {
    fn take<B: Body>(&mut self, body: &B) {
        let (writer, keeper) = &mut self.ends;
        let room = keeper.make_room(writer);
        let appended = room.and_then(|()| writer.append(1, body));
        assert!(appended.is_ok(), "the disk has room");
        self.records += 1;
    }
}

fn word(id: u64, exec: ExecType, status: OrderStatus, filled: i64, last: i64) -> ReportRecord {
    let mut word = ReportRecord::new_zeroed();
    let report = &mut word.report;
    (report.client_order_id, report.venue_order_id) = (id, VenueRef::number(id));
    (report.price, report.qty) = TERMS;
    (report.filled_qty, report.last_qty, report.last_price) = (filled, last, TERMS.0);
    report.side_code = Side::Buy.code();
    (report.exec_type_code, report.status_code) = (exec.code(), status.code());
    word
}

impl BareRecovery {
    /// A journal of so many orders in a folder that is new.
    ///
    /// # Panics
    /// When it can't be written.
    #[must_use]
    pub fn new(folder: &Path, orders: u64) -> BareRecovery {
        let spec = InstrumentSpec::btc_usdt();
        let instruments = Instruments::new(vec![spec]).expect("one symbol");
        let opened = JournalFolder::open(&Files::Real, folder, |_, _| ()).expect("a new folder");
        let ends = opened.start(JournalOptions::default(), &Clock::manual(0).0);
        let mut recording = Recording { ends: ends.expect("a new segment"), records: 0 };
        recording.take(&RunStart::new(1, 1));
        recording.take(&Named::new(NameTable::Consumer, 0, "maker"));
        recording.take(&Named::new(NameTable::Venue, 0, "venue"));
        let scales = Named {
            price_scale: 2,
            qty_scale: 5,
            ..Named::new(NameTable::Instrument, 0, "BTC-USDT")
        };
        recording.take(&scales);
        for id in 1..=orders + OPEN {
            if id <= orders {
                let mut intent = Intent::new_zeroed();
                intent.client_order_id = id;
                (intent.price, intent.qty) = TERMS;
                intent.action_code = OrderAction::Submit as u8;
                intent.side_code = Side::Buy.code();
                intent.order_type_code = OrderType::Limit as u8;
                intent.time_in_force_code = TimeInForce::Gtc as u8;
                recording.take(&intent);
                recording.take(&word(id, ExecType::New, OrderStatus::New, 0, 0));
            }
            if let Some(old) = id.checked_sub(OPEN).filter(|old| *old > 0) {
                let partly = OrderStatus::PartiallyFilled;
                recording.take(&word(old, ExecType::Trade, partly, 40, 40));
                recording.take(&word(old, ExecType::Trade, OrderStatus::Filled, 100, 60));
            }
        }
        BareRecovery { folder: folder.to_owned(), instruments, records: recording.records }
    }

    /// Records in it.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Reads and folds all of it; how many records that were.
    ///
    /// # Panics
    /// When what was recorded does not come back.
    #[must_use]
    pub fn take_up(&self) -> u64 {
        let (consumers, venues) = (["maker".to_owned()], ["venue".to_owned()]);
        let mut fold = JournalFold::new(&consumers, &venues, &self.instruments, 64, &[0]);
        let read = read_folder(&Files::Real, &self.folder, |header, record| {
            fold.take(header.epoch, record);
        });
        assert!(read.is_ok_and(|read| read.stop.is_none()), "it is whole");
        let recovered = fold.finish().unwrap_or_else(|problems| panic!("{problems:?}"));
        assert!(recovered.open.is_empty(), "all were filled");
        recovered.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_all_of_the_journal() {
        let dir = tempfile::tempdir().unwrap();
        let recovery = BareRecovery::new(&dir.path().join("journal"), 100);
        assert_eq!(recovery.take_up(), 4 + 4 * 100);
        assert_eq!(recovery.records(), recovery.take_up());
    }
}
