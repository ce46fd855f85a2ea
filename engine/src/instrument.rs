//! Instruments: interned at the edge, one scale each over all venues, fixed before anything is routed.

use std::collections::HashMap;

use serde::Serialize;
use thiserror::Error;

use crate::event::{InstrumentId, SCALE_MAX};

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

/// Why an instrument was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum InstrumentError {
    #[error("symbol {0:?} is not BASE-QUOTE in upper case")]
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
}

impl Instruments {
    /// Interns `specs` in their order.
    ///
    /// # Errors
    /// [`InstrumentError`] names the first spec that can't be taken.
    pub fn new(specs: Vec<InstrumentSpec>) -> Result<Instruments, InstrumentError> {
        let mut by_symbol = HashMap::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            check(spec)?;
            let id = InstrumentId(u32::try_from(index).unwrap_or(u32::MAX));
            if by_symbol.insert(spec.symbol.clone(), id).is_some() {
                return Err(InstrumentError::Duplicate(spec.symbol.clone()));
            }
        }
        Ok(Instruments { specs, by_symbol })
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

fn check(spec: &InstrumentSpec) -> Result<(), InstrumentError> {
    let is_asset = |asset: &str| {
        !asset.is_empty() && asset.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    match spec.symbol.split_once('-') {
        Some((base, quote)) if is_asset(base) && is_asset(quote) => {}
        _ => return Err(InstrumentError::BadSymbol(spec.symbol.clone())),
    }
    if let Some(scale) = [spec.price_scale, spec.qty_scale].into_iter().find(|s| *s > SCALE_MAX) {
        return Err(InstrumentError::BadScale { symbol: spec.symbol.clone(), scale });
    }
    if spec.tick < 1 || spec.step < 1 {
        return Err(InstrumentError::BadIncrement(spec.symbol.clone()));
    }
    Ok(())
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
