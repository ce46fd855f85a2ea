//! Bybit's disconnect protection, DCP: the venue cancels all of the account's spot orders once
//! every connection that has subscribed to [`TOPIC`] has been lost for a time.
//!
//! Source: "Set Disconnect Cancel All", "Get DCP Info" and "Dcp" in the venue's reference. It is
//! granted by the account manager, and to nobody who has not asked. The reference does not say how
//! the setting is refused to others, but that what is set is not told to them: so it is believed
//! once it is told, and not before.

use super::code::{NOT_GRANTED, need_code};
use crate::venue::codec::{DecodeError, JsonBuffer, elements, number_of, pick, text};
use crate::venue::protocol::{Failure, ReplyBody, object};

/// What a connection subscribes to that is to be watched.
pub(super) const TOPIC: &str = "dcp.spot";
/// "The system needs a certain time to take effect. It is recommended to query or set again after
/// 10 seconds", ms.
const SETTLES_MS: i64 = 10_000;
/// What an account without a permission is told.
const NO_PERMISSION: i32 = 10_005;

/// What was asked of it, and what is known.
#[derive(Debug, Default)]
pub(super) struct DisconnectCancel {
    /// The request that is unanswered, and whether it sets the window.
    asked: Option<(u64, bool)>,
    /// The venue has taken the window that is wanted.
    is_taken: bool,
    /// When it was set, ms since the Unix epoch.
    set_ms: i64,
    /// When the question was asked, ms since the Unix epoch.
    asked_ms: i64,
    /// The window that is wanted, s.
    window_s: u32,
}

impl DisconnectCancel {
    /// A request is written: whether it sets the window, or asks for it.
    pub(super) fn sets(&mut self, id: u64, window_s: u32, time_ms: i64) -> bool {
        let sets = !self.is_taken || window_s != self.window_s;
        if sets {
            (self.is_taken, self.set_ms) = (false, time_ms);
        }
        (self.asked, self.asked_ms, self.window_s) = (Some((id, sets)), time_ms, window_s);
        sets
    }

    /// Whether it was asked under this number.
    pub(super) fn is_asked(&self, id: u64) -> bool {
        self.asked.is_some_and(|(asked, _)| asked == id)
    }

