//! Signals that ask a training to end: it finishes the step, saves and leaves. A second Ctrl-C leaves at once. Before it has
//! begun there is nothing to save, and the first signal ends the program, whatever it is at.

#![cfg_attr(
    unix,
    expect(unsafe_code, reason = "the C library tells which signals are ignored")
)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGINT;
use signal_hook::{flag, low_level};

use super::{again, console};
use crate::numbers::{Error, Result, atomic};

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
            for (number, ..) in SIGNALS {
                if is_left_alone(number) {
                    continue;
                }
                if number == SIGINT {
                    // First, so that it finds `again` as it was before this very signal.
                    flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&again))?;
                }
                flag::register_usize(number, Arc::clone(&last), number as usize)?;
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

    /// Until [`Beginning::over`] gives `place` back, a signal ends the program within a moment: `place` is dropped, files in
    /// the making go, and the last words say that nothing is lost.
    pub fn end_before<T: Send + 'static>(&self, place: T) -> Beginning<T> {
        let place = Arc::new(Mutex::new(Some(place)));
        let (signals, held) = (self.clone(), Arc::clone(&place));
        thread::spawn(move || {
            loop {
                thread::sleep(LOOK_EVERY);
                // Kept to the end, if it has come: nothing begins any more, and no error about all this is told.
                let mut held = taken(&held);
                if held.is_none() {
                    return;
                }
                let Some((name, code)) = signals.heard_before() else {
                    continue;
                };
                *held = None;
                atomic::abandon();
                console::note(&format!(
                    "stopped before the training had begun ({name}); nothing is lost, and the same command begins again: {}",
                    again::same()
                ));
                // Other threads are at work: what libraries do at an orderly exit might meet them there.
                low_level::exit(i32::from(code));
            }
        });
        Beginning(place)
    }

    /// As [`Signals::heard`], but for what only says that a file has become too large: whoever writes that file is told.
    fn heard_before(&self) -> Option<(&'static str, u8)> {
        #[cfg(unix)]
        {
            let (large, relaxed) = (signal_hook::consts::SIGXFSZ as usize, Ordering::Relaxed);
            let _ = self.last.compare_exchange(large, 0, relaxed, relaxed);
        }
        self.heard()
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

/// The time before a training begins, and where it will be.
#[derive(Debug)]
pub struct Beginning<T>(Arc<Mutex<Option<T>>>);

impl<T> Beginning<T> {
    /// From now on signals no longer end the program by themselves.
    pub fn over(self) -> T {
        taken(&self.0)
            .take()
            .expect("whoever else takes it ends the program")
    }
}

impl<T> Drop for Beginning<T> {
    fn drop(&mut self) {
        *taken(&self.0) = None;
    }
}

fn taken<T>(place: &Mutex<Option<T>>) -> MutexGuard<'_, Option<T>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether whoever started the program wants it to live on: `nohup` ignores the end of the terminal for it, and shells ignore
/// Ctrl-C for what a script starts in the background.
#[cfg(unix)]
fn is_left_alone(number: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with no new action this only writes the present one, into memory of the right size and alignment.
    let answer = unsafe { libc::sigaction(number, std::ptr::null(), action.as_mut_ptr()) };
    if ![libc::SIGHUP, libc::SIGINT].contains(&number) || answer != 0 {
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
