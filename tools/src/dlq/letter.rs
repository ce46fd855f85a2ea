//! A dead letter as it stands in its file.

use std::path::Path;
use std::time::{Duration, SystemTime};

use pitlane_engine::event::SCALE_MAX;
use serde::Deserialize;

use super::event_text::Scales;
use crate::cli::LetterFilter;
use crate::utc::utc;

/// One line of a dead-letter file.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Letter {
    /// Its line, from 1.
    #[serde(skip)]
    pub(super) number: usize,
    /// Wall time, ns since the Unix epoch.
    pub(super) wall_ns: i64,
    pub(super) venue: String,
    /// The kind of that venue; files of older versions don't say.
    pub(super) kind: Option<String>,
    /// Who sent it: `VENUE:ROLE`, `dispatcher` or `consumer:NAME`; files of older versions don't
    /// say.
    session: Option<String>,
    /// The consumer that an event was for.
    pub(super) consumer: Option<String>,
    pub(super) trace_id: u64,
    pub(super) reason: String,
    pub(super) detail: String,
    /// Bytes as they came, of which fewer may have been kept.
    pub(super) bytes: u64,
    raw: Option<String>,
    raw_hex: Option<String>,
    pub(super) cut_to_bytes: Option<u64>,
    /// Of an event its instrument, and its scales; files of older versions don't say.
    pub(super) instrument: Option<String>,
    price_scale: Option<u8>,
    qty_scale: Option<u8>,
}

/// The letters of a file, and the lines that are none.
pub(super) struct Letters {
    pub(super) letters: Vec<Letter>,
    /// Line and what is wrong with it.
    pub(super) unreadable: Vec<(usize, String)>,
}

impl Letters {
    /// Reads a file.
    ///
    /// # Errors
    /// The system's error when it can't be read.
    pub(super) fn read(path: &Path) -> std::io::Result<Letters> {
        // A pipe or a device would keep whoever reads it for good.
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::Error::other("it is no regular file"));
        }
        let bytes = std::fs::read(path)?;
        let (mut letters, mut unreadable) = (Vec::new(), Vec::new());
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match serde_json::from_slice::<Letter>(line) {
                Ok(letter) => letters.push(Letter { number, ..letter.on_one_line() }),
                Err(error) => unreadable.push((number, error.to_string())),
            }
        }
        Ok(Letters { letters, unreadable })
    }
}

impl Letter {
    /// Its words, each on one line: one that goes over several could pass for lines of ours.
    fn on_one_line(mut self) -> Letter {
        let words = [&mut self.venue, &mut self.reason, &mut self.detail].into_iter();
        let known = [&mut self.kind, &mut self.session, &mut self.consumer, &mut self.instrument];
        for word in words.chain(known.into_iter().flatten()) {
            if word.contains('\n') {
                *word = word.replace('\n', "\\n");
            }
        }
        self
    }

    /// The raw bytes; `None` when their hexadecimal form is spoilt.
    pub(super) fn raw_bytes(&self) -> Option<Vec<u8>> {
        match (&self.raw, &self.raw_hex) {
            (Some(text), _) => Some(text.as_bytes().to_vec()),
            (None, None) => Some(Vec::new()),
            (None, Some(hex)) => {
                let digits = hex.as_bytes().chunks(2).map(|pair| {
                    let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
                    u8::from_str_radix(pair, 16).ok()
                });
                digits.collect()
            }
        }
    }

    /// Its bytes in hexadecimal digits, as the file has them.
    pub(super) fn hex(&self) -> Option<&str> {
        self.raw_hex.as_deref()
    }

    /// Who sent it, as far as the file says.
    pub(super) fn session(&self) -> &str {
        self.session.as_deref().unwrap_or(&self.venue)
    }

    /// Whether it holds an event, and no bytes of a venue's.
    pub(super) fn is_event(&self) -> bool {
        self.reason == "undelivered"
    }

    /// Whether the filter lets it through at `now`.
    pub(super) fn passes(&self, filter: &LetterFilter, now: SystemTime) -> bool {
        let since =
            filter.since.map(|since| now.checked_sub(since).unwrap_or(SystemTime::UNIX_EPOCH));
        let is = |wanted: &Option<String>, own: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| own == Some(wanted))
        };
        is(&filter.reason, Some(&self.reason))
            && is(&filter.venue, Some(&self.venue))
            && is(&filter.session, self.session.as_ref())
            && is(&filter.consumer, self.consumer.as_ref())
            && since.is_none_or(|since| self.time() >= since)
    }

    fn time(&self) -> SystemTime {
        let wall_ns = u64::try_from(self.wall_ns).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_nanos(wall_ns)
    }

    /// Its time in UTC, to the millisecond.
    pub(super) fn utc(&self) -> String {
        utc(self.wall_ns)
    }

    /// The scales of its event's instrument, as far as the file says; none above what there is.
    pub(super) fn scales(&self) -> Option<Scales> {
        let known = |scale: Option<u8>| scale.filter(|scale| *scale <= SCALE_MAX);
        Some(Scales { price: known(self.price_scale)?, qty: known(self.qty_scale)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(json: &str) -> Letter {
        serde_json::from_str(json).unwrap()
    }

    const TEXT: &str = r#"{"wall_ns":1709164800123000000,"venue":"sim","trace_id":7,
        "reason":"field","detail":"field q missing","bytes":5,"raw":"{oops"}"#;

    #[test]
    fn times_are_dates() {
        assert_eq!(letter(TEXT).utc(), "2024-02-29 00:00:00.123");
    }

    #[test]
    fn raw_bytes_come_back_exactly() {
        assert_eq!(letter(TEXT).raw_bytes().unwrap(), b"{oops");
        let hex = TEXT.replace(r#""raw":"{oops""#, r#""raw_hex":"ff0041""#);
        assert_eq!(letter(&hex).raw_bytes().unwrap(), [0xff, 0, 0x41]);
        let spoilt = TEXT.replace(r#""raw":"{oops""#, r#""raw_hex":"ff0""#);
        assert_eq!(letter(&spoilt).raw_bytes(), None);
    }

    #[test]
    fn filters_are_by_reason_venue_and_age() {
        let letter = letter(TEXT);
        let now = letter.time() + Duration::from_secs(60);
        let filter = |reason: &str, venue: &str, since: u64| LetterFilter {
            reason: Some(reason.into()),
            venue: Some(venue.into()),
            since: Some(Duration::from_secs(since)),
            ..LetterFilter::default()
        };
        assert!(letter.passes(&LetterFilter::default(), now));
        assert!(letter.passes(&filter("field", "sim", 61), now));
        for other in
            [filter("number", "sim", 61), filter("field", "b", 61), filter("field", "sim", 59)]
        {
            assert!(!letter.passes(&other, now), "{other:?}");
        }
        let of = |session: &str| LetterFilter {
            session: Some(session.into()),
            ..LetterFilter::default()
        };
        assert!(!letter.passes(&of("sim:orders"), now), "an older file does not say");
        let newer = TEXT.replace("\"trace_id\"", "\"session\":\"sim:orders\",\"trace_id\"");
        let newer = self::letter(&newer);
        assert!(newer.passes(&of("sim:orders"), now) && !newer.passes(&of("sim:market"), now));
        assert_eq!((letter.session(), newer.session()), ("sim", "sim:orders"));
    }
}
