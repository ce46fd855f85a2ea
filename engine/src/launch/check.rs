//! What a configuration needs beyond its own text, before anything is started.

use std::path::Path;
use std::sync::Arc;

use super::compaction::FoldParts;
use super::journal::{durability, refuse_orphans};
use super::kinds::check_kinds;
use super::memory::check_memory;
use super::options::LaunchError;
use super::pipeline_plan::{check_needs, strategies};
use super::venue_setup::{VenueDemand, check_venue, has_order_session, simulated_kinds};
use crate::config::Config;
use crate::consumer::{Strategy, StrategyRegistry};
use crate::control::{SOCKET_NAME, check_path};
use crate::instrument::Instruments;
use crate::journal::{JournalError, STATE_BYTES_MAX, read_for_start};
use crate::order::OwnIds;
use crate::runtime::{CorePlan, HostCores, HostLimits};
use crate::venue::governor::{Counted, Limit};
use crate::world::{Files, World};

/// Files that a run opens beside those of its sockets: its own, and two a thread to be woken by.
const FILES_BASE: u64 = 24;

/// Files for each thread of the plan.
const FILES_PER_THREAD: u64 = 2;

/// Files for each venue beside its market connections: orders, snapshots, and a server's where it
/// is simulated.
const FILES_PER_VENUE: u64 = 4;

/// Looks for what [`launch`](super::launch) would refuse beyond the file itself: cores, memory,
/// files, strategies, their params, addresses, keys, symbols. Starts nothing. Returns what is worth
/// knowing and refuses nothing, a line each.
///
/// # Errors
/// The first [`LaunchError`].
pub fn check(config: &Config, registry: &StrategyRegistry) -> Result<Vec<String>, LaunchError> {
    let plan = CorePlan::make(config, &HostCores::read())?;
    let limits = HostLimits::read();
    check_memory(config, &plan, &limits)?;
    let strategies = strategies(config, registry)?;
    let needs = check_needs(config, &strategies)?;
    let world = World::real().map_err(LaunchError::World)?;
    let specs = config.instruments.iter().filter_map(|entry| entry.spec()).collect();
    let instruments = Arc::new(Instruments::new(specs)?);
    let demand = |number| check_venue(config, number, &instruments, &world);
    let demands: Vec<VenueDemand> =
        (0..config.venues.len()).map(demand).collect::<Result<_, _>>()?;
    for (number, demand) in demands.iter().enumerate() {
        check_connections(config, number, demand)?;
    }
    simulated_kinds(config)?;
    let kinds = check_kinds(config)?;
    check_files(config, &plan, &demands, &limits)?;
    check_folder(&config.engine.run_dir)?;
    check_journal(config, &world.files, || FoldParts {
        consumers: config.consumers.iter().map(|consumer| consumer.name.clone()).collect(),
        venues: config.venue_names(),
        instruments: Arc::clone(&instruments),
        open_max: config.open_orders_most(),
        ids_max: strategies.iter().map(|strategy| strategy.remembers_ids()).collect(),
    })?;
    if config.control.enabled {
        let of_run = || config.engine.run_dir.join("run-0000000000000/control").join(SOCKET_NAME);
        check_path(&config.control.socket.clone().unwrap_or_else(of_run))?;
    }
    let mut notes = notes(config, &demands);
    notes.extend(needs.into_iter().chain(kinds));
    notes.extend(memory_notes(config, &strategies));
    Ok(notes)
}

/// Refuses more market connections than the venue lets anybody open.
fn check_connections(
    config: &Config,
    number: usize,
    demand: &VenueDemand,
) -> Result<(), LaunchError> {
    let most = limit_of(demand, Counted::Connects).map_or(u64::MAX, |limit| limit.amount.into());
    if demand.connections as u64 <= most {
        return Ok(());
    }
    let problem = format!("{} connections, where the venue takes {most}", demand.connections);
    let key = format!("venue[{number}].streams_per_connection_max");
    let allowed = format!("up to {} streams a connection", demand.limits.topics_per_connection);
    Err(config.error_at(&key, &problem, &allowed).into())
}

fn check_files(
    config: &Config,
    plan: &CorePlan,
    demands: &[VenueDemand],
    limits: &HostLimits,
) -> Result<(), LaunchError> {
    let Some(limit) = limits.open_files else { return Ok(()) };
    let connections: u64 = demands.iter().map(|demand| demand.connections as u64).sum();
    let threads = plan.cores.len() as u64 * FILES_PER_THREAD;
    let venues = config.venue_names().len() as u64 * FILES_PER_VENUE;
    let need = FILES_BASE + threads + venues + connections;
    if need > limit { Err(LaunchError::OpenFiles { need, limit }) } else { Ok(()) }
}

