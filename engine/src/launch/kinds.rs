//! Kinds of market data that consumers list, held against what their venues send.

use super::options::LaunchError;
use crate::config::{Config, VenueConfig};
use crate::event::EventKind;
use crate::venue::registry::VenueKind;

/// Refuses a kind that a consumer lists and none of the venues sends: nothing would ever come.
/// Where some of them do, those that do not are worth a line, which comes back.
///
/// # Errors
/// The first such kind, at its key.
pub(super) fn check_kinds(config: &Config) -> Result<Vec<String>, LaunchError> {
    let (names, kinds) = (config.venue_names(), VenueKind::of_venues(config));
    let lacks = |number: usize, wanted| match (config.venues.get(number), kinds[number].dialect) {
        // Streams that are listed by their names may be of any kind.
        (Some(VenueConfig { streams: Some(_), .. }), _) | (None, None) => None,
        (Some(venue), _) => (kinds[number].lacks)(wanted, &venue.stream_url),
        (None, Some(dialect)) => (kinds[number].lacks)(wanted, dialect.stream_path),
    };
    let mut notes = Vec::new();
    for (index, consumer) in config.consumers.iter().enumerate() {
        for (place, listed) in consumer.kinds.iter().flatten().enumerate() {
            let of_name = |kind: &EventKind| kind.name() == listed;
            let Some(wanted) = EventKind::STREAMS.into_iter().find(of_name) else { continue };
            let why = |(number, name): (usize, &String)| {
                Some(format!("{name}: {}", lacks(number, wanted)?))
            };
            let whys: Vec<String> = names.iter().enumerate().filter_map(why).collect();
            if whys.is_empty() {
                continue;
            }
            if whys.len() < names.len() {
                let (name, whys) = (&consumer.name, whys.join("; "));
                notes.push(format!("{name} lists {listed}, which not every venue sends ({whys})"));
                continue;
            }
            let key = format!("consumer[{index}].kinds[{place}]");
            let problem = format!("no venue sends {listed:?} ({})", whys.join("; "));
            let sent = |kind: &EventKind| (0..names.len()).any(|at| lacks(at, *kind).is_none());
            let sent: Vec<&str> =
                EventKind::STREAMS.into_iter().filter(sent).map(EventKind::name).collect();
            return Err(config.error_at(&key, &problem, &sent.join(", ")).into());
        }
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(venues: &str, kinds: &str) -> Result<Vec<String>, String> {
        let text = format!("[[consumer]]\nstrategy = \"noop\"\nkinds = [{kinds}]\n{venues}");
        let config = Config::parse(&text, "kinds.toml").unwrap();
        check_kinds(&config).map_err(|error| error.to_string())
    }

    fn bybit(path: &str) -> String {
        format!("[[venue]]\nname = \"by\"\nkind = \"bybit\"\nstream_url = \"wss://h/{path}\"\n")
    }

    #[test]
    fn a_mark_price_that_no_venue_sends_is_refused_with_where_it_comes() {
        let refused = checked(&bybit("v5/public/spot"), "'quote', 'mark_price'").unwrap_err();
        let told = [
            "kinds.toml:3",
            "consumer[0].kinds[1]: no venue sends \"mark_price\"",
            "by: contracts alone have it: stream_url ends in /v5/public/linear",
            "allowed: quote, trade, book, bar",
        ];
        assert!(told.iter().all(|part| refused.contains(part)), "{refused}");
        for path in ["v5/public/linear", "v5/public/inverse?x=1"] {
            assert_eq!(checked(&bybit(path), "'mark_price'"), Ok(Vec::new()), "{path}");
        }
        // Nothing is said of a consumer that takes whatever comes.
        assert_eq!(checked(&bybit("v5/public/spot"), "'quote', 'merged'"), Ok(Vec::new()));
        let own = "[simulated]\nkind = \"bybit\"\n";
        assert!(checked(own, "'mark_price'").is_err(), "of spot");
        let refused = checked("[simulated]\nkind = \"okx\"\n", "'bar'").unwrap_err();
        assert!(refused.contains("its kind has no such stream"), "{refused}");
    }

    #[test]
    fn where_one_of_the_venues_sends_it_the_others_are_noted() {
        let futures =
            "[[venue]]\nname = \"bi\"\nkind = \"binance_futures\"\nstream_url = \"wss://h/s\"\n";
        let both = format!("{futures}{}", bybit("v5/public/spot"));
        let notes = checked(&both, "'mark_price'").unwrap();
        let note = "noop lists mark_price, which not every venue sends (by: contracts alone";
        assert!(notes.len() == 1 && notes[0].starts_with(note), "{notes:?}");
        let listed = format!("{}streams = [\"tickers.BTCUSDT\"]\n", bybit("v5/public/spot"));
        assert_eq!(checked(&listed, "'mark_price'"), Ok(Vec::new()), "who knows");
    }
}
