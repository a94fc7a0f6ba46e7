//! The networks of a run, its recorded step, its initial store, and drawing samples from it.

use super::Config;
use crate::coulomb::algorithm1::Algorithm1;
use crate::coulomb::potential::{Charges, energy, potential};
use crate::exec::{Backend, Program, Store};
use crate::models::Mlp;
use crate::nn::{self, Mode, Network};
use crate::numbers::{Error, Result, Tensor, rng};
use crate::optim::{Adam, average};
use crate::tape::Tape;

/// Dimension of the mixture's points.
pub const POINT: usize = 2;

/// Points that a sampler computes at a time.
const SAMPLER_ROWS: usize = 1000;

/// The networks of a run and how they learn.
#[derive(Debug, Clone)]
pub struct Model {
    /// `G`.
    pub generator: Mlp,
    /// `D`.
    pub discriminator: Mlp,
    /// Adam for `G`.
    pub adam_g: Adam,
    /// Adam for `D`.
    pub adam_d: Adam,
}

impl Model {
    /// The model that `config` describes.
    pub fn new(config: &Config) -> Self {
        let mut discriminator = Mlp::new("discriminator", &[POINT, config.width, config.width, 1]);
        if config.bias_range > 0.0 {
            discriminator = discriminator.with_bias_range(config.bias_range as f32);
        }
        Self {
            generator: generator("generator", config),
            discriminator,
            adam_g: Adam::new("adam.g", config.beta1, config.weight_decay),
            adam_d: Adam::new("adam.d", config.beta1, config.weight_decay),
        }
    }

    /// One training step, recorded.
    pub fn record(&self, config: &Config) -> Tape {
        let step = Algorithm1 {
            generator: &self.generator,
            discriminator: &self.discriminator,
            adam_g: &self.adam_g,
            adam_d: &self.adam_d,
            d: config.kernel_dim,
            scale: config.potential_scale,
            ball: config.ball > 0.0,
            average: (config.average > 0.0).then_some(config.average),
        };
        let mut tape = Tape::new();
        step.record(&mut tape, config.batch_size, config.z_dim, POINT);
        tape
    }

    /// How far the generator (with the weights that samples are drawn with) is from its goal: the mean potentials `phi_real` and `phi_generated` at
    /// real and generated points and the `energy`, Eq. (33), of `rows` real points `y` and as many generated ones.
    pub fn record_gauge(config: &Config, rows: usize) -> Tape {
        let mut t = Tape::new();
        let z = t.input("z", [rows, config.z_dim]);
        let charges = Charges {
            d: config.kernel_dim,
            epsilon: t.input("epsilon", [1]),
            y: t.input("y", [rows, POINT]),
            x: sampling_generator(config).record(&mut t, z, Mode::Sample),
        };
        let phi_y = potential(&mut t, &charges, charges.y);
        let phi_x = potential(&mut t, &charges, charges.x);
        let energy = energy(&mut t, phi_y, phi_x);
        let (real, generated) = (t.mean_all(phi_y), t.mean_all(phi_x));
        t.output("phi_real", real);
        t.output("phi_generated", generated);
        t.output("energy", energy);
        t
    }

    /// Everything that lives between steps, at step 0.
    pub fn initial_store(&self, config: &Config) -> Store {
        let (g, d) = (self.generator.parameters(), self.discriminator.parameters());
        let mut store = Store::new();
        nn::initialise(&g, config.seed, &mut store);
        nn::initialise(&d, config.seed, &mut store);
        let buffers = self.generator.buffers();
        nn::initialise(&buffers, config.seed, &mut store);
        self.adam_g.initialise(&g, &mut store);
        self.adam_d.initialise(&d, &mut store);
        if config.average > 0.0 {
            average::initialise(&[g, buffers].concat(), &mut store);
        }
        store
    }
}

/// The generator with the weights that samples are drawn with: the averaged ones where there are any.
fn sampling_generator(config: &Config) -> Mlp {
    match config.average > 0.0 {
        true => generator(&format!("{}generator", average::PREFIX), config),
        false => generator("generator", config),
    }
}

fn generator(name: &str, config: &Config) -> Mlp {
    Mlp::new(name, &[config.z_dim, config.width, config.width, POINT])
}

/// Draws samples: `G(z)` with the averaged weights where there are any.
#[derive(Debug)]
pub struct Sampler {
    program: Program,
    z_dim: usize,
}

impl Sampler {
    /// Compiles the generator of `config` on the parameters in `store`.
    ///
    /// # Errors
    /// If `store` lacks the generator.
    pub fn new(config: &Config, backend: &Backend, store: &Store) -> Result<Self> {
        let mut tape = Tape::new();
        let z = tape.input("z", [SAMPLER_ROWS, config.z_dim]);
        let x = sampling_generator(config).record(&mut tape, z, Mode::Sample);
        tape.output("x", x);
        Ok(Self {
            program: backend.compile(&tape, store)?,
            z_dim: config.z_dim,
        })
    }

    /// `G(z)` for each row of `latents`, `[N, z_dim]`.
    ///
    /// # Errors
    /// If the latents are not rows of `z_dim` numbers.
    pub fn at(&mut self, store: &mut Store, latents: &Tensor) -> Result<Vec<[f32; POINT]>> {
        if latents.shape().len() != 2 || latents.shape()[1] != self.z_dim {
            return Err(Error::failure(format!(
                "latents must have the shape [N, {}], not {}",
                self.z_dim,
                latents.shape()
            )));
        }
        let rows = latents.data().chunks(SAMPLER_ROWS * self.z_dim);
        let mut points = Vec::with_capacity(latents.shape()[0]);
        rows.for_each(|rows| self.push(store, rows, &mut points));
        Ok(points)
    }

    /// `count` samples; which ones depends on `seed` only, and fewer are the first of more.
    pub fn draw(&mut self, store: &mut Store, seed: u64, count: usize) -> Vec<[f32; POINT]> {
        let mut rng = rng::stream(seed, "samples", 0);
        let mut z = vec![0.0; SAMPLER_ROWS * self.z_dim];
        let mut points = Vec::with_capacity(count);
        while points.len() < count {
            let rows = SAMPLER_ROWS.min(count - points.len());
            let z = &mut z[..rows * self.z_dim];
            rng::fill_normal(&mut rng, z);
            self.push(store, z, &mut points);
        }
        points
    }

    /// Appends `G` of up to [`SAMPLER_ROWS`] latents.
    fn push(&mut self, store: &mut Store, rows: &[f32], points: &mut Vec<[f32; POINT]>) {
        // The program always computes all its rows; those behind the last latent are not looked at.
        let mut z = vec![0.0; SAMPLER_ROWS * self.z_dim];
        z[..rows.len()].copy_from_slice(rows);
        self.program.write("z", &z);
        self.program.run(store);
        let x = self.program.read("x").as_chunks::<POINT>().0;
        points.extend_from_slice(&x[..rows.len() / self.z_dim]);
    }
}
