//! Floor 2: running a tape. Two executors, one meaning.
//!
//! - [`mod@reference`] walks the tape in `f64` with textbook loops: it *is* the definition of every primitive.
//! - [`cpu`] runs the tape's [`crate::tape::plan::Plan`] in `f32` with SIMD kernels on several threads.
//!
//! A [`Store`] keeps the named tensors that live between runs; a [`Program`] is a compiled tape.

pub mod buffer;
pub mod check;
pub mod cpu;
pub mod reference;
mod store;

use std::collections::HashMap;

use crate::numbers::{Error, Result};
use crate::tape::{Op, Tape};
pub use store::Store;

/// Where programs run.
#[derive(Debug, Clone)]
pub enum Backend {
    /// Textbook loops in `f64`; state is rounded to `f32` between runs.
    Reference,
    /// SIMD kernels in `f32` on a crew of threads.
    Cpu(cpu::Device),
}

/// A compiled tape: write inputs, run, read outputs, as often as you like.
#[derive(Debug)]
pub struct Program {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Reference(Box<reference::Program>),
    Cpu(Box<cpu::Program>),
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

    /// Compiles `tape`; every state it names must be in `store`, with the recorded shape.
    ///
    /// # Errors
    /// If a state is missing from `store` or has another shape.
    pub fn compile(&self, tape: &Tape, store: &Store) -> Result<Program> {
        let kind = match self {
            Self::Reference => Kind::Reference(Box::new(reference::Program::new(tape, store)?)),
            Self::Cpu(device) => Kind::Cpu(Box::new(cpu::Program::new(device, tape, store)?)),
        };
        Ok(Program { kind })
    }

    /// Runs `work` on one of the backend's own threads, so that the programs it runs start without waking
    /// a sleeping thread. Worth it around a training loop.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Reference => work(),
            Self::Cpu(device) => device.install(work),
        }
    }

    /// One line for people: what computes, and how.
    pub fn describe(&self) -> String {
        match self {
            Self::Reference => "reference (f64, textbook loops, one thread)".into(),
            Self::Cpu(device) => device.describe(),
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
        };
        target.copy_from_slice(values);
    }

    /// Runs once: reads inputs and states, computes, assigns states.
    pub fn run(&mut self, store: &mut Store) {
        match &mut self.kind {
            Kind::Reference(program) => program.run(store),
            Kind::Cpu(program) => program.run(store),
        }
    }

    /// Runs once to warm up and then `runs` times, which assigns states as [`Program::run`] does; returns the median
    /// seconds of each step of the tape's [`crate::tape::plan::Plan`], in the plan's order.
    ///
    /// # Errors
    /// If `runs` is 0, or the program runs on the reference, which has no steps.
    pub fn profile(&mut self, store: &mut Store, runs: usize) -> Result<Vec<f64>> {
        if runs == 0 {
            return Err(Error::usage("a profile needs at least one run"));
        }
        match &mut self.kind {
            Kind::Reference(_) => Err(Error::usage(
                "the reference walks the tape and has no steps to time; use another --backend",
            )),
            Kind::Cpu(program) => Ok(program.profile(store, runs)),
        }
    }

    /// The numbers of output `name` after the last run.
    ///
    /// # Panics
    /// If the tape has no such output.
    pub fn read(&self, name: &str) -> &[f32] {
        match &self.kind {
            Kind::Reference(program) => program.read(name),
            Kind::Cpu(program) => program.output(name),
        }
    }

    /// The single number of output `name` after the last run.
    ///
    /// # Panics
    /// If the tape has no such output.
    pub fn scalar(&self, name: &str) -> f32 {
        self.read(name)[0]
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
