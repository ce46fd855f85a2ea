//! The command line of `pitlane ctl`, and the request that each verb makes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use pitlane_engine::control::protocol::{
    ConsumerAction, ControlRequest, MergeRule, RiskAction, RiskEdit, RouteEdit, RouteFilter,
    Selection, VenueAction, WATCH_INTERVAL_LIMITS_MS,
};

const EXAMPLES: &str = "\
Examples:
  pitlane ctl status
  pitlane ctl orders
  pitlane ctl positions
  pitlane ctl audit
  pitlane ctl routes --consumer momentum
  pitlane ctl unsubscribe momentum BTC-USDT --kind trade
  pitlane ctl flip --dry-run -- -momentum:BTC-USDT:trade +noop:ETH-USDT
  pitlane ctl merge momentum BTC-USDT --venue binance --venue simulated --window-ms 5 --max-events 10
  pitlane ctl mode off
  pitlane ctl risk
  pitlane ctl risk set max_position 0.5 --strategy market_maker --instrument BTC-USDT
  pitlane ctl risk kill --strategy market_maker
  pitlane ctl watch

Exit codes: 0 done; 1 refused, nothing was changed; 2 command line; 3 no engine, or it went away";

/// Options of `ctl`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CtlArgs {
    /// The control socket [default: that of the one engine that runs here]
    #[arg(long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,
    /// The engine of this process, where several run here.
    #[arg(long, value_name = "NUMBER", global = true, conflicts_with = "socket")]
    pub pid: Option<u32>,
    /// Print the engine's answer as it comes: one JSON object a line.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: CtlVerb,
}

/// What `pitlane ctl` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum CtlVerb {
    /// The engines that run here, with their sockets.
    List,
    /// One reading: venues, consumers, lanes, threads, stages.
    Status,
    /// The orders that are open: whose, where, at what price, how much is filled.
    Orders,
    /// What each strategy holds, has earned, and was refused.
    Positions,
    /// Compare every consumer's account at one cut of its lanes, while the engine runs. Exit code
    /// 1 when one does not hold, or a consumer does not reach the cut.
    Audit,
    /// The routes in force.
    Routes {
        /// Only of this consumer.
        #[arg(long, value_name = "NAME")]
        consumer: Option<String>,
        /// Only of this instrument, BASE-QUOTE.
        #[arg(long, value_name = "SYMBOL")]
        instrument: Option<String>,
        /// Only from this venue, or merge:RULE.
        #[arg(long, value_name = "NAME")]
        venue: Option<String>,
    },
    /// Send streams to a consumer.
    Subscribe(SelectionArgs),
    /// Stop sending them.
    Unsubscribe(SelectionArgs),
    /// Merge a stream over several venues, and send what comes of it.
    Merge(MergeArgs),
    /// End a merge rule.
    Unmerge {
        /// Its number, as merge and routes give it.
        rule: u16,
    },
    /// Change a venue.
    Venue {
        /// What to do.
        action: VenueVerb,
        /// The venue.
        name: String,
    },
    /// Change a consumer.
    Consumer {
        /// What to do.
        action: ConsumerVerb,
        /// The consumer.
        name: String,
    },
    /// The trading switch: whether new orders may leave.
    Mode {
        /// Its position.
        switch: Switch,
    },
    /// The risk limits with what is used of them, and what holds orders back; or a change of one.
    Risk {
        /// What to do [default: show]
        #[command(subcommand)]
        verb: Option<RiskVerb>,
    },
    /// Stop trading, cancel every open order, stop the engine.
    Kill,
    /// Change several routes in one flip, or show what would change.
    Flip {
        /// Only print the difference of the tables.
        #[arg(long)]
        dry_run: bool,
        /// Changes: +CONSUMER:SYMBOL[:KIND[,KIND]][@VENUE[,VENUE]], or - to take away. Put --
        /// before them.
        #[arg(value_name = "CHANGE", required = true, allow_hyphen_values = true)]
        changes: Vec<String>,
    },
    /// Readings until Ctrl-C: one line that changes.
    Watch {
        /// Time between two readings, 100 to 60000 ms.
        #[arg(long, value_name = "MS", default_value_t = 1_000)]
        #[arg(value_parser = clap::value_parser!(u64).range(WATCH_INTERVAL_LIMITS_MS))]
        interval_ms: u64,
    },
}

