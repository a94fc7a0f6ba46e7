//! The threads: every one of them runs the same list of tasks, its own share of each, and they wait for each
//! other between tasks.
//!
//! A training step on small networks is some fifty tasks of a few microseconds each. Handing each task to a
//! thread pool would cost as much as the task; here a run is handed over once, and a wait between tasks is
//! a few reads of one shared counter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::lanes::Isa;
use crate::numbers::{Error, Result};

/// The CPU as a device: an instruction set and a crew of threads.
#[derive(Debug, Clone)]
pub struct Device {
    isa: Isa,
    /// None for a single thread: then the caller does the work.
    pool: Option<Arc<ThreadPool>>,
}

impl Device {
    /// A crew of `threads` (by default one per core) with the machine's best instruction set.
    ///
    /// # Errors
    /// If `threads` is 0 or above 1024, or the operating system refuses to start them.
    pub fn new(threads: Option<usize>) -> Result<Self> {
        Self::with_isa(threads, Isa::available()[0])
    }

    /// As [`Device::new`] with a chosen instruction set.
    ///
    /// # Errors
    /// As [`Device::new`].
    pub fn with_isa(threads: Option<usize>, isa: Isa) -> Result<Self> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.unwrap_or_else(cores);
        if threads == 0 || threads > 1024 {
            return Err(Error::usage(format!(
                "--threads must be from 1 to 1024, not {threads}"
            )));
        }
        let pool = match threads {
            1 => None,
            n => {
                let pool = ThreadPoolBuilder::new().num_threads(n).build();
                let pool = pool.map_err(|e| {
                    Error::failure(format!(
                        "cannot start {n} threads: {e}; use fewer --threads"
                    ))
                })?;
                Some(Arc::new(pool))
            }
        };
        Ok(Self { isa, pool })
    }

    /// The instruction set of the kernels.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How many threads share the work.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, |p| p.current_num_threads())
    }

    pub(in crate::exec) fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    pub(in crate::exec) fn describe(&self) -> String {
        let threads = self.threads();
        let s = if threads == 1 { "" } else { "s" };
        format!("cpu ({}, {threads} thread{s})", self.isa.name())
    }

    /// Runs `work` once on every thread; each gets its place in the crew.
    pub(super) fn broadcast(&self, work: impl Fn(Place) + Sync) {
        let barrier = Barrier::new(self.threads());
        let place = |index| Place {
            index,
            threads: self.threads(),
            barrier: &barrier,
        };
        match &self.pool {
            None => work(place(0)),
            Some(pool) => {
                pool.broadcast(|context| {
                    let _guard = PoisonOnPanic(&barrier);
                    work(place(context.index()));
                });
            }
        }
    }
}

/// One thread's place in the crew during a run.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// From 0 to `threads − 1`.
    pub index: usize,
    /// The size of the crew.
    pub threads: usize,
    barrier: &'a Barrier,
}

impl Place<'_> {
    /// Waits until every thread of the crew has come here.
    pub fn wait(&self) {
        if self.threads > 1 {
            self.barrier.wait();
        }
    }

    /// This thread's share of `units` pieces of work: a contiguous range; all shares together are `0..units`.
    pub fn share(&self, units: usize) -> std::ops::Range<usize> {
        units * self.index / self.threads..units * (self.index + 1) / self.threads
    }
}

/// A barrier that spins: tasks are far shorter than the time to put a thread to sleep and wake it.
struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    poisoned: AtomicBool,
}

impl Barrier {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            poisoned: AtomicBool::new(false),
        }
    }

    fn wait(&self) {
        let round = self.round.load(Ordering::Relaxed);
        // The last to arrive opens the next round; release and acquire make every thread's writes visible to
        // every other before anyone goes on.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round + 1, Ordering::Release);
            return;
        }
        let mut spins = 0u32;
        while self.round.load(Ordering::Acquire) == round {
            spins += 1;
            if spins < 1 << 12 {
                std::hint::spin_loop();
            } else {
                // Someone else needs this core, perhaps the very thread we wait for.
                std::thread::yield_now();
                assert!(
                    !self.poisoned.load(Ordering::Relaxed),
                    "another thread of the crew panicked"
                );
            }
        }
    }
}

/// Lets the crew stop instead of waiting for ever for a thread that panicked.
struct PoisonOnPanic<'a>(&'a Barrier);

impl Drop for PoisonOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poisoned.store(true, Ordering::Relaxed);
        }
    }
}
