//! Venues in paper mode: market data of the real venue, orders to an exchange in this process that
//! follows the live book.

use super::assemble::Assembly;
use super::options::LaunchError;
use super::simulated_venue::{
    SIMULATED_API_KEY, simulated_limits, simulated_rules, simulated_symbols,
};
use super::venue_setup::{Paper, VenueSetup};
use crate::config::VenueConfig;
use crate::venue::governor::Governor;
use crate::venue::registry::VenueKind;
use crate::venue::simulated::{
    Commission, CommissionAsset, LiveFeeds, SimulatedSymbol, SimulatedVenueOptions,
};
use crate::venue::transport::{Endpoint, Scheme};
use crate::venue::{SymbolMap, VenueClock};

/// The first price of a market before its live book is known, in ticks: prices up to four times as
/// much are legal.
const START_TICKS: u64 = 1_000_000_000;

impl Assembly<'_> {
    /// Starts the exchange that takes a venue's orders. Whatever kind the venue is of, its orders
    /// are spoken of as the simulated venue does: nobody else hears them.
    pub(super) fn trade_on_paper(
        &mut self,
        venue: &VenueConfig,
        setup: &mut VenueSetup,
    ) -> Result<(), LaunchError> {
        let kind = VenueKind::usual();
        let (Some(dialect), Some(orders)) = (kind.dialect, kind.orders) else { return Ok(()) };
        let mut random = self.world.entropy.random(&format!("paper key of {}", venue.name));
        let keyed = (orders.with_drawn_key)(SIMULATED_API_KEY, &mut random)?;
        let instruments = &self.builder.readings.instruments;
        let symbols = simulated_symbols(self.config, &venue.name, 0, instruments);
        let symbols = symbols.into_iter().map(|symbol| SimulatedSymbol {
            name: format!("{}{}", symbol.base_asset, symbol.quote_asset),
            start_price: symbol.tick * START_TICKS,
            ..symbol
        });
        let symbols: Vec<_> = symbols.collect();
        let ids = instruments.iter().map(|(id, _)| id);
        let natives: Vec<_> = symbols.iter().map(|s| s.name.clone()).zip(ids).collect();
        let natives = SymbolMap::new(&natives, instruments.clone())
            .map_err(|source| LaunchError::Symbols { venue: venue.name.clone(), source })?;
        let mut bind = self.config.simulated.bind;
        bind.set_port(0);
        let feeds = LiveFeeds::default();
        let address = self.serve(
            dialect,
            SimulatedVenueOptions {
                bind,
                symbols,
                api_key: SIMULATED_API_KEY.to_owned(),
                verifying_key: keyed.verifying_key.clone(),
                limits: simulated_rules(&self.config.simulated),
                commission: Commission {
                    maker_ppm: venue.paper_maker_fee_ppm,
                    taker_ppm: venue.paper_taker_fee_ppm,
                    asset: CommissionAsset::Received,
                },
                live: Some(feeds.clone()),
                order_latency_ns: venue.paper_latency_us * 1_000,
                ..SimulatedVenueOptions::default()
            },
        )?;
        let url = format!("ws://{address}{}", dialect.api_path.unwrap_or_default());
        let endpoint = Endpoint::parse(&url, Scheme::Ws, &self.world.net, None)?;
        setup.api = Some((endpoint, keyed));
        let limits = simulated_limits(kind, &self.config.simulated);
        setup.paper = Some(Paper {
            symbols: natives,
            feeds,
            governor: Governor::named(&venue.name, &limits, self.config.consumers.len()),
            clock: VenueClock::new(&venue.name, self.builder.clock.clone()),
        });
        log::warn!(
            "[{}] PAPER: its market data is real; orders are matched in this process, and none of \
             them is sent",
            venue.name
        );
        self.builder.readings.paper.push(venue.name.clone());
        Ok(())
    }
}
