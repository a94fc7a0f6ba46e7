//! Everything that determines a run. Written to `config.toml`; equal configurations on one backend give
//! equal results.

mod file;
pub mod limits;

use serde::{Deserialize, Serialize};

use super::method::Method;
use super::tasks::{Task, TaskConfig};
use crate::exec::{Backend, Executor, Precision};
use crate::numbers::{Error, Result};
use crate::objective::{Draw, LATENTS};
use crate::optim::schedule::{Schedule, exponential};
use limits::check;

/// The full description of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The preset that the numbers started from.
    pub preset: String,
    /// Where it is computed.
    pub backend: Executor,
    /// How the two players learn; absent for Algorithm 1.
    #[serde(default, skip_serializing_if = "Method::is_usual")]
    pub objective: Method,
    /// How often a critic moves before the generator does, with the objectives that have one; absent for once.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub critic_steps: u64,
    /// How a GPU stores activations; absent for `f32`.
    #[serde(default, skip_serializing_if = "Precision::is_single")]
    pub precision: Precision,
    /// Keys every random draw. TOML's numbers end at 2^63; greater ones are written as text.
    #[serde(with = "file::seed")]
    pub seed: u64,
    /// Training stops after this many steps.
    pub steps: u64,
    /// Epsilon, and learning rates that decay exponentially, reach their final values after this many steps.
    pub decay_steps: u64,
    /// Real points, and generated points, per step.
    pub batch_size: usize,
    /// Numbers per latent `z`.
    pub z_dim: usize,
    /// Units per hidden layer; for pictures, channels of the generator's first one.
    pub width: usize,
    /// The exponent `d` of the Plummer kernel, Eq. (5).
    pub kernel_dim: u32,
    /// The width ε of the Plummer kernel at the start, in the units of the data.
    pub epsilon: f64,
    /// The width ε at the end; in between it shrinks exponentially.
    pub epsilon_final: f64,
    /// Adam's learning rate for the generator at the start.
    pub lr_g: f64,
    /// Adam's learning rate for the discriminator at the start.
    pub lr_d: f64,
    /// Adam's β₁ for both networks.
    pub beta1: f64,
    /// λ of the L2 term (λ/2) ‖w‖² on the weights of both networks.
    pub weight_decay: f64,
    /// `D` learns this times the potential, a unit of charge that gives potentials the size of `D`'s outputs.
    pub potential_scale: f64,
    /// Standard deviation of the Gaussian ball of Eq. (9); 0 for none.
    pub ball: f64,
    /// β of the running average of the generator's weights that samples are drawn with; 0 for none.
    pub average: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Checkpoints that are kept: this many of the newest, the best, and the first of every [`Config::keep_every`]
    /// steps; 0, as in files of earlier versions, for all.
    #[serde(default)]
    pub keep: u64,
    /// See [`Config::keep`].
    #[serde(default)]
    pub keep_every: u64,
    /// Steps between looks at the samples: a picture and a judgement.
    pub sample_every: u64,
    /// How the learning rates fall.
    pub schedule: Schedule,
    /// What is learnt.
    pub task: TaskConfig,
}

fn once() -> u64 {
    1
}

fn is_once(count: &u64) -> bool {
    *count == once()
}

impl Config {
    /// What is learnt.
    pub fn task(&self) -> &dyn Task {
        self.task.as_task()
    }

    /// What is learnt, to be changed.
    pub fn task_mut(&mut self) -> &mut dyn Task {
        self.task.as_task_mut()
    }

