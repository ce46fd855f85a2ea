//! Orders that Coinbase may not have, where its list of orders is longer than is read in a row: it
//! finds none by our name of it, so that the list has to be read to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use pitlane_engine::event::{ExecReport, ExecType, OrderStatus, RejectReason, Side};
use pitlane_engine::order::recovery::{EarlierRun, RecordedOrder, VenueRecovery};
use pitlane_engine::order::{OrderAction, OrderCommand, OrderType, TimeInForce};
use zerocopy::FromZeros;

use crate::harness::{BTC, wall_ms};
use crate::raw::{Peer, RawServer};
use crate::scripted::{Asks, Scripted, coinbase_frame};
use crate::subject::{Coinbase, Orders};
use crate::trader::{QTY, Trader, TraderOptions};

/// More orders than are read in a row.
const MANY: usize = 2_500;
const PAGE: usize = 100;
const LIST: &str = "/api/v3/brokerage/orders/historical/batch?";

/// An account whose list of orders has others, newest first, and at the end our own, if at all.
struct Account {
    /// So many ms before now others were created.
    others_ms: i64,
    /// Pages of the list that were asked for.
    pages: Arc<AtomicUsize>,
    /// An order of ours that is older than the others.
    own: Option<String>,
    /// So many pages are refused, since too much is asked.
    refused: usize,
}

