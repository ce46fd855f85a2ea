//! The frames: recorded ones where `PITLANE_RECORDINGS` names a folder of recordings, otherwise
//! made here.

use std::path::PathBuf;

/// Native symbol of the frames that are made here.
const SYMBOL: &str = "SWRVBUSD";

/// `bookTicker` frames of a combined stream, and where they come from.
///
/// # Errors
/// When there is a folder of recordings, but no such frame in it.
pub(crate) fn load() -> Result<(Vec<Vec<u8>>, &'static str), String> {
    let Some(folder) = std::env::var_os("PITLANE_RECORDINGS").map(PathBuf::from) else {
        return Ok((generated(), "no recording (PITLANE_RECORDINGS is not set): generated"));
    };
    let path = folder.join("binance/spot_multi10_20210417/ws.jsonl");
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let frames: Vec<Vec<u8>> = text
        .lines()
        .filter(|line| line.contains("@bookTicker"))
        .map(|line| line.as_bytes().to_vec())
        .collect();
    if frames.is_empty() {
        return Err(format!("{}: no bookTicker frame", path.display()));
    }
    Ok((frames, "a recorded session of ten symbols"))
}

/// The native symbols in the frames, in the order in which they appear.
#[must_use]
pub fn symbols(frames: &[Vec<u8>]) -> Vec<String> {
    let mut symbols: Vec<String> = Vec::new();
    for frame in frames {
        let text = String::from_utf8_lossy(frame);
        let symbol = text.split("\"s\":\"").nth(1).and_then(|rest| rest.split('"').next());
        if let Some(symbol) = symbol
            && !symbols.iter().any(|known| known == symbol)
        {
            symbols.push(symbol.to_owned());
        }
    }
    symbols
}

fn generated() -> Vec<Vec<u8>> {
    let frame = |index: u64| {
        let (cents, stream) = (index % 97, SYMBOL.to_lowercase());
        format!(
            "{{\"stream\":\"{stream}@bookTicker\",\"data\":{{\"u\":{},\"s\":\"{SYMBOL}\",\
             \"b\":\"2.{cents:02}200000\",\"B\":\"218.40800000\",\"a\":\"2.{cents:02}700000\",\
             \"A\":\"1.19200000\"}}}}",
            64_830_107 + index
        )
        .into_bytes()
    };
    (0..512).map(frame).collect()
}
