//! The single sections of the configuration: `[engine]`, `[cores]`, `[lanes]` and so on.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::schema::{Rule, flag, section, slots, whole};

/// How the pinned threads idle when there is nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Spin: the lowest latency, one core busy per thread.
    Latency,
    /// Spin for a while, then yield: shares a core fairly.
    Balanced,
    /// Park until woken: almost no CPU, microseconds more latency.
    Quiet,
    /// `balanced` when stages share a core, `latency` when each has its own.
    #[default]
    Auto,
}

section! {
    /// The engine as a whole.
    #[name = "engine", most = 1]
    #[derive(Debug)]
    pub struct EngineConfig {
        /// How pinned threads idle: `latency` spins, `balanced` spins and then yields, `quiet`
        /// parks. `auto` is `balanced` when stages share a core, and `latency` when each has its
        /// own.
        profile: Profile = Profile::Auto => Rule::OneOf(&["auto", "latency", "balanced", "quiet"]);
        /// Time after the start whose latencies and allocations are left out of the report.
        warm_up_ms: u64 = 1_000 => whole(0..=600_000, "ms");
        /// Time a stop may take until threads that have not ended are left behind and reported.
        drain_deadline_ms: u64 = 3_000 => whole(100..=600_000, "ms");
        /// Folder in which every run makes a folder of its own for its files.
        run_dir: PathBuf = PathBuf::from("runs") => Rule::Text;
        /// Market callbacks that a consumer makes in a row before its core looks at other work.
        /// Its critical lane is looked at before each of them.
        batch: u32 = 16 => whole(1..=1_024, "callbacks");
        /// Failed callbacks (errors and panics) after which a consumer is quarantined, counted over
        /// the whole run. A callback that ends by a refused order (`ctx.submit(..)?`) has not
        /// failed.
        max_failures: u64 = 1_000 => whole(1..=1_000_000_000, "failures");
        /// Time that one callback may take. A longer one is a stall: it is counted, and where its
        /// core runs anything else, a thread that stands by takes the core, for good.
        stall_budget_ms: u64 = 5 => whole(1..=60_000, "ms");
        /// Time in one callback after which its consumer is quarantined. Above every stall budget.
        quarantine_after_ms: u64 = 5_000 => whole(10..=3_600_000, "ms");
    }
}

section! {
    /// Which core runs what. What is not given, the planner decides; see `pitlane plan`.
    #[name = "cores", most = 1]
    #[derive(Debug)]
    pub struct CoresConfig {
        /// Core of the dispatcher, the orchestrator and the order gateway.
        dispatch: Option<usize> = None => Rule::Core, "0";
        /// Cores of the consumers; they are spread over them in turn.
        consumers: Option<Vec<usize>> = None => Rule::CoreList, "[1]";
        /// Pin threads to their cores. Without, the kernel moves them as it likes.
        pin: bool = true => flag();
    }
}

section! {
    /// Slots of each lane. A slot takes 384 bytes for an event, 128 for an order, 512 for a log
    /// line and 1,024 for a part of a dead letter. The defaults hold three times what can be in
    /// flight at 2,000 events/s, the sums below; more only hides a consumer that is too slow.
    #[name = "lanes", most = 1]
    #[derive(Debug)]
    pub struct LanesConfig {
        /// From each venue to the orchestrator; lossless: when it is full, the socket is not read.
        /// 1,000 (10 ms without the core at 100,000 events/s) + 128 (one read of 16 KiB) = 1,128;
        /// x 3 = 3,384.
        venue: usize = 4_096 => slots(64..=1_048_576);
        /// Without effect: the dispatcher takes events from the venues' lanes themselves. Accepted
        /// so that files that name it stay valid.
        dispatch: usize = 4_096 => slots(2..=1_048_576);
        /// From the dispatcher to each consumer, market data; conflates when full.
        /// 100 (one callback of 50 ms at 2,000 events/s) + 40 (20 ms without the core) + 128 (one
        /// read) + 16 (the batch being handled) = 284; x 3 = 852.
        market: usize = 1_024 => slots(2..=1_048_576);
        /// From the dispatcher to each consumer, critical events; spills when full.
        /// 64 (every open order answered at once) + 10 (one callback of 50 ms at 200 reports/s)
        /// + 1 (the one being handled) = 75; x 3 = 225.
        critical: usize = 256 => slots(2..=1_048_576);
        /// Critical events of each consumer that wait for a full lane, in order.
        /// 1,000 (5 s in one callback at 200 reports/s) + 128 (every open order filled and
        /// cancelled) + 200 (1 s to catch up) = 1,328; x 3 = 3,984.
        spill: usize = 4_096 => slots(2..=1_048_576);
        /// From each consumer to the order gateway; when full, a submit is refused.
        /// 64 (every open order cancelled at once) + 20 (20 ms without the core at 1,000 orders/s)
        /// = 84; x 3 = 252.
        order: usize = 256 => slots(2..=1_048_576);
        /// From each pinned thread to the log; what finds no room is counted.
        /// 200 (0.2 s in which the drain does not run, at 1,000 lines/s) + 64 (one line per order
        /// in a wind-down) = 264; x 3 = 792.
        log: usize = 1_024 => slots(2..=1_048_576);
        /// From each venue to the dead-letter file; what finds no room is counted.
        /// A letter takes a slot for each 960 bytes.
        /// 69 (the longest letter, 64 KiB) + 16 (short ones of the same read) = 85; x 3 = 255.
        dead_letter: usize = 256 => slots(128..=1_048_576);
    }
}

