//! Pauses and bans that outlive a run: kept in a small file beside the runs' folders, so that an
//! engine that is started again obeys what the one before was told (LM-11).
//!
//! Housekeeping writes the file whenever a pause begins or ends, whole and under another name
//! first. What another engine left there, or leaves while this one runs, stays until it is over.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::venue::governor::{Governor, PauseCause, PauseScope};
use crate::world::{Clock, Files};

/// The file's name in the folder of the runs.
const FILE_NAME: &str = "venue_pauses.json";
/// The form of the file.
const VERSION: u32 = 1;
/// Largest file that is read, bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;
/// Pauses with less left than this are not worth a file, ns.
const SHORT_NS: u64 = 2_000_000_000;
/// Between two checks whether anything has changed, ns.
const POLL_NS: u64 = 100_000_000;
/// After a write that failed, the next one waits so long, ns.
const RETRY_NS: u64 = 10_000_000_000;

/// Who a pause is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PausedAt {
    /// The venue's name.
    pub(super) venue: String,
    /// Where it is reached: `HOST:PORT`.
    pub(super) hosts: Vec<String>,
    /// What tells its account from others, without telling the key; empty without an account.
    pub(super) account: String,
}

/// One pause, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    venue: String,
    hosts: Vec<String>,
    account: String,
    stops: String,
    /// Its end, ms since the Unix epoch.
    until_ms: i64,
    status: u16,
    code: i32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Book {
    version: u32,
    pauses: Vec<Record>,
}

impl Record {
    /// Whether it is about a venue: an address is known by its hosts, an account by its key too.
    fn is_of(&self, at: &PausedAt) -> bool {
        let is_account = self.stops == PauseScope::Orders.name();
        self.hosts.iter().any(|host| at.hosts.contains(host))
            && (!is_account || self.account == at.account)
    }

    /// Whether both stop the same.
    fn is_like(&self, other: &Record) -> bool {
        (&self.hosts, &self.account, &self.stops) == (&other.hosts, &other.account, &other.stops)
    }

    fn scope(&self) -> Option<PauseScope> {
        PauseScope::ALL.into_iter().find(|scope| scope.name() == self.stops)
    }
}

/// A venue at the same address, by its governor.
#[derive(Debug)]
pub(super) enum Neighbour {
    /// With the same account, or without one.
    SameAccount(Governor),
    /// With another account.
    SameAddress(Governor),
}

/// What is remembered, and of whom.
pub(super) struct PauseBook {
    files: Files,
    path: PathBuf,
    clock: Clock,
    /// What the file held at the start and is about none of ours.
    others: Vec<Record>,
    ours: Vec<(PausedAt, Governor)>,
    written: Vec<Record>,
    next_ns: u64,
}

impl PauseBook {
    /// Reads the book in the folder of the runs. One that can't be read is told, and forgotten.
    pub(super) fn open(files: &Files, runs: &Path, clock: &Clock) -> PauseBook {
        let path = runs.join(FILE_NAME);
        let others = read(files, &path).unwrap_or_else(|why| {
            let shown = path.display();
            log::warn!("[engine] {shown}: {why}; pauses of the runs before are not known");
            Vec::new()
        });
        let (files, clock) = (files.clone(), clock.clone());
        let (ours, written, next_ns) = (Vec::new(), others.clone(), 0);
        PauseBook { files, path, clock, others, ours, written, next_ns }
    }

    /// A venue that was taken up before and has the same address: what is counted by it, and by the
    /// account where that is the same, is counted once.
    pub(super) fn neighbour_of(&self, at: &PausedAt) -> Option<Neighbour> {
        let is_near =
            |(one, _): &&(PausedAt, Governor)| one.hosts.iter().any(|host| at.hosts.contains(host));
        let near = || self.ours.iter().filter(is_near);
        let same = near().find(|(one, _)| one.account == at.account || at.account.is_empty());
        if let Some((_, governor)) = same {
            return Some(Neighbour::SameAccount(governor.clone()));
        }
        // A venue without an account leaves its governor to the first account at its address.
        if let Some((_, governor)) = near().find(|(one, _)| !one.account.is_empty()) {
            return Some(Neighbour::SameAddress(governor.clone()));
        }
        near().next().map(|(_, governor)| Neighbour::SameAccount(governor.clone()))
    }

