//! Scalars on their way back: a ring of small buffers, one per run, that are read several runs later.
//!
//! Waiting for a run's losses would leave the device idle until the next run is handed over. So every run copies its
//! scalars to the next buffer of the ring and asks for it to be mapped; whoever wants them takes what has arrived.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wgpu::{Buffer, BufferUsages, CommandEncoder, MapMode, SubmissionIndex};

use super::device::Device;
use crate::numbers::Result;

/// Runs that may be under way at a time.
const LENGTH: usize = 4;

/// The ring, and what has come back.
#[derive(Debug)]
pub(super) struct Ring {
    buffers: Vec<Buffer>,
    scalars: usize,
    /// The next buffer to use.
    next: usize,
    /// Runs under way, oldest first.
    under_way: VecDeque<UnderWay>,
    /// Results that nobody has taken, oldest first.
    arrived: VecDeque<Vec<f32>>,
}

#[derive(Debug)]
struct UnderWay {
    buffer: usize,
    submission: Option<SubmissionIndex>,
    mapped: Arc<AtomicBool>,
}

impl Ring {
    /// A ring for `scalars` numbers per run.
    ///
    /// # Errors
    /// If the device's memory is full.
    pub fn new(device: &Device, scalars: usize) -> Result<Self> {
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let buffers = (0..LENGTH).map(|_| device.buffer(4 * scalars, usage));
        Ok(Self {
            buffers: buffers.collect::<Result<_>>()?,
            scalars,
            next: 0,
            under_way: VecDeque::with_capacity(LENGTH),
            arrived: VecDeque::with_capacity(2 * LENGTH),
        })
    }

    /// Makes room for one more run, waiting for the oldest one if the ring is full.
    ///
    /// # Errors
    /// If the device has failed.
    pub fn make_room(&mut self, device: &Device) -> Result<()> {
        if self.under_way.len() == LENGTH {
            self.fetch_oldest(device)?;
        }
        Ok(())
    }

    /// Records the copy of a run's scalars, each at the start of its array.
    pub fn record<'b>(
        &mut self,
        encoder: &mut CommandEncoder,
        scalars: impl Iterator<Item = &'b Buffer>,
    ) {
        let buffer = &self.buffers[self.next];
        for (i, scalar) in scalars.enumerate() {
            encoder.copy_buffer_to_buffer(scalar, 0, buffer, 4 * i as u64, 4);
        }
        let mapped = Arc::new(AtomicBool::new(false));
        let done = mapped.clone();
        // A failure leaves the flag as it is; waiting then reports what went wrong.
        encoder.map_buffer_on_submit(buffer, MapMode::Read, .., move |result| {
            done.store(result.is_ok(), Ordering::Release);
        });
        self.under_way.push_back(UnderWay {
            buffer: self.next,
            submission: None,
            mapped,
        });
        self.next = (self.next + 1) % LENGTH;
    }

    /// Notes the submission of the run that was recorded last.
    pub fn submitted(&mut self, submission: SubmissionIndex) {
        if let Some(last) = self.under_way.back_mut() {
            last.submission = Some(submission);
        }
    }

    /// Waits for the oldest run under way and keeps its scalars.
    fn fetch_oldest(&mut self, device: &Device) -> Result<()> {
        let Some(run) = self.under_way.pop_front() else {
            return Ok(());
        };
        if !run.mapped.load(Ordering::Acquire) {
            device.wait(run.submission)?;
        }
        let bytes = device.mapped(&self.buffers[run.buffer], 4 * self.scalars)?;
        // Whoever never asks must not pile up results.
        if self.arrived.len() == 2 * LENGTH {
            self.arrived.pop_front();
        }
        self.arrived.push_back(bytemuck::pod_collect_to_vec(&bytes));
        Ok(())
    }

    /// The scalars of the oldest run that nobody has taken yet; with `wait`, none only if there is no such run.
    ///
    /// # Errors
    /// If the device has failed.
    pub fn take(&mut self, device: &Device, wait: bool) -> Result<Option<Vec<f32>>> {
        if self.arrived.is_empty() && !self.under_way.is_empty() {
            device.poll();
            let done = |run: &UnderWay| run.mapped.load(Ordering::Acquire);
            if wait || self.under_way.front().is_some_and(done) {
                self.fetch_oldest(device)?;
            }
        }
        Ok(self.arrived.pop_front())
    }
}