/// Which streams.
#[derive(Clone, Debug, Args)]
pub struct SelectionArgs {
    /// The consumer.
    pub consumer: String,
    /// The instrument, BASE-QUOTE.
    pub instrument: String,
    /// A venue; repeatable [default: all]
    #[arg(long, value_name = "NAME")]
    pub venue: Vec<String>,
    /// A kind of event; repeatable [default: all that the strategy handles]
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<String>,
}

/// Options of `merge`.
#[derive(Clone, Debug, Args)]
pub struct MergeArgs {
    /// The consumer.
    pub consumer: String,
    /// The instrument, BASE-QUOTE.
    pub instrument: String,
    /// A venue; give two or more.
    #[arg(long, value_name = "NAME", required = true)]
    pub venue: Vec<String>,
    /// What is merged: quote, trade, book or bar.
    #[arg(long, value_name = "KIND", default_value = "quote")]
    pub kind: String,
    /// Longest time from a window's first event to its end, 1 to 60000 ms.
    #[arg(long, value_name = "MS", default_value_t = 5)]
    pub window_ms: u64,
    /// Events after which a window ends at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub max_events: u32,
}

/// What can be done with a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum VenueVerb {
    Add,
    Remove,
    Pause,
    Resume,
}

/// What can be done with a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum ConsumerVerb {
    Pause,
    Resume,
    Quarantine,
}

const RISK_EXAMPLES: &str = "\
Limits have the names and units that [risk] has in the configuration (pitlane config example). A
change is checked whole, applies from the next order on, and is recorded in the journal; it is not
written into the configuration. What is open already stays open.

Examples:
  pitlane ctl risk set max_order_qty 0.1
  pitlane ctl risk set price_band_bps 50 --instrument BTC-USDT
  pitlane ctl risk set max_open_orders 20 --venue binance
  pitlane ctl risk set max_open_notional 250000 --total
  pitlane ctl risk set max_daily_loss off --strategy market_maker";

/// What can be done with limits.
#[derive(Clone, Debug, Subcommand)]
pub enum RiskVerb {
    /// Change a limit while the engine runs.
    #[command(after_help = RISK_EXAMPLES)]
    Set {
        /// The limit, as the configuration calls it.
        limit: String,
        /// Its value in the configuration's own unit, or off.
        value: String,
        /// Only of this strategy [default: of each]
        #[arg(long, value_name = "NAME")]
        strategy: Option<String>,
        /// What all strategies share at this venue.
        #[arg(long, value_name = "NAME", conflicts_with = "strategy")]
        venue: Option<String>,
        /// What all strategies share over all venues.
        #[arg(long, conflicts_with_all = ["strategy", "venue"])]
        total: bool,
        /// Only in this instrument, BASE-QUOTE [default: in each]
        #[arg(long, value_name = "SYMBOL")]
        instrument: Option<String>,
    },
    /// Let no order of a strategy, or to a venue, leave, and cancel what is open. Everything else
    /// goes on; `pitlane ctl kill` is for all of it.
    Kill(RiskTarget),
    /// Let new orders leave again.
    Resume(RiskTarget),
}

/// Whose orders.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct RiskTarget {
    /// Those of this strategy.
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
    /// Those to this venue.
    #[arg(long, value_name = "NAME")]
    pub venue: Option<String>,
}

impl RiskVerb {
    fn request(self) -> ControlRequest {
        let (action, RiskTarget { strategy, venue }) = match self {
            RiskVerb::Set { limit, value, strategy, venue, total, instrument } => {
                let edit = RiskEdit { limit, value, strategy, venue, total, instrument };
                return ControlRequest::RiskSet(edit);
            }
            RiskVerb::Kill(target) => (RiskAction::Kill, target),
            RiskVerb::Resume(target) => (RiskAction::Resume, target),
        };
        ControlRequest::RiskSwitch { action, strategy, venue }
    }
}

/// A position of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Switch {
    On,
    Off,
}