    /// Takes up a venue: what is remembered of it is imposed on its governor.
    pub(super) fn add(&mut self, at: PausedAt, governor: &Governor) {
        let now_ns = self.clock.now_ns();
        let wall_ms = self.clock.wall_at_ns(now_ns) / 1_000_000;
        let (found, others) = self.others.drain(..).partition(|record| record.is_of(&at));
        self.others = others;
        for record in &found {
            let left_ms = u64::try_from(record.until_ms.saturating_sub(wall_ms)).unwrap_or(0);
            let Some(scope) = record.scope().filter(|_| left_ms > 0) else { continue };
            let cause = PauseCause { status: record.status, code: record.code };
            let until_ns = now_ns.saturating_add(left_ms.saturating_mul(1_000_000));
            governor.pause(scope, until_ns, cause, &self.clock);
            log::warn!(
                "[{}] this pause is of a run before; {} is where it is kept",
                at.venue,
                self.path.display()
            );
        }
        self.ours.push((at, governor.clone()));
    }

    /// Writes what has changed. For a thread that may wait for a disk.
    pub(super) fn keep(&mut self) {
        let now_ns = self.clock.now_ns();
        if now_ns < self.next_ns {
            return;
        }
        self.next_ns = now_ns + POLL_NS;
        let records = self.records(now_ns);
        if records == self.written {
            return;
        }
        match self.write(&records) {
            Ok(()) => self.written = records,
            Err(error) => {
                self.next_ns = now_ns + RETRY_NS;
                let path = self.path.display();
                log::warn!("[engine] {path}: pauses of venues are not kept: {error} (code: io)");
            }
        }
    }

    /// Writes what has changed since the last look: a ban may answer the cancels of a stop.
    pub(super) fn finish(&mut self) {
        self.next_ns = 0;
        self.keep();
    }

    fn records(&self, now_ns: u64) -> Vec<Record> {
        let wall_ms = self.clock.wall_at_ns(now_ns) / 1_000_000;
        let mut records = self.others.clone();
        records.retain(|record| record.until_ms > wall_ms);
        for (at, governor) in &self.ours {
            for (scope, until_ns, PauseCause { status, code }) in governor.pauses(now_ns) {
                // A wrong key is tried again by whoever has set it right.
                if until_ns < now_ns + SHORT_NS || scope == PauseScope::Account {
                    continue;
                }
                records.push(Record {
                    venue: at.venue.clone(),
                    hosts: at.hosts.clone(),
                    account: at.account.clone(),
                    stops: scope.name().to_owned(),
                    until_ms: self.clock.wall_at_ns(until_ns) / 1_000_000,
                    status,
                    code,
                });
            }
        }
        records
    }

