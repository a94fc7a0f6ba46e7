//! The networks of a run, the tapes that it runs, and its initial store.

use std::collections::BTreeSet;

use super::Config;
use crate::exec::Store;
use crate::nn::{self, Mode, Network};
use crate::numbers::Result;
use crate::objective::{Batch, Feed, Input, Judge, Objective, Part, Players};
use crate::optim::{Adam, average};
use crate::tape::{Op, Tape};

/// What the names of `G`'s parameters begin with.
const GENERATOR: &str = "generator";

/// The networks of a run and how they learn.
pub struct Model {
    /// `G`.
    pub generator: Box<dyn Network + Send>,
    /// `D`.
    pub discriminator: Box<dyn Network + Send>,
    /// Adam for `G`.
    pub adam_g: Adam,
    /// Adam for `D`.
    pub adam_d: Adam,
    /// What both are after.
    pub objective: Box<dyn Objective>,
}

impl Model {
    /// The model that `config` describes.
    pub fn new(config: &Config) -> Self {
        let objective = config.objective.objective(config);
        let adam = |name| Adam {
            beta2: objective.beta2(),
            ..Adam::new(name, config.beta1, config.weight_decay)
        };
        let (task, name) = (config.task(), "discriminator");
        let discriminator = match objective.judge() {
            Judge::Score => task.discriminator(name, config),
            Judge::Reconstruction => task.auto_encoder(name, config),
        };
        Self {
            generator: task.generator(GENERATOR, config),
            discriminator,
            adam_g: adam("adam.g"),
            adam_d: adam("adam.d"),
            objective,
        }
    }

    /// The tapes of a round, in the order in which they run.
    pub fn record(&self, config: &Config) -> Vec<Part> {
        let players = Players {
            generator: &*self.generator,
            discriminator: &*self.discriminator,
            adam_g: &self.adam_g,
            adam_d: &self.adam_d,
            loss_scale: config.loss_scale(),
            average: (config.average > 0.0).then_some(config.average),
        };
        self.objective
            .parts(&players, &batch(config, config.batch_size))
    }

    /// What the objective measures now and then, for `count` real points and as many that the generator makes with the
    /// weights that samples are drawn with; the outputs are in the order of [`Objective::gauge`].
    pub fn record_gauge(&self, config: &Config, count: usize) -> Tape {
        let batch = batch(config, count);
        let mut t = Tape::new();
        let z = batch.latents(&mut t, Input::Latents);
        let y = batch.real(&mut t);
        let x = sampling_generator(config).record(&mut t, z, Mode::Sample);
        let measures = self.objective.gauge(&mut t, &*self.discriminator, y, x);
        for (i, measure) in measures.into_iter().enumerate() {
            t.output(&format!("gauge{i}"), measure);
        }
        t
    }

    /// `G` for drawing samples, with the weights that they are drawn with: input `z`, `[N, z_dim]`, output `x`,
    /// `[N, point...]`, for as many points at a time as suit the task.
    pub fn record_sampler(config: &Config) -> Tape {
        let batch = batch(config, config.task().rows_at_a_time());
        let mut t = Tape::new();
        let z = batch.latents(&mut t, Input::Latents);
        let x = sampling_generator(config).record(&mut t, z, Mode::Sample);
        t.output("x", x);
        t
    }

    /// The names of the tensors that [`Model::record_sampler`] reads.
    pub fn names_to_sample(config: &Config) -> BTreeSet<String> {
        let tape = Self::record_sampler(config);
        let names = tape.nodes().iter().filter_map(|node| match &node.op {
            Op::State { name } => Some(name.clone()),
            _ => None,
        });
        names.collect()
    }

    /// What hands numbers to a tape of this model.
    pub fn feed(&self, tape: &Tape) -> Feed {
        Feed::new(tape, [&self.adam_g, &self.adam_d])
    }

    /// Everything that lives between steps, at step 0.
    ///
    /// # Errors
    /// Never: nothing has left this memory yet.
    pub fn initial_store(&self, config: &Config) -> Result<Store> {
        let (g, d) = (self.generator.parameters(), self.discriminator.parameters());
        let mut store = Store::new();
        nn::initialise(&g, config.seed, &mut store);
        nn::initialise(&d, config.seed, &mut store);
        let buffers = self.generator.buffers();
        nn::initialise(&buffers, config.seed, &mut store);
        nn::initialise(&self.objective.states(), config.seed, &mut store);
        self.adam_g.initialise(&g, &mut store);
        self.adam_d.initialise(&d, &mut store);
        if config.average > 0.0 {
            average::initialise(&[g, buffers].concat(), &mut store)?;
        }
        Ok(store)
    }
}

/// `size` points of a run.
fn batch(config: &Config, size: usize) -> Batch {
    Batch {
        size,
        z_dim: config.z_dim,
        point: config.task().point(),
    }
}

/// The generator with the weights that samples are drawn with: the averaged ones where there are any.
fn sampling_generator(config: &Config) -> Box<dyn Network + Send> {
    let name = match config.average > 0.0 {
        true => format!("{}{GENERATOR}", average::PREFIX),
        false => GENERATOR.into(),
    };
    config.task().generator(&name, config)
}
