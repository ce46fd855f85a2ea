//! The sections about risk: `[risk]` and the tables in it.
//!
//! A limit that is not given is not checked, but for those of open orders and of orders a second.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Config;
use super::schema::{Rule, flag, section, whole};

/// Whether an order may trade with one of our own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfCross {
    /// It may; what the venue makes of it is the venue's rule.
    #[default]
    Allow,
    /// It is refused.
    Refuse,
}

/// What becomes of orders of an earlier start that are found open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStart {
    /// They stay, and belong to the strategy of the same name.
    #[default]
    Adopt,
    /// They are cancelled, before the venue's session takes new ones.
    Cancel,
    /// They stay, and trading is off until an operator switches it on.
    Ask,
}

/// What becomes of open orders at the end of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStop {
    /// They are cancelled.
    #[default]
    CancelAll,
    /// They stay at the venue.
    Leave,
}

const SELF_CROSS: Rule = Rule::OneOf(&["allow", "refuse"]);

/// Order types, as they are named everywhere.
pub(crate) const ORDER_TYPES: [&str; 7] = [
    "limit",
    "limit_maker",
    "market",
    "stop_loss",
    "stop_loss_limit",
    "take_profit",
    "take_profit_limit",
];

const SOME_TYPES: Rule = Rule::SomeOf(&ORDER_TYPES);

