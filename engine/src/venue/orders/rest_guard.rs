//! A guard's session at a venue that cancels all over REST: request by request, without a
//! connection that has to stand.
//!
//! It asks what is open from the start on, so that a key that does not open the account is seen
//! before it is needed. Once it is told to cancel, it has the venue cancel all and asks what is
//! open, symbol by symbol, again and again, until the venue has said of each that nothing is, and
//! once more after the longest time that an order may be on its way.

use super::guard::{GuardOptions, GuardSession, GuardState, Told};
use crate::venue::LetterReason;
use crate::venue::governor::{Governor, RequestClass};
use crate::venue::protocol::{GuardRequest, OrderDecoder, OrderMessage, OrderProtocol, Outcome};
use crate::venue::transport::{RestClient, RestOptions, RestReply};
use crate::world::Clock;

const SECOND_NS: u64 = 1_000_000_000;
/// Between two requests, ns: no venue's budget minds.
const PAUSE_NS: u64 = SECOND_NS / 4;
/// Between two checks whether the key still opens the account, ns.
const CHECK_NS: u64 = 20 * SECOND_NS;
/// Between two settings of a timer that cancels all, ns: longer than its shortest run.
const TIMER_NS: u64 = 15 * SECOND_NS;
const MS_NS: i64 = 1_000_000;

/// One symbol.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// When the venue was told last to cancel all there, and did not refuse it, ns; 0: never.
    told_ns: u64,
    /// When it was asked last what is open, ns.
    asked_ns: u64,
    /// When it was asked to whose answer nothing is open, ns; 0 before.
    empty_ns: u64,
    /// The venue has listed something since it was told.
    is_open: bool,
}

/// The session of one protocol.
pub(crate) struct RestGuard<P: OrderProtocol> {
    venue: String,
    client: RestClient,
    protocol: P,
    governor: Governor,
    natives: Vec<String>,
    clock: Clock,
    text: Vec<u8>,
    next_id: u64,
    /// The request that is under way: what, of which symbol, its number, and when it was sent.
    asked: Option<(GuardRequest, usize, u64, u64)>,
    /// No request before this time, ns.
    next_ns: u64,
    /// When the venue has answered a signed request last, ns; 0: never.
    checked_ns: u64,
    trouble: Option<String>,
    /// Why the venue refused the key last, in its own words.
    refused: Option<String>,
    /// Since when all is to be cancelled, ns; 0 before.
    since_ns: u64,
    places: Vec<Place>,
    cancelled: u64,
}

impl<P: OrderProtocol> RestGuard<P> {
    pub(crate) fn new(signer: P::Signer, options: GuardOptions, rest: RestOptions) -> RestGuard<P> {
        let GuardOptions { venue, session, symbols, natives, clock } = options;
        let decoder = P::Decoder::new(symbols, session.limits.frame_bytes_max);
        RestGuard {
            venue,
            client: RestClient::new(rest),
            protocol: P::new(signer, decoder),
            governor: session.governor,
            places: vec![Place::default(); natives.len()],
            natives,
            clock,
            text: Vec::with_capacity(1_024),
            next_id: 1,
            asked: None,
            next_ns: 0,
            checked_ns: 0,
            trouble: None,
            refused: None,
            since_ns: 0,
            cancelled: 0,
        }
    }

    /// When the last round may begin, ns: what the engine had written before the first one can not
    /// turn up at the venue any more.
    fn settled_ns(&self) -> u64 {
        self.since_ns + P::IN_FLIGHT_MAX_NS
    }

    /// What is asked next, and of which symbol.
    fn wanted(&self, now_ns: u64) -> Option<(GuardRequest, usize)> {
        let is_checked = self.checked_ns > 0 && now_ns < self.checked_ns + CHECK_NS;
        if self.since_ns == 0 {
            return (!is_checked && !self.places.is_empty()).then_some((GuardRequest::List, 0));
        }
        let settled_ns = self.settled_ns();
        let open = self.places.iter().enumerate().filter(|(_, of)| of.empty_ns < settled_ns);
        let (number, place) = open.min_by_key(|(_, of)| of.asked_ns)?;
        // Told again too early, a timer would begin anew.
        let round_ns = if P::GUARDS_BY_TIMER { TIMER_NS } else { SECOND_NS };
        let is_told = place.told_ns > 0;
        if !is_told || place.is_open && now_ns >= place.told_ns + round_ns {
            return Some((GuardRequest::CancelAll, number));
        }
        (now_ns >= place.asked_ns + SECOND_NS).then_some((GuardRequest::List, number))
    }

