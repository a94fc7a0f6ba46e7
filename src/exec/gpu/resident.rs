//! A tensor of the store that lives on a device.

use wgpu::{Buffer, BufferUsages};

use super::device::Device;
use crate::numbers::Result;

/// Numbers on a device.
#[derive(Debug)]
pub(in crate::exec) struct Resident {
    device: Device,
    buffer: Buffer,
    count: usize,
}

/// What is done with a tensor on a device.
const USAGE: BufferUsages = BufferUsages::STORAGE
    .union(BufferUsages::COPY_DST)
    .union(BufferUsages::COPY_SRC);

impl Resident {
    /// A copy of `values` on `device`.
    ///
    /// # Errors
    /// If its memory is full.
    pub fn upload(device: &Device, values: &[f32]) -> Result<Self> {
        let buffer = device.buffer(4 * values.len(), USAGE)?;
        device.upload(&buffer, 0, bytemuck::cast_slice(values));
        Ok(Self {
            device: device.clone(),
            buffer,
            count: values.len(),
        })
    }

    /// The numbers as they are now, after all runs that have been handed over.
    ///
    /// # Errors
    /// If the device has failed.
    pub fn download(&self) -> Result<Vec<f32>> {
        let bytes = self.device.download(&self.buffer, 4 * self.count)?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// Whether it lives on `device`.
    pub fn is_on(&self, device: &Device) -> bool {
        self.device.is(device)
    }

    /// The array that kernels bind.
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }
}