section! {
    /// What the engine refuses to send, whatever a strategy asks for. The limits that stand here
    /// are those of each strategy by itself; `venues` and `total` have those that all share. What
    /// is open, in doubt, or assumed to have ended counts as filled.
    #[name = "risk", most = 1]
    #[derive(Debug)]
    pub struct RiskConfig {
        /// Send orders at all. When false, every submit is refused.
        trading: bool = true => flag();
        /// Largest quantity of one order, in units of the instrument's base asset: "2" is 2 of it
        /// for every instrument.
        max_order_qty: Option<String> = None => Rule::Decimal, "\"1.5\"";
        /// What one order may trade for, in the quote asset. A sale below the bid counts at the
        /// bid; an order without a price counts at the best price and `price_band_bps` beyond it,
        /// 5 % where there is no band.
        max_order_notional: Option<String> = None => Rule::Decimal, "\"50000\"";
        /// Largest position in one instrument, long or short, over all venues, in the base asset,
        /// if everything that is open filled.
        max_position: Option<String> = None => Rule::Decimal, "\"5\"";
        /// What all open orders may trade for together, by quote asset.
        max_open_notional: Option<String> = None => Rule::Decimal, "\"250000\"";
        /// Open orders of one consumer.
        max_open_orders: u32 = 64 => whole(1..=1_024, "orders");
        /// New orders and amendments of one consumer in any second. Cancels and
        /// queries are not counted. The default is what Binance allows an account (100 in 10 s);
        /// the venue's own limit, which all consumers share, holds whatever is set here.
        max_orders_per_s: u32 = 10 => whole(1..=1_000_000, "orders/s");
        /// Cancels of one consumer in any second. Those of a kill, a stop or a
        /// quarantine are never held back by it.
        max_cancels_per_s: Option<u32> = None => whole(1..=1_000_000, "cancels/s"), "50";
        /// How far above the best ask a buy's price may be, and below the best bid a sale's, in
        /// hundredths of a percent. A stop's price is held against its trigger price.
        price_band_bps: Option<u32> = None => whole(1..=100_000, "bps"), "100";
        /// How far from the best price of its side, above or below, the trigger price of a stop may
        /// be, in hundredths of a percent.
        trigger_band_bps: Option<u32> = None => whole(1..=100_000, "bps"), "1000";
        /// Longest time since the venue's quote, book or trades were heard. An older one, or a book
        /// that is not live, lets no order leave.
        stale_ms: Option<u32> = None => whole(1..=3_600_000, "ms"), "2_000";
        /// Whether an order may be priced so that it could trade with an open one of ours, of any
        /// strategy, at the same venue: `allow` or `refuse`. Orders that wait for a trigger are not
        /// looked at.
        self_cross: SelfCross = SelfCross::Allow => SELF_CROSS;
        /// Order types that may be used. Not given: all that the venue has.
        order_types: Option<Vec<String>> = None => SOME_TYPES, "[\"limit\", \"limit_maker\"]";
        /// Loss of a strategy between two midnights UTC, by quote asset, after fees, with what is
        /// open at its mark. Once it is reached no order of the strategy leaves until midnight.
        max_daily_loss: Option<String> = None => Rule::Decimal, "\"1000\"";
        /// Refusals and rejections of a strategy within `breaker_window_s` after which its orders
        /// are off for `breaker_cooldown_s`.
        breaker_events: Option<u32> = None => whole(1..=1_024, "events"), "20";
        /// Realised loss within the window, in the quote asset, that does the same.
        breaker_loss: Option<String> = None => Rule::Decimal, "\"200\"";
        /// The window of the circuit breaker.
        breaker_window_s: u32 = 10 => whole(1..=86_400, "s");
        /// How long it holds.
        breaker_cooldown_s: u32 = 60 => whole(1..=86_400, "s");
        /// How long an order counts as open when the venue knows nothing of it, so that its end is
        /// only assumed.
        assumed_end_s: u32 = 300 => whole(1..=86_400, "s");
        /// What becomes of orders of an earlier start that are found open at the venue: `adopt`
        /// leaves them to the strategy of the same name, `cancel` cancels them before new ones may
        /// leave, with `ask` they stay and trading is off until `pitlane ctl mode on`. It takes a
        /// journal that outlives the run: `[journal] dir`.
        on_start: OnStart = OnStart::Adopt => Rule::OneOf(&["adopt", "cancel", "ask"]);
        /// Whether no other engine trades on this account. With it an order at the venue that has a
        /// name of this engine's form, and that the journal does not have, is taken for one of a
        /// journal that is lost: `on_start = "cancel"` cancels it too. Without it such orders are
        /// left alone and shown.
        sole_engine: bool = false => flag();
        /// What becomes of open orders when the engine stops: `cancel_all` cancels them, `leave`
        /// leaves them at the venue, named in the report, for the next start with the same
        /// `[journal] dir`.
        on_stop: OnStop = OnStop::CancelAll => Rule::OneOf(&["cancel_all", "leave"]);
        /// Cancel every open order of a consumer that is quarantined. It gets no new ones either
        /// way.
        cancel_on_quarantine: bool = true => flag();
        /// Limits of single instruments, by symbol, in place of those above.
        instruments: BTreeMap<String, InstrumentRisk> = BTreeMap::new()
            => Rule::Tables("symbol", InstrumentRisk::SECTION.keys),
            "{ \"BTC-USDT\" = { max_order_qty = \"0.5\" } }";
        /// Limits of single consumers, by name: of quantities and money beside those above, of
        /// everything else in place of them.
        strategies: BTreeMap<String, StrategyRisk> = BTreeMap::new()
            => Rule::Tables("name", StrategyRisk::SECTION.keys),
            "{ market_maker = { max_open_orders = 8 } }";
        /// Limits that all consumers share at one venue, by its name.
        venues: BTreeMap<String, GroupRisk> = BTreeMap::new()
            => Rule::Tables("name", GroupRisk::SECTION.keys),
            "{ binance = { max_open_orders = 100 } }";
        /// Limits that all consumers share over all venues.
        total: GroupRisk = GroupRisk::default() => Rule::Table(GroupRisk::SECTION.keys),
            "{ max_open_orders = 200 }";
    }
}

