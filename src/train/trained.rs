//! A finished or interrupted run, opened for sampling.

use std::path::{Path, PathBuf};

use super::machine::Machine;
use super::model::{Model, Sampler, Source};
use super::{Config, RunDir, checkpoint};
use crate::exec::{Backend, Store};
use crate::numbers::Result;

/// The newest state of a run.
pub struct Trained {
    config: Config,
    backend: Backend,
    checkpoint: PathBuf,
    step: u64,
    store: Store,
    sampler: Sampler,
}

impl Trained {
    /// Opens the run in `path`, to compute where `machine` says.
    ///
    /// # Errors
    /// If it is not a run, has no checkpoint, or its checkpoint is damaged.
    pub fn open(path: &Path, machine: &Machine) -> Result<Self> {
        let (run, mut config) = RunDir::open(path)?;
        machine.apply(&mut config)?;
        let backend = machine.backend(&config)?;
        let mut store = Model::new(&config).initial_store(&config)?;
        let checkpoint = checkpoint::newest(&run)?;
        let step = checkpoint::load(&checkpoint, &config, &mut store)?.step;
        let sampler = Sampler::new(&config, &backend, &store)?;
        Ok(Self {
            config,
            backend,
            checkpoint,
            step,
            store,
            sampler,
        })
    }

    /// What the run is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where it computes.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The file that was loaded.
    pub fn checkpoint(&self) -> &Path {
        &self.checkpoint
    }

    /// The step it was written at.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The generator, ready to draw.
    pub fn source(&mut self) -> Source<'_> {
        self.sampler.with(&mut self.store)
    }
}
