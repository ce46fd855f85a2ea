//! Where a command prints: two streams, and whether a person looks at the second. Nothing passes
//! that holds a secret.

use std::io::{self, Write};

use pitlane_engine::text::{escaped_json, masked, shown};

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
    /// Prints a result, and waits until the stream has taken it.
    ///
    /// # Errors
    /// [`Exit::Failed`] when the stream takes nothing more, or nothing for as long as the verb may
    /// wait. A reader that has gone away, as `head` does, has seen enough: that is no error.
    pub fn print(&mut self, text: &str) -> Result<(), Exit> {
        let text = masked(text);
        // What a venue said may be in it, as JSON or as plain text.
        let text = escaped_json(&text);
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let why = match error.kind() {
                    io::ErrorKind::TimedOut => {
                        "standard output takes nothing, as a stopped terminal (Ctrl-S) or a reader \
                         that does not read; the rest of it was given up"
                            .to_owned()
                    }
                    _ => error.to_string(),
                };
                self.complain(&format!("cannot write the result: {why}"));
                Err(Exit::Failed)
            }
            _ => Ok(()),
        }
    }

    /// Prints a line beside the result, without waiting: a terminal that takes nothing must not
    /// hold up whoever runs the engine. What can't be written is counted where it was dropped.
    pub fn say(&mut self, text: &str) {
        // What finds no room is counted there.
        let _ = self.err.write_all(escaped_json(&masked(text)).as_bytes());
    }

    /// Prints an error, one line each. What a venue or a file put into it steers no terminal.
    pub fn complain(&mut self, problem: &str) {
        for line in shown(problem).lines() {
            self.say(&format!("error: {line}\n"));
        }
    }
}