section! {
    /// Limits of one instrument.
    #[name = "risk.instruments", most = 1]
    #[derive(Debug)]
    pub struct InstrumentRisk {
        /// Largest quantity of one order, in units of the base asset.
        max_order_qty: Option<String> = None => Rule::Decimal, "\"0.5\"";
        /// What one order may trade for, in the quote asset.
        max_order_notional: Option<String> = None => Rule::Decimal, "\"20000\"";
        /// Largest position of each strategy, in the base asset.
        max_position: Option<String> = None => Rule::Decimal, "\"2\"";
        /// How far through the book a price may be, in hundredths of a percent.
        price_band_bps: Option<u32> = None => whole(1..=100_000, "bps"), "50";
        /// How far from the market a trigger price may be, in hundredths of a percent.
        trigger_band_bps: Option<u32> = None => whole(1..=100_000, "bps"), "500";
        /// Longest time since its quote, book or trades were heard.
        stale_ms: Option<u32> = None => whole(1..=3_600_000, "ms"), "1_000";
    }
}

section! {
    /// Limits of one strategy.
    #[name = "risk.strategies", most = 1]
    #[derive(Debug)]
    pub struct StrategyRisk {
        /// Largest quantity of one order, in units of the base asset.
        max_order_qty: Option<String> = None => Rule::Decimal, "\"0.5\"";
        /// What one order may trade for, in the quote asset.
        max_order_notional: Option<String> = None => Rule::Decimal, "\"20000\"";
        /// Largest position in one instrument, in the base asset.
        max_position: Option<String> = None => Rule::Decimal, "\"2\"";
        /// What all its open orders may trade for together, by quote asset.
        max_open_notional: Option<String> = None => Rule::Decimal, "\"100000\"";
        /// Open orders.
        max_open_orders: Option<u32> = None => whole(1..=1_024, "orders"), "8";
        /// New orders and amendments in any second.
        max_orders_per_s: Option<u32> = None => whole(1..=1_000_000, "orders/s"), "5";
        /// Cancels in any second.
        max_cancels_per_s: Option<u32> = None => whole(1..=1_000_000, "cancels/s"), "10";
        /// Order types that it may use.
        order_types: Option<Vec<String>> = None => SOME_TYPES, "[\"limit_maker\"]";
        /// Loss between two midnights UTC, by quote asset.
        max_daily_loss: Option<String> = None => Rule::Decimal, "\"500\"";
    }
}

section! {
    /// Limits that all strategies share.
    #[name = "risk.venues", most = 1]
    #[derive(Debug)]
    pub struct GroupRisk {
        /// Largest position in one instrument, long or short, in the base asset.
        max_position: Option<String> = None => Rule::Decimal, "\"10\"";
        /// What all open orders may trade for together, by quote asset.
        max_open_notional: Option<String> = None => Rule::Decimal, "\"500000\"";
        /// Open orders.
        max_open_orders: Option<u32> = None => whole(1..=1_000_000, "orders"), "100";
        /// New orders and amendments in any second.
        max_orders_per_s: Option<u32> = None => whole(1..=1_000_000, "orders/s"), "20";
        /// Cancels of strategies in any second.
        max_cancels_per_s: Option<u32> = None => whole(1..=1_000_000, "cancels/s"), "40";
        /// Loss of all consumers together between two midnights UTC, by quote asset, as in
        /// `[risk]`; of `[risk.total]` alone. Once it is reached no order leaves until midnight.
        max_daily_loss: Option<String> = None => Rule::Decimal, "\"2000\"";
        /// Order types that may be used.
        order_types: Option<Vec<String>> = None => SOME_TYPES, "[\"limit\", \"limit_maker\"]";
    }
}

impl Config {
    /// Open orders that a consumer may have at a time.
    #[must_use]
    pub fn max_open_orders(&self, consumer: &str) -> usize {
        let own = self.risk.strategies.get(consumer).and_then(|own| own.max_open_orders);
        own.unwrap_or(self.risk.max_open_orders) as usize
    }

    /// The most open orders that any consumer may have.
    #[must_use]
    pub fn open_orders_most(&self) -> usize {
        let each = self.consumers.iter().map(|consumer| self.max_open_orders(&consumer.name));
        each.max().unwrap_or_default()
    }

    /// Open orders that all consumers together may have.
    #[must_use]
    pub fn open_orders_max(&self) -> usize {
        self.consumers.iter().map(|consumer| self.max_open_orders(&consumer.name)).sum()
    }
}
