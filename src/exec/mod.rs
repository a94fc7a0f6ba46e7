//! Floor 2: running a tape. Three executors, one meaning.
//!
//! - [`mod@reference`] walks the tape in `f64` with textbook loops: it *is* the definition of every primitive.
//! - [`cpu`] runs the tape's [`crate::tape::plan::Plan`] in `f32` with SIMD kernels on several threads.
//! - [`gpu`] runs the plan with compute kernels on a graphics processor.
//!
//! A [`Store`] keeps the named tensors that live between runs; a [`Program`] is a compiled tape.

pub mod buffer;
pub mod check;
mod counts;
pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "no_gpu.rs"]
pub mod gpu;
mod options;
pub mod reference;
mod store;

use std::collections::HashMap;

use crate::numbers::{Error, Result};
use crate::tape::{Op, Tape};
pub use counts::Counts;
pub use options::{Executor, Precision};
pub use store::Store;

/// Where programs run.
#[derive(Debug, Clone)]
pub enum Backend {
    /// Textbook loops in `f64`; state is rounded to `f32` between runs.
    Reference,
    /// SIMD kernels in `f32` on a crew of threads.
    Cpu(cpu::Device),
    /// Compute kernels on a graphics processor.
    Gpu(gpu::Device),
}

/// A compiled tape: write inputs, run, read outputs, as often as you like.
#[derive(Debug)]
pub struct Program {
    kind: Kind,
    /// Outputs of one number, in the order of recording.
    scalars: Vec<String>,
    /// Whether nobody has taken the scalars of the last run; a GPU keeps its own account.
    untaken: bool,
}

#[derive(Debug)]
enum Kind {
    Reference(Box<reference::Program>),
    Cpu(Box<cpu::Program>),
    Gpu(Box<gpu::Program>),
}

impl Backend {
    /// The CPU with `threads` threads, or as many as the machine has cores.
    ///
    /// # Errors
    /// If `threads` is 0, the operating system refuses to start them, or `COULOMB_ISA` names an instruction set that
    /// the machine does not have.
    pub fn cpu(threads: Option<usize>) -> Result<Self> {
        cpu::Device::new(threads).map(Self::Cpu)
    }

    /// The graphics processor that `wanted` asks for, see [`gpu::choose`].
    ///
    /// # Errors
    /// If there is none, none that fits, or it cannot do what is asked.
    pub fn gpu(wanted: Option<&str>, precision: Precision) -> Result<Self> {
        let candidate = gpu::choose(gpu::list(), wanted)?;
        gpu::Device::open(candidate, precision).map(Self::Gpu)
    }

    /// Compiles `tape`; every state it names must be in `store`, with the recorded shape.
    ///
    /// # Errors
    /// If a state is missing from `store` or has another shape, or a device has no memory left.
    pub fn compile(&self, tape: &Tape, store: &Store) -> Result<Program> {
        let kind = match self {
            Self::Reference => Kind::Reference(Box::new(reference::Program::new(tape, store)?)),
            Self::Cpu(device) => Kind::Cpu(Box::new(cpu::Program::new(device, tape, store)?)),
            Self::Gpu(device) => Kind::Gpu(Box::new(gpu::Program::new(device, tape, store)?)),
        };
        let scalars = tape.outputs().iter();
        let scalars = scalars.filter(|(_, v)| tape.shape(*v).count() == 1);
        Ok(Program {
            kind,
            scalars: scalars.map(|(name, _)| name.clone()).collect(),
            untaken: false,
        })
    }

    /// Runs `work` on one of the backend's own threads, so that the programs it runs start without waking
    /// a sleeping thread. Worth it around a training loop.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Reference | Self::Gpu(_) => work(),
            Self::Cpu(device) => device.install(work),
        }
    }

    /// One line for people: what computes, and how.
    pub fn describe(&self) -> String {
        match self {
            Self::Reference => "reference (f64, textbook loops, one thread)".into(),
            Self::Cpu(device) => device.describe(),
            Self::Gpu(device) => device.describe(),
        }
    }
}

impl Program {
    /// Hands in the numbers of input `name` for the next run.
    ///
    /// # Panics
    /// If the tape has no such input, or its number of elements differs.
    pub fn write(&mut self, name: &str, values: &[f32]) {
        let target = match &mut self.kind {
            Kind::Reference(program) => return program.write(name, values),
            Kind::Cpu(program) => program.input(name),
            Kind::Gpu(program) => program.input(name),
        };
        target.copy_from_slice(values);
    }