    fn write(&self, records: &[Record]) -> std::io::Result<()> {
        let mut pauses = records.to_vec();
        // Engines that share the folder keep each other's: none is shortened, and each ends by
        // itself.
        let wall_ms = self.clock.wall_at_ns(self.clock.now_ns()) / 1_000_000;
        for kept in read(&self.files, &self.path).unwrap_or_default() {
            match pauses.iter_mut().find(|pause| pause.is_like(&kept)) {
                Some(pause) => pause.until_ms = pause.until_ms.max(kept.until_ms),
                None if kept.until_ms > wall_ms => pauses.push(kept),
                None => {}
            }
        }
        let book = Book { version: VERSION, pauses };
        let text = serde_json::to_string_pretty(&book)?;
        let draft = self.path.with_extension("json.new");
        let mut file = self.files.create_private(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync()?;
        self.files.rename(&draft, &self.path)
    }
}

/// The records of a file; none where there is no file.
fn read(files: &Files, path: &Path) -> Result<Vec<Record>, String> {
    let text = match files.read(path) {
        Ok(bytes) if bytes.len() > FILE_BYTES_MAX => {
            return Err("is too long to be what this engine writes".to_owned());
        }
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot be read: {error} (code: io)")),
    };
    let book: Book = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if book.version != VERSION {
        return Err(format!("is of version {}, and {VERSION} is known", book.version));
    }
    Ok(book.pauses)
}

/// What tells an account from others: the start of a hash of its key's name.
pub(super) fn account_of(api_key: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, api_key.as_bytes());
    hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::governor::RequestClass;
    use crate::world::{FileConditions, VirtualFiles};

    const S: u64 = 1_000_000_000;
    const DAY_S: u64 = 86_400;
    const BANNED: PauseCause = PauseCause { status: 418, code: -1003 };

    fn at(host: &str, key: &str) -> PausedAt {
        let hosts = vec![host.to_owned(), "rest:443".to_owned()];
        PausedAt { venue: "binance".to_owned(), hosts, account: account_of(key) }
    }

    fn files() -> Files {
        Files::Virtual(VirtualFiles::new(1, FileConditions::default()))
    }

    /// A run at `wall_s`; what it obeys of the runs before, for how long, s.
    fn run(files: &Files, wall_s: u64, of: PausedAt, at_its_end: &[(PauseScope, u64)]) -> [u64; 2] {
        let (clock, _time) = Clock::manual((wall_s * S) as i64);
        let governor = Governor::default();
        let mut book = PauseBook::open(files, Path::new("runs"), &clock);
        book.add(of, &governor);
        let left = [RequestClass::Cancel, RequestClass::Order]
            .map(|class| governor.paused_until_ns(class) / S);
        for (scope, length_s) in at_its_end {
            governor.pause(*scope, length_s * S, BANNED, &clock);
        }
        book.keep();
        left
    }

    #[test]
    fn a_ban_of_three_days_is_obeyed_by_every_run_until_it_ends() {
        let files = files();
        files.make_private_folder(Path::new("runs")).unwrap();
        let ban = [(PauseScope::Address, 3 * DAY_S)];
        assert_eq!(run(&files, 1_000, at("a:1", "key"), &ban), [0, 0]);
        assert_eq!(run(&files, 1_000 + DAY_S, at("a:1", "key"), &[]), [2 * DAY_S; 2]);
        // The address is banned whatever key it uses, and wherever else the venue listens.
        assert_eq!(run(&files, 1_000 + 2 * DAY_S, at("b:1", "new"), &[]), [DAY_S; 2]);
        let elsewhere = PausedAt { hosts: vec!["c:1".to_owned()], ..at("c:1", "key") };
        assert_eq!(run(&files, 1_000 + 2 * DAY_S, elsewhere, &[]), [0, 0]);
        assert_eq!(run(&files, 1_000 + 2 * DAY_S, at("a:1", "key"), &[]), [DAY_S; 2], "not lost");
        assert_eq!(run(&files, 1_000 + 3 * DAY_S, at("a:1", "key"), &[]), [0, 0]);
        let text = files.read_text(Path::new("runs/venue_pauses.json")).unwrap();
        assert!(!text.contains("until_ms") && !text.contains("\"key\""), "{text}");
    }

    #[test]
    fn a_pause_of_orders_is_the_accounts_and_one_of_logons_is_not_kept() {
        let files = files();
        files.make_private_folder(Path::new("runs")).unwrap();
        let pauses = [(PauseScope::Orders, 100), (PauseScope::Account, 1_000)];
        run(&files, 1_000, at("a:1", "key"), &pauses);
        assert_eq!(run(&files, 1_010, at("a:1", "another"), &[]), [0, 0]);
        assert_eq!(run(&files, 1_010, at("a:1", "key"), &[]), [0, 90]);
    }