    /// Checks every number against the range in which it makes sense.
    ///
    /// # Errors
    /// A sentence that names the flag, its range and its value.
    pub fn validate(&self) -> Result<()> {
        let number = |flag: &str, value: f64, least: f64, most: f64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(Error::usage(format!(
                "--{flag} must be from {least} to {most}, not {value}"
            )))
        };
        if self.precision == Precision::Half && self.backend != Executor::Gpu {
            return Err(Error::usage(format!(
                "--precision f16 is of no use on the {}; add --backend gpu or leave it out",
                self.backend.name()
            )));
        }
        check("steps", self.steps)?;
        check("decay-steps", self.decay_steps)?;
        check("batch-size", self.batch_size as u64)?;
        check("z-dim", self.z_dim as u64)?;
        check("width", self.width as u64)?;
        check("kernel-dim", u64::from(self.kernel_dim))?;
        check("checkpoint-every", self.checkpoint_every)?;
        check("sample-every", self.sample_every)?;
        check("keep", self.keep)?;
        check("keep-every", self.keep_every)?;
        match self.schedule {
            Schedule::Exponential { lr_final } => number("lr-final", lr_final, 1e-6, 1.0)?,
            Schedule::Plateau { patience } => check("patience", u64::from(patience))?,
        }
        self.task().validate(self)?;
        self.objective.validate(self)?;
        // Arrays of so many numbers take 256 MiB, and a step keeps several.
        for (a, size_a, b, size_b) in [
            ("batch-size", self.batch_size, "width", self.width),
            ("batch-size", self.batch_size, "z-dim", self.z_dim),
            ("width", self.width, "width", self.width),
        ] {
            if size_a * size_b > 1 << 26 {
                return Err(Error::usage(format!(
                    "--{a} {size_a} times --{b} {size_b} must be at most {}",
                    1 << 26
                )));
            }
        }
        number("epsilon", self.epsilon, 1e-3, 1e3)?;
        number("epsilon-final", self.epsilon_final, 1e-3, 1e3)?;
        number("potential-scale", self.potential_scale, 1e-6, 1e6)?;
        // Adam squares gradients of this size, and 32-bit numbers end at 3e38.
        let narrowest = self.epsilon.min(self.epsilon_final);
        let peak = self.potential_scale * narrowest.powi(-(self.kernel_dim as i32));
        if peak > 1e16 {
            return Err(Error::usage(format!(
                "--epsilon {narrowest} with --kernel-dim {} makes potentials of {peak:.0e}; use a wider kernel",
                self.kernel_dim
            )));
        }
        number("lr-g", self.lr_g, 1e-9, 1.0)?;
        number("lr-d", self.lr_d, 1e-9, 1.0)?;
        number("beta1", self.beta1, 0.0, 0.999)?;
        number("weight-decay", self.weight_decay, 0.0, 1.0)?;
        number("ball", self.ball, 0.0, 1e3)?;
        number("average", self.average, 0.0, 0.999_999)
    }

    /// Makes the run `steps` long: rates and epsilon are final at its end, and it has sixty looks and ten checkpoints.
    pub fn set_length(&mut self, steps: u64) {
        self.steps = steps;
        self.decay_steps = steps;
        self.sample_every = (steps / 60).max(1);
        self.checkpoint_every = (steps / 10).max(1);
        self.keep_every = self.checkpoint_every;
    }

    /// The learning rates of `G` and `D` in step number `step`, before a plateau, if that is the schedule, lets them fall.
    pub fn falling_rates(&self, step: u64) -> [f64; 2] {
        [self.lr_g, self.lr_d].map(|lr| match self.schedule {
            Schedule::Exponential { lr_final } => {
                exponential(lr, lr * lr_final, step, self.decay_steps)
            }
            Schedule::Plateau { .. } => lr,
        })
    }

    /// What gradients are multiplied with on their way, see [`Players::loss_scale`]. Both losses are means over the
    /// batch, so the gradient of one sample's output is of the order of 1 / batch; halves end at 6e-5 below (6e-8 with
    /// less precision) and 65504 above.
    ///
    /// [`Players::loss_scale`]: crate::objective::Players::loss_scale
    pub fn loss_scale(&self) -> f64 {
        match self.precision {
            Precision::Half => (32 * self.batch_size).next_power_of_two() as f64,
            Precision::Single => 1.0,
        }
    }

    /// Which numbers the first step gets, with real points from `real`.
    pub fn draw<'a>(&self, real: &'a mut dyn FnMut(&mut [f32]) -> Result<()>) -> Draw<'a> {
        Draw {
            seed: self.seed,
            latents: LATENTS,
            run: 0,
            epsilon: self.epsilon,
            ball: self.ball,
            rates: [self.lr_g, self.lr_d],
            real,
        }
    }

    /// The backend that the configuration names, with `threads` threads on the CPU, or on the GPU that `device` asks for.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn backend(&self, threads: Option<usize>, device: Option<&str>) -> Result<Backend> {
        match self.backend {
            Executor::Cpu => Backend::cpu(threads),
            Executor::Reference => Ok(Backend::Reference),
            Executor::Gpu => Backend::gpu(device, self.precision),
        }
    }
}
