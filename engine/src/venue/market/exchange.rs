//! What a market agent exchanges with REST: snapshots that books wait for, fresh ones that live
//! books are held against, and what the venue says of its instruments.

use super::agent::MarketAgent;
use super::doubt::Sign;
use super::feed::MarketFeed;
use super::resync::ask_again;
use super::snapshot_client::{Answer, SnapshotClient};
use crate::event::{EventKind, InstrumentId, Side, format_scaled};
use crate::venue::EventOutlet;
use crate::venue::book::{CheckOutcome, Difference, SnapshotOutcome};
use crate::venue::protocol::{MarketProtocol, SnapshotFrom};

/// Asks REST for the snapshots that books wait for, and for the best levels of one that is live.
#[inline]
fn ask_rest<P: MarketProtocol>(
    feed: &mut MarketFeed<P>,
    snapshots: &mut SnapshotClient,
    now_ns: u64,
) -> usize {
    let mut work = 0;
    while let Some(instrument) = feed.next_snapshot_request(now_ns) {
        if !snapshots.ask(instrument, false) {
            feed.on_snapshot_failed(instrument, now_ns);
        }
        work += 1;
    }
    if let Some(instrument) = feed.next_refresh(now_ns) {
        if !snapshots.ask(instrument, true) {
            feed.on_refresh_failed(instrument, now_ns);
        }
        work += 1;
    }
    work
}

impl<P: MarketProtocol, O: EventOutlet> MarketAgent<P, O> {
    /// Applies what REST has answered, and asks for what is missing.
    #[inline]
    pub(super) fn exchange_snapshots(&mut self) -> usize {
        let mut work = 0;
        if let SnapshotFrom::InBand = P::SNAPSHOT
            && self.session.is_open()
        {
            // The next connection tells every book anyway.
            let may_refresh = !self.rollover.is_under_way() && !self.resubscriptions.is_wanted();
            let requests = &mut self.resubscriptions;
            work += ask_again(&mut self.feed, requests, may_refresh, self.now_ns);
        }
        let (Some(snapshots), Some(outlet)) = (&mut self.snapshots, &mut self.outlet) else {
            return work;
        };
        if let SnapshotFrom::Rest(_) = P::SNAPSHOT {
            work += ask_rest(&mut self.feed, snapshots, self.now_ns);
        }
        if outlet.room() < P::EVENTS_MAX {
            return work;
        }
        if let Some(answer) = snapshots.take() {
            match (answer.data, answer.is_shallow) {
                (Some(data), _) => {
                    let trace_id = self.traces.next_id();
                    let at = (answer.instrument, self.now_ns, trace_id);
                    self.feed.on_instrument(at, &data, outlet);
                    self.give_back(answer);
                }
                (None, true) => self.hold_against(answer),
                (None, false) => self.apply_snapshot(answer),
            }
            work += 1;
        } else if let Some(answer) = self.ahead.take() {
            // No work of its own: the stream it waits for wakes the core.
            self.hold_against(answer);
        }
        work
    }

    /// A snapshot that a book waits for.
    #[cold]
    fn apply_snapshot(&mut self, answer: Box<Answer>) {
        let Some(outlet) = &mut self.outlet else { return };
        match &answer.snapshot {
            Some(snapshot) => {
                let outcome = self.feed.on_snapshot(snapshot, self.now_ns, outlet);
                let native = self.feed.symbols().native(answer.instrument).unwrap_or_default();
                match outcome {
                    SnapshotOutcome::Implausible => log::warn!(
                        "[{}] snapshot of {native} is empty or far from its last price, and left \
                         out; another one is asked for",
                        self.venue
                    ),
                    _ => log::info!("[{}] snapshot {outcome:?} of {native}", self.venue),
                }
            }
            None => self.feed.on_snapshot_failed(answer.instrument, self.now_ns),
        }
        self.stats.snapshots_answered();
        self.give_back(answer);
    }

    /// A fresh snapshot that a live book is held against.
    fn hold_against(&mut self, answer: Box<Answer>) {
        let Some(outlet) = &mut self.outlet else { return };
        let Some(snapshot) = &answer.snapshot else {
            self.feed.on_refresh_failed(answer.instrument, self.now_ns);
            return self.give_back(answer);
        };
        match self.feed.on_refresh(snapshot, self.now_ns, outlet) {
            CheckOutcome::Ahead => {
                self.ahead = Some(answer);
                return;
            }
            CheckOutcome::Differs(difference) => {
                self.tell_difference(answer.instrument, difference)
            }
            CheckOutcome::Agrees | CheckOutcome::Unclear => {}
        }
        self.give_back(answer);
    }

    fn give_back(&mut self, answer: Box<Answer>) {
        if let Some(snapshots) = &self.snapshots {
            snapshots.give_back(answer);
        }
    }

    #[cold]
    pub(super) fn tell_difference(&mut self, instrument: InstrumentId, difference: Difference) {
        let Some(symbol) = self.feed.symbols().symbol(instrument) else { return };
        let Difference { side, price, ours, venues } = difference;
        let price = format_scaled(price, symbol.scales.price);
        let qty = |qty| format_scaled(qty, symbol.scales.qty);
        let (ours, venues) = (qty(ours), qty(venues));
        let side = if side == Side::Buy { "bid" } else { "ask" };
        self.say(instrument, |venue, native| {
            log::warn!(
                "[{venue}] the book of {native} was not the venue's: {ours} at {side} {price}, the \
                 venue has {venues}; it starts anew from a whole snapshot"
            );
        });
    }

    /// The book is the venue's, and the quotes say something else: they are subscribed to anew.
    #[cold]
    pub(super) fn renew_quotes(&mut self, instrument: InstrumentId) {
        if self.resubscriptions.want((instrument, EventKind::Quote)) {
            self.stats.resubscribed();
        }
        self.say(instrument, |venue, native| {
            log::warn!(
                "[{venue}] quotes of {native} are not those of its book, which a fresh snapshot \
                 confirms: subscribing to them again"
            );
        });
    }

    /// A live book is doubted.
    #[cold]
    pub(super) fn tell_doubt(&mut self, instrument: InstrumentId, sign: Sign) {
        if let SnapshotFrom::InBand = P::SNAPSHOT {
            self.stats.doubted();
        }
        self.say(instrument, |venue, native| {
            log::warn!(
                "[{venue}] the book of {native} is doubted, {}: asking for a fresh snapshot",
                sign.says()
            );
        });
    }
}