/// Refuses a folder for runs that could not be made or written.
fn check_folder(folder: &Path) -> Result<(), LaunchError> {
    let taken = Files::Real.takes_new_files(folder);
    taken.map_err(|source| LaunchError::RunDir { path: folder.to_owned(), source })
}

/// Refuses a folder for the journal that could not be made or written, or whose journal no start
/// takes up: read as a start reads it, behind its newest checkpoint.
fn check_journal(
    config: &Config,
    files: &Files,
    parts: impl FnOnce() -> FoldParts,
) -> Result<(), LaunchError> {
    let Some(durability) = durability(config.journal.durability) else { return Ok(()) };
    let Some(folder) = config.journal.dir.as_deref() else { return Ok(()) };
    let taken = files.takes_new_files(folder);
    taken.map_err(|source| JournalError::File { path: folder.to_owned(), source })?;
    if !files.is_there(folder) {
        return Ok(());
    }
    let (mut fold, base) = parts().begin(files, folder)?;
    read_for_start(files, folder, durability, base, |header, record| {
        fold.take(header.epoch, record);
    })?;
    let recovered = fold.finish().map_err(|problems| LaunchError::JournalOfAnother {
        path: folder.to_owned(),
        problems: problems.join("; "),
    })?;
    let mut open = recovered.open;
    open.retain(|order| !has_order_session(config, order.command.venue_id().index()));
    refuse_orphans(config, folder, &open)
}

fn limit_of(demand: &VenueDemand, counts: Counted) -> Option<Limit> {
    let of_kind = demand.limits.counted.iter().copied().filter(|limit| limit.counts == counts);
    // Of several windows, the one that lets the fewest through in the long run.
    of_kind.min_by_key(|limit| u64::from(limit.amount) * 1_000_000_000_000 / limit.window_ns)
}

/// What strategies keep beside the lanes of the plan, by their own word.
fn memory_notes(config: &Config, strategies: &[Box<dyn Strategy>]) -> Vec<String> {
    const MIB: usize = 1 << 20;
    let mut notes = Vec::new();
    for (consumer, strategy) in config.consumers.iter().zip(strategies) {
        let (name, names) = (&consumer.name, strategy.remembers_ids());
        let bytes = OwnIds::bytes(names, config.max_open_orders(name));
        if bytes >= MIB {
            notes.push(format!(
                "{name} remembers {names} names of ended orders, in {} MiB, and once more while a \
                 checkpoint is written",
                bytes.div_ceil(MIB)
            ));
        }
        if strategy.saves_bytes() > STATE_BYTES_MAX {
            let most = STATE_BYTES_MAX;
            notes.push(format!(
                "{name} saves {} bytes, where {most} are the most: what is beyond is refused",
                strategy.saves_bytes()
            ));
        }
    }
    notes
}

