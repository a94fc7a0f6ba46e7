//! Signals that ask a training to end: it finishes the step, saves and leaves. A second Ctrl-C leaves at once.

#![cfg_attr(
    unix,
    expect(unsafe_code, reason = "the C library tells which signals are ignored")
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGINT;
use signal_hook::flag;

use super::console;
use crate::numbers::{Error, Result};

/// The signals, what they are called, and with which code the program ends after them: 128 and the signal's number, as
/// shells have it, but for USR1 what job schedulers take as "start me again".
#[cfg(unix)]
const SIGNALS: [(i32, &str, u8); 7] = {
    use signal_hook::consts::*;
    [
        (SIGINT, "Ctrl-C", 130),
        (SIGTERM, "SIGTERM", 143),
        (SIGHUP, "SIGHUP", 129),
        (SIGUSR1, "SIGUSR1", 85),
        (SIGUSR2, "SIGUSR2", 128 + SIGUSR2 as u8),
        (SIGXCPU, "SIGXCPU", 128 + SIGXCPU as u8),
        (SIGXFSZ, "SIGXFSZ", 128 + SIGXFSZ as u8),
    ]
};
#[cfg(not(unix))]
const SIGNALS: [(i32, &str, u8); 2] = [
    (SIGINT, "Ctrl-C", 130),
    (signal_hook::consts::SIGTERM, "SIGTERM", 143),
];

/// How long after a first signal a Ctrl-C counts as a second one. Who sends a signal to a whole group of processes may
/// send it twice in one go, as `timeout` does.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How often the thread that waits for signals looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Remembers which signal has asked the process to stop.
#[derive(Debug, Clone)]
pub struct Signals {
    /// The number of the last one, 0 before.
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// Starts listening.
    ///
    /// # Errors
    /// If the operating system does not allow it.
    pub fn listen() -> Result<Self> {
        let last = Arc::new(AtomicUsize::new(0));
        let again = Arc::new(AtomicBool::new(false));
        let register = || {
            // First, so that it finds `again` as it was before this very signal.
            flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&again))?;
            for (number, ..) in SIGNALS {
                if !is_left_alone(number) {
                    flag::register_usize(number, Arc::clone(&last), number as usize)?;
                }
            }
            Ok::<(), std::io::Error>(())
        };
        register().map_err(|e| Error::failure(format!("cannot listen for Ctrl-C: {e}")))?;
        let heard = Arc::clone(&last);
        // A step may take a minute, so somebody has to answer in the meantime.
        thread::spawn(move || {
            while heard.load(Ordering::Relaxed) == 0 {
                thread::sleep(LOOK_EVERY);
            }
            thread::sleep(AGAIN_AFTER);
            again.store(true, Ordering::Relaxed);
            thread::sleep(AGAIN_AFTER);
            console::note("finishing and saving; Ctrl-C again leaves at once, without that");
        });
        Ok(Self { last })
    }

    /// Whether one has come.
    pub fn is_asked_to_stop(&self) -> bool {
        self.last.load(Ordering::Relaxed) != 0
    }

    /// What the signal is called and the exit code that it asks for, if one has come.
    pub fn heard(&self) -> Option<(&'static str, u8)> {
        let last = self.last.load(Ordering::Relaxed);
        let known = SIGNALS.iter().find(|(n, ..)| *n as usize == last);
        known.map(|&(_, name, code)| (name, code))
    }
}

/// Whether whoever started the program wants it to live on: `nohup` ignores the end of the terminal for it.
#[cfg(unix)]
fn is_left_alone(number: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with no new action this only writes the present one, into memory of the right size and alignment.
    let answer = unsafe { libc::sigaction(number, std::ptr::null(), action.as_mut_ptr()) };
    if number != libc::SIGHUP || answer != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it has filled the structure in.
    let action = unsafe { action.assume_init() };
    action.sa_sigaction == libc::SIG_IGN
}

#[cfg(not(unix))]
fn is_left_alone(_: i32) -> bool {
    false
}
