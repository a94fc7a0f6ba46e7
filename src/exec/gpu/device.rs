//! An opened graphics processor: its queue, its buffers, and what went wrong on it.

#![expect(
    unsafe_code,
    reason = "tensor cores are an experimental feature of wgpu's"
)]

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use wgpu::{Buffer, BufferUsages, Features, PollType};

use super::super::{Counts, Precision};
use super::adapters::Candidate;
use super::cores;
use super::counts::Counters;
use super::pipelines::{Pipelines, locked};
use super::split::MOST_ARRAYS;
use super::tile::Engine;
use crate::numbers::{Error, Result};

/// Longer than this nothing may take: a device that does not answer is as good as lost.
const PATIENCE: Duration = Duration::from_secs(600);

/// A graphics processor, ready to compute. Clones share it.
#[derive(Debug, Clone)]
pub struct Device(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    candidate: Candidate,
    precision: Precision,
    engine: Mutex<Engine>,
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipelines: Pipelines,
    /// Why the device is gone, if it is.
    lost: Arc<OnceLock<String>>,
    /// The first other thing that went wrong.
    fault: Arc<OnceLock<String>>,
    counters: Counters,
}

impl Device {
    /// Opens `candidate`. In half precision products run on tensor cores, where the device has some that compute what
    /// they should; the environment variable `COULOMB_NO_TENSOR_CORES` rules them out, should a driver crash on them.
    ///
    /// # Errors
    /// If the driver refuses, or the device lacks what every kernel needs.
    pub fn open(candidate: Candidate, precision: Precision) -> Result<Self> {
        let wanted = precision == Precision::Half
            && cores::are_offered(candidate.adapter())
            && std::env::var_os("COULOMB_NO_TENSOR_CORES").is_none();
        if wanted {
            let device = Self::open_with(candidate.clone(), precision, true)?;
            if let Ok(true) = cores::are_right(&device, Engine::Cores) {
                device.set_engine(Engine::Cores);
                return Ok(device);
            }
        }
        // Anew: what has gone wrong on a device stays with it.
        Self::open_with(candidate, precision, false)
    }