section! {
    /// Streams between the venues and the consumers: their order, floods, and merging. A stream is
    /// what one venue says of one kind about one instrument.
    #[name = "streams", most = 1]
    #[derive(Debug)]
    pub struct StreamsConfig {
        /// Longest time that an event waits for one missing before it. Nothing waits in a stream in
        /// order.
        lateness_ms: u64 = 150 => whole(0..=10_000, "ms");
        /// Events of one stream that wait for a missing one.
        max_buffered: usize = 200 => whole(1..=4_096, "events");
        /// Events of all streams that wait, 384 bytes each; when there are more, the oldest are
        /// released. 4 (venues that lose something at once) x 200 (waiting each) = 800; x 3 =
        /// 2,400.
        held_events: usize = 2_400 => whole(1..=1_048_576, "events");
        /// Market events a second that one stream may bring; more are dropped and counted. 0 = no
        /// limit.
        flood_events_per_s: u64 = 0 => whole(0..=100_000_000, "events/s");
        /// Events that one stream may bring at once above that rate.
        flood_burst: u64 = 10_000 => whole(1..=100_000_000, "events");
        /// Events that wait in merge windows, 384 bytes each; when there are more, the oldest
        /// window is suppressed. 64 (rules) x 4 (venues each) = 256; x 3 = 768.
        merge_places: usize = 768 => whole(64..=65_536, "events");
    }
}

section! {
    /// The control socket, by which `pitlane ctl` reads and changes a running engine.
    #[name = "control", most = 1]
    #[derive(Debug)]
    pub struct ControlConfig {
        /// Listen at all.
        enabled: bool = true => flag();
        /// Where, at most 107 bytes. Its folder must be the user's own, closed to others (0700).
        /// Not given: `control/pitlane.sock` in the run's folder.
        socket: Option<PathBuf> = None => Rule::Text, "\"/run/user/1000/pitlane/pitlane.sock\"";
    }
}

section! {
    /// What is measured and kept.
    #[name = "telemetry", most = 1]
    #[derive(Debug)]
    pub struct TelemetryConfig {
        /// Interval of the histogram log and of the status line.
        interval_ms: u64 = 1_000 => whole(100..=60_000, "ms");
        /// Write the interval histogram log, `latency.hlog`.
        hlog: bool = true => flag();
        /// Write what came about of every order and fill, `orders.jsonl` and `fills.jsonl`.
        order_log: bool = true => flag();
        /// One event in this many is followed to its last consumer.
        fanout_every: u64 = 1 => whole(1..=1_000_000, "events");
        /// Failure records kept whole; later ones are only counted.
        failures_kept: usize = 64 => whole(1..=10_000, "records");
    }
}

section! {
    /// Deadlines of every connection to a venue.
    #[name = "session", most = 1]
    #[derive(Debug)]
    pub struct SessionConfig {
        /// Connect and WebSocket handshake.
        handshake_ms: u64 = 5_000 => whole(100..=60_000, "ms");
        /// From the first byte of a frame to its last.
        frame_ms: u64 = 2_000 => whole(100..=60_000, "ms");
        /// Answer to a subscription.
        subscribe_ms: u64 = 5_000 => whole(100..=60_000, "ms");
        /// A REST request with its answer. Below `engine.drain_deadline_ms`, so that a stop can
        /// wait.
        rest_ms: u64 = 2_500 => whole(100..=60_000, "ms");
        /// Between two of our pings.
        ping_interval_ms: u64 = 20_000 => whole(100..=600_000, "ms");
        /// Nothing at all read, also no pong: reconnect. Above `ping_interval_ms`.
        idle_ms: u64 = 60_000 => whole(200..=3_600_000, "ms");
        /// No data of a stream: it is told as stale and subscribed to anew. A stream that is often
        /// as quiet as that gets four times its longest pause of late.
        silence_ms: u64 = 10_000 => whole(100..=3_600_000, "ms");
        /// Each live book is held against a fresh snapshot once in this time, and at most one a
        /// second; a book that disagrees with quotes or trades at once. 0: never.
        book_refresh_s: u64 = 300 => whole(0..=86_400, "s");
        /// A market connection of this age is followed by the next one, without a gap, for venues
        /// that end connections and publish no rule for it. 0: as the venue's own rule and notices
        /// say.
        hand_over_s: u64 = 0 => whole(0..=604_800, "s");
        /// What a venue says of its instruments (status, tick, step) is asked for once in this
        /// time, where REST tells it; a change reaches strategies as an event. 0: never.
        instrument_refresh_s: u64 = 30 => whole(0..=86_400, "s");
        /// First wait before a reconnect; it doubles with each failure, with jitter.
        backoff_min_ms: u64 = 100 => whole(10..=60_000, "ms");
        /// Longest wait before a reconnect. Not below `backoff_min_ms`.
        backoff_max_ms: u64 = 30_000 => whole(10..=3_600_000, "ms");
        /// Largest frame and message taken from a venue; a larger one closes the connection.
        frame_bytes_max: usize = 1_048_576 => whole(1_024..=67_108_864, "bytes");
    }
}

