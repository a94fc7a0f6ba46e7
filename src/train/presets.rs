//! Named starting points.

use std::path::PathBuf;

use super::Config;
use super::method::Method;
use super::picture_config::{Activations, PictureConfig};
use crate::data::Crop;
use crate::models::dcgan::{Norm, Output};
use crate::nn::Statistics;
use crate::numbers::{Error, Result};

/// Name and one-line description of every preset.
pub const PRESETS: [(&str, &str); 8] = [
    (
        "mixture",
        "25 Gaussians in the plane, our settings: a minute or two on two cores",
    ),
    (
        "mixture-paper",
        "25 Gaussians in the plane, the paper's own numbers (appendix A.5): a million steps",
    ),
    (
        "shapes",
        "coloured shapes drawn by the program, 32 x 32, small networks: ten minutes or so on two cores",
    ),
    (
        "cifar10",
        "CIFAR-10, 32 x 32, the paper's networks and rates; needs --data",
    ),
    (
        "cifar10-released",
        "the same as the paper's released code has it: batch norm, ReLU, LeCun's tanh, d = 1; needs --data",
    ),
    (
        "celeba",
        "aligned CelebA faces, 64 x 64, the paper's networks and rates; needs --data",
    ),
    (
        "lsun",
        "LSUN bedrooms, 64 x 64, the paper's networks and rates; needs --data",
    ),
    (
        "images",
        "any folder of pictures, 64 x 64, the paper's networks and rates; needs --data",
    ),
];

