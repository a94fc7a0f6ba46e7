//! The presets that learn the mixture.

use super::MixtureTask;
use crate::exec::{Executor, Precision};
use crate::optim::schedule::Schedule;
use crate::train::Config;
use crate::train::method::Method;
use crate::train::tasks::TaskConfig;

/// Our settings for the mixture of 25 Gaussians.
///
/// What made the difference, each found by trying it alone: a kernel as wide as a mode (ε = 1); potentials in a
/// unit that gives them the size of the discriminator's outputs; biases spread over the data, so that its units
/// bend where the modes are; the Gaussian ball of Eq. (9); β₁ = 0.5; rates that stay high for long.
pub fn mixture() -> Config {
    Config {
        preset: "mixture".into(),
        backend: Executor::Cpu,
        objective: Method::Coulomb,
        critic_steps: 1,
        precision: Precision::Single,
        seed: 1,
        steps: 200_000,
        decay_steps: 200_000,
        batch_size: 128,
        z_dim: 8,
        width: 128,
        kernel_dim: 3,
        epsilon: 1.0,
        epsilon_final: 1.0,
        lr_g: 1e-3,
        lr_d: 3e-3,
        beta1: 0.5,
        weight_decay: 0.0,
        potential_scale: 300.0,
        ball: 0.3,
        average: 0.9995,
        checkpoint_every: 20_000,
        keep: 3,
        keep_every: 20_000,
        sample_every: 2_500,
        schedule: Schedule::Exponential { lr_final: 0.03 },
        task: TaskConfig::Mixture(MixtureTask { bias_range: 14.0 }),
    }
}

/// The numbers of appendix A.5: D with 2 hidden layers of 128 ELU units, d = 3, ε = 3 and a learning rate of
/// 0.01, "both of which were exponentially decayed during the 1M update steps of the Adam optimizer"; batches
/// of 128 (section 3).
///
/// The paper does not say how large G and z are, how far ε and the rate decay, Adam's β₁, how D starts, or
/// whether G's rate is D's. We assume a G like D, z of 8 numbers, a final ε of 0.5, final rates of a hundredth,
/// and otherwise what `mixture` has, its narrower ball and its unit of charge included. At equal rates the
/// generator outruns the discriminator, against which section 2.4.2 warns, so G's rate is a hundredth of D's.
pub fn mixture_paper() -> Config {
    Config {
        preset: "mixture-paper".into(),
        steps: 1_000_000,
        decay_steps: 1_000_000,
        epsilon: 3.0,
        epsilon_final: 0.5,
        lr_g: 1e-4,
        lr_d: 1e-2,
        schedule: Schedule::Exponential { lr_final: 0.01 },
        average: 0.0,
        checkpoint_every: 100_000,
        keep_every: 100_000,
        sample_every: 12_500,
        ..mixture()
    }
}