    fn open_with(candidate: Candidate, precision: Precision, cores: bool) -> Result<Self> {
        let adapter = candidate.adapter();
        let name = candidate.describe();
        let offered = adapter.features();
        if !offered.contains(Features::IMMEDIATES) {
            return Err(Error::failure(format!(
                "{name} has no immediate data, which every kernel needs; update its driver, choose another --device, \
                 or use --backend cpu"
            )));
        }
        if precision == Precision::Half && !offered.contains(Features::SHADER_F16) {
            return Err(Error::failure(format!(
                "{name} cannot store half-precision numbers; leave out --precision f16"
            )));
        }
        if (adapter.limits().max_storage_buffers_per_shader_stage as usize) < MOST_ARRAYS {
            return Err(Error::failure(format!(
                "{name} binds fewer than {MOST_ARRAYS} arrays at a time; choose another --device or use --backend cpu"
            )));
        }
        let welcome = Features::SHADER_F16
            | Features::TIMESTAMP_QUERY
            | Features::TIMESTAMP_QUERY_INSIDE_PASSES
            | Features::PIPELINE_CACHE;
        let mut descriptor = wgpu::DeviceDescriptor {
            required_features: Features::IMMEDIATES | (offered & welcome),
            required_limits: adapter.limits(),
            ..Default::default()
        };
        if cores {
            descriptor.required_features |= Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
            // SAFETY: the only experimental feature is the one above; what it computes is compared with the ordinary
            // kernels before it is used.
            descriptor.experimental_features = unsafe { wgpu::ExperimentalFeatures::enabled() };
        }
        let opened = pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = opened.map_err(|e| {
            Error::failure(format!(
                "{name} cannot be used: {e}; choose another --device or use --backend cpu"
            ))
        })?;
        let [lost, fault] = [(); 2].map(|()| Arc::new(OnceLock::new()));
        let note = |fault: &Arc<OnceLock<String>>| {
            let fault = fault.clone();
            // Only the first matters: others follow from it.
            move |text: String| drop(fault.set(text))
        };
        let (on_loss, on_error) = (note(&lost), note(&fault));
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| on_error(explain(&e))));
        device.set_device_lost_callback(move |_, message| {
            on_loss(format!(
                "it stopped answering ({}); go on from the last checkpoint with --resume, and if that happens again \
                 use a smaller --batch-size or --width",
                message.trim()
            ));
        });
        let engine = match candidate.info().device_type {
            wgpu::DeviceType::Cpu => Engine::Software,
            _ => Engine::Hardware,
        };
        let pipelines = Pipelines::new(&device, candidate.info());
        Ok(Self(Arc::new(Inner {
            candidate,
            precision,
            engine: Mutex::new(engine),
            device,
            queue,
            pipelines,
            lost,
            fault,
            counters: Counters::default(),
        })))
    }

    /// One line for people.
    pub fn describe(&self) -> String {
        let candidate = self.0.candidate.describe();
        let cores = match self.engine() {
            Engine::Cores => " on tensor cores",
            Engine::EmulatedCores => " on emulated tensor cores",
            _ => "",
        };
        format!("gpu {candidate}, {}{cores}", self.0.precision.name())
    }

    /// How activations are stored.
    pub fn precision(&self) -> Precision {
        self.0.precision
    }

    /// Which kernels run on the device.
    pub fn engine(&self) -> Engine {
        *locked(&self.0.engine)
    }

    /// Chooses the kernels for programs that are compiled from now on: tests run those for real devices on software.
    pub fn set_engine(&self, engine: Engine) {
        *locked(&self.0.engine) = engine;
    }

    /// What has been made and moved since the device was opened.
    pub fn counts(&self) -> Counts {
        self.0.counters.read()
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Fails if anything has gone wrong on the device since it was opened.
    ///
    /// # Errors
    /// One sentence: what happened, and the remedy.
    pub fn check(&self) -> Result<()> {
        // Whatever is asked of a lost device goes wrong, too.
        match self.0.lost.get().or_else(|| self.0.fault.get()) {
            None => Ok(()),
            Some(fault) => {
                let name = self.0.candidate.name();
                Err(Error::failure(format!("the GPU {name} failed: {fault}")))
            }
        }
    }

    /// Whether `other` is the same device.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn raw(&self) -> &wgpu::Device {
        &self.0.device
    }

    pub(super) fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    pub(super) fn limits(&self) -> wgpu::Limits {
        self.0.device.limits()
    }

    /// Makes a buffer of at least `bytes` bytes, to be bound as a whole.
    ///
    /// # Errors
    /// If it is larger than the device allows, or memory has run out.
    pub(super) fn buffer(&self, bytes: usize, usage: BufferUsages) -> Result<Buffer> {
        self.buffer_of_parts(bytes, bytes, usage)
    }

    /// Makes a buffer of which at most `part` bytes are bound at a time.
    ///
    /// # Errors
    /// As [`Device::buffer`].
    pub(super) fn buffer_of_parts(
        &self,
        bytes: usize,
        part: usize,
        usage: BufferUsages,
    ) -> Result<Buffer> {
        // No buffer is empty, and copies move whole words.
        let size = (bytes as u64).max(16).next_multiple_of(16);
        let limits = self.limits();
        let most = match usage.contains(BufferUsages::STORAGE) {
            true => limits.max_storage_buffer_binding_size,
            false => limits.max_buffer_size,
        };
        if part as u64 > most || size > limits.max_buffer_size {
            return Err(Error::failure(format!(
                "an array of {} MiB is larger than the {} MiB that the GPU {} can bind; use a smaller --batch-size or \
                 --width, or --backend cpu",
                size >> 20,
                most.min(limits.max_buffer_size) >> 20,
                self.0.candidate.name()
            )));
        }
        let buffer = self.0.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        });
        self.0.counters.buffers.add(1);
        self.0.counters.bytes_allocated.add(size);
        self.check()?;
        Ok(buffer)
    }

    /// What has been compiled for the device.
    pub(super) fn pipelines(&self) -> &Pipelines {
        &self.0.pipelines
    }

    /// Hands commands to the device.
    pub(super) fn submit(
        &self,
        encoder: wgpu::CommandEncoder,
        dispatches: usize,
    ) -> wgpu::SubmissionIndex {
        self.0.counters.submissions.add(1);
        self.0.counters.dispatches.add(dispatches as u64);
        self.0.queue.submit([encoder.finish()])
    }

    /// Waits until the device has done what was handed to it, up to `submission` if one is given.
    ///
    /// # Errors
    /// If it fails on the way, or does not answer for ten minutes.
    pub(super) fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let waited = self.0.device.poll(PollType::Wait {
            submission_index: submission,
            timeout: Some(PATIENCE),
        });
        self.check()?;
        waited.map(|_| ()).map_err(|e| {
            Error::failure(format!(
                "the GPU {} has not answered for {} s ({e}); go on from the last checkpoint with --resume, and if that \
                 happens again use --backend cpu",
                self.0.candidate.name(),
                PATIENCE.as_secs()
            ))
        })
    }

    /// Runs the callbacks of what is done, without waiting.
    pub(super) fn poll(&self) {
        let _ = self.0.device.poll(PollType::Poll);
    }
}

/// What went wrong, and the remedy.
fn explain(error: &wgpu::Error) -> String {
    match error {
        wgpu::Error::OutOfMemory { .. } => {
            "its memory is full; use a smaller --batch-size or --width, or --backend cpu".into()
        }
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("{description}; use --backend cpu, and please report this")
        }
    }
}

/// The first device there is. Without one a test says so and is skipped; with `COULOMB_REQUIRE_GPU=1` it fails.
#[cfg(test)]
pub(super) fn device_for_tests(precision: Precision) -> Option<Device> {
    let candidate = super::choose(super::list(), None);
    match candidate.and_then(|candidate| Device::open(candidate, precision)) {
        Ok(device) => Some(device),
        Err(e) => {
            let required = std::env::var_os("COULOMB_REQUIRE_GPU").is_some_and(|v| v == "1");
            assert!(!required, "COULOMB_REQUIRE_GPU=1, but {e}");
            let line = format!("SKIPPED: {e}\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
            None
        }
    }
}
