//! What of a report is absurd whatever its order is: its time, and the fee of its fill (F32).

use super::told::VenueReport;
use crate::event::{AssetAmount, InstrumentId, asset_code};
use crate::instrument::{InstrumentSpec, Instruments};

/// The venue tells what happens at once: a report from another day is doubted, ms.
const OFF_MAX_MS: i64 = 86_400_000;
/// The largest fee in an asset that is neither bought nor sold, whole units.
const THIRD_ASSET_MAX: i128 = 1_000_000_000;

/// Whether a report of this time, ns since the Unix epoch, can have been made now.
pub(super) fn is_of_now(time_ns: i64, now_ms: i64) -> bool {
    (time_ns / 1_000_000).abs_diff(now_ms) < OFF_MAX_MS.unsigned_abs()
}

/// What the fees of each instrument may be taken in.
#[derive(Debug)]
pub(super) struct FeeBounds(Box<[Legs]>);

/// Base and quote asset as [`asset_code`] has them, and what they are counted in.
#[derive(Clone, Copy, Debug)]
struct Legs {
    base: u128,
    quote: u128,
    price_scale: u8,
    qty_scale: u8,
}

impl Legs {
    fn of(spec: &InstrumentSpec) -> Legs {
        let mut assets = spec.symbol.split('-').map(asset_code);
        // No fee is in no asset.
        let mut next = || assets.next().flatten().unwrap_or(u128::MAX);
        let (price_scale, qty_scale) = (spec.price_scale, spec.qty_scale);
        Legs { base: next(), quote: next(), price_scale, qty_scale }
    }
}

impl FeeBounds {
    pub(super) fn of(instruments: &Instruments) -> FeeBounds {
        FeeBounds(instruments.iter().map(|(_, spec)| Legs::of(spec)).collect())
    }

    /// Whether a fee can be that of a fill: nobody takes more than what was bought or sold.
    #[inline]
    pub(super) fn allow(
        &self,
        instrument: InstrumentId,
        (fee, asset): (i64, u128),
        (price, qty): (i64, i64),
    ) -> bool {
        let Some(legs) = self.0.get(instrument.index()) else { return true };
        let fee = i128::from(fee).abs();
        let (scale, most) = if asset == legs.base {
            (legs.qty_scale, i128::from(qty))
        } else if asset == legs.quote {
            (legs.qty_scale + legs.price_scale, i128::from(price).saturating_mul(qty.into()))
        } else {
            (0, THIRD_ASSET_MAX)
        };
        let unit = |scale: u8| 10_i128.saturating_pow(u32::from(scale));
        fee.saturating_mul(unit(scale)) <= most.saturating_mul(unit(AssetAmount::SCALE))
    }

    /// As [`FeeBounds::allow`], of a report; true for one that is no fill.
    #[inline]
    pub(super) fn allow_report(&self, report: &VenueReport) -> bool {
        let terms = (report.last_price, report.last_qty);
        report.fee.is_none_or(|fee| fee.0 == 0 || self.allow(report.instrument, fee, terms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BTC: InstrumentId = InstrumentId(0);

    #[test]
    fn no_fee_is_above_what_was_bought_or_sold() {
        let spec = InstrumentSpec::btc_usdt();
        let bounds = FeeBounds::of(&Instruments::new(vec![spec]).expect("one good instrument"));
        // 0.01 BTC at 60,000.00 USDT.
        let allowed = |fee: i64, asset: &str| {
            bounds.allow(BTC, (fee, asset_code(asset).expect("short")), (6_000_000, 1_000))
        };
        assert!(allowed(1_000_000, "BTC") && !allowed(1_000_001, "BTC"));
        assert!(allowed(-1_000_000, "BTC") && !allowed(i64::MIN, "BTC"), "rebates alike");
        assert!(allowed(60_000_000_000, "USDT") && !allowed(60_000_000_001, "USDT"));
        assert!(allowed(5_000_000_000, "BNB") && !allowed(i64::MAX, "BNB"));
        assert!(bounds.allow(InstrumentId(9), (i64::MAX, 1), (1, 1)), "judged elsewhere");
    }

    #[test]
    fn a_report_is_made_on_the_day_it_comes() {
        let now_ms = 1_800_000_000_000;
        assert!(is_of_now(now_ms * 1_000_000, now_ms));
        for off_ms in [OFF_MAX_MS, -OFF_MAX_MS, -now_ms, 365 * OFF_MAX_MS] {
            assert!(!is_of_now((now_ms + off_ms) * 1_000_000, now_ms), "{off_ms}");
        }
    }
}
