//! The networks of a run, its recorded rounds, its initial store, and drawing samples from it.

use super::{Config, subject};
use crate::exec::{Backend, Program, Store};
use crate::models::Mlp;
use crate::nn::{self, Mode, Network};
use crate::numbers::{Error, Result, Shape, Tensor, rng};
use crate::objective::{Batch, Feed, Input, Objective, Part, Players};
use crate::optim::{Adam, average};
use crate::tape::Tape;

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
        Self {
            generator: generator("generator", config),
            discriminator: discriminator(config),
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
        let batch = Batch {
            size: config.batch_size,
            z_dim: config.z_dim,
            point: subject::point(config),
        };
        self.objective.parts(&players, &batch)
    }

    /// What the objective measures now and then, for `count` real points and as many that the generator makes with the
    /// weights that samples are drawn with: outputs `gauge0`, `gauge1`, ...
    pub fn record_gauge(&self, config: &Config, count: usize) -> Tape {
        let batch = Batch {
            size: count,
            z_dim: config.z_dim,
            point: subject::point(config),
        };
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
        self.adam_g.initialise(&g, &mut store);
        self.adam_d.initialise(&d, &mut store);
        if config.average > 0.0 {
            average::initialise(&[g, buffers].concat(), &mut store)?;
        }
        Ok(store)
    }
}

/// The shape of `count` points of the shape `point`.
fn batch_of(count: usize, point: &[usize]) -> Shape {
    [&[count], point].concat().into()
}

/// The generator with the weights that samples are drawn with: the averaged ones where there are any.
fn sampling_generator(config: &Config) -> Box<dyn Network + Send> {
    match config.average > 0.0 {
        true => generator(&format!("{}generator", average::PREFIX), config),
        false => generator("generator", config),
    }
}

fn generator(name: &str, config: &Config) -> Box<dyn Network + Send> {
    let (z_dim, width) = (config.z_dim, config.width);
    match &config.pictures {
        None => Box::new(Mlp::new(name, &[z_dim, width, width, 2])),
        Some(pictures) => Box::new(pictures.dcgan(z_dim, width).generator(name)),
    }
}

fn discriminator(config: &Config) -> Box<dyn Network + Send> {
    let (name, width) = ("discriminator", config.width);
    match &config.pictures {
        None => {
            let mlp = Mlp::new(name, &[2, width, width, 1]);
            match config.bias_range > 0.0 {
                true => Box::new(mlp.with_bias_range(config.bias_range as f32)),
                false => Box::new(mlp),
            }
        }
        Some(pictures) => Box::new(pictures.dcgan(config.z_dim, width).discriminator(name)),
    }
}

/// Draws samples: `G(z)` with the averaged weights where there are any.
#[derive(Debug)]
pub struct Sampler {
    program: Program,
    z_dim: usize,
    point: Shape,
    /// Points that the program computes at a time.
    rows: usize,
}

impl Sampler {
    /// Compiles the generator of `config` on the parameters in `store`.
    ///
    /// # Errors
    /// If `store` lacks the generator, or a device has failed.
    pub fn new(config: &Config, backend: &Backend, store: &Store) -> Result<Self> {
        let rows = subject::rows_at_a_time(config);
        let mut tape = Tape::new();
        let z = tape.input("z", [rows, config.z_dim]);
        let x = sampling_generator(config).record(&mut tape, z, Mode::Sample);
        tape.output("x", x);
        Ok(Self {
            program: backend.compile(&tape, store)?,
            z_dim: config.z_dim,
            point: subject::point(config),
            rows,
        })
    }

    /// The generator with the weights in `store`, ready to draw.
    pub fn with<'a>(&'a mut self, store: &'a mut Store) -> Source<'a> {
        Source {
            sampler: self,
            store,
        }
    }
}

/// Where samples come from: the generator as it is now.
#[derive(Debug)]
pub struct Source<'a> {
    sampler: &'a mut Sampler,
    store: &'a mut Store,
}

impl Source<'_> {
    /// `G(z)` for each row of `latents`, `[N, z_dim]`; the result is `[N, point...]`. Where batch norms sample with
    /// the statistics of their batch, a point depends on the others that it is computed with.
    ///
    /// # Errors
    /// If the latents are not rows of `z_dim` numbers, or a device has failed.
    pub fn at(&mut self, latents: &Tensor) -> Result<Tensor> {
        let z_dim = self.sampler.z_dim;
        if latents.shape().len() != 2 || latents.shape()[1] != z_dim {
            return Err(Error::failure(format!(
                "latents must have the shape [N, {z_dim}], not {}",
                latents.shape()
            )));
        }
        let mut rows = latents.data().chunks(z_dim).cycle();
        let count = latents.shape()[0];
        // The program always computes all its rows: behind the last latent it starts again with the first.
        self.collect(count, |z| {
            for (z, row) in z.chunks_mut(z_dim).zip(&mut rows) {
                z.copy_from_slice(row);
            }
        })
    }

    /// `count` samples, `[count, point...]`; which ones depends on `seed` only, and fewer are the first of more.
    ///
    /// # Errors
    /// If a device has failed.
    pub fn draw(&mut self, seed: u64, count: usize) -> Result<Tensor> {
        let mut rng = rng::stream(seed, "samples", 0);
        self.collect(count, |z| rng::fill_normal(&mut rng, z))
    }

    /// `count` points, for latents that `fill` hands out a batch at a time.
    fn collect(&mut self, count: usize, mut fill: impl FnMut(&mut [f32])) -> Result<Tensor> {
        let Sampler {
            program,
            z_dim,
            point,
            rows,
        } = &mut *self.sampler;
        let wanted = count * point.count();
        let mut z = vec![0.0; *rows * *z_dim];
        let mut points = Vec::with_capacity(wanted);
        while points.len() < wanted {
            fill(&mut z);
            program.write("z", &z);
            program.run(self.store)?;
            let x = program.read("x")?;
            points.extend_from_slice(&x[..x.len().min(wanted - points.len())]);
        }
        Tensor::new(batch_of(count, point), points)
    }
}