impl Account {
    /// The value of a parameter of a request.
    fn parameter<'r>(request: &'r str, name: &str) -> Option<&'r str> {
        let (_, query) = request.split_once('?')?;
        let query = query.split_once(' ').map_or(query, |(query, _)| query);
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(of, _)| *of == name)?
            .1
            .into()
    }

    fn time(request: &str, name: &str) -> Option<i64> {
        let time = Account::parameter(request, name)?.replace("%3A", ":");
        Some(time.parse::<Timestamp>().expect("a time").as_millisecond())
    }

    /// The page that is asked for.
    fn page(&self, request: &str) -> String {
        let created_ms = wall_ms() - self.others_ms;
        let is_in = |ms: i64| {
            Account::time(request, "start_date").is_none_or(|from_ms| ms >= from_ms)
                && Account::time(request, "end_date").is_none_or(|end_ms| ms < end_ms)
        };
        let mut names: Vec<String> = Vec::new();
        if is_in(created_ms) {
            names.extend((0..MANY).map(|number| format!("another-{number}")));
        }
        names.extend(self.own.clone().filter(|_| is_in(created_ms - 1_000)));
        let from = Account::parameter(request, "cursor").map_or(0, |at| at.parse().expect("ours"));
        let end = names.len().min(from + PAGE);
        let rows: Vec<String> = (names[from..end].iter())
            .map(|name| {
                let told = Coinbase::stands("", name, OrderStatus::New, "0.00000");
                let (_, row) = told.split_once(r#"{"order":"#).expect("an order");
                row.strip_suffix('}').expect("its end").to_owned()
            })
            .collect();
        let (rows, has_next) = (rows.join(","), end < names.len());
        format!(r#"{{"orders":[{rows}],"has_next":{has_next},"cursor":"{end}"}}"#)
    }

    /// Loses new orders, and answers questions.
    fn serve(&mut self, peer: &mut Peer) -> std::io::Result<()> {
        Coinbase::log_on(peer)?;
        loop {
            let request = peer.read_text()?;
            // The stream has nothing else to say, and would be taken for dead.
            peer.tell(&coinbase_frame("heartbeats", r#"{"heartbeat_counter":"1"}"#))?;
            if Coinbase::asks(&request) == Asks::ToPlace {
                peer.reply_with(&request, "503 Service Unavailable", "")?;
            } else if !request.contains(LIST) {
                peer.reply(&request, r#"{"accounts":[],"has_next":false,"cursor":""}"#)?;
            } else if request.contains("order_status=OPEN") {
                peer.reply(&request, r#"{"orders":[],"has_next":false,"cursor":""}"#)?;
            } else if self.refused > 0 && request.contains("cursor=") {
                self.refused -= 1;
                peer.reply_with(&request, "429 Too Many Requests", "{}")?;
            } else {
                self.pages.fetch_add(1, Ordering::AcqRel);
                peer.reply(&request, &self.page(&request))?;
            }
        }
    }

    fn start(mut self) -> RawServer {
        RawServer::start(move |_, peer| self.serve(peer))
    }
}

fn account(others_ms: i64) -> (Account, Arc<AtomicUsize>) {
    let pages = Arc::<AtomicUsize>::default();
    (Account { others_ms, pages: Arc::clone(&pages), own: None, refused: 0 }, pages)
}

/// What becomes of an order that never arrived and whose cancel is wanted: its end is told, and the
/// cancel with it. The pages of the list that this took.
fn given_up(server: &RawServer, pages: &AtomicUsize) -> usize {
    let mut trader = Trader::<Coinbase>::new(server.address, &server.options());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive("the doubt", |seen, _| {
        let told = seen.all::<ExecReport>();
        told.iter().any(|report| report.exec_type() == Some(ExecType::Unknown))
    });
    trader.command(OrderAction::Cancel, 1, |_| {});
    let end = trader.drive_to(1, OrderStatus::Rejected);
    assert_eq!(end.reason(), Some(RejectReason::NeverArrived));
    trader.assert_sound();
    pages.load(Ordering::Acquire)
}

#[test]
fn an_order_that_never_arrived_is_given_up_whatever_coinbase_has_from_before_it() {
    let (account, pages) = account(600_000);
    let pages = given_up(&account.start(), &pages);
    assert!(pages < MANY / PAGE, "{pages} pages: the older ones are not asked for");
}

#[test]
fn a_list_of_coinbase_that_is_longer_than_is_read_in_a_row_is_read_to_its_end() {
    let (account, pages) = account(1_000);
    let pages = given_up(&account.start(), &pages);
    assert!(pages > MANY / PAGE, "{pages} pages: all of them are of its time");
}

/// The second start of a trader whose only order is on record as sent just before.
fn taken_up(server: &RawServer) -> Trader<Coinbase> {
    let mut command = OrderCommand::new_zeroed();
    command.client_order_id = 1;
    command.instrument = BTC.0;
    command.action_code = OrderAction::Submit as u8;
    (command.side_code, command.price, command.qty) = (Side::Buy.code(), 3_000_000, QTY);
    command.order_type_code = OrderType::Limit as u8;
    command.time_in_force_code = TimeInForce::Gtc as u8;
    let recovery = VenueRecovery {
        open: vec![RecordedOrder::new(&command, (wall_ms() - 60_000) * 1_000_000)],
        runs: vec![EarlierRun { last_ids: vec![1], ..EarlierRun::new(1, 1) }],
        ..VenueRecovery::default()
    };
    let options = TraderOptions { run: 2, recovery, cancel_on_stop: false, ..server.options() };
    Trader::new(server.address, &options)
}

#[test]
fn an_order_of_an_earlier_start_is_given_up_where_coinbases_list_is_long() {
    let (account, pages) = account(30_000);
    let server = account.start();
    let mut trader = taken_up(&server);
    let end = trader.drive_to(1, OrderStatus::Rejected);
    assert_eq!(end.reason(), Some(RejectReason::NeverArrived));
    trader.drive_to_ready();
    assert!(pages.load(Ordering::Acquire) >= MANY / PAGE, "the whole list was read");
    trader.assert_sound();
}

#[test]
fn an_order_of_an_earlier_start_is_found_behind_all_that_came_later() {
    let (account, pages) = account(58_000);
    let account = Account { own: Some(Coinbase::name(1)), refused: 3, ..account };
    let server = account.start();
    let mut trader = taken_up(&server);
    trader.drive_to_ready();
    let told = trader.reports(1);
    assert_eq!(told.last().and_then(ExecReport::status), Some(OrderStatus::New), "{told:?}");
    let pages = pages.load(Ordering::Acquire);
    assert_eq!(pages, MANY / PAGE + 1, "each page was shown once, also behind a refusal");
    trader.assert_sound();
}
