//! Tables of `latency top` that may have more rows than there is room for.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Row, Table};

/// Columns below which numbers would lose their digits.
pub(super) const COLUMNS_MIN: u16 = 79;

/// Draws the rows that fit into `area` under their heads, from row `from` on or as far down as
/// there are rows. The first head says which they are when not all are shown. Returns how far down
/// there is more.
pub(super) fn draw_rows<const CELLS: usize>(
    frame: &mut Frame<'_>,
    area: Rect,
    heads: [&str; CELLS],
    rows: Vec<Row<'static>>,
    widths: &[Constraint],
    from: usize,
) -> usize {
    let (total, room) = (rows.len(), usize::from(area.height).saturating_sub(1));
    let hidden = total.saturating_sub(room);
    let first = from.min(hidden);
    let mut heads = heads.map(str::to_owned);
    if hidden > 0 {
        heads[0] = format!("{} {}-{} of {total}", heads[0], first + 1, first + room);
    }
    let head = aligned(heads).style(Style::new().bold());
    let shown = rows.into_iter().skip(first).take(room);
    let table = Table::new(shown, widths.iter().copied()).header(head).column_spacing(1);
    frame.render_widget(table, area);
    hidden
}

/// The last line: what is shown, and which keys do something.
pub(super) fn draw_help(frame: &mut Frame<'_>, area: Rect, what: &str, can_scroll: bool) {
    let scroll = if can_scroll { "   arrows scroll" } else { "" };
    frame.render_widget(Line::from(format!("{what}{scroll}   q quits")).dim(), area);
}

/// Says that the window is too narrow, when it is: cut numbers would be read as other numbers.
pub(super) fn draw_if_narrow(frame: &mut Frame<'_>) -> bool {
    let is_narrow = frame.area().width < COLUMNS_MIN;
    if is_narrow {
        let text = vec![Line::from(format!("{COLUMNS_MIN} columns are needed")), "q quits".into()];
        frame.render_widget(ratatui::text::Text::from(text), frame.area());
    }
    is_narrow
}

/// A row whose first cell is text and whose others are numbers.
pub(super) fn aligned<const CELLS: usize>(texts: [String; CELLS]) -> Row<'static> {
    let cells = texts.into_iter().enumerate().map(|(index, text)| {
        if index == 0 { Line::from(text) } else { Line::from(text).right_aligned() }
    });
    Row::new(cells.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    /// What a table of ten rows shows in four lines, from row `from` on, and how far it can go
    /// down.
    fn screen(from: usize, columns: u16) -> (String, usize) {
        let mut terminal = Terminal::new(TestBackend::new(columns, 4)).unwrap();
        let mut hidden = 0;
        let draw = |frame: &mut Frame<'_>| {
            let rows = (0..10).map(|n| aligned([format!("row{n}"), n.to_string()])).collect();
            let widths = [Constraint::Min(16), Constraint::Length(3)];
            let area = frame.area();
            if !draw_if_narrow(frame) {
                hidden = draw_rows(frame, area, ["Stage", "Max"], rows, &widths, from);
            }
        };
        terminal.draw(draw).unwrap();
        (terminal.backend().to_string(), hidden)
    }

    #[test]
    fn rows_that_do_not_fit_are_told_and_can_be_reached() {
        let (top, hidden) = screen(0, 80);
        assert!(top.contains("Stage 1-3 of 10") && top.contains("row2"), "{top}");
        assert!(!top.contains("row3"), "{top}");
        assert_eq!(hidden, 7);
        let (end, _) = screen(99, 80);
        assert!(end.contains("Stage 8-10 of 10") && end.contains("row9"), "{end}");
    }

    #[test]
    fn a_narrow_window_shows_no_cut_numbers() {
        let (text, _) = screen(0, 40);
        assert!(text.contains("79 columns are needed") && !text.contains("row"), "{text}");
    }
}
