//! What `top` can look at.

use ratatui::Frame;

use super::error::VerbError;

/// What `top` looks at.
pub(super) trait TopSource {
    /// Takes in what is new.
    fn read(&mut self) -> Result<Reading, VerbError>;

    /// What is known, for a person or as one JSON line.
    fn text(&self, json: bool) -> String;

    /// Draws what is known, its tables from row `from` on; takes `from` back to where the last rows
    /// show.
    fn draw(&self, frame: &mut Frame<'_>, from: &mut usize);
}

/// What a look has told.
pub(super) enum Reading {
    /// There may be more.
    GoesOn,
    /// It has ended in order; the text says what.
    Ended(&'static str),
}