/// What runs, and not as somebody might think.
fn notes(config: &Config, demands: &[VenueDemand]) -> Vec<String> {
    let mut notes = Vec::new();
    for (venue, demand) in config.venues.iter().zip(demands) {
        let name = &venue.name;
        if venue.api_url.is_none() && !config.consumers.is_empty() {
            notes.push(format!(
                "venue {name} has no api_url: market data only, and every order to it is refused"
            ));
            continue;
        }
        let Some(limit) = limit_of(demand, Counted::Orders) else { continue };
        let (own, window_s) = (config.risk.max_orders_per_s, limit.window_ns / 1_000_000_000);
        if u64::from(own) * window_s > u64::from(limit.amount) {
            notes.push(format!(
                "risk.max_orders_per_s = {own} is more than {name} takes, {} orders in {window_s} \
                 s: what is beyond is held back",
                limit.amount
            ));
        }
        let most = demand.limits.topics_per_connection;
        if venue.streams_per_connection_max > most {
            notes.push(format!(
                "venue {name} takes {most} streams a connection, whatever \
                 streams_per_connection_max says"
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    use crate::config::{JournalDurability, VenueConfig, VenueMode};
    use crate::consumer::Strategy;
    use crate::event::Side;
    use crate::instrument::InstrumentSpec;
    use crate::journal::{Intent, JournalFolder, JournalOptions, NameTable, Named, RunStart};
    use crate::order::{OrderAction, OrderNeeds, OrderType, TimeInForce};
    use crate::runtime::Clock;

    const VENUE: &str = "
        [[consumer]]
        strategy = \"none\"
        [[venue]]
        stream_url = \"ws://127.0.0.1:1/stream\"
        books = false
    ";

    fn parsed(lines: &str) -> Config {
        Config::parse(&format!("{VENUE}\n{lines}"), "venues.toml").unwrap()
    }

    fn demand(config: &Config) -> Result<VenueDemand, LaunchError> {
        let specs = config.instruments.iter().filter_map(|entry| entry.spec()).collect();
        let instruments = Arc::new(Instruments::new(specs).unwrap());
        check_venue(config, 0, &instruments, &World::real().unwrap())
    }

    fn refused(lines: &str) -> String {
        demand(&parsed(lines)).err().expect("it was taken").to_string()
    }

    #[test]
    fn a_venue_must_be_of_a_kind_that_can_do_what_it_is_asked_for() {
        let unknown = refused("kind = \"nasdaq\"");
        assert!(unknown.contains("venue[0].kind") && unknown.contains("binance"), "{unknown}");
        let api = "api_url = \"ws://127.0.0.1:1/api\"\napi_key = \"k\"\nprivate_key_file = \"k\"";
        let no_rest = refused(&format!("kind = \"coinbase\"\n{api}"));
        assert!(no_rest.contains("rest_url: missing"), "{no_rest}");
        assert!(refused(api).contains("private key k: cannot be read"));
    }

    /// Needs what a test wants of every venue.
    struct Needy(OrderNeeds);

    impl Strategy for Needy {
        fn needs(&self, _venue: &str) -> OrderNeeds {
            self.0
        }
    }

    #[test]
    fn a_strategy_is_refused_at_a_venue_that_can_not_serve_its_needs() {
        let config = Config::default_run();
        let ask = |config: &Config, needs: OrderNeeds| {
            let needy: Vec<Box<dyn Strategy>> = vec![Box::new(Needy(needs))];
            check_needs(config, &needy).map_err(|error| error.to_string())
        };
        let plain = OrderNeeds::of(&OrderType::ALL).and_times(&TimeInForce::ALL);
        assert_eq!(ask(&config, plain), Ok(Vec::new()));
        let problem = ask(&config, plain.and_reduces_only()).unwrap_err();
        let told = ["consumer[0].strategy", "reduce-only orders", "of kind binance "];
        assert!(told.iter().all(|word| problem.contains(word)), "{problem}");
        let notes = ask(&parsed(""), plain.and_hedges()).unwrap();
        assert!(notes[0].contains("takes no orders: each is refused"), "{notes:?}");
        assert_eq!(ask(&parsed(""), OrderNeeds::NONE), Ok(Vec::new()));
    }

    #[test]
    fn what_the_venue_does_not_take_is_refused_or_noted() {
        let none = parsed("");
        let lines = notes(&none, &[demand(&none).unwrap()]);
        assert!(lines[0].contains("has no api_url: market data only"), "{lines:?}");
        let symbols = |count: usize| -> String {
            let one = |n| format!("[[instrument]]\nsymbol = \"A{n}-USDT\"\n");
            (0..count).map(one).collect()
        };
        let many = parsed(&format!("streams_per_connection_max = 4\n{}", symbols(1_000)));
        let demand = demand(&many).unwrap();
        let problem = check_connections(&many, 0, &demand).unwrap_err().to_string();
        assert!(problem.contains("streams_per_connection_max: "), "{problem}");
        assert!(problem.contains(&format!("{} connections", demand.connections)), "{problem}");
        let plan = CorePlan::make(&many, &HostCores::of(0..2)).unwrap();
        let limits = |open_files| HostLimits { open_files: Some(open_files), ..Default::default() };
        let few = check_files(&many, &plan, &[demand], &limits(256)).unwrap_err();
        assert!(few.to_string().contains("256 are allowed: ulimit -n"), "{few}");
    }

    #[test]
    fn a_folder_for_runs_must_be_one_that_can_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(check_folder(&dir.path().join("a/b")).is_ok());
        assert!(check_folder(Path::new("")).is_ok() && check_folder(Path::new("runs")).is_ok());
        let nowhere = dir.path().join("nowhere");
        std::os::unix::fs::symlink("gone", &nowhere).unwrap();
        assert!(check_folder(&nowhere).is_err());
        for bad in [&file, &file.join("runs")] {
            let problem = check_folder(bad).unwrap_err().to_string();
            assert!(problem.contains("Not a directory"), "{problem}");
        }
        for kernels in ["/proc", "/proc/runs", "/sys/runs"] {
            let problem = check_folder(Path::new(kernels)).unwrap_err().to_string();
            assert!(problem.contains("not permitted"), "{problem}");
        }
    }

    fn parts() -> FoldParts {
        FoldParts {
            consumers: Vec::new(),
            venues: Vec::new(),
            instruments: Instruments::of_test(1),
            open_max: 4,
            ids_max: Vec::new(),
        }
    }

    /// A journal with two open orders, one at each of the venues.
    fn written_journal(folder: &Path, venues: &[String]) {
        let opened = JournalFolder::open(&Files::Real, folder, |_, _| ()).unwrap();
        let options = JournalOptions { segment_bytes: 16 << 10, ..JournalOptions::default() };
        let (mut writer, _keeper) = opened.start(options, &Clock::manual(0).0).unwrap();
        writer.append(1, &RunStart::new(1, 1)).unwrap();
        writer.append(1, &Named::new(NameTable::Consumer, 0, "maker")).unwrap();
        for (number, name) in venues.iter().enumerate() {
            writer.append(1, &Named::new(NameTable::Venue, number as u32, name)).unwrap();
        }
        let spec = InstrumentSpec::btc_usdt();
        let (price_scale, qty_scale) = (spec.price_scale, spec.qty_scale);
        let named = Named::new(NameTable::Instrument, 0, &spec.symbol);
        writer.append(1, &Named { price_scale, qty_scale, ..named }).unwrap();
        for venue in 0..venues.len() as u16 {
            let mut intent = Intent::new_zeroed();
            (intent.client_order_id, intent.venue) = (1 + u64::from(venue), venue);
            (intent.price, intent.qty, intent.side_code) = (100, 5, Side::Buy.code());
            intent.action_code = OrderAction::Submit as u8;
            writer.append(1, &intent).unwrap();
        }
    }

    /// What a start refuses once its venues are set up is refused before, in the same words.
    #[test]
    fn open_orders_at_a_venue_without_an_order_session_are_refused_as_by_a_start() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("journal");
        let mut config = parsed("");
        let own = config.venues[0].clone();
        config.venues.push(VenueConfig { name: "other".into(), ..own });
        config.journal.dir = Some(folder.clone());
        let venues = config.venue_names();
        assert_eq!(venues.len(), 2, "{venues:?}");
        written_journal(&folder, &venues);
        let look = |config: &Config| {
            let parts = || FoldParts {
                consumers: vec!["maker".to_owned()],
                venues: config.venue_names(),
                instruments: Instruments::new(vec![InstrumentSpec::btc_usdt()]).unwrap().into(),
                ..parts()
            };
            check_journal(config, &Files::Real, parts).map_err(|error| error.to_string())
        };
        let refused = look(&config).unwrap_err();
        let at = |venue: &str| format!("1 open orders at {venue}, which has no order session now");
        assert!(refused.contains(&format!("{}; {}", at(&venues[0]), at("other"))), "{refused}");
        config.venues[0].api_url = Some("ws://127.0.0.1:1/api".into());
        let refused = look(&config).unwrap_err();
        assert!(refused.contains(&at("other")) && !refused.contains(&at(&venues[0])), "{refused}");
        config.venues[1].mode = VenueMode::Paper;
        assert_eq!(look(&config), Ok(()), "both have one");
    }

    #[test]
    fn a_folder_for_the_journal_must_be_one_too_unless_none_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mut config = Config::default_run();
        let mut look = |folder: &Path, durability| {
            config.journal.dir = Some(folder.to_owned());
            config.journal.durability = durability;
            check_journal(&config, &Files::Real, parts).map_err(|error| error.to_string())
        };
        assert_eq!(look(&dir.path().join("a/b"), JournalDurability::Os), Ok(()));
        assert_eq!(look(dir.path(), JournalDurability::Os), Ok(()), "it is empty");
        for bad in [&file, &file.join("journal")] {
            let problem = look(bad, JournalDurability::FsyncBatch).unwrap_err();
            assert!(problem.contains("Not a directory"), "{problem}");
            assert_eq!(look(bad, JournalDurability::None), Ok(()));
        }
    }
}