/// What an order waits for before it may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalDurability {
    /// Nothing: there is no journal.
    None,
    /// The system has the record of it.
    #[default]
    Os,
    /// The disk has.
    FsyncBatch,
}

/// What becomes of segments of the journal that no start needs any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalKeep {
    /// They stay.
    #[default]
    All,
    /// They are removed.
    Needed,
}

section! {
    /// The journal: orders, on record before they can reach a venue, and the words on them.
    #[name = "journal", most = 1]
    #[derive(Debug)]
    pub struct JournalConfig {
        /// What an order waits for: `none` keeps no journal; with `os` the system has its record,
        /// which outlives the process; with `fsync_batch` the disk has, which outlives the loss of
        /// power and takes as long as the disk does.
        durability: JournalDurability = JournalDurability::Os
            => Rule::OneOf(&["none", "os", "fsync_batch"]);
        /// Folder of the journal, this engine's alone. Not given: `journal` in the run's folder.
        dir: Option<PathBuf> = None => Rule::Text, "\"/var/lib/pitlane/journal\"";
        /// Bytes of a segment. It and the next one are allocated and in memory as long as the
        /// engine runs.
        segment_bytes: usize = 4_194_304 => whole(16_384..=1_073_741_824, "bytes");
        /// Segments after which a checkpoint of all before is written, so that a start need not
        /// read them.
        checkpoint_segments: u64 = 16 => whole(1..=1_000_000, "segments");
        /// What becomes of segments that no start needs any more, since two checkpoints are
        /// behind them: `all` keeps them, `needed` removes them.
        keep: JournalKeep = JournalKeep::All => Rule::OneOf(&["all", "needed"]);
        /// How often a strategy that saves its state does so at most, while something happens.
        save_ms: u64 = 1_000 => whole(10..=3_600_000, "ms");
    }
}

section! {
    /// The simulated venue: a real server on loopback with a matching engine and a seeded price
    /// process.
    #[name = "simulated", most = 1]
    #[derive(Debug)]
    pub struct SimulatedConfig {
        /// Start it and trade on it. When the key is not given: true exactly when no `[[venue]]`
        /// is.
        enabled: bool = true => flag();
        /// What it speaks: a kind of venue, as `kind` of a `[[venue]]`; `pitlane run --venue KIND`.
        kind: String = "binance".into() => Rule::Name;
        /// Where it listens; port 0 takes any free one.
        bind: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) => Rule::Loopback;
        /// Seed of prices, sizes and timing.
        seed: u64 = 7 => whole(0..=9_223_372_036_854_775_807, "");
        /// Market events it sends, over all instruments.
        events_per_s: u32 = 2_000 => whole(1..=200_000, "events/s");
        /// New orders that it takes in ten seconds, as the real venue does; more are refused (429,
        /// -1015). 0 = any number, in a day too: for a load that no real venue would take.
        orders_per_10s: u32 = 100 => whole(0..=1_000_000, "orders");
        /// Weight of requests that it takes in a minute; more are refused (429, -1003), and whoever
        /// goes on is banned (418). 0 = any weight.
        weight_per_min: u32 = 6_000 => whole(0..=1_000_000, "");
        /// More simulated venues that start with it, one of each kind that is named, each with
        /// prices of its own: `simulated_2`, `_3`, `_4`; `pitlane run --venue binance,okx`.
        others: Vec<String> = Vec::new() => Rule::Texts, "[\"okx\"]";
        /// More simulated venues of its kind, each with prices of its own, that stand by until
        /// `pitlane ctl venue add simulated_2` (the first number that no other has).
        standby: u32 = 0 => whole(0..=3, "venues");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_lanes_hold_three_times_what_their_holders_can_have_in_flight() {
        // A-3, with the sums that the keys' own comments state.
        let lanes = LanesConfig::default();
        assert!(3 * (1_000 + 128) <= lanes.venue);
        assert!(3 * (100 + 40 + 128 + 16) <= lanes.market);
        assert!(3 * (64 + 10 + 1) <= lanes.critical);
        assert!(3 * (1_000 + 128 + 200) <= lanes.spill);
        assert!(3 * (64 + 20) <= lanes.order);
        assert!(3 * (200 + 64) <= lanes.log);
        assert!(3 * (69 + 16) <= lanes.dead_letter);
    }
}
