//! The presets that learn pictures.

use std::path::PathBuf;

use super::{Activations, PictureTask};
use crate::data::Crop;
use crate::exec::{Executor, Precision};
use crate::models::dcgan::{Norm, Output};
use crate::nn::Statistics;
use crate::optim::schedule::Schedule;
use crate::train::Config;
use crate::train::method::Method;
use crate::train::tasks::TaskConfig;

/// Pictures as in section 3.1: d = 3, ε = 1, batches of 128, learning rates of 1e-4 (G) and 5e-5 (D), weight
/// decay of 1e-7, `z_dim` of 16 for CIFAR-10 and 32 otherwise, a DCGAN with 5 x 5 filters and 1024 channels, ELU
/// and no batch norm, and rates that fall to a tenth once the samples get no better.
///
/// The paper does not say for how many steps, nor after how long a wait it called a plateau one: a million
/// and twenty looks are our choice. It watched the FID; we watch the Fréchet distance of random features. Nor does
/// it give Adam's β₁ (we take 0.9) or a unit of charge: the largest term of a generated point's potential is by
/// far its own, −1/128, well below what a fresh `D` puts out; with a scale of 128 both have one size.
pub fn paper(name: &str, side: usize, z_dim: usize, crop: Crop) -> Config {
    learning(name, z_dim, pictures(side, crop))
}

fn learning(name: &str, z_dim: usize, task: PictureTask) -> Config {
    Config {
        preset: name.into(),
        backend: Executor::Cpu,
        objective: Method::Coulomb,
        critic_steps: 1,
        precision: Precision::Single,
        seed: 1,
        steps: 1_000_000,
        decay_steps: 1_000_000,
        batch_size: 128,
        z_dim,
        width: 1024,
        kernel_dim: 3,
        epsilon: 1.0,
        epsilon_final: 1.0,
        lr_g: 1e-4,
        lr_d: 5e-5,
        beta1: 0.9,
        weight_decay: 1e-7,
        potential_scale: 128.0,
        ball: 0.0,
        average: 0.0,
        checkpoint_every: 1_000,
        keep: 3,
        keep_every: 100_000,
        sample_every: 1_000,
        schedule: Schedule::Plateau { patience: 20 },
        task: TaskConfig::Pictures(task),
    }
}

/// Pictures on the user's disk, and the paper's networks for them.
fn pictures(side: usize, crop: Crop) -> PictureTask {
    PictureTask {
        side,
        norm: Norm::None,
        activation: Activations::Elu,
        output: Output::Tanh,
        bn_sampling: Statistics::Running,
        crop,
        data: Some(PathBuf::new()),
        cache: None,
        count: 0,
        fingerprint: String::new(),
    }
}

/// CIFAR-10 as the released code has it, where it differs from the text: batch norm with ReLU in G and leaky
/// ReLU in D, LeCun's tanh, samples with the statistics of their batch, and d = 1, because its flag
/// "dimension 3" means the exponent 3 − 2.
pub fn cifar10_released() -> Config {
    let task = PictureTask {
        norm: Norm::Batch,
        activation: Activations::Relu,
        output: Output::LeCunTanh,
        bn_sampling: Statistics::Batch,
        ..pictures(32, Crop::Center)
    };
    Config {
        kernel_dim: 1,
        ..learning("cifar10-released", 16, task)
    }
}

/// Coloured shapes: something to see within minutes. Networks of an eighth of the paper's width, faster rates, and
/// d = 1, whose force reaches from one picture to another. The unit of charge is small on purpose: with rates of
/// 2e-4 and 5e-4 and a scale of 64, both d = 3 and d = 1 lost every shape on a light ground.
pub fn shapes() -> Config {
    let task = PictureTask {
        data: None,
        count: 10_000,
        ..pictures(32, Crop::Center)
    };
    Config {
        steps: 10_000,
        decay_steps: 10_000,
        batch_size: 64,
        width: 128,
        kernel_dim: 1,
        lr_g: 5e-4,
        lr_d: 1e-3,
        beta1: 0.5,
        weight_decay: 0.0,
        potential_scale: 10.0,
        average: 0.99,
        checkpoint_every: 1_000,
        keep_every: 1_000,
        sample_every: 250,
        schedule: Schedule::Exponential { lr_final: 0.1 },
        ..learning("shapes", 16, task)
    }
}
