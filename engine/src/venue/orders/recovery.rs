//! The start of a session with orders of earlier starts: each is asked for, and what was found is
//! told, before the first new order may leave.

use super::agent::OrderAgent;
use super::order::{CancelWish, KnownOrder};
use super::states::OrderState;
use crate::config::OnStart;
use crate::order::recovery::{FoundBalance, FoundOrder, OtherOrder, VenueFound};
use crate::venue::EventOutlet;
use crate::venue::protocol::OrderProtocol;

/// Between two lines that say what the start waits for, ns.
const SAY_NS: u64 = 10_000_000_000;
/// Orders that have a line in the log; all are in the status and the report.
const LINES_MAX: usize = 50;

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// Whether nothing of an earlier start has to be waited for; to be called while the session
    /// asks for what is open.
    #[cold]
    pub(super) fn is_recovered(&mut self) -> bool {
        let Some(recovery) = &mut self.recovery else { return true };
        let (now_ns, cancels) = (self.orders.now_ns, recovery.on_start == OnStart::Cancel);
        let mut has_new_cancels = false;
        if cancels {
            self.orders.table.change_open(|order| {
                let is_live = order.is_taken_up && order.state == OrderState::Working;
                if is_live && order.cancel == CancelWish::None {
                    (order.cancel, order.is_cancelled_outside) = (CancelWish::Wanted, true);
                    has_new_cancels = true;
                }
            });
        }
        let open = self.orders.table.open();
        let is_awaited = |order: &KnownOrder| order.holds_start() || cancels && order.is_taken_up;
        let awaited = open.filter(|(_, order)| is_awaited(order)).count();
        if awaited > 0 && now_ns >= recovery.say_ns {
            let (venue, all) = (&self.orders.venue, recovery.open.len());
            log::info!(
                "[{venue}] {awaited} of {all} orders of earlier starts are still to be settled \
                 with the venue; until then no new order leaves"
            );
            recovery.say_ns = now_ns + SAY_NS;
        }
        if has_new_cancels {
            self.look_for_cancels();
        }
        if awaited == 0 {
            self.say_found();
        }
        awaited == 0
    }

    fn say_found(&mut self) {
        let Some(recovery) = self.recovery.take() else { return };
        let mut found = recovery.found(&mut self.orders, &self.symbols);
        let venue = &self.orders.venue;
        if P::TRADES_CONTRACTS {
            // A fill moves a wallet by its profit and its fee, which no record of orders tells.
            found.balances.clear();
            log::info!(
                "[{venue}] contracts: positions are held against what was traded here. Wallets are \
                 not: profit, fees and funding show in the balances alone"
            );
        }
        say_orders(venue, &found);
        if recovery.asks_account {
            say_what_was_not_told(venue, &found);
        }
        say_account(venue, &found);
        if let Some(question) = recovery.board.found(venue, found) {
            log::warn!(
                "[{venue}] trading stays off (on_start = \"ask\"): {question}. To keep \
                 them and trade: pitlane ctl mode on. To cancel all and stop: pitlane ctl kill. \
                 Without the control socket: start with on_start = \"adopt\" or \"cancel\""
            );
        }
    }
}

fn say_orders(venue: &str, found: &VenueFound) {
    let VenueFound { orders, adopted, .. } = found;
    let rows = || orders.iter().chain(adopted);
    let all = rows().count();
    if all == 0 {
        return;
    }
    let count = |what: &str| rows().filter(|row| row.found == what).count();
    let (open, filled, unknown) = (count("open"), count("filled"), count("unknown"));
    let never = count("never_arrived");
    log::info!(
        "[{venue}] {all} orders of earlier starts: {open} open, {filled} filled, {} ended \
         otherwise, {never} never arrived, {unknown} not known there and asked for again",
        all - open - filled - never - unknown,
    );
    for row in rows().take(LINES_MAX) {
        let FoundOrder { name, symbol, side, price, qty, filled_before, filled, was, .. } = row;
        let (name, is) = (name.escape_default(), &row.found);
        log::info!(
            "[{venue}]   {name}: {side} {qty} {symbol} at {price} was {was}, filled \
             {filled_before}; is {is}, filled {filled}"
        );
    }
}

/// The account was asked for what it has, and an answer did not come, or can't be read whole.
fn say_what_was_not_told(venue: &str, found: &VenueFound) {
    if !found.is_listed {
        log::warn!(
            "[{venue}] what the account has open was not told whole: orders that the journal does \
             not have may rest there unseen, and those are not cancelled"
        );
    }
    if !found.has_balances {
        log::warn!(
            "[{venue}] what the account has was not told whole: balances are held against nothing"
        );
    }
}

/// What the account has that is none of ours, or not as it was.
fn say_account(venue: &str, found: &VenueFound) {
    let (others, count) = (&found.others.0, found.others.1);
    if count > 0 {
        log::warn!(
            "[{venue}] {count} open orders of the account are in no book of this engine: they are \
             left alone, unless their line says otherwise, and count in no limit"
        );
    }
    for OtherOrder { name, symbol, side, price, qty, what, is_canceled, .. } in
        others.iter().take(LINES_MAX)
    {
        let (name, symbol) = (name.escape_default(), symbol.escape_default());
        let canceled = if *is_canceled { "; cancelled" } else { "" };
        log::warn!("[{venue}]   {name}: {side} {qty} {symbol} at {price}: {what}{canceled}");
    }
    for FoundBalance { asset, recorded, traded, found, difference } in &found.balances {
        log::warn!(
            "[{venue}] {asset}: {recorded} on record, and {traded} traded since; the account has \
             {found}: {difference} is fees of that, or somebody else's doing"
        );
    }
}
