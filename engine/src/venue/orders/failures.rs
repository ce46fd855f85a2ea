//! What a venue's refusals do: to the order that was asked for, and to what may be asked next.

use zerocopy::FromZeros;

use super::listing::Known;
use super::order::KnownOrder;
use super::reconcile::Reconciler;
use super::requests_in_flight::Asked;
use super::states::OrderInput;
use crate::event::{ConsumerId, ExecReport, InstrumentId, RejectReason};
use crate::order::{OrderAction, OrderCommand, OrderKey, rejection};
use crate::venue::EventOutlet;
use crate::venue::governor::{PauseCause, PauseScope};
use crate::venue::protocol::{Failure, Outcome};

/// Logons on one connection whose time stamp may be refused before it is given up.
const LOGONS_MAX: u32 = 3;
/// A pause that the venue wants without saying how long, ns.
const PAUSE_NS: u64 = 1_000_000_000;
/// The same, of a ban, ns.
const BAN_NS: u64 = 120_000_000_000;
/// The same, of a firewall: Bybit wants ten minutes without a request, the others name no time, ns.
const FIREWALL_NS: u64 = 600_000_000_000;
/// The first pause after the venue said that it has locked us out, ns.
const LOCKED_OUT_NS: u64 = 900_000_000_000;
/// The first pause after a key that the venue does not accept, ns.
const BAD_KEY_NS: u64 = 300_000_000_000;
/// The pause of new orders when the key of a session that stands may not trade, ns.
const NO_ORDERS_NS: u64 = 10_000_000_000;

impl<O: EventOutlet> Reconciler<O> {
    #[cold]
    pub(super) fn on_failure(&mut self, asked: Asked, outcome: Outcome, failure: &Failure<'_>) {
        let Failure { code, message, .. } = *failure;
        self.note_refusal(asked, failure);
        let message = message.escape_default();
        match outcome {
            Outcome::WrongTime => self.on_wrong_time(code),
            Outcome::NoSession => {
                self.failure.get_or_insert(("read", "the venue knows no such session", code));
            }
            _ => {}
        }
        if let Asked::Logon(operation) = asked {
            if outcome == Outcome::WrongTime && self.logons_refused < LOGONS_MAX {
                self.logons_refused += 1; // Sent again once the time is known.
                return;
            }
            log::error!("[{}] {operation} failed: {message} (code: {code})", self.venue);
            self.failure.get_or_insert((operation, "refused by the venue", code));
            if outcome == Outcome::BadKey {
                self.on_bad_key(failure);
            }
            return;
        }
        log::debug!("[{}] {asked:?} failed: {message} (code: {code})", self.venue);
        if matches!(asked, Asked::Submit(_)) && self.gate.refused_last != code {
            // Once for a row of them: the strategy is told of each, and the report counts them.
            self.gate.refused_last = code;
            log::warn!("[{}] order failed: {message} (code: {code})", self.venue);
        }
        let reason = match outcome {
            Outcome::Refused(reason) => reason,
            Outcome::SlowDown | Outcome::TooManyOrders | Outcome::LockedOut => {
                RejectReason::SlowDown
            }
            _ => RejectReason::Venue,
        };
        match (asked, outcome) {
            (Asked::Submit(key), outcome) => self.on_order_failed(key, outcome, reason, failure),
            (Asked::Amend(key), Outcome::Unknown) => self.apply(key, OrderInput::NoAnswer),
            (Asked::Cancel(key), outcome) => self.on_cancel_failed(key, outcome, failure),
            (Asked::Amend(key), _) => {
                self.change(key, |order, _, told| order.on_amend_refused(reason, code, told));
            }
            (Asked::Query(key, _), outcome) => self.on_query_failed(key, outcome, code),
            (Asked::Fills(key), _) => {
                (self.known.fills, self.listing) = (Known::Answered, None);
                self.on_no_fills(key);
            }
            (Asked::Logon(_), _) => {}
            (Asked::Time, _) => self.venue_clock.failed(self.now_ns),
            (Asked::Subscribe, _) => self.on_no_new_stream(outcome),
            (Asked::DeadMan, _) => self.on_dead_man_failed(Some(failure)),
            (Asked::Upkeep, _) => {
                self.account_stream.upkeep.failed(self.now_ns);
                if self.lines.take(self.now_ns) {
                    log::warn!("[{}] {}: {message} (code: {code})", self.venue, asked.what());
                }
            }
            // Nothing was open.
            (Asked::CancelSymbol(..), Outcome::NotOpen | Outcome::NoSuchOrder) => {}
            (Asked::CancelSymbol(consumer, instrument), _) => {
                self.symbol_not_cancelled((consumer, instrument), reason, code);
            }
            (asked, _) => self.account.failed(asked, Some(outcome), self.now_ns),
        }
    }

