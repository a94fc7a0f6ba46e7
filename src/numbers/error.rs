//! One error type: a sentence for the person at the keyboard, and the exit code that goes with it.

use std::fmt;
use std::io;
use std::path::Path;

/// Why a command cannot go on, as one sentence that names the file or flag and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Usage,
    Failure,
}

/// Shorthand for a result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The command line or a configuration asks for something that makes no sense (exit code 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Usage,
            message: message.into(),
        }
    }

    /// The request was sensible, but a file, a device or a number did not play along (exit code 1).
    pub fn failure(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Failure,
            message: message.into(),
        }
    }

    /// An operating-system error while doing `action` to `path`, e.g. `io("write", path, e)`.
    pub fn io(action: &str, path: &Path, error: &io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::NotFound => "; check the path",
            io::ErrorKind::PermissionDenied => "; check its permissions or choose another place",
            io::ErrorKind::ReadOnlyFilesystem => "; choose another place",
            io::ErrorKind::StorageFull => "; free some space or choose another disk",
            io::ErrorKind::QuotaExceeded => "; free some of your space or choose another disk",
            io::ErrorKind::FileTooLarge => "; raise the limit on the size of files (ulimit -f)",
            _ => "",
        };
        Self::failure(format!(
            "cannot {action} {}: {error}{advice}",
            path.display()
        ))
    }

    /// The process exit code: 2 for a usage error, 1 for a failure.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => 2,
            Kind::Failure => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
