//! Where a command prints: two streams, and whether a person looks at the second.

use std::io::{self, Write};

use crate::exit::Exit;

/// The streams of a command. Tests give it buffers.
pub struct Terminal<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Progress, warnings and errors.
    pub err: &'a mut dyn Write,
    /// Whether `err` is a terminal: only then there is a status line.
    pub err_is_terminal: bool,
}

impl Terminal<'_> {
    /// Prints a result.
    ///
    /// # Errors
    /// [`Exit::Failed`] when the stream takes nothing more. A reader that has gone away, as `head` does,
    /// has seen enough: that is no error.
    pub fn print(&mut self, text: &str) -> Result<(), Exit> {
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.complain(&format!("cannot write the result: {error}"));
                Err(Exit::Failed)
            }
            _ => Ok(()),
        }
    }

    /// Prints a line beside the result. Where even that can't be written, nobody is looking.
    pub fn say(&mut self, text: &str) {
        let _nobody_looks = self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush());
    }

    /// Prints an error, one line each.
    pub fn complain(&mut self, problem: &str) {
        for line in problem.lines() {
            self.say(&format!("error: {line}\n"));
        }
    }
}
