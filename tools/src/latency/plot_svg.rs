//! Draws percentile curves and a timeline as SVG, with plotters.

use std::error::Error;
use std::io;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged};
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::distribution::Distribution;
use super::plot_run::{Run, by_header};
use super::rule::{Comparison, Metric, Rule};
use super::unit::Unit;
use crate::table::count;

const WIDTH: u32 = 1_100;
const CURVE_HEIGHT: u32 = 560;
const TIMELINE_HEIGHT: u32 = 300;
const LINE_HEIGHT: u32 = 18;

/// Lines of a run header that fit under the picture; the page shows all.
const HEADER_LINES: usize = 14;

/// Rows for each halving on a curve.
const TICKS: u32 = 10;

/// Colours that also the colour-blind tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(90, 90, 90),
    RGBColor(0, 0, 0),
];
const LIMIT: RGBColor = RGBColor(190, 20, 20);
const GRID: RGBColor = RGBColor(226, 226, 226);
const INK: RGBColor = RGBColor(50, 50, 50);

/// What is drawn.
pub struct Picture<'a> {
    /// Above the curves.
    pub title: &'a str,
    /// At most eight.
    pub runs: &'a [Run],
    /// Limits.
    pub rules: &'a [Rule],
    /// Unit of values.
    pub unit: Unit,
    /// Whether the timeline is drawn.
    pub timeline: bool,
    /// Whether run headers are written underneath.
    pub header: bool,
}

/// A colour for the run with this number.
#[must_use]
pub fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// A place that tells its value when the pointer rests on it.
struct Hover {
    x: i32,
    y: i32,
    text: String,
}

/// The picture as an SVG document.
///
/// # Errors
/// What plotters can't draw.
pub fn draw(picture: &Picture<'_>) -> io::Result<String> {
    drawn(picture).map_err(|error| io::Error::other(error.to_string()))
}

fn drawn(picture: &Picture<'_>) -> Result<String, Box<dyn Error>> {
    let header = header_lines(picture);
    let timeline = if picture.timeline { TIMELINE_HEIGHT } else { 0 };
    let foot = if header.is_empty() { 0 } else { header.len() as u32 * LINE_HEIGHT + 24 };
    let mut svg = String::new();
    let mut hovers = Vec::new();
    {
        let size = (WIDTH, CURVE_HEIGHT + timeline + foot);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        let (curves, rest) = root.split_vertically(CURVE_HEIGHT);
        draw_curves(&curves, picture, &mut hovers)?;
        let (timeline_area, foot_area) = rest.split_vertically(timeline);
        if picture.timeline {
            draw_timeline(&timeline_area, picture, &mut hovers)?;
        }
        for (index, (line, run)) in header.iter().enumerate() {
            let style = ("sans-serif", 13).into_font().color(&run.map_or(INK, colour));
            let y = 8 + (index as u32 * LINE_HEIGHT) as i32;
            let x = if run.is_some() { 24 } else { 44 };
            foot_area.draw(&Text::new(line.clone(), (x, y), style))?;
        }
        root.present()?;
    }
    Ok(with_hovers(svg, &hovers))
}

/// Lines underneath, with the run whose name they are.
fn header_lines(picture: &Picture<'_>) -> Vec<(String, Option<usize>)> {
    let mut lines = Vec::new();
    if !picture.header {
        return lines;
    }
    for (header, runs) in by_header(picture.runs) {
        let line = |run: usize| (run_line(&picture.runs[run], picture.unit), Some(run));
        lines.extend(runs.into_iter().map(line));
        lines.extend(header.iter().take(HEADER_LINES).map(|line| (shortened(line), None)));
        if header.len() > HEADER_LINES {
            lines.push((format!("and {} lines more", header.len() - HEADER_LINES), None));
        }
    }
    lines
}

fn shortened(line: &str) -> String {
    const CHARS: usize = 140;
    match line.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line.to_owned(),
    }
}

/// A run in one line: what a legend has no room for.
fn run_line(run: &Run, unit: Unit) -> String {
    let counts = &run.series.counts;
    let [p50, p99, p999] = counts.percentiles([50.0, 99.0, 99.9]).map(|ns| unit.text(ns as f64));
    format!(
        "{}: {} values, {}/s, 50% {p50}, 99% {p99}, 99.9% {p999}, max {} {}",
        run.label,
        counts.total(),
        super::rate_text::rate_text(run.series.rate_per_s()),
        unit.text(counts.max() as f64),
        unit.name()
    )
}

/// Place of a percentile on the axis: the decimal logarithm of 1/(1-p).
fn place(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).log10()
}

/// An axis with labels where we want them.
struct Axis {
    from: f64,
    to: f64,
    marks: Vec<f64>,
    logarithmic: bool,
}

