//! Named starting points.

use super::Config;
use super::tasks::mixture::presets::{mixture, mixture_paper};
use super::tasks::pictures::presets::{cifar10_released, paper, shapes};
use crate::data::Crop;
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
        "cifar10" => Ok(paper("cifar10", 32, 16, Crop::Center)),
        "cifar10-released" => Ok(cifar10_released()),
        "celeba" => Ok(paper("celeba", 64, 32, Crop::CelebA)),
        "lsun" => Ok(paper("lsun", 64, 32, Crop::Center)),
        "images" => Ok(paper("images", 64, 32, Crop::Center)),
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