    fn ask(&mut self, (what, place): (GuardRequest, usize), now_ns: u64) {
        let class = match what {
            GuardRequest::CancelAll => RequestClass::Cancel,
            GuardRequest::List => RequestClass::Query,
        };
        self.next_ns = now_ns + PAUSE_NS;
        let weight = self.protocol.weight(RequestClass::Query);
        if self.governor.may_send(class, weight, now_ns).is_err() {
            return;
        }
        self.next_id += 1;
        let (id, time_ms) = (self.next_id, self.clock.wall_at_ns(now_ns) / MS_NS);
        let Self { protocol, natives, text, client, .. } = self;
        if !protocol.guard_request(what, &natives[place], id, time_ms, text) {
            self.trouble = Some("this kind of venue can't cancel all of a symbol".to_owned());
            return;
        }
        match client.ask(text, now_ns) {
            Ok(()) => self.asked = Some((what, place, id, now_ns)),
            Err(error) => self.trouble = Some(error.to_string()),
        }
        if what == GuardRequest::List {
            self.places[place].asked_ns = now_ns;
        }
    }

    fn answered(&mut self, reply: &RestReply, now_ns: u64) {
        let Some((what, place, id, asked_ns)) = self.asked.take() else { return };
        let decoder = self.protocol.decoder();
        // Whether the venue lists anything, or why it does not.
        let mut unread = None;
        let told = match decoder.decode_rest(id, reply.status, &reply.body) {
            Ok(OrderMessage::Reply(reply)) => match &reply.outcome {
                Ok(body) => {
                    let is_one = !body.venue_order_id.is_none() || body.state.is_some();
                    Ok(is_one || !body.listed.is_empty() || body.unreadable.is_some())
                }
                Err(failure) => match P::outcome(failure) {
                    Outcome::NotOpen | Outcome::NoSuchOrder => Ok(false),
                    outcome => Err(Told::of(failure, outcome)),
                },
            },
            Ok(_) => Ok(true),
            // What is no order in whole is no proof that there is none.
            Err(frame) => {
                unread = Some(frame.error).filter(|error| is_no_answer(error.reason));
                Ok(true)
            }
        };
        let is_any = match told {
            Ok(is_any) => is_any,
            Err(told) => return self.failed(&told, now_ns),
        };
        (self.checked_ns, self.trouble, self.refused) = (now_ns, None, None);
        if let Some(error) = unread {
            // Nor is it a proof that the key opens the account.
            (self.checked_ns, self.next_ns) = (0, now_ns + SECOND_NS);
            self.trouble = Some(format!("the answer can't be read: {}", error.detail));
        }
        let of = &mut self.places[place];
        match what {
            GuardRequest::CancelAll => {
                (of.told_ns, of.is_open) = (asked_ns, false);
                self.cancelled += u64::from(is_any && !P::GUARDS_BY_TIMER);
            }
            GuardRequest::List if self.since_ns == 0 => {}
            GuardRequest::List if is_any => of.is_open = true,
            GuardRequest::List => {
                self.cancelled += u64::from(of.is_open && P::GUARDS_BY_TIMER);
                (of.empty_ns, of.is_open) = (asked_ns, false);
            }
        }
    }

    fn failed(&mut self, told: &Told, now_ns: u64) {
        let Told { outcome, text, code } = told;
        let words = format!("{text} (code: {code})");
        self.next_ns = now_ns + SECOND_NS;
        match outcome {
            Outcome::BadKey | Outcome::WrongTime => {
                (self.refused, self.checked_ns) = (Some(words), 0);
            }
            _ => self.trouble = Some(words),
        }
    }
}

/// Whether what can't be read may be about anybody. An order that can't be read, or several where
/// one is looked for, are the venue's.
fn is_no_answer(reason: LetterReason) -> bool {
    matches!(reason, LetterReason::Malformed | LetterReason::Field | LetterReason::Oversize)
}

