//! Where a verb prints, and who looks.

use std::io::Write;

use pitlane_engine::text::escaped_json;

use super::error::VerbError;

/// The streams of a verb. Tests give it buffers.
pub struct Console<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Warnings, errors, progress.
    pub err: &'a mut dyn Write,
    /// Whether a person looks at the results: only then there are colours.
    pub out_is_terminal: bool,
    /// Whether a person looks at the rest: only then there is a progress bar.
    pub err_is_terminal: bool,
    /// Whether a part of the result was printed.
    pub has_printed: bool,
}

/// Colours of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Holds.
    Green,
    /// Does not hold.
    Red,
}

impl Console<'_> {
    /// Prints a part of the result.
    ///
    /// # Errors
    /// [`VerbError::Output`], or [`VerbError::Closed`] when nobody reads on.
    pub fn print(&mut self, text: &str) -> Result<(), VerbError> {
        self.has_printed = true;
        let written = self.out.write_all(text.as_bytes());
        written.map_err(|source| VerbError::output("standard output", source))
    }

    /// Hands on what was printed so far.
    ///
    /// # Errors
    /// As [`Console::print`].
    pub fn flush(&mut self) -> Result<(), VerbError> {
        self.out.flush().map_err(|source| VerbError::output("standard output", source))
    }

    /// Prints a JSON document and a line feed.
    ///
    /// # Errors
    /// As [`Console::print`].
    pub fn print_json(&mut self, value: &serde_json::Value) -> Result<(), VerbError> {
        self.print(&escaped_json(&format!("{value:#}\n")))
    }

    /// Prints what a person should know beside the result.
    pub fn warn(&mut self, text: &str) {
        let _ignored = writeln!(self.err, "warning: {text}");
    }

    /// `text` in a colour, on a terminal.
    #[must_use]
    pub fn coloured(&self, text: &str, colour: Colour) -> String {
        let code = match colour {
            Colour::Green => 32,
            Colour::Red => 31,
        };
        if self.out_is_terminal { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