/// The configuration called `name`.
///
/// # Errors
/// If there is none; the sentence suggests the nearest name.
pub fn preset(name: &str) -> Result<Config> {
    match name {
        "mixture" => Ok(mixture()),
        "mixture-paper" => Ok(mixture_paper()),
        "shapes" => Ok(shapes()),
        "cifar10" => Ok(paper_pictures("cifar10", 32, 16, Crop::Center)),
        "cifar10-released" => Ok(cifar10_released()),
        "celeba" => Ok(paper_pictures("celeba", 64, 32, Crop::CelebA)),
        "lsun" => Ok(paper_pictures("lsun", 64, 32, Crop::Center)),
        "images" => Ok(paper_pictures("images", 64, 32, Crop::Center)),
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Error {
    let distance = |known: &str| strsim::damerau_levenshtein(name, known);
    let nearest = PRESETS
        .iter()
        .map(|(known, _)| *known)
        .min_by_key(|known| distance(known));
    let hint = match nearest {
        Some(known) if distance(known) <= 4 => format!("did you mean {known}?"),
        _ => "see --list-presets".into(),
    };
    Error::usage(format!("there is no preset {name}; {hint}"))
}

/// Our settings for the mixture of 25 Gaussians.
///
/// What made the difference, each found by trying it alone: a kernel as wide as a mode (ε = 1); potentials in a
/// unit that gives them the size of the discriminator's outputs; biases spread over the data, so that its units
/// bend where the modes are; the Gaussian ball of Eq. (9); β₁ = 0.5; rates that stay high for long.
fn mixture() -> Config {
    Config {
        preset: "mixture".into(),
        backend: "cpu".into(),
        objective: Method::Coulomb,
        critic_steps: 1,
        precision: super::config::single(),
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
        lr_final: 0.03,
        beta1: 0.5,
        weight_decay: 0.0,
        potential_scale: 300.0,
        bias_range: 14.0,
        ball: 0.3,
        average: 0.9995,
        checkpoint_every: 20_000,
        keep: 3,
        keep_every: 20_000,
        sample_every: 2_500,
        plateau_patience: None,
        pictures: None,
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
fn mixture_paper() -> Config {
    Config {
        preset: "mixture-paper".into(),
        steps: 1_000_000,
        decay_steps: 1_000_000,
        epsilon: 3.0,
        epsilon_final: 0.5,
        lr_g: 1e-4,
        lr_d: 1e-2,
        lr_final: 0.01,
        average: 0.0,
        checkpoint_every: 100_000,
        keep_every: 100_000,
        sample_every: 12_500,
        ..mixture()
    }
}

/// Pictures as in section 3.1: d = 3, ε = 1, batches of 128, learning rates of 1e-4 (G) and 5e-5 (D), weight
/// decay of 1e-7, `z_dim` of 16 for CIFAR-10 and 32 otherwise, a DCGAN with 5 x 5 filters and 1024 channels, ELU
/// and no batch norm, and rates that fall to a tenth once the samples get no better.
///
/// The paper does not say for how many steps, nor after how long a wait it called a plateau one: a million
/// and twenty looks are our choice. It watched the FID; we watch the Fréchet distance of random features. Nor does
/// it give Adam's β₁ (we take 0.9) or a unit of charge: the largest term of a generated point's potential is by
/// far its own, −1/128, well below what a fresh `D` puts out; with a scale of 128 both have one size.
fn paper_pictures(name: &str, side: usize, z_dim: usize, crop: Crop) -> Config {
    Config {
        preset: name.into(),
        backend: "cpu".into(),
        objective: Method::Coulomb,
        critic_steps: 1,
        precision: super::config::single(),
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
        lr_final: 1.0,
        beta1: 0.9,
        weight_decay: 1e-7,
        potential_scale: 128.0,
        bias_range: 0.0,
        ball: 0.0,
        average: 0.0,
        checkpoint_every: 1_000,
        keep: 3,
        keep_every: 100_000,
        sample_every: 1_000,
        plateau_patience: Some(20),
        pictures: Some(PictureConfig {
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
        }),
    }
}

/// CIFAR-10 as the released code has it, where it differs from the text: batch norm with ReLU in G and leaky
/// ReLU in D, LeCun's tanh, samples with the statistics of their batch, and d = 1, because its flag
/// "dimension 3" means the exponent 3 − 2.
fn cifar10_released() -> Config {
    let mut config = paper_pictures("cifar10-released", 32, 16, Crop::Center);
    config.kernel_dim = 1;
    if let Some(pictures) = &mut config.pictures {
        pictures.norm = Norm::Batch;
        pictures.activation = Activations::Relu;
        pictures.output = Output::LeCunTanh;
        pictures.bn_sampling = Statistics::Batch;
    }
    config
}

/// Coloured shapes: something to see within minutes. Networks of an eighth of the paper's width, faster rates, and
/// d = 1, whose force reaches from one picture to another. The unit of charge is small on purpose: with rates of
/// 2e-4 and 5e-4 and a scale of 64, both d = 3 and d = 1 lost every shape on a light ground.
fn shapes() -> Config {
    let mut config = paper_pictures("shapes", 32, 16, Crop::Center);
    if let Some(pictures) = &mut config.pictures {
        pictures.data = None;
        pictures.count = 10_000;
    }
    Config {
        steps: 10_000,
        decay_steps: 10_000,
        batch_size: 64,
        width: 128,
        kernel_dim: 1,
        lr_g: 5e-4,
        lr_d: 1e-3,
        lr_final: 0.1,
        beta1: 0.5,
        weight_decay: 0.0,
        potential_scale: 10.0,
        average: 0.99,
        checkpoint_every: 1_000,
        keep_every: 1_000,
        sample_every: 250,
        plateau_patience: None,
        ..config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_preset_is_valid_and_survives_toml() {
        for (name, _) in PRESETS {
            let config = preset(name).unwrap();
            assert_eq!(config.preset, name);
            config.validate().unwrap();
            let text = config.to_toml().unwrap();
            assert_eq!(Config::parse(&text).unwrap(), config);
        }
    }

    #[test]
    fn a_mistyped_name_gets_the_nearest() {
        let message = preset("mixtrue").unwrap_err().to_string();
        assert_eq!(message, "there is no preset mixtrue; did you mean mixture?");
        let message = preset("imagenet-1k").unwrap_err().to_string();
        assert!(message.ends_with("see --list-presets"), "{message}");
    }
}
