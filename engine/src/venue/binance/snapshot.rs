//! A book's snapshot, the body of `GET /api/v3/depth`. Cold: parsed off the core, on memory of its
//! own.

use crate::event::InstrumentId;
use crate::venue::Scales;
use crate::venue::codec::{DecodeError, JsonBuffer, members, read_levels, signed, unsigned};
use crate::venue::protocol::Snapshot;

/// Levels a side of a snapshot: four times the venue's own limit.
const SNAPSHOT_LEVELS_MAX: usize = 20_000;

/// Bytes of a snapshot: both sides at their limit, 50 bytes a level.
const SNAPSHOT_BYTES_MAX: usize = 2 * SNAPSHOT_LEVELS_MAX * 50;

/// Parses the body of the venue's answer.
///
/// # Errors
/// [`DecodeError`] says what was wrong; the venue's own error body is of reason `Unknown`.
pub(in crate::venue) fn read_snapshot(
    instrument: InstrumentId,
    body: &[u8],
    scales: Scales,
) -> Result<Snapshot, DecodeError> {
    let mut json = JsonBuffer::new(body.len(), SNAPSHOT_BYTES_MAX);
    json.parse(body, |nodes| {
        let mut snapshot =
            Snapshot { instrument, last_update_id: 0, bids: Vec::new(), asks: Vec::new() };
        let mut seen = [false; 3];
        for (name, value) in members(nodes) {
            let field = match name {
                "lastUpdateId" => {
                    snapshot.last_update_id = unsigned(value)
                        .ok_or(DecodeError::field("lastUpdateId of the wrong type"))?;
                    0
                }
                "bids" => {
                    read_levels(value, scales, SNAPSHOT_LEVELS_MAX, &mut snapshot.bids)?;
                    1
                }
                "asks" => {
                    read_levels(value, scales, SNAPSHOT_LEVELS_MAX, &mut snapshot.asks)?;
                    2
                }
                "code" => return Err(DecodeError::unknown("error instead of a snapshot")),
                _ => continue,
            };
            if std::mem::replace(&mut seen[field], true) {
                return Err(DecodeError::malformed("a member of the snapshot twice"));
            }
        }
        if seen != [true; 3] {
            return Err(DecodeError::field("lastUpdateId, bids or asks missing"));
        }
        Ok(snapshot)
    })
}

/// The time in the body of `GET /api/v3/time`, ns since the Unix epoch.
pub(in crate::venue) fn read_time(body: &[u8]) -> Option<i64> {
    let mut json = JsonBuffer::new(body.len(), SNAPSHOT_BYTES_MAX);
    let read = json.parse(body, |nodes| {
        let time = members(nodes).find(|(name, _)| *name == "serverTime");
        let time_ms = time.and_then(|(_, value)| signed(value));
        time_ms.ok_or(DecodeError::field("serverTime missing or no whole number"))
    });
    read.ok()?.checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Level;
    use crate::venue::LetterReason;

    const SCALES: Scales = Scales { price: 2, qty: 5 };

    fn reason(body: &str) -> LetterReason {
        read_snapshot(InstrumentId(0), body.as_bytes(), SCALES).unwrap_err().reason
    }

    #[test]
    fn reads_what_the_venue_sends() {
        let body =
            br#"{"lastUpdateId":160,"bids":[["100.10","1.5"]],"asks":[["100.20","0.00001"]]}"#;
        let snapshot = read_snapshot(InstrumentId(3), body, SCALES).unwrap();
        assert_eq!((snapshot.instrument, snapshot.last_update_id), (InstrumentId(3), 160));
        assert_eq!(snapshot.bids, [Level { price: 10_010, qty: 150_000 }]);
        assert_eq!(snapshot.asks, [Level { price: 10_020, qty: 1 }]);
    }

    #[test]
    fn the_venues_time_is_a_whole_number_of_milliseconds() {
        assert_eq!(read_time(br#"{"serverTime":1767225600123}"#), Some(1_767_225_600_123_000_000));
        for body in [
            r#"{"serverTime":"1767225600123"}"#,
            r#"{"serverTime":1767225600.5}"#,
            r#"{"serverTime":9223372036854775807}"#,
            r#"{"lastUpdateId":1}"#,
            "[]",
            "<html>",
            "",
        ] {
            assert_eq!(read_time(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn refuses_with_the_reason() {
        assert_eq!(reason(r#"{"code":-1121,"msg":"Invalid symbol."}"#), LetterReason::Unknown);
        assert_eq!(reason(r#"{"lastUpdateId":160,"bids":[]}"#), LetterReason::Field);
        assert_eq!(reason(r#"{"lastUpdateId":"160","bids":[],"asks":[]}"#), LetterReason::Field);
        assert_eq!(reason(r#"{"lastUpdateId":1,"bids":[["1"]],"asks":[]}"#), LetterReason::Field);
        let negative = r#"{"lastUpdateId":1,"bids":[["1","-1"]],"asks":[]}"#;
        assert_eq!(reason(negative), LetterReason::Nonsense);
        let twice = r#"{"lastUpdateId":1,"bids":[],"bids":[],"asks":[]}"#;
        assert_eq!(reason(twice), LetterReason::Malformed);
        assert_eq!(reason("<html>502</html>"), LetterReason::Malformed);
        assert_eq!(reason(""), LetterReason::Malformed);
    }
}
