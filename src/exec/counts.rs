//! What a device has done so far, in numbers.

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
