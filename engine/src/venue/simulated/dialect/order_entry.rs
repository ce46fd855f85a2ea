//! Order entry of dialects: what happens to a request, whatever the venue, and where faults strike.
//! How requests and answers are worded is the venue's own.

use std::time::Duration;

use super::{Saying, Stage, Talk};
use crate::event::{FixedError, parse_scaled};
use crate::venue::simulated::exchange::{
    AMOUNT_SCALE, BalanceNow, Event, Exchange, Filter, NewOrder, Order, OrderName, OrderReport,
    Refusal, SimulatedSymbol,
};
use crate::venue::simulated::fault::{Fault, Faults, Occasion};
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::server::{AccountFrame, HttpRequest, Reply, Session};

/// Digits of an average price beyond those of a price.
const AVERAGE_MORE: u32 = 8;

/// How a venue words its order entry.
pub trait OrderFormat: Send + 'static {
    /// Paths of its sessions.
    fn paths(&self) -> &'static [&'static str];

    /// A request over REST that is about orders, as a message; `None`: it is none. What is said to
    /// whoever has no WebSocket is a status, a space, and a body.
    fn message_of(&self, _request: &HttpRequest) -> Option<String> {
        None
    }

    /// Answers what is no request about an order, such as a logon; false: it is one.
    fn answers(&mut self, text: &str, talk: &mut Talk<'_>) -> bool;

    /// Reads a request about an order.
    ///
    /// # Errors
    /// Why it is refused.
    fn read(&self, text: &str, exchange: &Exchange, now: Moment) -> Result<Wish, Refused>;

    /// The cancels of a request that has several, each as a request of its own.
    fn cancels(&self, _text: &str) -> Option<Vec<String>> {
        None
    }

    /// Whether each cancel of such a request is answered in a message of its own.
    fn answers_apart(&self) -> bool {
        false
    }

    /// The answer to such a request, of the answers to each.
    fn together(&self, _text: &str, answers: &[String], _now: Moment) -> String {
        answers.join("")
    }

    /// The answer to a request that was granted: the order as it is then.
    fn granted(&self, text: &str, order: &Order, now: Moment) -> String;

    /// The answer to one that was not.
    fn refused(&self, text: &str, why: Refused, now: Moment) -> String;

    /// What the account is told of an order; `None`: nothing.
    fn report(&self, report: &OrderReport, symbol: &SimulatedSymbol, now: Moment)
    -> Option<String>;

    /// What it is told of balances; `None`: nothing.
    fn balances(
        &self,
        _balances: &[BalanceNow],
        _exchange: &Exchange,
        _now: Moment,
    ) -> Option<String> {
        None
    }

    /// Answers a request over REST; `None`: there is no such path. `is_behind`: what answers does
    /// not know the newest orders.
    fn rest(
        &self,
        _request: &HttpRequest,
        _exchange: &Exchange,
        _is_behind: bool,
        _now: Moment,
    ) -> Option<Reply> {
        None
    }

    /// Looks at the sessions that are open, each turn.
    fn watch(
        &mut self,
        _sessions: &mut dyn Iterator<Item = &Session>,
        _exchange: &Exchange,
        _now: Moment,
    ) {
    }
}

/// What is to be done with an order.
pub enum Wish {
    /// A new order.
    Place(Box<NewOrder>),
    /// The order of this number is what is asked for: it is there already.
    Known(u64),
    /// A cancel: market and order.
    Cancel(usize, OrderName),
    /// A smaller quantity: market, order, and the quantity.
    Amend(usize, OrderName, u64),
}

/// Why a request about an order is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The exchange refuses it.
    Exchange(Refusal),
    /// The session has not logged on.
    NotLoggedOn,
    /// It is older than it says that it may be.
    Expired,
    /// One of its members is missing, or means nothing.
    Malformed,
    /// There is no such market.
    NoSuchMarket,
    /// Too many orders in too short a time.
    TooManyOrders,
    /// Nobody knows what became of it.
    Unknown,
    /// It says so, and may take effect all the same.
    Internal,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused::Exchange(refusal)
    }
}

/// A number of the client's in units of 10^-`scale`.
///
/// # Errors
/// `Malformed` where it is none, or the filter that it breaks with too many digits.
pub(super) fn number(text: Option<&str>, scale: u32, filter: Filter) -> Result<u64, Refused> {
    let text = text.ok_or(Refused::Malformed)?;
    match parse_scaled(text.as_bytes(), scale as u8) {
        Ok(value) => u64::try_from(value).map_err(|_| Refused::Malformed),
        Err(FixedError::TooPrecise) => Err(Refusal::Filter(filter).into()),
        Err(_) => Err(Refused::Malformed),
    }
}

