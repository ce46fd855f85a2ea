//! Makes figures of boards and marks.

use std::sync::Arc;

use super::board::TradingBoard;
use super::decimal::{decimal, trimmed};
use super::figures::{
    FeeFigures, MarkFigures, MarkFrom, PositionFigures, ProfitFigures, RefusalFigures,
    StrategyFigures,
};
use super::marks::Marks;
use super::row::{Row, Units};
use crate::event::{AssetAmount, InstrumentId, VenueId, asset_name};
use crate::instrument::{InstrumentSpec, Instruments};

/// Places that an average price has beyond those of prices.
const AVERAGE_PLACES: u8 = 2;

/// Reads what all strategies have earned, at any time.
#[derive(Clone, Default)]
pub(crate) struct TradingReader {
    pub(crate) strategies: Vec<(String, Arc<TradingBoard>)>,
    pub(crate) marks: Arc<Marks>,
    /// By venue number.
    pub(crate) venues: Vec<String>,
    pub(crate) instruments: Arc<Instruments>,
}

/// Profit with its exact amounts, in units of 10^-`places`.
struct Profit {
    asset: String,
    places: u8,
    realised: i128,
    unrealised: Option<i128>,
    fees: i128,
}

impl Profit {
    fn net(&self) -> Option<i128> {
        self.realised.checked_add(self.unrealised?)?.checked_sub(self.fees)
    }

    /// In finer units; what does not fit stays at its limit.
    fn in_places(&self, places: u8) -> Profit {
        let step = 10_i128.pow(u32::from(places - self.places));
        let wide = |value: i128| value.saturating_mul(step);
        Profit {
            asset: self.asset.clone(),
            places,
            realised: wide(self.realised),
            unrealised: self.unrealised.map(wide),
            fees: wide(self.fees),
        }
    }

    fn figures(&self) -> ProfitFigures {
        let text = |value: i128| trimmed(value, self.places, 2.min(self.places));
        ProfitFigures {
            asset: self.asset.clone(),
            realised: text(self.realised),
            unrealised: self.unrealised.map(text),
            fees: text(self.fees),
            net: self.net().map(text),
        }
    }
}

impl TradingReader {
    /// Every strategy's figures, in the order of the configuration.
    pub(crate) fn read(&self, now_ns: u64) -> Vec<StrategyFigures> {
        self.strategies.iter().map(|(name, board)| self.strategy(name, board, now_ns)).collect()
    }

    fn strategy(&self, name: &str, board: &TradingBoard, now_ns: u64) -> StrategyFigures {
        let mut positions = Vec::new();
        let mut profits = Vec::new();
        for row in board.read() {
            let place = row.place.saturating_sub(1) as usize;
            let venues = self.venues.len().max(1);
            let instrument = InstrumentId((place / venues) as u32);
            let (figures, profit) = match self.instruments.get(instrument) {
                Some(spec) => {
                    let venue = VenueId((place % venues) as u16);
                    self.position(&row, spec, (venue, instrument), now_ns)
                }
                None => (unplaced(&row), None),
            };
            positions.push(figures);
            profits.extend(profit);
        }
        StrategyFigures {
            strategy: name.to_owned(),
            positions,
            totals: totals(&profits),
            reports_undelivered: 0,
            beyond: board.beyond(),
        }
    }

    fn position(
        &self,
        row: &Row,
        spec: &InstrumentSpec,
        (venue, instrument): (VenueId, InstrumentId),
        now_ns: u64,
    ) -> (PositionFigures, Option<Profit>) {
        let units = Units::of(spec);
        let mark = self.mark(row, (venue, instrument));
        let unrealised = match (row.position, mark) {
            (0, _) => Some(0),
            (_, None) => None,
            (position, Some((price, ..))) => {
                let value = position.checked_abs().and_then(|qty| qty.checked_mul(price.into()));
                value.and_then(|value| row.book().unrealised(value))
            }
        };
        let profit = Profit {
            asset: spec.symbol.split_once('-').map_or("-", |(_, quote)| quote).to_owned(),
            places: units.value_places,
            realised: row.realised,
            unrealised,
            fees: row.fees_in_quote,
        };
        let ProfitFigures { realised, unrealised, fees, net, .. } = profit.figures();
        let qty = |value: i128| trimmed(value, units.qty_places, spec.qty_scale);
        let value = |value: i128| trimmed(value, units.value_places, spec.price_scale);
        let figures = PositionFigures {
            instrument: spec.symbol.clone(),
            venue: self.venues.get(venue.index()).cloned().unwrap_or_default(),
            position: qty(row.position),
            average_price: average_price(row, spec),
            mark: mark.map(|(price, from, at_ns)| MarkFigures {
                price: decimal(price.into(), spec.price_scale, spec.price_scale),
                from,
                age_ns: now_ns.saturating_sub(at_ns),
            }),
            quote_asset: profit.asset.clone(),
            realised,
            unrealised,
            fees_in_quote: fees,
            net,
            fee_unknown_qty: qty(row.fee_unknown_qty),
            inferred_qty: qty(row.inferred_qty),
            bought: qty(row.bought),
            sold: qty(row.sold),
            bought_value: value(row.bought_value),
            sold_value: value(row.sold_value),
            volume: value(row.bought_value.saturating_add(row.sold_value)),
            price_places: spec.price_scale,
            prevented: qty(row.prevented),
            ..counts(row)
        };
        (figures, Some(profit))
    }

