//! Results on stdout, and how a program ends.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::numbers::{Error, Result};

/// Prints `text` and a line's end. A reader that has gone away (`| head -1`) is no error.
///
/// # Errors
/// If stdout cannot be written, for example to a full disk.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::failure(format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}

/// The exit code of a program's result, after one sentence on stderr if it is an error.
pub fn finish(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(error.exit_code())
    })
}
