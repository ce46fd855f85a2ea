//! Instruments: interned at the edge, one scale each over all venues, fixed before anything is
//! routed.

use std::collections::HashMap;

use serde::Serialize;
use thiserror::Error;

use crate::event::{AssetId, AssetName, InstrumentId, SCALE_MAX};

/// What is known of one instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstrumentSpec {
    /// Canonical symbol, `BASE-QUOTE` in upper case.
    pub symbol: String,
    /// Decimal places of a price, at most 12.
    pub price_scale: u8,
    /// Decimal places of a quantity, at most 12.
    pub qty_scale: u8,
    /// Price increment in the price scale, at least 1.
    pub tick: i64,
    /// Quantity increment in the quantity scale, at least 1.
    pub step: i64,
}

impl InstrumentSpec {
    /// BTC-USDT in cents and units of 10^-5, as the simulated venue trades it: what tests, benches
    /// and the harness trade.
    #[must_use]
    pub fn btc_usdt() -> InstrumentSpec {
        InstrumentSpec {
            symbol: "BTC-USDT".to_owned(),
            price_scale: 2,
            qty_scale: 5,
            tick: 1,
            step: 1,
        }
    }
}

/// Why an instrument was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum InstrumentError {
    #[error("symbol {0:?} is not BASE-QUOTE in upper case, of at most 16 bytes each")]
    BadSymbol(String),
    #[error("symbol {0:?} is listed twice")]
    Duplicate(String),
    #[error("{symbol}: scale {scale} is above {SCALE_MAX}")]
    BadScale { symbol: String, scale: u8 },
    #[error("{0}: tick and step must be at least 1")]
    BadIncrement(String),
}

/// All instruments of a run. Immutable once the engine is launched.
#[derive(Clone, Debug, Default)]
pub struct Instruments {
    specs: Vec<InstrumentSpec>,
    by_symbol: HashMap<String, InstrumentId>,
    /// Base and quote asset, by instrument.
    legs: Vec<[AssetId; 2]>,
    by_asset: HashMap<AssetName, Asset>,
}

/// An asset that instruments are traded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its number.
    pub id: AssetId,
    /// The first instrument that trades it.
    pub first: InstrumentId,
}

impl Instruments {
    /// Interns `specs` in their order.
    ///
    /// # Errors
    /// [`InstrumentError`] names the first spec that can't be taken.
    pub fn new(specs: Vec<InstrumentSpec>) -> Result<Instruments, InstrumentError> {
        let mut by_symbol = HashMap::with_capacity(specs.len());
        let mut legs = Vec::with_capacity(specs.len());
        let mut by_asset = HashMap::new();
        for (index, spec) in specs.iter().enumerate() {
            let names = check(spec)?;
            let id = InstrumentId(u32::try_from(index).unwrap_or(u32::MAX));
            if by_symbol.insert(spec.symbol.clone(), id).is_some() {
                return Err(InstrumentError::Duplicate(spec.symbol.clone()));
            }
            legs.push(names.map(|name| {
                let next = Asset { id: AssetId(by_asset.len() as u32), first: id };
                by_asset.entry(name).or_insert(next).id
            }));
        }
        Ok(Instruments { specs, by_symbol, legs, by_asset })
    }

    /// The instrument's data; `None` for an id of another table.
    #[inline]
    #[must_use]
    pub fn get(&self, id: InstrumentId) -> Option<&InstrumentSpec> {
        self.specs.get(id.index())
    }

    /// Looks up a canonical symbol.
    #[must_use]
    pub fn find(&self, symbol: &str) -> Option<InstrumentId> {
        self.by_symbol.get(symbol).copied()
    }

    /// Looks up an asset by the name that venues give it.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<Asset> {
        self.by_asset.get(name).copied()
    }

    /// The base and the quote asset of an instrument; `None` for an id of another table.
    #[must_use]
    pub fn legs(&self, id: InstrumentId) -> Option<[AssetId; 2]> {
        self.legs.get(id.index()).copied()
    }

    /// How many assets there are.
    #[must_use]
    pub fn asset_count(&self) -> usize {
        self.by_asset.len()
    }

    /// Ids and data in the order of interning.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (InstrumentId, &InstrumentSpec)> {
        self.specs.iter().enumerate().map(|(index, spec)| (InstrumentId(index as u32), spec))
    }

    /// How many instruments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.specs.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }
}

/// Checks the spec; the names of its base and quote asset.
fn check(spec: &InstrumentSpec) -> Result<[AssetName; 2], InstrumentError> {
    // Some venues name assets in letters that have no case.
    let is_plain = |c: char| {
        c.is_ascii_uppercase() || c.is_ascii_digit() || (!c.is_ascii() && c.is_alphanumeric())
    };
    let asset = |name: &str| match !name.is_empty() && name.chars().all(is_plain) {
        true => AssetName::from(name).ok(),
        false => None,
    };
    let names =
        spec.symbol.split_once('-').and_then(|(base, quote)| Some([asset(base)?, asset(quote)?]));
    let names = names.ok_or_else(|| InstrumentError::BadSymbol(spec.symbol.clone()))?;
    if let Some(scale) = [spec.price_scale, spec.qty_scale].into_iter().find(|s| *s > SCALE_MAX) {
        return Err(InstrumentError::BadScale { symbol: spec.symbol.clone(), scale });
    }
    if spec.tick < 1 || spec.step < 1 {
        return Err(InstrumentError::BadIncrement(spec.symbol.clone()));
    }
    Ok(names)
}

#[cfg(test)]
impl Instruments {
    /// `count` instruments for tests: A0-USDT, A1-USDT and so on, scales 2 and 5.
    pub(crate) fn of_test(count: usize) -> std::sync::Arc<Instruments> {
        let spec = |n| InstrumentSpec {
            symbol: format!("A{n}-USDT"),
            price_scale: 2,
            qty_scale: 5,
            tick: 1,
            step: 1,
        };
        std::sync::Arc::new(Instruments::new((0..count).map(spec).collect()).unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(symbol: &str) -> InstrumentSpec {
        InstrumentSpec { symbol: symbol.into(), price_scale: 2, qty_scale: 5, tick: 1, step: 1 }
    }

    #[test]
    fn interns_in_order_and_finds_by_symbol() {
        let table = Instruments::new(vec![spec("BTC-USDT"), spec("ETH-USDT")]).unwrap();
        assert_eq!(table.find("ETH-USDT"), Some(InstrumentId(1)));
        assert_eq!(table.find("ETH-USD"), None); // EDGE-21: one name is a prefix of the other
        assert_eq!(table.get(InstrumentId(0)).unwrap().symbol, "BTC-USDT");
    }

    #[test]
    fn refuses_what_it_could_not_represent() {
        for bad in ["btc-usdt", "BTCUSDT", "-USDT", "BTC-", "BTC-US-DT"] {
            let error = Instruments::new(vec![spec(bad)]).unwrap_err();
            assert_eq!(error, InstrumentError::BadSymbol(bad.into()));
        }
        let twice = Instruments::new(vec![spec("A-B"), spec("A-B")]);
        assert!(matches!(twice, Err(InstrumentError::Duplicate(_))));
        let deep = InstrumentSpec { price_scale: 13, ..spec("A-B") };
        assert!(matches!(Instruments::new(vec![deep]), Err(InstrumentError::BadScale { .. })));
        let still = InstrumentSpec { tick: 0, ..spec("A-B") };
        assert!(matches!(Instruments::new(vec![still]), Err(InstrumentError::BadIncrement(_))));
    }
}
