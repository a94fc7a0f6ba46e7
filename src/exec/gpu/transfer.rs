//! Numbers on their way to a device and back.

use wgpu::{Buffer, BufferUsages};

use super::device::Device;
use crate::numbers::{Error, Result};

impl Device {
    /// Sends numbers to a buffer, before the next submission.
    pub(super) fn upload(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.queue().write_buffer(buffer, offset, bytes);
            self.counters().bytes_up.add(bytes.len() as u64);
        }
    }

    /// Copies `bytes` bytes from the start of a buffer.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn download(&self, buffer: &Buffer, bytes: usize) -> Result<Vec<u8>> {
        if bytes == 0 {
            return Ok(vec![]);
        }
        let size = (bytes as u64).next_multiple_of(4);
        let staging = self.buffer(bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST)?;
        let mut encoder = self.raw().create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, size);
        let submission = self.submit(encoder, 0);
        staging.map_async(wgpu::MapMode::Read, .., |_| {});
        self.wait(Some(submission))?;
        self.mapped(&staging, bytes)
    }

    /// The first bytes of a mapped buffer, which is then unmapped.
    ///
    /// # Errors
    /// If the device failed before it was mapped.
    pub(super) fn mapped(&self, staging: &Buffer, bytes: usize) -> Result<Vec<u8>> {
        self.check()?;
        let view = staging.get_mapped_range(..).map_err(|e| {
            Error::failure(format!(
                "{} failed: results cannot be fetched ({e})",
                self.describe()
            ))
        })?;
        let copy = view[..bytes].to_vec();
        drop(view);
        staging.unmap();
        self.counters().bytes_down.add(bytes as u64);
        Ok(copy)
    }
}
