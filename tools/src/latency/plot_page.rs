//! The picture in one HTML page with its figures and run headers: no script, no network.

use super::distribution::Distribution;
use super::plot_run::by_header;
use super::plot_svg::{Picture, colour, escaped};
use super::rate_text::rate_text;
use crate::table::count;

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; color: #323232; background: #fff;
       max-width: 1100px; margin: 24px auto; padding: 0 16px; }
div { overflow-x: auto; }
svg { width: 100%; min-width: 720px; height: auto; }
table { border-collapse: collapse; margin: 16px 0; white-space: nowrap; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px; text-align: right; border-bottom: 1px solid #e2e2e2; }
th:first-child, td:first-child { text-align: left; }
i { display: inline-block; width: 22px; height: 3px; margin-right: 8px; vertical-align: middle; }
section { margin: 16px 0; }
h2 { font-size: 15px; margin: 0 0 4px; }
pre { font: 13px/1.5 ui-monospace, monospace; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
";

const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

/// The page around a picture.
#[must_use]
pub fn page(picture: &Picture<'_>, svg: &str) -> String {
    // The policy keeps the promise: nothing is loaded, nothing runs.
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let title = escaped(picture.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<div>{svg}</div>\n"
    );
    page.push_str(&figures(picture));
    for (header, runs) in by_header(picture.runs) {
        let labels: Vec<_> = runs.iter().map(|run| escaped(&picture.runs[*run].label)).collect();
        let (labels, header) = (labels.join(", "), escaped(&header.join("\n")));
        if !header.is_empty() {
            page.push_str(&format!("<section><h2>{labels}</h2><pre>{header}</pre></section>\n"));
        }
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn figures(picture: &Picture<'_>) -> String {
    let unit = picture.unit;
    let mut text =
        format!("<div><table>\n<tr><th>in {}</th><th>Values</th><th>Values/s</th>", unit.name());
    PERCENTILES.iter().for_each(|p| text.push_str(&format!("<th>{p}%</th>")));
    text.push_str("<th>Max</th></tr>\n");
    for (index, run) in picture.runs.iter().enumerate() {
        let counts = &run.series.counts;
        let plotters::style::RGBColor(red, green, blue) = colour(index);
        text.push_str(&format!(
            "<tr><td><i style=\"background: rgb({red},{green},{blue})\"></i>{}</td><td>{}</td><td>{}</td>",
            escaped(&run.label),
            count(counts.total()),
            rate_text(run.series.rate_per_s()),
        ));
        let values = counts.percentiles(PERCENTILES);
        for value in values.into_iter().chain([counts.max()]) {
            text.push_str(&format!("<td>{}</td>", unit.text(value as f64)));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</table></div>\n");
    text
}
