//! How a session leaves: at the stop, when its venue is switched off, and at the last resort.

use std::sync::atomic::Ordering;

use super::agent::OrderAgent;
use super::leaving::LeftOrder;
use super::next_stream::NextStream;
use super::stage::{Presence, Stage};
use crate::runtime::Phase;
use crate::venue::EventOutlet;
use crate::venue::governor::PauseScope;
use crate::venue::protocol::OrderProtocol;
use crate::venue::transport::Session;

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// The last resort (FR-016): nothing is read any more, since what it says could be stored
    /// nowhere; the venue keeps it, to be asked for. Cancels still leave.
    #[cold]
    pub(super) fn go_on_unread(&mut self, phase: Phase) -> usize {
        if self.ready.swap(false, Ordering::AcqRel) {
            log::error!("[{}] orders: not read any more, trading is halted", self.orders.venue);
        }
        self.take_back_orders();
        let work = self.take_commands();
        if phase == Phase::Draining || self.stop.is_killed() {
            self.look_for_cancels();
            self.cancel_wanted(self.cancels_all());
        }
        let now_ns = self.orders.now_ns;
        let is_sending = match &mut self.rest.orders {
            Some(lines) => lines.send_on(now_ns),
            None => !self.session.flush(),
        };
        // Nothing to wait for: the answers stay unread.
        if phase == Phase::Draining && (!is_sending || self.stage != Stage::Ready) {
            self.close();
        }
        work
    }

    /// Whether what is open is cancelled now, since the run ends or the venue is left.
    pub(super) fn ends_with_cancels(&self, phase: Phase) -> bool {
        let is_leaving = matches!(self.presence, Presence::Leaving { .. });
        (phase == Phase::Draining || is_leaving) && self.cancels_all()
    }

    /// Whether the end of the run cancels what is open.
    fn cancels_all(&self) -> bool {
        self.cancel_on_stop || self.stop.is_killed()
    }

    /// Cancels what is open as configured; true when nothing is left to wait for.
    fn is_wound_down(&mut self) -> bool {
        if self.cancels_all() {
            self.look_for_cancels();
            self.cancel_wanted(true);
        }
        let open = if self.cancels_all() { self.orders.table.open_count() } else { 0 };
        let waiting = open + self.orders.requests.holding() + self.replacements.len();
        waiting == 0 && !self.commands.has_available()
    }

    pub(super) fn wind_down(&mut self) {
        let is_over = self.is_wound_down() && !self.stand_dead_man_down();
        if is_over || self.presence == Presence::Off {
            self.close();
        }
    }

    /// Follows the venue's switch: leaves the venue when what is open has ended, or can't be waited
    /// for.
    #[cold]
    pub(super) fn follow_switch(&mut self) -> usize {
        let venue = &self.orders.venue;
        match (self.presence, self.switch.is_on()) {
            (Presence::On, true) | (Presence::Off, false) => return 0,
            (Presence::On, false) => {
                log::info!("[{venue}] orders switched off: no new ones are taken");
                let by_ns = self.orders.now_ns + self.answer_ns;
                self.presence = Presence::Leaving { by_ns };
                self.orders.table.look_for_cancels(0);
            }
            (Presence::Leaving { .. } | Presence::Off, true) => {
                log::info!("[{venue}] orders switched on");
                self.presence = Presence::On;
                self.orders.dead_man.begin_anew();
                self.orders.account.held.accept();
                // Whoever switches it on may have set its key right.
                self.orders.gate.governor().lift(PauseScope::Account);
                self.session.resume();
                self.orders.stats.set_state(self.session.state());
            }
            (Presence::Leaving { by_ns }, false) => {
                let is_over = !self.session.is_open() || self.orders.now_ns >= by_ns;
                if !is_over && (!self.is_wound_down() || self.stand_dead_man_down()) {
                    return 0;
                }
                self.switch_off();
            }
        }
        1
    }

    fn switch_off(&mut self) {
        // Asked for when the venue is switched on again.
        self.say_left(&self.resting());
        self.session.suspend();
        self.disconnected();
        self.orders.stats.set_state(self.session.state());
        self.presence = Presence::Off;
    }

    /// The orders that may rest at the venue.
    pub(super) fn resting(&self) -> Vec<LeftOrder> {
        let orders = self.orders.table.open();
        let named = orders.filter_map(|(key, order)| {
            let instrument = order.command.instrument_id();
            let symbol = self.symbols.symbol(instrument)?;
            let native = self.symbols.native(instrument)?;
            let name = self.orders.names.name(key);
            Some(LeftOrder::new(&self.orders.venue, &name, native, symbol.scales, order))
        });
        named.collect()
    }

    fn say_left(&self, left: &[LeftOrder]) {
        if !left.is_empty() {
            log::warn!("[{}] {} orders are left open at the venue", self.orders.venue, left.len());
        }
        for order in left {
            log::error!("{order}");
        }
    }

    pub(super) fn close(&mut self) {
        self.say_cancelled();
        self.left = self.resting();
        self.session.end_for_good();
        self.rollover.end_for_good();
        self.stream.iter_mut().for_each(Session::end_for_good);
        self.next_stream.iter_mut().for_each(NextStream::end_for_good);
        self.orders.stats.set_state(self.session.state());
        self.ready.store(false, Ordering::Release);
        self.orders.outlet = None;
    }
}