    /// The price that an order closing the position would meet; none for a flat one.
    fn mark(
        &self,
        row: &Row,
        (venue, instrument): (VenueId, InstrumentId),
    ) -> Option<(i64, MarkFrom, u64)> {
        let last = self.marks.read(venue, instrument);
        let of_side = match row.position {
            0 => return None,
            1.. => (last.bid, MarkFrom::Bid),
            _ => (last.ask, MarkFrom::Ask),
        };
        let candidates = [of_side, (last.last_trade, MarkFrom::LastTrade)];
        let (price, from) = candidates.into_iter().find(|(price, _)| *price > 0)?;
        Some((price, from, last.at_ns))
    }
}

/// Cost over quantity, rounded to the nearest.
fn average_price(row: &Row, spec: &InstrumentSpec) -> Option<String> {
    let (cost, held) = (row.cost.unsigned_abs(), row.position.unsigned_abs());
    if held == 0 {
        return None;
    }
    let finer = 10_u128.pow(AVERAGE_PLACES.into());
    let average = match cost.checked_mul(finer) {
        Some(wide) => wide.saturating_add(held / 2) / held,
        None => (cost / held).saturating_mul(finer),
    };
    let places = spec.price_scale + AVERAGE_PLACES;
    Some(decimal(i128::try_from(average).unwrap_or(i128::MAX), places, places))
}

/// What was asked for in no known instrument or at no known venue.
fn unplaced(row: &Row) -> PositionFigures {
    let (none, zero) = ("-".to_owned(), "0".to_owned());
    PositionFigures {
        instrument: none.clone(),
        venue: none.clone(),
        position: zero.clone(),
        quote_asset: none,
        realised: zero.clone(),
        fees_in_quote: zero.clone(),
        fee_unknown_qty: zero.clone(),
        inferred_qty: zero.clone(),
        bought: zero.clone(),
        sold: zero.clone(),
        bought_value: zero.clone(),
        sold_value: zero.clone(),
        volume: zero.clone(),
        prevented: zero,
        ..counts(row)
    }
}

/// The figures that are no amounts of the instrument.
fn counts(row: &Row) -> PositionFigures {
    let fees = row.fees.iter().filter(|sum| sum.asset != 0);
    let refusals = row.refusals.told_apart().into_iter();
    PositionFigures {
        fees: fees
            .map(|sum| FeeFigures {
                asset: asset_name(sum.asset).to_string(),
                amount: trimmed(sum.amount, AssetAmount::SCALE, 0),
            })
            .collect(),
        fees_beyond: row.fees_beyond,
        fills: row.fills,
        fills_inferred: row.inferred,
        fills_corrected: row.corrected,
        orders_sent: row.sent,
        orders_acknowledged: row.acknowledged,
        orders_filled: row.filled,
        orders_canceled: row.canceled,
        orders_rejected: row.rejected,
        orders_refused: row.refused,
        orders_revived: row.revived,
        orders_open: row.open,
        cancels_sent: row.cancels,
        amends_sent: row.amends,
        refusals: refusals
            .map(|(refusal, count)| RefusalFigures {
                by: refusal.by.name().to_owned(),
                what: refusal.what.name().to_owned(),
                reason: refusal.reason.name().to_owned(),
                venue_code: Some(refusal.venue_code).filter(|code| *code != 0),
                count,
            })
            .collect(),
        refusals_beyond: row.refusals.beyond(),
        saturated: row.saturated > 0,
        ..PositionFigures::default()
    }
}

