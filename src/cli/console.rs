//! The one place that writes to the console: results on stdout, messages on stderr.
//!
//! A message never ends a program: where nobody can read it, because the reader of a pipe or the terminal has gone or
//! a disk is full, it is lost and the work goes on. Control characters, which file names may contain, are shown as
//! escapes, so that no name moves the cursor or makes a line of its own.

use std::io::{ErrorKind, IsTerminal, Write};

use crate::numbers::words::escaped;
use crate::numbers::{Error, Result};
use crate::train::watch::Hear;

/// Prints the lines of `text` on stdout. A reader that has gone away (`| head -1`) is no error.
///
/// # Errors
/// If stdout cannot be written, for example to a full disk.
pub fn print(text: &str) -> Result<()> {
    let mut lines = String::new();
    for line in text.lines() {
        lines += &escaped(line);
        lines.push('\n');
    }
    let mut out = std::io::stdout().lock();
    let written = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::failure(format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}

/// A line for the person, on stderr.
pub fn note(text: &str) {
    let line = format!("{}\n", escaped(text));
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Somebody who reads what is written here; with `quiet` only the warnings.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// Whether they want to see warnings only.
    pub quiet: bool,
}

impl Hear for Reader {
    fn say(&mut self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }

    fn warn(&mut self, text: &str) {
        note(&format!("warning: {text}"));
    }
}

/// Whether stderr is a terminal that can move its cursor, as a bar must.
pub fn can_redraw() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && !dumb
}