impl CtlVerb {
    /// The request that it makes.
    ///
    /// # Errors
    /// What is wrong with a change of `flip`; `list` makes none.
    pub fn request(&self) -> Result<ControlRequest, String> {
        Ok(match self.clone() {
            CtlVerb::List => return Err("list asks no engine".to_owned()),
            CtlVerb::Status | CtlVerb::Positions => ControlRequest::Status {},
            CtlVerb::Orders => ControlRequest::Orders {},
            CtlVerb::Audit => ControlRequest::Audit {},
            CtlVerb::Routes { consumer, instrument, venue } => {
                ControlRequest::Routes(RouteFilter { consumer, instrument, venue })
            }
            CtlVerb::Subscribe(args) => ControlRequest::Subscribe(args.selection()),
            CtlVerb::Unsubscribe(args) => ControlRequest::Unsubscribe(args.selection()),
            CtlVerb::Merge(args) => ControlRequest::Merge(MergeRule {
                consumer: args.consumer,
                instrument: args.instrument,
                venues: args.venue,
                kind: args.kind,
                window_ms: args.window_ms,
                max_events: args.max_events,
            }),
            CtlVerb::Unmerge { rule } => ControlRequest::Unmerge { rule },
            CtlVerb::Venue { action, name } => {
                let action = match action {
                    VenueVerb::Add => VenueAction::Add,
                    VenueVerb::Remove => VenueAction::Remove,
                    VenueVerb::Pause => VenueAction::Pause,
                    VenueVerb::Resume => VenueAction::Resume,
                };
                ControlRequest::Venue { action, name }
            }
            CtlVerb::Consumer { action, name } => {
                let action = match action {
                    ConsumerVerb::Pause => ConsumerAction::Pause,
                    ConsumerVerb::Resume => ConsumerAction::Resume,
                    ConsumerVerb::Quarantine => ConsumerAction::Quarantine,
                };
                ControlRequest::Consumer { action, name }
            }
            CtlVerb::Mode { switch } => ControlRequest::Mode { trading: switch == Switch::On },
            CtlVerb::Risk { verb } => verb.map_or(ControlRequest::Risk {}, RiskVerb::request),
            CtlVerb::Kill => ControlRequest::Kill {},
            CtlVerb::Flip { dry_run, changes } => {
                let changes: Result<Vec<_>, _> = changes.iter().map(|text| change(text)).collect();
                ControlRequest::Flip { dry_run, changes: changes? }
            }
            CtlVerb::Watch { interval_ms } => ControlRequest::Watch { interval_ms },
        })
    }
}

impl SelectionArgs {
    fn selection(self) -> Selection {
        let SelectionArgs { consumer, instrument, venue, kind } = self;
        Selection { consumer, instrument, venues: venue, kinds: kind }
    }
}

/// One change of `flip`: `+CONSUMER:SYMBOL[:KIND,..][@VENUE,..]`.
fn change(text: &str) -> Result<RouteEdit, String> {
    let form = || {
        format!("{text:?} is no change; expected +CONSUMER:SYMBOL[:KIND,..][@VENUE,..], or - for +")
    };
    let (sign, rest) = text.split_at_checked(1).ok_or_else(form)?;
    let (routes, venues) = match rest.split_once('@') {
        Some((routes, venues)) => (routes, names(venues).ok_or_else(form)?),
        None => (rest, Vec::new()),
    };
    let mut parts = routes.splitn(3, ':');
    let mut part = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
    let (consumer, instrument) = (part().ok_or_else(form)?, part().ok_or_else(form)?);
    let kinds = match parts.next() {
        Some(kinds) => names(kinds).ok_or_else(form)?,
        None => Vec::new(),
    };
    let selection = Selection { consumer, instrument, venues, kinds };
    match sign {
        "+" => Ok(RouteEdit::Subscribe(selection)),
        "-" => Ok(RouteEdit::Unsubscribe(selection)),
        _ => Err(form()),
    }
}

/// Names with commas between them; `None` when one is empty.
fn names(text: &str) -> Option<Vec<String>> {
    text.split(',').map(|name| (!name.is_empty()).then(|| name.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_flip_is_read_in_each_of_its_forms() {
        let selection = |kinds: &[&str], venues: &[&str]| Selection {
            consumer: "noop".into(),
            instrument: "BTC-USDT".into(),
            venues: venues.iter().map(|name| (*name).into()).collect(),
            kinds: kinds.iter().map(|name| (*name).into()).collect(),
        };
        let all = RouteEdit::Subscribe(selection(&[], &[]));
        assert_eq!(change("+noop:BTC-USDT"), Ok(all));
        let some = RouteEdit::Unsubscribe(selection(&["quote", "trade"], &["a", "b"]));
        assert_eq!(change("-noop:BTC-USDT:quote,trade@a,b"), Ok(some));
        for text in
            ["", "+", "noop:BTC-USDT", "+noop", "+noop:", "+:A-B", "+a:A-B:", "+a:A-B@", "\u{e9}"]
        {
            assert!(change(text).is_err(), "{text}");
        }
    }
}