/// Sums by quote asset.
fn totals(profits: &[Profit]) -> Vec<ProfitFigures> {
    let mut sums: Vec<Profit> = Vec::new();
    for profit in profits {
        let of_asset = profits.iter().filter(|other| other.asset == profit.asset);
        let places = of_asset.map(|other| other.places).max().unwrap_or_default();
        let one = profit.in_places(places);
        match sums.iter_mut().find(|sum| sum.asset == one.asset) {
            Some(sum) => {
                sum.realised = sum.realised.saturating_add(one.realised);
                let both = sum.unrealised.zip(one.unrealised);
                sum.unrealised = both.map(|(sum, one)| sum.saturating_add(one));
                sum.fees = sum.fees.saturating_add(one.fees);
            }
            None => sums.push(one),
        }
    }
    sums.iter().map(Profit::figures).collect()
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::{
        Event, ExecReport, ExecType, FEE_UNKNOWN, INFERRED, OrderStatus, Quote, RejectReason, Side,
        asset_code,
    };
    use crate::order::OrderCounts;
    use crate::order::trading::{Ledger, RefusedWhat};

    const VENUE: VenueId = VenueId(1);
    const BTC: InstrumentId = InstrumentId(0);

    struct Bench {
        reader: TradingReader,
        ledger: Ledger,
    }

    /// Prices in hundredths, quantities in 10^-5, two venues.
    fn bench() -> Bench {
        let instruments = Instruments::of_test(2);
        let board = TradingBoard::new(2, 2);
        let reader = TradingReader {
            strategies: vec![("one".into(), Arc::clone(&board))],
            marks: Marks::new(2, 2),
            venues: vec!["a".into(), "b".into()],
            instruments: Arc::clone(&instruments),
        };
        Bench { ledger: Ledger::new(board, &instruments, 2), reader }
    }

    fn fill(side: Side, price: i64, qty: i64) -> ExecReport {
        let mut report = ExecReport::new_zeroed();
        report.exec_type_code = ExecType::Trade.code();
        report.status_code = OrderStatus::PartiallyFilled.code();
        report.side_code = side.code();
        (report.last_price, report.last_qty) = (price, qty);
        report.quote = i128::from(price) * i128::from(qty);
        report
    }

    impl Bench {
        fn take(&mut self, report: &ExecReport) {
            let counts = OrderCounts::default();
            self.ledger.reported(VENUE, BTC, report, [(&counts, 0), (&counts, 0)]);
        }

        fn quote(&self, bid: i64, ask: i64) {
            let quote = Quote { bid_price: bid, bid_qty: 1, ask_price: ask, ask_qty: 1 };
            let mut event = Event::new(&quote);
            (event.venue, event.instrument, event.receive_ns) = (VENUE.0, BTC.0, 1_000);
            self.reader.marks.take(&event);
        }

        fn row(&self) -> PositionFigures {
            self.reader.read(3_000)[0].positions[0].clone()
        }
    }

    #[test]
    fn a_long_position_is_valued_at_the_bid_and_a_short_one_at_the_ask() {
        let mut bench = bench();
        bench.take(&fill(Side::Buy, 10_000, 100_000));
        assert_eq!(bench.row().unrealised, None, "no price was heard");
        bench.quote(10_100, 10_200);
        let row = bench.row();
        assert_eq!((row.position.as_str(), row.venue.as_str()), ("1.00000", "b"));
        assert_eq!(row.average_price.as_deref(), Some("100.0000"));
        let mark = row.mark.unwrap();
        assert_eq!((mark.price.as_str(), mark.from, mark.age_ns), ("101.00", MarkFrom::Bid, 2_000));
        assert_eq!((row.unrealised.as_deref(), row.net.as_deref()), (Some("1.00"), Some("1.00")));
        bench.take(&fill(Side::Sell, 10_300, 150_000));
        let row = bench.row();
        assert_eq!((row.position.as_str(), row.realised.as_str()), ("-0.50000", "3.00"));
        assert_eq!(row.average_price.as_deref(), Some("103.0000"));
        assert_eq!(
            (row.mark.unwrap().from, row.unrealised.as_deref()),
            (MarkFrom::Ask, Some("0.50"))
        );
        assert_eq!(row.volume, "254.50");
    }

    #[test]
    fn fees_are_told_by_asset_and_a_base_fee_leaves_the_position_at_its_fills_price() {
        let mut bench = bench();
        let mut buy = fill(Side::Buy, 10_000, 100_000);
        // 0.1 % of 1 A0.
        (buy.fee, buy.fee_asset) = (100_000, asset_code("A0").unwrap());
        bench.take(&buy);
        let mut sell = fill(Side::Sell, 11_000, 99_900);
        (sell.fee, sell.fee_asset) = (10_989_000, asset_code("USDT").unwrap());
        bench.take(&sell);
        let mut free = fill(Side::Buy, 10_000, 10);
        (free.fee, free.fee_asset) = (-7, asset_code("BNB").unwrap());
        bench.take(&free);
        bench.take(&fill(Side::Sell, 10_000, 10));
        let row = bench.row();
        assert_eq!((row.position.as_str(), row.average_price), ("0.00000", None));
        // 0.999 x 110 - 100 is what it brought, less the fee of 0.10989 in the quote asset.
        assert_eq!((row.realised.as_str(), row.fees_in_quote.as_str()), ("9.99", "0.20989"));
        assert_eq!(row.net.as_deref(), Some("9.78011"));
        let fees: Vec<_> =
            row.fees.iter().map(|fee| (fee.asset.as_str(), fee.amount.as_str())).collect();
        assert_eq!(fees, [("A0", "0.001"), ("USDT", "0.10989"), ("BNB", "-0.00000007")]);
        let total = &bench.reader.read(0)[0].totals[0];
        assert_eq!((total.asset.as_str(), total.net.as_deref()), ("USDT", Some("9.78011")));
    }

    #[test]
    fn inferred_fills_are_marked_until_the_venue_tells_them_whole() {
        let mut bench = bench();
        let mut inferred = fill(Side::Buy, 10_000, 1_000);
        inferred.flags = INFERRED | FEE_UNKNOWN;
        bench.take(&inferred);
        let row = bench.row();
        assert_eq!(
            (row.inferred_qty.as_str(), row.fee_unknown_qty.as_str()),
            ("0.01000", "0.01000")
        );
        let mut truth = fill(Side::Buy, 9_000, 400);
        truth.exec_type_code = ExecType::Corrected.code();
        truth.replaced_quote = 10_000 * 400;
        (truth.fee, truth.fee_asset) = (1_000_000, asset_code("USDT").unwrap());
        bench.take(&truth);
        let row = bench.row();
        assert_eq!((row.fills, row.fills_inferred, row.fills_corrected), (1, 1, 1));
        assert_eq!(
            (row.inferred_qty.as_str(), row.fee_unknown_qty.as_str()),
            ("0.00600", "0.00600")
        );
        assert_eq!((row.position.as_str(), row.fees_in_quote.as_str()), ("0.01000", "0.01"));
        assert_eq!(row.average_price.as_deref(), Some("96.0000"), "0.006 at 100, 0.004 at 90");
    }

    #[test]
    fn refusals_say_who_and_why_and_what_names_no_instrument_is_told_too() {
        let mut bench = bench();
        let mut refused = ExecReport::new_zeroed();
        refused.exec_type_code = ExecType::Rejected.code();
        refused.status_code = OrderStatus::Rejected.code();
        (refused.reason_code, refused.venue_code) = (RejectReason::Venue.code(), -2_010);
        bench.take(&refused);
        refused.reason_code = RejectReason::SlowDown.code();
        refused.venue_code = 0;
        bench.take(&refused);
        let halted = RejectReason::TradingHalted;
        bench.ledger.refused(VENUE, BTC, RefusedWhat::Order, halted);
        bench.ledger.refused(VenueId(9), BTC, RefusedWhat::Cancel, RejectReason::UnknownOrder);
        let figures = &bench.reader.read(0)[0];
        let refusals = &figures.positions[0].refusals;
        let told: Vec<_> = refusals
            .iter()
            .map(|one| (one.by.as_str(), one.reason.as_str(), one.venue_code, one.count))
            .collect();
        let wanted = [
            ("venue", "venue", Some(-2_010), 1),
            ("engine", "slow_down", None, 1),
            ("check", "trading_halted", None, 1),
        ];
        assert_eq!(told, wanted);
        assert_eq!(figures.positions[1].instrument, "-");
        assert_eq!(figures.positions[1].refusals[0].what, "cancel");
    }

    #[test]
    fn totals_of_instruments_with_other_scales_add_up_and_lack_what_has_no_mark() {
        let profit = |places, realised, unrealised| {
            let asset = "USDT".to_owned();
            Profit { asset, places, realised, unrealised, fees: 0 }
        };
        let sums = totals(&[profit(2, 150, Some(25)), profit(4, 12_345, Some(-5_000))]);
        assert_eq!((sums.len(), sums[0].realised.as_str()), (1, "2.7345"));
        assert_eq!(sums[0].unrealised.as_deref(), Some("-0.25"));
        let sums = totals(&[profit(2, 150, Some(25)), profit(2, 1, None)]);
        assert_eq!((sums[0].realised.as_str(), sums[0].unrealised.clone()), ("1.51", None));
        assert_eq!(sums[0].net, None);
    }
}
