//! A checkpoint of a run, finished or not, opened to draw samples.

use std::path::{Path, PathBuf};

use super::model::Model;
use super::sampler::{Sampler, Source};
use super::{Config, checkpoint};
use crate::exec::{Backend, Store};
use crate::numbers::Result;

/// The state of a run at one step, and its generator.
pub struct Snapshot {
    config: Config,
    backend: Backend,
    checkpoint: PathBuf,
    step: u64,
    store: Store,
    sampler: Sampler,
}

impl Snapshot {
    /// Opens the state in the file `checkpoint` of the run that `config` describes, to compute on `backend`.
    ///
    /// # Errors
    /// If the file is damaged or of another run.
    pub fn open(config: &Config, backend: Backend, checkpoint: &Path) -> Result<Self> {
        let mut store = Model::new(config).initial_store(config)?;
        let step = checkpoint::load_to_sample(checkpoint, config, &mut store)?;
        let sampler = Sampler::new(&Model::record_sampler(config), &backend, &store)?;
        Ok(Self {
            config: config.clone(),
            backend,
            checkpoint: checkpoint.to_owned(),
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
