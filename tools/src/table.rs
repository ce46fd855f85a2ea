//! Calm tables: two blanks between columns, a rule under the head, numbers to the right.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle,
};

/// Widest line of anything printed, in columns.
pub(crate) const WIDTH: usize = 100;

const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('-').junction('-'));

/// A table with these column heads; a head that starts with `>` is a column of numbers, which never
/// wrap.
pub(crate) fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(WIDTH as u16);
    table.set_header(heads.iter().map(|head| head.trim_start_matches('>')));
    for (column, head) in table.column_iter_mut().zip(heads) {
        column.set_padding((0, 1)); // and one between columns, where the rule has its junction
        if head.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
            // Text may wrap, a number must not.
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

/// The table as text, without blanks at the ends of lines.
pub(crate) fn render(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A whole number with its digits in groups of three.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Nanoseconds as microseconds with three decimal places.
pub(crate) fn micros(ns: u64) -> String {
    format!("{}.{:03}", count(ns / 1_000), ns % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_easily() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(micros),
            ["0.000", "0.999", "1.000", "1,234.567"]
        );
    }

    #[test]
    fn a_table_is_plain_and_never_wider_than_a_hundred_columns() {
        let mut table = table(&["name", ">count"]);
        table.add_row(["a", "1"]);
        table.add_row(["long ".repeat(60).as_str(), "1,000"]);
        let text = render(&table);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert!(line.is_ascii() && line.trim_end() == line, "{line:?}");
        }
        let first_row = text.lines().nth(2).unwrap();
        assert!(first_row.trim_start().starts_with('a') && first_row.ends_with('1'), "{text}");
    }
}
