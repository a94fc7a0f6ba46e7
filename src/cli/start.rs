//! How every program begins and ends.

#![expect(
    unsafe_code,
    reason = "environment variables are process-wide, and Rust asks for a promise about threads"
)]

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Mutex;

use super::console;
use crate::numbers::{Error, Result};

/// What the last panic said, and where.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs a program: its `main` calls this and nothing else. An error ends in one sentence on stderr and the exit code
/// that goes with it, 2 for a command line that makes no sense and 1 for anything else.
pub fn program(run: impl FnOnce() -> Result<ExitCode>) -> ExitCode {
    quiet_driver();
    full_files_are_errors();
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        panic::set_hook(Box::new(|info| {
            if let Ok(mut last) = PANIC.lock() {
                *last = Some(info.to_string().replace('\n', " "));
            }
        }));
    }
    guarded(run).unwrap_or_else(|error| {
        console::note(&format!("error: {error}"));
        ExitCode::from(error.exit_code())
    })
}

/// Does `work`; a panic is an error.
///
/// # Errors
/// Those of `work`, and a sentence about its panic.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let last = PANIC.lock().ok().and_then(|mut last| last.take());
        Err(Error::failure(format!(
            "the program broke down, which is a fault in it: {}; RUST_BACKTRACE=1 shows where",
            last.unwrap_or_else(|| "no reason given".into())
        )))
    })
}

/// A layer of the Mesa drivers complains on stderr, in words that look like ours, where there is no desktop to ask
/// which graphics processor it uses. This program asks its user instead (`--device`).
fn quiet_driver() {
    let has_desktop = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    if cfg!(target_os = "linux") && !has_desktop {
        // SAFETY: no other thread runs yet: this is the first thing that `main` does.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// Where a file would exceed the limit of `ulimit -f`, the system kills whoever writes it, unless they listen to its
/// signal; then the write fails, and says so.
fn full_files_are_errors() {
    #[cfg(unix)]
    {
        let listened = signal_hook::flag::register(
            signal_hook::consts::SIGXFSZ,
            std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)),
        );
        // Without it everything else works as well.
        let _ = listened;
    }
}