impl Axis {
    fn scaled(&self, value: f64) -> f64 {
        if self.logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { value }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (from, to) = (self.scaled(self.from), self.scaled(self.to));
        let part = (self.scaled(*value) - from) / (to - from);
        limit.0 + (part * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

impl plotters::coord::ranged1d::ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        value.to_string()
    }
}

/// The axis of percentiles, wide enough for the longest run.
fn percentile_axis(picture: &Picture<'_>) -> Axis {
    let total = picture.runs.iter().map(|run| run.series.counts.total()).max().unwrap_or(0);
    let to = (total.max(10) as f64).log10().clamp(1.0, 12.0);
    let mut marks = vec![0.0, place(50.0)];
    marks.extend((1..=to.floor() as i32).map(f64::from));
    Axis { from: 0.0, to: to * 1.02, marks, logarithmic: false }
}

fn percentile_label(place: f64) -> String {
    if place < 0.1 {
        return "0%".to_owned();
    }
    if place < 0.9 {
        return "50%".to_owned();
    }
    let nines = place.round() as usize;
    match nines {
        1 => "90%".to_owned(),
        2 => "99%".to_owned(),
        _ => format!("99.{}%", "9".repeat(nines - 2)),
    }
}

/// A logarithmic axis of values in the unit shown, from a round number to a round number. Over more
/// than `fine_decades` only the powers of ten have labels.
fn value_axis(values: impl Iterator<Item = f64>, fine_decades: f64) -> Axis {
    let (mut low, mut high) = (f64::MAX, f64::MIN_POSITIVE);
    for value in values.filter(|value| *value > 0.0) {
        (low, high) = (low.min(value), high.max(value));
    }
    if low > high {
        (low, high) = (0.1, 1.0);
    }
    let round: Vec<_> =
        (-4..=9).flat_map(|e| [1.0, 2.0, 5.0].map(|d| d * 10_f64.powi(e))).collect();
    let from = round.iter().copied().filter(|mark| *mark <= low * 0.98).fold(1e-4, f64::max);
    let to = round.iter().copied().filter(|mark| *mark >= high * 1.05).fold(1e10, f64::min);
    let decades = (to / from).log10();
    let wanted =
        |mark: f64| decades < fine_decades || (mark.log10() - mark.log10().round()).abs() < 1e-9;
    let inside = round.into_iter().filter(|mark| (from * 0.999..=to * 1.001).contains(mark));
    Axis { from, to, marks: inside.filter(|mark| wanted(*mark)).collect(), logarithmic: true }
}

fn value_label(value: f64) -> String {
    if value >= 1_000.0 {
        return count(value.round() as u64);
    }
    let rounded = (value * 1e4).round() / 1e4;
    rounded.to_string()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw_curves(
    area: &Area<'_>,
    picture: &Picture<'_>,
    hovers: &mut Vec<Hover>,
) -> Result<(), Box<dyn Error>> {
    let unit = picture.unit;
    let curves: Vec<_> = picture.runs.iter().map(|run| curve_points(run, unit)).collect();
    let x_axis = percentile_axis(picture);
    let limits = limits(picture, x_axis.to);
    let steps = limits.iter().flat_map(|limit| &limit.steps);
    let values = curves.iter().flatten().chain(steps).map(|(_, value)| *value);
    let y_axis = value_axis(values, 4.0);
    let mut chart = ChartBuilder::on(area)
        .caption(picture.title, ("sans-serif", 22).into_font().color(&INK))
        .margin(16)
        .x_label_area_size(54)
        .y_label_area_size(76)
        .build_cartesian_2d(x_axis, y_axis)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(INK)
        .label_style(("sans-serif", 14).into_font().color(&INK))
        .x_label_formatter(&|place| percentile_label(*place))
        .y_label_formatter(&|value| value_label(*value))
        .x_desc("percentile, spaced by 1/(1-p)")
        .y_desc(match unit {
            Unit::Events => "events that wait (logarithmic)".to_owned(),
            _ => format!("latency in {} (logarithmic)", unit.name()),
        })
        .draw()?;
    for (index, (run, points)) in picture.runs.iter().zip(&curves).enumerate() {
        let style = colour(index).stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(run.label.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], style));
        for (at, &(x, value)) in points.iter().enumerate() {
            let (left, top) = chart.backend_coord(&(x, value));
            let place = match at + 1 == points.len() {
                true => "max".to_owned(),
                false => percent_text(100.0 - 100.0 / 10_f64.powf(x)),
            };
            let value = unit.text(value * unit.ratio());
            let text = format!("{}: {place} = {value} {}", run.label, unit.name());
            hovers.push(Hover { x: left, y: top, text });
        }
    }
    for Limit { label, colour, steps } in limits {
        let style = colour.stroke_width(2);
        chart
            .draw_series(DashedLineSeries::new(steps, 6, 4, style))?
            .label(label)
            .legend(move |(x, y)| DashedPathElement::new([(x, y), (x + 22, y)], 6, 4, style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight) // where no percentile curve passes
        .margin(14)
        .label_font(("sans-serif", 14).into_font().color(&INK))
        .background_style(WHITE.mix(0.9))
        .border_style(GRID)
        .draw()?;
    Ok(())
}

fn percent_text(percentile: f64) -> String {
    let decimals = (2 - (100.0 - percentile).max(1e-9).log10().floor() as i32).clamp(0, 9) as usize;
    format!("{percentile:.decimals$}%")
}

/// Places and values of a curve; the maximum stands where one value of all is left above.
fn curve_points(run: &Run, unit: Unit) -> Vec<(f64, f64)> {
    let counts = &run.series.counts;
    let last = (counts.total().max(2) as f64).log10();
    let rows = counts.curve(TICKS);
    let mut points: Vec<(f64, f64)> = Vec::new();
    for row in rows {
        let x = if row.percentile >= 100.0 { last } else { place(row.percentile).min(last) };
        let point = (x, unit.of(row.value.max(1)));
        if points.last() != Some(&point) {
            points.push(point);
        }
    }
    points
}

/// The limits of one series, or of all.
struct Limit {
    label: String,
    colour: RGBColor,
    steps: Vec<(f64, f64)>,
}

/// Limits for all first, then those of each series in the colour of its curve.
fn limits(picture: &Picture<'_>, end: f64) -> Vec<Limit> {
    let steps_for = |tag: Option<&String>| {
        let rules = picture.rules.iter().filter(|rule| rule.tag.as_ref() == tag);
        limit_steps(rules, picture.unit, end)
    };
    let mut limits =
        vec![Limit { label: "limit".to_owned(), colour: LIMIT, steps: steps_for(None) }];
    for (index, run) in picture.runs.iter().enumerate() {
        let label = format!("limit {}", run.label);
        let steps = run.series.tag.as_ref().map_or(Vec::new(), |tag| steps_for(Some(tag)));
        limits.push(Limit { label, colour: colour(index), steps });
    }
    limits.retain(|limit| !limit.steps.is_empty());
    limits
}

/// Upper limits as steps: each holds up to its percentile, `max` up to the end.
fn limit_steps<'a>(rules: impl Iterator<Item = &'a Rule>, unit: Unit, end: f64) -> Vec<(f64, f64)> {
    let upper = |rule: &&Rule| matches!(rule.comparison, Comparison::Below | Comparison::AtMost);
    let mut limits: Vec<(f64, f64)> = rules
        .filter(upper)
        .filter_map(|rule| match rule.metric {
            Metric::Percentile(p) if p < 100.0 => Some((place(p).min(end), rule.limit)),
            Metric::Percentile(_) | Metric::Max => Some((end, rule.limit)),
            _ => None,
        })
        .collect();
    limits.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut steps = Vec::new();
    let mut from = 0.0;
    for (to, limit) in limits {
        steps.push((from, limit / unit.ratio()));
        steps.push((to, limit / unit.ratio()));
        from = to;
    }
    steps
}

fn draw_timeline(
    area: &Area<'_>,
    picture: &Picture<'_>,
    hovers: &mut Vec<Hover>,
) -> Result<(), Box<dyn Error>> {
    let unit = picture.unit;
    let ends = picture.runs.iter().filter_map(|run| run.maxima.last()).map(|(s, _)| *s);
    let starts = picture.runs.iter().filter_map(|run| run.maxima.first()).map(|(s, _)| *s);
    let (start, end) = (starts.fold(f64::MAX, f64::min), ends.fold(0.0, f64::max));
    let (start, end) = if start < end { (start, end) } else { (start, start + 1.0) };
    let values = picture.runs.iter().flat_map(|run| &run.maxima).map(|(_, ns)| unit.of(*ns));
    let mut chart = ChartBuilder::on(area)
        .caption("Highest value of each interval", ("sans-serif", 18).into_font().color(&INK))
        .margin(16)
        .x_label_area_size(46)
        .y_label_area_size(76)
        .build_cartesian_2d(start..end, value_axis(values, 2.0))?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(INK)
        .label_style(("sans-serif", 14).into_font().color(&INK))
        .x_label_formatter(&|s| value_label(*s))
        .y_label_formatter(&|value| value_label(*value))
        .x_desc("seconds from the start of the log")
        .y_desc(format!("max in {}", unit.name()))
        .draw()?;
    for (index, run) in picture.runs.iter().enumerate() {
        // An interval without values is a gap, not a zero.
        for part in run.maxima.split(|(_, ns)| *ns == 0) {
            let points = part.iter().map(|(s, ns)| (*s, unit.of(*ns)));
            chart.draw_series(LineSeries::new(points, colour(index).stroke_width(1)))?;
        }
        let filled = run.maxima.iter().filter(|(_, ns)| *ns > 0);
        for (s, value) in filled.map(|(s, ns)| (*s, unit.of(*ns))) {
            let (x, y) = chart.backend_coord(&(s, value));
            let value = unit.text(value * unit.ratio());
            let text = format!("{} at {s:.3} s: max {value} {}", run.label, unit.name());
            hovers.push(Hover { x, y, text });
        }
    }
    Ok(())
}

/// Adds what a browser shows when the pointer rests on a point: an SVG title, no script.
fn with_hovers(mut svg: String, hovers: &[Hover]) -> String {
    let Some(end) = svg.rfind("</svg>") else { return svg };
    svg.truncate(end);
    svg.push_str("<g fill=\"#000000\" fill-opacity=\"0\">\n");
    for Hover { x, y, text } in hovers {
        let text = escaped(text);
        svg.push_str(&format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"6\"><title>{text}</title></circle>\n"
        ));
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Text that may stand in SVG and HTML.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