/// An amount of an asset.
pub(super) fn amount(value: u128) -> String {
    let one = 10_u128.pow(AMOUNT_SCALE);
    format!("{}.{:016}", value / one, value % one)
}

/// The average price of what an order has executed; empty where that is nothing.
pub(super) fn average(order: &Order, symbol: &SimulatedSymbol) -> String {
    if order.executed == 0 {
        return String::new();
    }
    let value = order.notional * 10_u128.pow(AVERAGE_MORE) / u128::from(order.executed);
    let one = 10_u128.pow(symbol.price_scale + AVERAGE_MORE);
    let digits = (symbol.price_scale + AVERAGE_MORE) as usize;
    format!("{}.{:0digits$}", value / one, value % one)
}

/// The order entry of a dialect.
pub(super) struct OrderEntry<F: OrderFormat + ?Sized = dyn OrderFormat> {
    format: Box<F>,
    /// Until then questions know no order; nanoseconds of the monotonic clock.
    behind_until_ns: u64,
}

impl<F: OrderFormat + ?Sized> OrderEntry<F> {
    pub(super) fn new(format: Box<F>) -> OrderEntry<F> {
        OrderEntry { format, behind_until_ns: 0 }
    }

    pub(super) fn format(&self) -> &F {
        &self.format
    }