    /// Runs once: reads inputs and states, computes, assigns states. On a GPU the run is handed over, and is done by the
    /// time that anybody looks at its results.
    ///
    /// # Errors
    /// If a device has failed.
    pub fn run(&mut self, store: &mut Store) -> Result<()> {
        self.untaken = true;
        match &mut self.kind {
            Kind::Reference(program) => program.run(store),
            Kind::Cpu(program) => program.run(store),
            Kind::Gpu(program) => program.run(store),
        }
    }

    /// Runs once to warm up and then `runs` times, which assigns states as [`Program::run`] does; returns the median
    /// seconds of each step of the tape's [`crate::tape::plan::Plan`], in the plan's order.
    ///
    /// # Errors
    /// If `runs` is 0, or the program runs on the reference, which has no steps, or on a GPU without clocks.
    pub fn profile(&mut self, store: &mut Store, runs: usize) -> Result<Vec<f64>> {
        if runs == 0 {
            return Err(Error::usage("a profile needs at least one run"));
        }
        let times = match &mut self.kind {
            Kind::Reference(_) => {
                return Err(Error::usage(
                    "the reference walks the tape and has no steps to time; use another --backend",
                ));
            }
            Kind::Cpu(program) => program.profile(store, runs)?,
            Kind::Gpu(program) => program.profile(store, runs)?,
        };
        let median = |mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        Ok(times.into_iter().map(median).collect())
    }

    /// Waits until all runs are done; they are anyway, but on a GPU.
    ///
    /// # Errors
    /// If a device has failed.
    pub fn wait(&self) -> Result<()> {
        match &self.kind {
            Kind::Gpu(program) => program.wait(),
            _ => Ok(()),
        }
    }

    /// The numbers of output `name` after the last run.
    ///
    /// # Errors
    /// If a device has failed.
    ///
    /// # Panics
    /// If the tape has no such output.
    pub fn read(&self, name: &str) -> Result<&[f32]> {
        match &self.kind {
            Kind::Reference(program) => Ok(program.read(name)),
            Kind::Cpu(program) => Ok(program.output(name)),
            Kind::Gpu(program) => program.output(name),
        }
    }

    /// The single number of output `name` after the last run.
    ///
    /// # Errors
    /// If a device has failed.
    ///
    /// # Panics
    /// If the tape has no such output.
    pub fn scalar(&self, name: &str) -> Result<f32> {
        self.read(name).map(|numbers| numbers[0])
    }

    /// Puts the outputs of one number, in the order of recording, of the oldest run that has not been asked about into
    /// `scalars`; false if there is no such run, or without `wait` if it is still under way. On a GPU this is how to
    /// follow a training without ever waiting for it: results come back some runs later. Only the last few runs are
    /// kept, so ask after every run.
    ///
    /// # Errors
    /// If a device has failed.
    pub fn take_scalars(&mut self, wait: bool, scalars: &mut Vec<f32>) -> Result<bool> {
        if let Kind::Gpu(program) = &mut self.kind {
            let taken = program.take_scalars(wait)?;
            return Ok(taken.map(|taken| *scalars = taken).is_some());
        }
        scalars.clear();
        if std::mem::take(&mut self.untaken) {
            for name in &self.scalars {
                scalars.push(self.scalar(name)?);
            }
        }
        Ok(!scalars.is_empty())
    }
}

/// The position in `store` of each state that `tape` names, after checking its shape.
fn bind_states(store: &Store, tape: &Tape) -> Result<HashMap<String, usize>> {
    let mut positions = HashMap::new();
    for node in tape.nodes() {
        let Op::State { name } = &node.op else {
            continue;
        };
        let index = store.index(name).ok_or_else(|| {
            Error::failure(format!(
                "the tape uses the state {name}, which the store does not hold"
            ))
        })?;
        if *store.shape(index) != node.shape {
            return Err(Error::failure(format!(
                "the state {name} is {} in the store where the tape expects {}",
                store.shape(index),
                node.shape
            )));
        }
        positions.insert(name.clone(), index);
    }
    Ok(positions)
}
