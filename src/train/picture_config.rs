//! What only runs on pictures have: the table `[pictures]` of `config.toml`.

use std::path::PathBuf;

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};

use crate::data::Crop;
use crate::models::Dcgan;
use crate::models::dcgan::{Norm, Output};
use crate::nn::{Activation, Statistics};
use crate::numbers::{Error, Result};

/// Pictures to learn from, and what their networks look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureConfig {
    /// Height and width in pixels: 16, 32, 64 or 128.
    pub side: usize,
    /// `none` or `batch`: whether the activations of both networks are normalised.
    pub norm: Norm,
    /// The activations of both networks.
    pub activation: Activations,
    /// `tanh` or `lecun`: the function at the end of the generator.
    pub output: Output,
    /// `running` or `batch`: with which statistics the generator's batch norms draw samples.
    pub bn_sampling: Statistics,
    /// `center` or `celeba`: what is left of a picture before it is resized.
    pub crop: Crop,
    /// Where the pictures are; empty in a preset, for whoever starts a run to say. Absent for the shapes, which
    /// are drawn by the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Where decoded pictures are kept; absent for the user's cache folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
    /// Pictures in the data set; 0 before it is opened for the first time.
    pub count: usize,
    /// A hash of the data set, with which a run notices that it goes on with another one; empty before it is
    /// opened for the first time.
    pub fingerprint: String,
}

/// The activations of a pair of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activations {
    /// ELU in both, as in the paper.
    Elu,
    /// ReLU in the generator, leaky ReLU of slope 0.2 in the discriminator, as in DCGAN.
    Relu,
}

impl PictureConfig {
    /// The networks, for a generator of so many latents and channels.
    pub fn dcgan(&self, z_dim: usize, width: usize) -> Dcgan {
        let (activation_g, activation_d) = match self.activation {
            Activations::Elu => (Activation::Elu, Activation::Elu),
            Activations::Relu => (Activation::Relu, Activation::LeakyRelu(0.2)),
        };
        Dcgan {
            side: self.side,
            width,
            z_dim,
            norm: self.norm,
            activation_g,
            activation_d,
            output: self.output,
            sampling: self.bn_sampling,
        }
    }

    /// Checks the sizes of pictures and networks.
    ///
    /// # Errors
    /// A sentence that names the flag and what it may be.
    pub fn validate(&self, batch_size: usize, width: usize) -> Result<()> {
        let side = self.side;
        if ![16, 32, 64, 128].contains(&side) {
            return Err(Error::usage(format!(
                "--side must be 16, 32, 64 or 128, not {side}"
            )));
        }
        if !width.is_multiple_of(16) {
            return Err(Error::usage(format!(
                "--width must be a multiple of 16 for pictures, not {width}"
            )));
        }
        // Filters grow with the square of the width: so wide, a network's take half a gigabyte, and Adam three
        // times as much.
        if width > 3200 {
            return Err(Error::usage(format!(
                "--width must be at most 3200 for pictures, not {width}"
            )));
        }
        if self.norm == Norm::Batch && batch_size < 2 {
            return Err(Error::usage(format!(
                "--batch-size must be at least 2 for --norm batch, not {batch_size}"
            )));
        }
        if self.data.is_none() && !(2..=100_000).contains(&self.count) {
            return Err(Error::usage(format!(
                "the program draws 2 to 100000 shapes, not {}; change count in config.toml",
                self.count
            )));
        }
        // The largest layer's numbers for one picture: the generator's last hidden one or the discriminator's
        // first. A step keeps a few dozen arrays of up to this size, here of half a gigabyte.
        let largest = (2 * width * side).max(width * side * side / 32);
        if batch_size * largest > 1 << 27 {
            let most = (1 << 27) / largest;
            return Err(Error::usage(format!(
                "--batch-size {batch_size} with --width {width} and --side {side} needs too much memory; \
                 use at most --batch-size {most} or a smaller --width"
            )));
        }
        Ok(())
    }
}

/// The value that `--flag` calls by a name, such as `none` or `batch`.
///
/// # Errors
/// If there is none of that name; the sentence lists those there are.
pub fn choice<'a, T: Deserialize<'a>>(flag: &str, name: &'a str) -> Result<T> {
    let named: StrDeserializer<serde::de::value::Error> = name.into_deserializer();
    T::deserialize(named).map_err(|e| Error::usage(format!("--{flag} cannot be used: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_and_other_names_are_answered_with_all_of_them() {
        assert_eq!(choice("norm", "batch"), Ok(Norm::Batch));
        assert_eq!(choice("output", "lecun"), Ok(Output::LeCunTanh));
        assert_eq!(choice("crop", "celeba"), Ok(Crop::CelebA));
        assert_eq!(choice("bn-sampling", "running"), Ok(Statistics::Running));
        let error = choice::<Norm>("norm", "layer").unwrap_err();
        assert_eq!(
            error.to_string(),
            "--norm cannot be used: unknown variant `layer`, expected `none` or `batch`"
        );
    }
}