    #[cold]
    fn on_cancel_failed(&mut self, key: OrderKey, outcome: Outcome, failure: &Failure<'_>) {
        if outcome == Outcome::BadKey {
            self.on_key_without_cancels(failure);
        }
        let code = failure.code;
        match outcome {
            // It stays wanted, and goes out once the pause is over.
            Outcome::Unknown
            | Outcome::SlowDown
            | Outcome::TooManyOrders
            | Outcome::LockedOut
            | Outcome::NoSession
            | Outcome::BadKey
            | Outcome::WrongTime => self.apply(key, OrderInput::CancelLost),
            outcome => {
                let is_not_open = matches!(outcome, Outcome::NotOpen | Outcome::NoSuchOrder);
                self.change(key, |order, now, told| {
                    order.on_cancel_refused(is_not_open, code, now, told);
                });
            }
        }
    }

    #[cold]
    fn on_query_failed(&mut self, key: OrderKey, outcome: Outcome, code: i32) {
        match outcome {
            Outcome::NotListed => {
                let now_ns = self.now_ns;
                self.table.change(key, |order| order.on_not_listed(now_ns));
                if self.table.open_order(key).is_none() {
                    self.table.doubt_end(key, now_ns);
                }
            }
            Outcome::NoSuchOrder => {
                let max_ns = self.in_flight_max_ns;
                self.change(key, |order, now, told| {
                    let is_over = order.age_ns(now) > max_ns;
                    order.on_no_such_order(is_over, code, now, told);
                });
                self.doubt_end_once(key);
            }
            _ => self.change(key, KnownOrder::on_query_failed),
        }
    }

    /// Not everything in an instrument was cancelled, as far as is known: told under no order's
    /// number.
    #[cold]
    pub(super) fn symbol_not_cancelled(
        &mut self,
        (consumer, instrument): (ConsumerId, InstrumentId),
        reason: RejectReason,
        code: i32,
    ) {
        let mut command = OrderCommand::new_zeroed();
        command.action_code = OrderAction::CancelSymbol as u8;
        (command.consumer, command.venue) = (consumer.0, self.venue_id.0);
        command.instrument = instrument.0;
        let mut event = rejection(&command, reason, self.now_ns);
        if let Some(report) = event.get_mut::<ExecReport>() {
            report.venue_code = code;
        }
        self.send_event(&event);
    }

    /// A new order was refused, or nobody knows what became of it.
    #[cold]
    fn on_order_failed(
        &mut self,
        key: OrderKey,
        outcome: Outcome,
        reason: RejectReason,
        failure: &Failure<'_>,
    ) {
        let code = failure.code;
        match outcome {
            // A venue in trouble is not helped by more orders at the same pace.
            Outcome::Refused(_) | Outcome::Unknown => self.thin_out(key, code),
            Outcome::BadKey => self.on_key_without_orders(failure),
            _ => {}
        }
        if outcome == Outcome::Unknown {
            return self.apply(key, OrderInput::NoAnswer);
        }
        self.change(key, |order, now, told| order.on_refused(reason, code, now, told));
    }

    /// The venue refused an order: those of its kind leave more rarely.
    #[cold]
    fn thin_out(&mut self, key: OrderKey, code: i32) {
        let Some(order) = self.table.get(key) else { return };
        let held_ns = self.thinning.refused(&order.command, self.now_ns);
        if let (Some(held_ns), true) = (held_ns, self.lines.take(self.now_ns)) {
            let (venue, consumer) = (&self.venue, order.command.consumer);
            let symbol = self.instruments.get(order.command.instrument_id());
            let symbol = symbol.map_or("?", |spec| spec.symbol.as_str());
            log::warn!(
                "[{venue}] orders of consumer {consumer} in {symbol} are refused again and again \
                 (code: {code}): held back for {} ms, and longer after each refusal",
                held_ns / 1_000_000
            );
        }
    }

