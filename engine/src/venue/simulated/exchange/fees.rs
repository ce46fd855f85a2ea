//! What the exchange takes of each fill.

use std::sync::Arc;

use super::account::Account;
use super::amount::{AMOUNT_SCALE, Amount, base_amount, quote_amount};
use super::book::Side;
use super::instrument::SimulatedSymbol;

/// Amounts are whole units of this: an asset has eight digits after the point.
const AMOUNT_UNIT: Amount = 10_u128.pow(AMOUNT_SCALE - 8);
/// The fixed price of one BNB in any quote asset, whole units: the exchange trades no BNB of its
/// own.
const BNB_PRICE: u128 = 600;
/// Paid in BNB, this much of the rate is due, percent.
const BNB_SHARE_PCT: u128 = 75;
/// The asset of the discount.
pub const BNB: &str = "BNB";

/// The rates of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commission {
    /// Of a fill that rested, millionths of its value.
    pub maker_ppm: u32,
    /// Of a fill that took, millionths of its value.
    pub taker_ppm: u32,
    /// What it is paid in.
    pub asset: CommissionAsset,
}

/// What a commission is paid in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommissionAsset {
    /// What the fill brings: the base asset of a buy, the quote asset of a sell.
    Received,
    /// The quote asset, of either side.
    Quote,
    /// BNB at three quarters of the rate, and what the fill brings once no BNB is left.
    Bnb,
}

impl Commission {
    /// A venue that takes nothing.
    pub const NONE: Commission =
        Commission { maker_ppm: 0, taker_ppm: 0, asset: CommissionAsset::Received };
    /// What a new account of the real venue pays: a thousandth.
    pub const STANDARD: Commission =
        Commission { maker_ppm: 1_000, taker_ppm: 1_000, asset: CommissionAsset::Received };

    /// What a fill costs, and in which asset.
    pub(super) fn of(
        &self,
        symbol: &SimulatedSymbol,
        side: Side,
        fill: (u64, u64),
        is_maker: bool,
        account: &Account,
    ) -> Fee {
        let (price, qty) = fill;
        let ppm = u128::from(if is_maker { self.maker_ppm } else { self.taker_ppm });
        let whole = |amount: Amount| amount / AMOUNT_UNIT * AMOUNT_UNIT;
        let value = quote_amount(symbol, u128::from(price) * u128::from(qty));
        if self.asset == CommissionAsset::Bnb {
            let amount = whole(value / 1_000_000 * ppm / BNB_PRICE / 100 * BNB_SHARE_PCT);
            if account.has_free(BNB, amount) {
                return Fee { amount, asset: account.name(BNB) };
            }
        }
        let (received, asset) = match side {
            Side::Buy if self.asset != CommissionAsset::Quote => {
                (base_amount(symbol, qty), &symbol.base_asset)
            }
            _ => (value, &symbol.quote_asset),
        };
        Fee { amount: whole(received / 1_000_000 * ppm), asset: account.name(asset) }
    }
}

/// A commission that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fee {
    /// Units of 10^-16, a multiple of 10^-8.
    pub amount: Amount,
    /// Of this asset.
    pub asset: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fee(asset: CommissionAsset, side: Side, bnb: u64) -> (String, Amount) {
        let symbol = SimulatedSymbol::default();
        let account = Account::new([("BTC", 1), ("USDT", 1), (BNB, bnb)].into_iter());
        let commission = Commission { maker_ppm: 1_000, taker_ppm: 2_000, asset };
        // 0.5 BTC at 60,000: a value of 30,000.
        let fee = commission.of(&symbol, side, (6_000_000, 50_000), true, &account);
        (fee.asset.to_string(), fee.amount / AMOUNT_UNIT)
    }

    #[test]
    fn a_fee_is_taken_of_what_the_fill_brings_or_of_bnb_while_there_is_some() {
        let received = CommissionAsset::Received;
        assert_eq!(fee(received, Side::Buy, 9), ("BTC".into(), 50_000));
        assert_eq!(fee(received, Side::Sell, 9), ("USDT".into(), 3_000_000_000));
        assert_eq!(fee(CommissionAsset::Quote, Side::Buy, 9), ("USDT".into(), 3_000_000_000));
        // 30,000 * 0.001 * 0.75 / 600 = 0.0375 BNB.
        assert_eq!(fee(CommissionAsset::Bnb, Side::Buy, 9), ("BNB".into(), 3_750_000));
        assert_eq!(fee(CommissionAsset::Bnb, Side::Buy, 0), ("BTC".into(), 50_000));
    }
}