impl<P: OrderProtocol> GuardSession for RestGuard<P> {
    fn venue(&self) -> &str {
        &self.venue
    }

    fn step(&mut self) {
        let now_ns = self.clock.now_ns();
        match self.client.step(now_ns) {
            Some(Ok(reply)) => self.answered(&reply, now_ns),
            Some(Err(error)) => {
                (self.asked, self.trouble) = (None, Some(error.to_string()));
                self.next_ns = now_ns + SECOND_NS;
            }
            None => {}
        }
        let is_free = self.asked.is_none() && self.client.is_idle() && now_ns >= self.next_ns;
        if is_free && let Some(wanted) = self.wanted(now_ns) {
            self.ask(wanted, now_ns);
        }
    }

    fn cancel_all(&mut self) {
        if self.since_ns == 0 {
            (self.since_ns, self.next_ns) = (self.clock.now_ns(), 0);
        }
    }

    fn state(&self) -> GuardState {
        let settled_ns = self.settled_ns();
        let open = self.places.iter().filter(|place| place.empty_ns < settled_ns).count();
        let is_down = self.checked_ns == 0 || self.refused.is_some() || self.trouble.is_some();
        match (self.since_ns, is_down) {
            (1.., _) if open == 0 => GuardState::Done,
            (1.., false) => GuardState::Cancelling(open),
            (0, false) => GuardState::Ready,
            _ => match &self.refused {
                Some(why) => GuardState::Refused(why.clone()),
                None => GuardState::Down(self.trouble.clone()),
            },
        }
    }

    fn cancelled(&self) -> u64 {
        self.cancelled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::SymbolMap;
    use crate::venue::okx::OkxOrders;
    use crate::venue::protocol::{SharedSecret, Signer};
    use crate::venue::transport::{Endpoint, Scheme, SessionLimits, SessionOptions};
    use crate::world::{Net, SplitMix64};

    fn guard() -> RestGuard<OkxOrders> {
        let endpoint = |url, scheme| Endpoint::parse(url, scheme, &Net::real(), None).unwrap();
        let session = SessionOptions {
            endpoint: endpoint("ws://127.0.0.1:1", Scheme::Ws),
            headers: String::new(),
            limits: SessionLimits::default(),
            governor: Governor::default(),
            net: Net::real(),
            token: 0,
            seed: 1,
        };
        let rest = RestOptions {
            endpoint: endpoint("http://127.0.0.1:1", Scheme::Http),
            net: Net::real(),
            token: 1,
            timeout_ns: SECOND_NS,
            body_bytes_max: 1 << 20,
        };
        let options = GuardOptions {
            venue: "test".to_owned(),
            session,
            symbols: SymbolMap::of_test(&["BTC-USDT"]),
            natives: vec!["BTC-USDT".to_owned()],
            clock: Clock::manual(0).0,
        };
        let secret = SharedSecret::drawn("key", &mut SplitMix64::new(1)).unwrap();
        RestGuard::new(secret, options, rest)
    }

    #[test]
    fn what_can_not_be_read_is_no_proof_that_the_key_opens_the_account() {
        let mut guard = guard();
        let mut answer = |body: &str| {
            guard.asked = Some((GuardRequest::List, 0, 2, 1));
            let (body, headers) = (body.as_bytes().to_vec(), Vec::new());
            guard.answered(&RestReply { status: 200, retry_after: None, headers, body }, 5);
            guard.state()
        };
        let order = |number: u64| {
            format!(
                r#"{{"instId":"BTC-USDT","ordId":"{number}","clOrdId":"","px":"30000","sz":"0.01","side":"buy","state":"live","accFillSz":"0","avgPx":""}}"#
            )
        };
        let two = format!(r#"{{"code":"0","msg":"","data":[{},{}]}}"#, order(1), order(2));
        for (body, is_ready) in [
            ("<html>", false),
            ("{}", false),
            (r#"{"code":"0","msg":"","data":[]}"#, true),
            ("soon", false),
            (&two, true),
        ] {
            let state = answer(body);
            let is_down = matches!(state, GuardState::Down(Some(_)));
            assert_eq!((state == GuardState::Ready, is_down), (is_ready, !is_ready), "{body}");
        }
    }
}
