//! Ctrl-C and SIGTERM: finish the step, save, leave. A second one leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::numbers::{Error, Result};

/// Remembers which signal has asked the process to stop.
#[derive(Debug, Clone)]
pub struct Interrupt {
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Starts listening.
    ///
    /// # Errors
    /// If the operating system does not allow it.
    pub fn listen() -> Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        let again = Arc::new(AtomicBool::new(false));
        for number in [SIGINT, SIGTERM] {
            // In this order: the first signal finds `again` unset, sets it, and is remembered.
            let register = || {
                flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&again))?;
                flag::register(number, Arc::clone(&again))?;
                flag::register_usize(number, Arc::clone(&signal), number as usize)
            };
            register().map_err(|e| Error::failure(format!("cannot listen for Ctrl-C: {e}")))?;
        }
        Ok(Self { signal })
    }

    /// The exit code that the signal asks for, 130 or 143, if one has come.
    pub fn exit_code(&self) -> Option<u8> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            number => Some(128 + number as u8),
        }
    }
}
