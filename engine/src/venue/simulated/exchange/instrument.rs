//! A traded pair and its rules.

/// Digits after the point that a price or a quantity may have.
pub const SCALE_MAX: u32 = 8;

/// One traded pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedSymbol {
    /// Upper-case name as the venue writes it, letters and digits.
    pub name: String,
    /// What is bought and sold.
    pub base_asset: String,
    /// What it is paid with.
    pub quote_asset: String,
    /// Digits after the point of a price, at most 8.
    pub price_scale: u32,
    /// Digits after the point of a quantity, at most 8.
    pub qty_scale: u32,
    /// Where the walk starts, in units of 10^-`price_scale`; at least 1,000 ticks.
    pub start_price: u64,
    /// Smallest price difference, in units of 10^-`price_scale`.
    pub tick: u64,
    /// Smallest quantity difference, in units of 10^-`qty_scale`.
    pub step: u64,
    /// Smallest value of an order, in units of 10^-`price_scale` of the quote asset.
    pub min_notional: u64,
    /// The most of the base asset that the account may own with all its buy orders filled, in units
    /// of 10^-`qty_scale`; `None`: any amount, as of most pairs.
    pub position_max: Option<u64>,
}

impl Default for SimulatedSymbol {
    /// BTCUSDT with the venue's own tick and step.
    fn default() -> Self {
        Self {
            name: "BTCUSDT".into(),
            base_asset: "BTC".into(),
            quote_asset: "USDT".into(),
            price_scale: 2,
            qty_scale: 5,
            start_price: 6_000_000,
            tick: 1,
            step: 1,
            min_notional: 500,
            position_max: None,
        }
    }
}

impl SimulatedSymbol {
    /// The highest price an order may have: what the walk can reach, and as much again.
    pub(in crate::venue::simulated) fn price_max(&self) -> u64 {
        self.start_price * 4 / self.tick * self.tick
    }

    /// The largest quantity of one order.
    pub(in crate::venue::simulated) fn qty_max(&self) -> u64 {
        self.step * 1_000_000_000
    }

    /// The largest quantity of one market order.
    pub(in crate::venue::simulated) fn market_qty_max(&self) -> u64 {
        self.step * 10_000_000
    }

    /// Checks all ranges.
    pub(in crate::venue::simulated) fn validate(&self) -> Result<(), &'static str> {
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        if ![&self.name, &self.base_asset, &self.quote_asset].into_iter().all(|name| is_name(name))
        {
            return Err("names are upper-case letters and digits");
        }
        if self.price_scale > SCALE_MAX || self.qty_scale > SCALE_MAX {
            return Err("scales are at most 8");
        }
        if self.tick == 0 || self.step == 0 {
            return Err("tick and step are at least 1");
        }
        let ticks = self.start_price / self.tick;
        if !(1_000..=u64::from(u32::MAX) * 1_000).contains(&ticks) {
            return Err("the start price lies outside 1,000 to 4 * 10^12 ticks");
        }
        // Four times the start price must still be a price, and sums of quantities must fit.
        if self.start_price > i64::MAX as u64 / 4 || self.step > 10_000_000 {
            return Err("start price or step is too large");
        }
        Ok(())
    }
}
