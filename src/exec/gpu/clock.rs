//! The device's clock: how long each launch of a run takes.

use wgpu::{Buffer, BufferUsages, CommandEncoder, ComputePass, Features, QuerySet, QueryType};

use super::device::Device;
use crate::numbers::{Error, Result};

/// The most ticks of a clock.
const TICKS: usize = wgpu::QUERY_SET_MAX_QUERIES as usize;

/// Ticks before the first launch and after each.
#[derive(Debug)]
pub(super) struct Clock {
    ticks: QuerySet,
    count: usize,
    buffer: Buffer,
    /// Seconds of a unit of the device's clock.
    unit: f64,
}

impl Clock {
    /// A clock for so many launches.
    ///
    /// # Errors
    /// If the device has no clock that can be read within a pass.
    pub fn new(device: &Device, launches: usize) -> Result<Self> {
        let count = launches + 1;
        let needed = Features::TIMESTAMP_QUERY | Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        if !device.raw().features().contains(needed) || count > TICKS {
            return Err(Error::failure(format!(
                "{} cannot time {launches} launches one by one; profile another --device or --backend cpu",
                device.describe()
            )));
        }
        Ok(Self {
            ticks: device.raw().create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: QueryType::Timestamp,
                count: count as u32,
            }),
            count,
            buffer: device.buffer(
                8 * count,
                BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC,
            )?,
            unit: 1e-9 * f64::from(device.queue().get_timestamp_period()),
        })
    }

    /// Records tick `i` when all launches before it are done.
    pub fn tick(&self, pass: &mut ComputePass<'_>, i: u32) {
        pass.write_timestamp(&self.ticks, i);
    }

    /// Records the end of a run.
    pub fn stop(&self, encoder: &mut CommandEncoder) {
        encoder.resolve_query_set(&self.ticks, 0..self.count as u32, &self.buffer, 0);
    }

    /// The seconds between neighbouring ticks of the run that was handed over last.
    ///
    /// # Errors
    /// If the device fails.
    pub fn read(&self, device: &Device) -> Result<Vec<f64>> {
        let bytes = device.download(&self.buffer, 8 * self.count)?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
        let between = ticks.windows(2);
        Ok(between
            .map(|t| t[1].saturating_sub(t[0]) as f64 * self.unit)
            .collect())
    }
}