    /// A key that does not open the account is not tried again and again.
    #[cold]
    fn on_bad_key(&mut self, failure: &Failure<'_>) {
        let cause = PauseCause { status: failure.status, code: failure.code };
        let governor = self.gate.governor();
        governor.pause_untold(PauseScope::Account, BAD_KEY_NS, cause, &self.clock);
        let venue = &self.venue;
        log::error!(
            "[{venue}] the venue does not accept this key: no orders are sent. Check that api_key \
             is the name of this private key, that the key may trade, that this address is on its \
             list, and that the clock is right. To try again at once: pitlane ctl venue remove \
             {venue}, then pitlane ctl venue add {venue}"
        );
    }

    /// The session stands, but its key may not trade: a new order is tried now and then, cancels
    /// and questions go on. Never for long, since nobody tells when the key was set right.
    #[cold]
    fn on_key_without_orders(&mut self, failure: &Failure<'_>) {
        let cause = PauseCause { status: failure.status, code: failure.code };
        let until_ns = self.now_ns.saturating_add(NO_ORDERS_NS);
        self.gate.governor().pause(PauseScope::Orders, until_ns, cause, &self.clock);
        if self.lines.take(self.now_ns) {
            log::error!(
                "[{}] the venue takes no order with this key (code: {}): new orders are held back. \
                 Check that the key may trade, and that this address is on its list",
                self.venue,
                failure.code
            );
        }
    }

    /// The venue takes no cancel with this key, which is no word on the order: the cancel stays
    /// wanted, and is sent again, later each time. Somebody has to know of it.
    #[cold]
    fn on_key_without_cancels(&mut self, failure: &Failure<'_>) {
        if self.lines.take(self.now_ns) {
            log::error!(
                "[{}] the venue takes no cancel with this key (code: {}): what is open stays open \
                 there, and the cancel is sent again. Check that the key is not revoked, that it \
                 may trade, and that this address is on its list; or cancel at the venue itself",
                self.venue,
                failure.code
            );
        }
    }

    /// Obeys a failure that wants a pause, to its end, whatever its length.
    #[cold]
    pub(super) fn pause(&mut self, outcome: Outcome, failure: &Failure<'_>) {
        let scope = match outcome {
            Outcome::SlowDown => self.gate.slow_down_scope(failure.status),
            Outcome::LockedOut => PauseScope::AllButCancels,
            // A server in trouble that says when to come again.
            Outcome::Unknown if self.gate.rest_wait_ns.is_some() => PauseScope::AllButCancels,
            Outcome::TooManyOrders => PauseScope::Orders,
            _ => return,
        };
        let cause = PauseCause { status: failure.status, code: failure.code };
        let governor = self.gate.governor();
        // By the venue's own clock: ours may be ahead of it.
        let time_ms = failure.server_time_ms.unwrap_or(self.venue_clock.at_ms(self.now_ns));
        let wait_ms = failure.retry_after_ms.map(|at_ms| at_ms.saturating_sub(time_ms));
        let told_ns = wait_ms
            .and_then(|wait_ms| u64::try_from(wait_ms).ok())
            .map(|wait_ms| wait_ms.saturating_mul(1_000_000))
            .or(self.gate.rest_wait_ns);
        let Some(wait_ns) = told_ns.filter(|wait_ns| *wait_ns > 0) else {
            // No time named, or one that has passed: asking at once again can't be what it wants.
            let first_ns = match (outcome, failure.status) {
                (Outcome::LockedOut, _) => LOCKED_OUT_NS,
                (_, 418) => BAN_NS,
                (_, 403) => FIREWALL_NS,
                _ => PAUSE_NS,
            };
            governor.pause_untold(scope, first_ns, cause, &self.clock);
            self.gate.is_slowed = true;
            return;
        };
        let until_ns = self.now_ns.saturating_add(wait_ns);
        governor.pause(scope, until_ns, cause, &self.clock);
    }
}
