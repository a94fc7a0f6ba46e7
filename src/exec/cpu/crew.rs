//! The threads: every one of them walks through the same list of tasks, takes chunks of each, and goes on when
//! the task is done.
//!
//! A training step on small networks is some fifty tasks of a few microseconds each. Handing each task to a
//! thread pool would cost as much as the task; here a run is handed over once, and between tasks there are
//! a few reads of shared counters.
//!
//! Each thread first takes the chunks of its own contiguous share, which tend to be in its cache from the
//! task before, and then those that others have not begun. So a thread that the operating system has put
//! aside holds up the others only by a chunk it has begun, and at the end of the run, which waits for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    /// A crew of `threads` (by default one per core) with the machine's best instruction set, or the one that the
    /// environment variable `COULOMB_ISA` names.
    ///
    /// # Errors
    /// If `threads` is 0 or above 1024, the operating system refuses to start them, or the machine does not have
    /// that instruction set.
    pub fn new(threads: Option<usize>) -> Result<Self> {
        Self::with_isa(threads, Isa::chosen()?)
    }

    /// As [`Device::new`] with a given instruction set.
    ///
    /// # Errors
    /// If `threads` is 0 or above 1024, or the operating system refuses to start them.
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
    pub(super) fn broadcast(&self, board: &mut Board, work: impl Fn(Place) + Sync) {
        board.run += 1;
        let board = &*board;
        let place = |index| Place { index, board };
        match &self.pool {
            None => work(place(0)),
            Some(pool) => {
                pool.broadcast(|context| {
                    let _guard = PoisonOnPanic(board);
                    work(place(context.index()));
                });
            }
        }
    }
}

/// How far the tasks of a program are. Counters only grow, so nothing is reset between runs.
#[derive(Debug)]
pub(super) struct Board {
    threads: usize,
    /// Number of the current run, from 1.
    run: u64,
    /// Per task, then per thread.
    taken: Vec<Counter>,
    /// Per task: chunks finished in all runs.
    finished: Vec<Counter>,
    poisoned: AtomicBool,
}

/// A counter with a cache line to itself: threads that count different things must not slow each other.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Counter(AtomicU64);

impl Board {
    /// A board for so many tasks.
    pub fn new(tasks: usize, device: &Device) -> Self {
        let counters = |n| std::iter::repeat_with(Counter::default).take(n).collect();
        Self {
            threads: device.threads(),
            run: 0,
            taken: counters(tasks * device.threads()),
            finished: counters(tasks),
            poisoned: AtomicBool::new(false),
        }
    }
}

/// One thread's place in the crew during a run.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// From 0 to one less than the number of threads.
    pub index: usize,
    board: &'a Board,
}

impl Place<'_> {
    /// Calls `work` for chunks `0..chunks` of task number `task`, each from one thread of the crew, and returns
    /// when all of them are finished, by whichever thread. Every thread must call this for every task, in
    /// the same order, with the same number of chunks in every run.
    pub fn work_on(&self, task: usize, chunks: usize, mut work: impl FnMut(usize)) {
        let threads = self.board.threads;
        if threads == 1 {
            return (0..chunks).for_each(work);
        }
        let finished = &self.board.finished[task].0;
        for owner in (0..threads).map(|i| (self.index + i) % threads) {
            let (start, end) = (chunks * owner / threads, chunks * (owner + 1) / threads);
            while let Some(i) = self.take(task * threads + owner, end - start) {
                work(start + i);
                finished.fetch_add(1, Ordering::Release);
            }
        }
        // Acquire pairs with the release above: what the others wrote is visible from here on.
        let all = self.board.run * chunks as u64;
        let mut spins = 0u32;
        while finished.load(Ordering::Acquire) < all {
            spins += 1;
            if spins < 1 << 10 {
                std::hint::spin_loop();
            } else {
                // Someone else needs this core, perhaps the very thread we wait for.
                std::thread::yield_now();
                assert!(
                    !self.board.poisoned.load(Ordering::Relaxed),
                    "another thread of the crew panicked"
                );
            }
        }
    }

    /// Takes the next of `count` chunks from a counter, if one is left in this run. The counter's upper half
    /// is the number of the run that its lower half counts for.
    fn take(&self, counter: usize, count: usize) -> Option<usize> {
        let counter = &self.board.taken[counter].0;
        let run = self.board.run << 32;
        let next = |value: u64| {
            let taken = if value >> 32 == run >> 32 {
                value & 0xffff_ffff
            } else {
                0
            };
            (taken < count as u64).then_some(run | (taken + 1))
        };
        let before = counter
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .ok()?;
        next(before).map(|after| (after & 0xffff_ffff) as usize - 1)
    }
}

/// Lets the crew stop instead of waiting for ever for a thread that panicked.
struct PoisonOnPanic<'a>(&'a Board);

impl Drop for PoisonOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poisoned.store(true, Ordering::Relaxed);
        }
    }
}
