//! What has been made on a device and moved to and from it.

use std::sync::atomic::{AtomicU64, Ordering};

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

/// What had been made and moved at some moment since a device was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Buffers made.
    pub buffers: u64,
    /// Bytes of all buffers made.
    pub bytes_allocated: u64,
    /// Bind groups made.
    pub bind_groups: u64,
    /// Pipelines made.
    pub pipelines: u64,
    /// Command buffers handed to the device.
    pub submissions: u64,
    /// Kernels launched.
    pub dispatches: u64,
    /// Bytes sent to the device.
    pub bytes_up: u64,
    /// Bytes fetched from it.
    pub bytes_down: u64,
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
