//! What has been made on a device and moved to and from it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::exec::Counts;

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}

/// What has been made and moved so far.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub buffers: Counter,
    pub bytes_allocated: Counter,
    pub bind_groups: Counter,
    pub pipelines: Counter,
    pub submissions: Counter,
    pub dispatches: Counter,
    pub bytes_up: Counter,
    pub bytes_down: Counter,
}

impl Counters {
    /// The counters as they are now.
    pub fn read(&self) -> Counts {
        let read = |counter: &Counter| counter.0.load(Ordering::Relaxed);
        Counts {
            buffers: read(&self.buffers),
            bytes_allocated: read(&self.bytes_allocated),
            bind_groups: read(&self.bind_groups),
            pipelines: read(&self.pipelines),
            submissions: read(&self.submissions),
            dispatches: read(&self.dispatches),
            bytes_up: read(&self.bytes_up),
            bytes_down: read(&self.bytes_down),
        }
    }
}