    #[test]
    fn a_ban_that_answers_the_last_request_of_a_run_is_kept() {
        let files = files();
        files.make_private_folder(Path::new("runs")).unwrap();
        let (clock, _time) = Clock::manual((1_000 * S) as i64);
        let governor = Governor::default();
        let mut book = PauseBook::open(&files, Path::new("runs"), &clock);
        book.add(at("a:1", "key"), &governor);
        book.keep();
        governor.pause(PauseScope::Address, DAY_S * S, BANNED, &clock);
        book.keep();
        assert_eq!(run(&files, 1_000, at("a:1", "key"), &[]), [0; 2], "too soon for a look");
        book.finish();
        assert_eq!(run(&files, 1_000, at("a:1", "key"), &[]), [DAY_S; 2]);
    }

    #[test]
    fn neighbours_share_an_address_and_those_of_one_account_share_it_whole() {
        let files = files();
        let (clock, _time) = Clock::manual((1_000 * S) as i64);
        let mut book = PauseBook::open(&files, Path::new("runs"), &clock);
        assert!(book.neighbour_of(&at("a:1", "one")).is_none());
        let market = PausedAt { account: String::new(), ..at("a:1", "") };
        let governor = Governor::default();
        book.add(market.clone(), &governor);
        let same = book.neighbour_of(&at("a:1", "one"));
        assert!(matches!(same, Some(Neighbour::SameAccount(_))), "{same:?}");
        book.add(at("a:1", "one"), &governor);
        let other = book.neighbour_of(&at("b:1", "two"));
        assert!(matches!(other, Some(Neighbour::SameAddress(_))), "rest:443 is theirs too");
        book.add(at("b:1", "two"), &governor.for_account("two", &[], 1));
        for (of, is_same) in [("one", true), ("two", true), ("three", false)] {
            let found = book.neighbour_of(&at("c:1", of));
            assert_eq!(matches!(found, Some(Neighbour::SameAccount(_))), is_same, "{of}");
        }
        assert!(matches!(book.neighbour_of(&market), Some(Neighbour::SameAccount(_))));
    }

    #[test]
    fn engines_that_share_a_folder_keep_each_others_pauses() {
        let files = files();
        files.make_private_folder(Path::new("runs")).unwrap();
        let (clock, _time) = Clock::manual((1_000 * S) as i64);
        let engine = |of: PausedAt| {
            let governor = Governor::default();
            let mut book = PauseBook::open(&files, Path::new("runs"), &clock);
            book.add(of, &governor);
            (book, governor)
        };
        let (mut one, banned) = engine(at("a:1", "key"));
        let (mut two, slowed) = engine(at("a:1", "key"));
        banned.pause(PauseScope::Address, DAY_S * S, BANNED, &clock);
        one.keep();
        slowed.pause(PauseScope::Address, 60 * S, BANNED, &clock);
        slowed.pause(PauseScope::Orders, 90 * S, BANNED, &clock);
        two.keep();
        assert_eq!(run(&files, 1_000, at("a:1", "key"), &[]), [DAY_S; 2], "the longer one");
        assert_eq!(read(&files, Path::new("runs/venue_pauses.json")).unwrap().len(), 2);
    }

    #[test]
    fn a_book_that_cannot_be_read_is_forgotten() {
        for text in ["", "{", r#"{"version":2,"pauses":[]}"#, r#"{"version":1,"pauses":[{}]}"#] {
            let files = files();
            let path = Path::new("runs/venue_pauses.json");
            files.create_private(path).unwrap().write_all(text.as_bytes()).unwrap();
            assert!(read(&files, path).is_err(), "{text}");
            assert_eq!(run(&files, 1_000, at("a:1", "key"), &[]), [0, 0]);
        }
    }
}