    /// The path, if it is one of its sessions'.
    pub(super) fn serves(&self, path: &str) -> Option<&'static str> {
        self.format.paths().iter().copied().find(|known| *known == path)
    }

    /// Handles a message of a session.
    pub(super) fn message(&mut self, text: &str, stage: Stage, talk: &mut Talk<'_>) {
        if stage == Stage::Received {
            match talk.faults.strike(Occasion::Request) {
                Some(Fault::Ban { duration }) => {
                    talk.limits.ban(duration.as_millis() as i64, talk.now);
                }
                // Whoever used it is cut off.
                Some(Fault::KeyRevoked) => {
                    talk.session.authorized_ms = None;
                    return talk.says.push(Saying::Close { at_ns: talk.now.ns });
                }
                _ => {}
            }
            if self.format.answers(text, talk) {
                return;
            }
            if talk.session.authorized_ms.is_some()
                && let Some(cancels) = self.format.cancels(text)
            {
                return self.cancel_several(text, &cancels, talk);
            }
        }
        let wish = self.format.read(text, talk.exchange, talk.now);
        let is_new = matches!(wish, Ok(Wish::Place(_)));
        match wish {
            Ok(Wish::Place(_)) if stage == Stage::Received => talk.counters.orders_received(),
            Ok(Wish::Cancel(..)) => talk.counters.cancels_received(),
            _ => {}
        }
        let outcome = match talk.session.authorized_ms {
            None if stage == Stage::Received => {
                // A session whose key was revoked had logged on.
                if !talk.session.has_logged_on {
                    talk.limits.before_logon();
                }
                Err(Refused::NotLoggedOn)
            }
            _ => wish.and_then(|wish| self.carry_out(wish, (text, stage), talk)),
        };
        let Ok(id) = outcome else {
            let Err(why) = outcome else { return };
            return self.refuse(why, (text, stage, is_new), talk);
        };
        let Some(id) = id else { return };
        let answer = self.format.granted(text, talk.exchange.orders().by_id(id), talk.now);
        self.reply(answer, stage, talk);
    }

    fn cancel_several(&self, text: &str, cancels: &[String], talk: &mut Talk<'_>) {
        talk.counters.batches_received();
        let mut answers = Vec::with_capacity(cancels.len());
        for cancel in cancels {
            talk.counters.cancels_received();
            let wish = self.format.read(cancel, talk.exchange, talk.now);
            let outcome =
                wish.and_then(|wish| self.carry_out(wish, (cancel, Stage::Received), talk));
            answers.push(match outcome {
                Ok(Some(id)) => {
                    self.format.granted(cancel, talk.exchange.orders().by_id(id), talk.now)
                }
                Ok(None) => self.format.refused(cancel, Refused::Malformed, talk.now),
                Err(why) => self.format.refused(cancel, why, talk.now),
            });
        }
        if self.format.answers_apart() {
            return answers.into_iter().for_each(|of| self.reply(of, Stage::Received, talk));
        }
        let answer = self.format.together(text, &answers, talk.now);
        self.reply(answer, Stage::Received, talk);
    }

    fn refuse(&self, why: Refused, of: (&str, Stage, bool), talk: &mut Talk<'_>) {
        let (text, stage, is_new) = of;
        if is_new {
            talk.counters.orders_refused();
        }
        let answer = self.format.refused(text, why, talk.now);
        self.reply(answer, stage, talk);
    }

    fn reply(&self, answer: String, stage: Stage, talk: &mut Talk<'_>) {
        let is_lost = talk.faults.strike(Occasion::Reply).is_some();
        if stage != Stage::Unheard && !is_lost {
            talk.says.push(Saying::Now(answer));
        }
    }

    /// Does what is wished: the number of the order, or `None` when it is done later.
    fn carry_out(
        &self,
        wish: Wish,
        (text, stage): (&str, Stage),
        talk: &mut Talk<'_>,
    ) -> Result<Option<u64>, Refused> {
        match wish {
            Wish::Place(order) => {
                if stage == Stage::Received {
                    talk.limits.order(talk.now).map_err(|_| Refused::TooManyOrders)?;
                    if self.misplace(text, talk)? {
                        return Ok(None);
                    }
                }
                let placed = talk.exchange.place(*order, talk.now);
                // An order that is refused for itself counts no more than one that is filled.
                let placed = placed.inspect_err(|_| talk.limits.give_back(talk.now))?;
                Ok(Some(placed.id))
            }
            Wish::Known(id) => Ok(Some(id)),
            Wish::Cancel(market, name) => {
                let cancel = talk.exchange.new_name();
                Ok(Some(talk.exchange.cancel(market, &name, cancel, talk.now)?))
            }
            Wish::Amend(market, name, qty) => {
                let kept = talk.exchange.orders().find(market, &name);
                let kept = kept.map(|order| order.client_order_id.clone());
                let (id, _) = talk.exchange.amend(market, &name, (qty, kept), talk.now)?;
                Ok(Some(id))
            }
        }
    }

    /// Lets a fault strike at a new order: whether it is done later, or never.
    fn misplace(&self, text: &str, talk: &mut Talk<'_>) -> Result<bool, Refused> {
        let after = |duration| talk.now.ns + nanos(duration);
        let again = |duration, is_heard| Saying::Again {
            at_ns: after(duration),
            text: text.into(),
            is_heard,
        };
        match talk.faults.strike(Occasion::Place) {
            Some(Fault::UnknownOutcome { reply_after, enters_after }) => {
                let text = self.format.refused(text, Refused::Unknown, talk.now);
                let later = Saying::Later { at_ns: after(reply_after), text };
                let enters = enters_after.map(|duration| again(duration, false));
                talk.says.push(later);
                talk.says.extend(enters);
                Ok(true)
            }
            Some(Fault::FalseRefusal { enters_after, is_final }) => {
                let enters = again(enters_after, false);
                talk.says.push(enters);
                Err(if is_final { Refusal::NoBalance.into() } else { Refused::Internal })
            }
            Some(Fault::LateForward { delay }) => {
                let later = again(delay, true);
                talk.says.push(later);
                Ok(true)
            }
            Some(_) => Err(Refused::TooManyOrders),
            None => Ok(false),
        }
    }

    /// A request over REST that is a message of order entry.
    pub(super) fn message_of(&self, request: &HttpRequest) -> Option<String> {
        self.format.message_of(request)
    }

    /// Answers a request over REST.
    pub(super) fn rest(
        &mut self,
        request: &HttpRequest,
        exchange: &Exchange,
        faults: &mut Faults,
        now: Moment,
    ) -> Option<Reply> {
        if let Some(Fault::ReplicaLag { duration }) = faults.strike(Occasion::Query) {
            self.behind_until_ns = now.ns + nanos(duration);
        }
        self.format.rest(request, exchange, now.ns < self.behind_until_ns, now)
    }

    /// Looks at the sessions that are open.
    pub(super) fn watch(
        &mut self,
        sessions: &mut dyn Iterator<Item = &Session>,
        exchange: &Exchange,
        now: Moment,
    ) {
        self.format.watch(sessions, exchange, now);
    }

    /// Renders an event of the account.
    pub(super) fn account_frame(
        &self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<AccountFrame> {
        let (kind, text, is_fill) = match event {
            Event::Order(report) => {
                let symbol = &exchange.markets()[report.order.market].symbol;
                let text = self.format.report(report, symbol, now)?;
                (FrameKind::ExecReport, text, report.is_fill())
            }
            Event::Balances(balances) => {
                (FrameKind::Account, self.format.balances(balances, exchange, now)?, false)
            }
            _ => return None,
        };
        Some(AccountFrame { kind, text, is_fill })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_the_symbols_scale_or_refused_for_what_is_wrong() {
        let read = |text| number(Some(text), 2, Filter::Price);
        assert_eq!(read("60000.01"), Ok(6_000_001));
        assert_eq!(read("0.001"), Err(Refusal::Filter(Filter::Price).into()));
        for text in ["", "-1", "1e5", "x"] {
            assert_eq!(read(text), Err(Refused::Malformed), "{text}");
        }
    }

    #[test]
    fn amounts_have_all_their_decimals() {
        assert_eq!(amount(12_500_000_000_000_000), "1.2500000000000000");
    }
}
