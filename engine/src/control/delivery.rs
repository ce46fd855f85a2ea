//! Checks what an operator has told again to a consumer: the event of a dead letter.
//!
//! Only what a strategy can have missed for good passes: exec reports and risk notices. Market data
//! of then is not the market of now, and an answer to a command of then is none to one of now. A
//! report that passes is marked as [`RETOLD`]: it reaches its strategy, and counts only where it is
//! the next fill of an order that is open, so that nothing is booked twice (LM-06).

use super::protocol::Delivery;
use super::reader::Reader;
use super::refusal::Refusal;
use crate::event::{ConsumerId, Event, EventKind, ExecReport, RETOLD, RejectReason, Risk};
use crate::safety::Quarantine;

/// Its event, for the consumer, venue and instrument that it names.
pub(super) fn event(
    delivery: &Delivery,
    reader: &Reader,
    quarantine: &Quarantine,
) -> Result<Event, Refusal> {
    let consumer = reader.consumer_id(&delivery.consumer)?;
    if quarantine.has(consumer) {
        return Err(refused(format!("{} is quarantined, and gets nothing", delivery.consumer)));
    }
    let mut event = parsed(&delivery.event, consumer).map_err(refused)?;
    if event.kind() == Some(EventKind::ExecReport) {
        let needed = |name: &Option<String>, what: &str| {
            name.clone().ok_or_else(|| refused(format!("an exec report needs its {what}")))
        };
        event.venue = reader.venue_id(&needed(&delivery.venue, "venue")?)?.0;
        event.instrument = reader.instrument_id(&needed(&delivery.instrument, "instrument")?)?.0;
    }
    Ok(event)
}

fn refused(reason: String) -> Refusal {
    Refusal::Failed { operation: "deliver".to_owned(), reason }
}

/// The event of these hexadecimal digits, made out to `consumer`, or why it can't be delivered.
fn parsed(digits: &str, consumer: ConsumerId) -> Result<Event, String> {
    let bytes = bytes(digits).ok_or("the event is not in hexadecimal digits")?;
    let mut event =
        Event::from_used_bytes(&bytes).ok_or("its bytes are no whole event of this schema")?;
    let Some(kind) = event.kind() else { return Err("it is no event".to_owned()) };
    match kind {
        EventKind::ExecReport => {
            let Some(report) = event.get_mut::<ExecReport>() else { return Err(String::new()) };
            check_report(report)?;
            report.consumer = consumer.0;
            report.flags |= RETOLD;
        }
        EventKind::Risk => {
            let Some(risk) = event.get_mut::<Risk>() else { return Err(String::new()) };
            if RejectReason::from_code(risk.reason_code).is_none() {
                return Err(format!("reason {} is not known", risk.reason_code));
            }
            risk.consumer = u32::from(consumer.0);
        }
        EventKind::ControlAck | EventKind::ControlResult => {
            return Err(format!("a {kind} answers a command of its own time, and none of now"));
        }
        EventKind::Quote
        | EventKind::Trade
        | EventKind::Book
        | EventKind::Bar
        | EventKind::MarkPrice
        | EventKind::Merged
        | EventKind::BookState
        | EventKind::StreamState
        | EventKind::Instrument
        | EventKind::Balance => {
            return Err(format!("a {kind} of its own time is not the market of now"));
        }
    }
    Ok(event)
}

/// What is wrong with a report that no venue's agent has checked in this run.
fn check_report(report: &ExecReport) -> Result<(), String> {
    let is_known = report.status().is_some()
        && report.exec_type().is_some()
        && report.side().is_some()
        && report.certainty().is_some();
    if !is_known {
        return Err("its status, type, side or certainty is not known".to_owned());
    }
    if report.client_order_id == 0 {
        return Err("it names no order".to_owned());
    }
    let (last, filled, prevented) = (report.last_qty, report.filled_qty, report.prevented_qty);
    let done = i128::from(filled) + i128::from(prevented);
    let is_sound = last >= 0
        && last <= filled
        && prevented >= 0
        && done <= i128::from(report.qty)
        && report.price >= 0
        && report.last_price >= 0
        && report.quote >= 0;
    match is_sound {
        true => Ok(()),
        false => Err("its quantities or prices contradict each other".to_owned()),
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::{ControlAck, EventPayload, ExecType, OrderStatus, Quote, Side};

    fn digits<P: EventPayload>(payload: &P) -> String {
        let event = Event::new(payload);
        event.to_used_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn fill() -> ExecReport {
        let mut report = ExecReport::new_zeroed();
        (report.client_order_id, report.consumer) = (7, 5);
        (report.qty, report.filled_qty, report.last_qty, report.price) = (10, 4, 4, 100);
        report.side_code = Side::Buy.code();
        report.status_code = OrderStatus::PartiallyFilled.code();
        report.exec_type_code = ExecType::Trade.code();
        report
    }

    #[test]
    fn a_report_is_made_out_to_its_consumer_and_marked() {
        let event = parsed(&digits(&fill()), ConsumerId(2)).unwrap();
        let report = event.get::<ExecReport>().unwrap();
        assert_eq!((report.consumer, report.has(RETOLD)), (2, true));
        let event = parsed(&digits(&Risk::new_zeroed()), ConsumerId(2)).unwrap();
        assert_eq!(event.get::<Risk>().map(|risk| risk.consumer), Some(2));
    }

    #[test]
    fn what_is_of_its_own_time_or_unsound_is_refused_by_what_it_is() {
        let refused = |digits: &str| parsed(digits, ConsumerId(0)).unwrap_err();
        assert!(refused(&digits(&Quote::new_zeroed())).starts_with("a quote of its own time"));
        assert!(refused(&digits(&ControlAck::new_zeroed())).starts_with("a control_ack answers"));
        assert!(refused("0x7").contains("hexadecimal") && refused("é1").contains("hexadecimal"));
        assert!(refused("").contains("no whole event") && refused("0101").contains("no whole"));
        let too_long = "01".repeat(40_000);
        assert!(refused(&too_long).contains("no whole event"));
        let spoilt = |spoil: fn(&mut ExecReport)| {
            let mut report = fill();
            spoil(&mut report);
            refused(&digits(&report))
        };
        assert!(spoilt(|report| report.status_code = 99).contains("not known"));
        assert!(spoilt(|report| report.client_order_id = 0).contains("no order"));
        for spoil in [
            (|report| report.filled_qty = 11) as fn(&mut ExecReport),
            |report| report.last_qty = 5,
            |report| report.last_qty = -1,
            |report| report.prevented_qty = i64::MAX,
            |report| report.quote = -1,
            |report| report.price = i64::MIN,
        ] {
            assert!(spoilt(spoil).contains("contradict"));
        }
    }
}
