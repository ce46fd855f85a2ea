//! Two panels in one file: throughput over consumers, and latency over the rate.

use std::path::Path;

use plotters::prelude::*;

use super::cell::{Load, RaceCell};
use super::report::{Line, Report};
use crate::contender::Form;
use crate::crossing::State;
use crate::pairing::median;

type Series = Vec<(String, Vec<(f64, f64)>)>;

/// Writes the plot.
///
/// # Errors
/// When the file can't be written.
pub(crate) fn write(report: &Report, path: &Path) -> Result<(), String> {
    let state = report.main_state();
    let saturated = series(report, state, |cell| {
        (cell.load == Load::Saturated && cell.bytes == 128).then_some(cell.consumers as f64)
    });
    let paced = series(report, state, |cell| match cell.load {
        Load::Paced(rate) if cell.consumers == 10 && cell.bytes == 128 => Some(rate as f64),
        _ => None,
    });
    let root = SVGBackend::new(path, (1_000, 900)).into_drawing_area();
    let (above, below) = root.split_vertically(450);
    let state = state.name();
    let title = format!("saturated, 128 bytes, cores {state}: M copies/s over consumers");
    panel(&above, &title, &saturated).map_err(|error| error.to_string())?;
    let title = format!("paced, 10 x 128 bytes, cores {state}: p50 ns of the last, over records/s");
    panel(&below, &title, &paced).map_err(|error| error.to_string())?;
    root.present().map_err(|error| error.to_string())
}

fn series(report: &Report, state: State, x: impl Fn(&RaceCell) -> Option<f64>) -> Series {
    let mut all: Series = Vec::new();
    for results in &report.cells {
        let Some(x) = x(&results.cell) else { continue };
        for line in results.lines.iter().filter(|line| line.form != Some(Form::OneByOne)) {
            let Some(y) = median(&line.samples, state) else { continue };
            add(&mut all, line, (x, y));
        }
    }
    all
}

fn add(all: &mut Series, line: &Line, point: (f64, f64)) {
    match all.iter_mut().find(|(name, _)| name == line.name) {
        Some((_, points)) => points.push(point),
        None => all.push((line.name.to_owned(), vec![point])),
    }
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    series: &Series,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    area.fill(&WHITE)?;
    let points = || series.iter().flat_map(|(_, points)| points);
    let range = |of: fn(&(f64, f64)) -> f64| {
        let low = points().map(of).fold(f64::INFINITY, f64::min);
        let high = points().map(of).fold(0.0, f64::max);
        (low * 0.8)..(high * 1.3)
    };
    if points().next().is_none() {
        return Ok(());
    }
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(range(|p| p.0).log_scale(), range(|p| p.1).log_scale())?;
    chart.configure_mesh().draw()?;
    for (index, (name, points)) in series.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        let style = colour.stroke_width(if index == 0 { 3 } else { 1 });
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style).point_size(3))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()
}