    /// What the answer to that says.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn answered<'a>(
        &mut self,
        status: u16,
        body: &'a [u8],
        json: &'a mut JsonBuffer,
    ) -> Result<Result<ReplyBody<'a>, Failure<'a>>, DecodeError> {
        let sets = self.asked.take().is_some_and(|(_, sets)| sets);
        let window_s = self.window_s;
        let read = json.parse(body, |nodes| {
            let [code, message, result] = pick(object(nodes)?, ["retCode", "retMsg", "result"])?;
            let code = need_code(code)?;
            if code != 0 || status != 200 {
                // What is wrong is not the key.
                let code = if code == NO_PERMISSION { NOT_GRANTED } else { code };
                let message = message.and_then(text).unwrap_or_default();
                return Ok(Err(Failure::of(status, code, message)));
            }
            if sets {
                return Ok(Ok(None));
            }
            let [infos] = result.map_or(Ok([None]), |result| pick(result, ["dcpInfos"]))?;
            let infos = infos.and_then(elements);
            let infos = infos.ok_or(DecodeError::field("dcpInfos is no array"))?;
            for info in infos {
                let [product, state, window] = pick(info, ["product", "dcpStatus", "timeWindow"])?;
                if product.and_then(text) == Some("SPOT") && state.and_then(text) == Some("ON") {
                    return Ok(Ok(number_of(window)));
                }
            }
            Ok(Ok(None))
        });
        let told = match read {
            Ok(Ok(told)) => told,
            Ok(Err(failure)) => return Ok(Err(failure)),
            // A proxy, or a server in trouble, which says so by its status alone.
            Err(_) if status != 200 => return Ok(Err(Failure::of(status, 0, ""))),
            Err(error) => return Err(error),
        };
        let pending = ReplyBody { is_pending: true, ..ReplyBody::default() };
        if sets {
            self.is_taken = true;
            return Ok(Ok(pending));
        }
        if told == Some(u64::from(window_s)) {
            return Ok(Ok(ReplyBody::default()));
        }
        if self.asked_ms - self.set_ms < SETTLES_MS {
            return Ok(Ok(pending));
        }
        // Somebody has set another one, or nobody may.
        self.is_taken = false;
        let message = match told {
            Some(_) => "the account has another window (dcp) than was set",
            None => "the account has no disconnect protection (dcp) for spot: ask its manager",
        };
        Ok(Err(Failure::of(status, NOT_GRANTED, message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &str = r#"{"retCode":0,"retMsg":"success"}"#;

    /// What an answer says: in effect, pending, or the code and the message of a failure.
    fn said(of: &mut DisconnectCancel, status: u16, body: &str) -> Result<bool, (i32, String)> {
        let mut json = JsonBuffer::new(1_024, 1 << 20);
        let read = of.answered(status, body.as_bytes(), &mut json).expect("it can be read");
        let in_effect = read.map(|body| !body.is_pending);
        in_effect.map_err(|failure| (failure.code, failure.message.to_owned()))
    }

    fn told(product: &str, window: &str) -> String {
        let info = format!(r#"{{"product":"{product}","dcpStatus":"ON","timeWindow":"{window}"}}"#);
        format!(r#"{{"retCode":0,"retMsg":"success","result":{{"dcpInfos":[{info}]}}}}"#)
    }

    #[test]
    fn a_window_is_believed_once_the_venue_tells_it() {
        let mut of = DisconnectCancel::default();
        assert!(of.sets(1, 30, 1_000) && of.is_asked(1) && !of.is_asked(2));
        assert_eq!(said(&mut of, 200, OK), Ok(false), "taken, and no more");
        assert!(!of.sets(2, 30, 2_000), "it is asked for");
        assert_eq!(said(&mut of, 200, &told("SPOT", "10")), Ok(false), "not in effect yet");
        assert!(!of.sets(3, 30, 3_000));
        assert_eq!(said(&mut of, 200, &told("SPOT", "30")), Ok(true));
        assert!(!of.sets(4, 30, 13_000));
        assert_eq!(said(&mut of, 200, &told("SPOT", "30")), Ok(true), "and again");
        assert!(!of.sets(5, 30, 23_000));
        let (code, message) = said(&mut of, 200, &told("SPOT", "40")).expect_err("of another");
        assert_eq!(code, NOT_GRANTED, "{message}");
        assert!(of.sets(6, 30, 24_000), "it is set again");
    }

    #[test]
    fn an_account_that_was_not_granted_it_is_told_so() {
        let mut of = DisconnectCancel::default();
        assert!(of.sets(1, 30, 1_000));
        assert_eq!(said(&mut of, 200, OK), Ok(false));
        for body in [told("DERIVATIVES", "30"), told("SPOT", "x")] {
            assert!(!of.sets(2, 30, 2_000));
            assert_eq!(said(&mut of, 200, &body), Ok(false), "until it may be in effect");
        }
        assert!(!of.sets(3, 30, 11_000));
        let none = r#"{"retCode":0,"retMsg":"success","result":{"dcpInfos":[]}}"#;
        let (code, message) = said(&mut of, 200, none).expect_err("nothing is told");
        assert!(code == NOT_GRANTED && message.contains("ask its manager"), "{message}");
        // A permission that is missing is not the key's.
        assert!(of.sets(4, 30, 12_000));
        let refused = r#"{"retCode":10005,"retMsg":"Permission denied"}"#;
        assert_eq!(said(&mut of, 200, refused), Err((NOT_GRANTED, "Permission denied".to_owned())));
        assert!(of.sets(5, 30, 13_000), "and is asked for again");
        assert_eq!(said(&mut of, 502, "<html>"), Err((0, String::new())));
    }
}
