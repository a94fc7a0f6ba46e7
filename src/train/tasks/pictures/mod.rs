//! Sets of pictures (section 3.1).

mod files;
pub mod presets;
mod report;
mod set;
mod subject;

use std::fmt::Display;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Files, Form, Out, Subject, Task};
use crate::data::Crop;
use crate::exec::Backend;
use crate::models::Dcgan;
use crate::models::dcgan::{Norm, Output};
use crate::nn::{Activation, Network, Statistics};
use crate::numbers::written::{choice, typed, unsigned};
use crate::numbers::{Error, Result, Shape, Tensor};
use crate::train::Config;
use crate::train::watch::Hear;
use subject::PictureSubject;

/// Pictures on a sheet of samples, and along its rows.
const SHEET: usize = 64;
const COLUMNS: usize = 8;

/// Pictures that are judged at the end of a run, of each kind.
const JUDGED: usize = 2048;

/// Pictures to learn from, and what their networks look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureTask {
    /// Height and width in pixels: 16, 32, 64 or 128.
    pub side: usize,
    /// `none`, `batch` or `layer`: whether the activations of both networks are normalised, and how.
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

/// Why pictures cannot have this side.
fn no_side<T>(side: impl Display) -> Result<T> {
    Err(Error::usage(format!(
        "--side must be 16, 32, 64 or 128, not {side}"
    )))
}

impl PictureTask {
    /// The networks, for a generator of so many latents and channels.
    fn dcgan(&self, z_dim: usize, width: usize) -> Dcgan {
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
}

impl Task for PictureTask {
    fn point(&self) -> Shape {
        [3, self.side, self.side].into()
    }

    /// Pixels are in [−1, 1].
    fn spread(&self) -> f32 {
        0.5
    }

    fn generator(&self, name: &str, config: &Config) -> Box<dyn Network + Send> {
        Box::new(self.dcgan(config.z_dim, config.width).generator(name))
    }

    fn discriminator(&self, name: &str, config: &Config) -> Box<dyn Network + Send> {
        Box::new(self.dcgan(config.z_dim, config.width).discriminator(name))
    }

    fn auto_encoder(&self, name: &str, config: &Config) -> Box<dyn Network + Send> {
        Box::new(self.dcgan(config.z_dim, config.width).auto_encoder(name))
    }

    fn rows_at_a_time(&self) -> usize {
        64
    }

    fn judged(&self) -> usize {
        JUDGED
    }

    fn shown(&self) -> usize {
        SHEET
    }

    /// 500 lines in a full run; but steps may be slow, so at most 100 apart, and at least 10 (or all there are), which
    /// keeps what a line measures below 2 % of the training.
    fn log_every(&self, steps: u64) -> u64 {
        (steps / 500).clamp(10, 100).min(steps)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<bool> {
        match flag {
            "side" => self.side = unsigned(flag, value).or_else(|_| no_side(typed(value)))?,
            "norm" => self.norm = choice(flag, value)?,
            "bn-sampling" => self.bn_sampling = choice(flag, value)?,
            "output" => self.output = choice(flag, value)?,
            // Shapes are drawn square.
            "crop" if self.data.is_some() => self.crop = choice(flag, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn files(&mut self) -> Option<Files<'_>> {
        Some(Files {
            data: self.data.as_mut()?,
            cache: &mut self.cache,
            count: &mut self.count,
            fingerprint: &mut self.fingerprint,
        })
    }

    fn validate(&self, config: &Config) -> Result<()> {
        let (batch_size, width) = (config.batch_size, config.width);
        let side = self.side;
        if ![16, 32, 64, 128].contains(&side) {
            return no_side(side);
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
        // With layer norms in the discriminator, the generator has batch norms.
        if self.norm != Norm::None && batch_size < 2 {
            return Err(Error::usage(format!(
                "--batch-size must be at least 2 for batch norms, not {batch_size}; use a larger one or --norm none"
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

    fn check_data(&self, preset: &str) -> Result<()> {
        set::check_named(self, preset)
    }

    fn check_form(&self, count: usize, form: Form) -> Result<()> {
        files::check_form(count, form)
    }

    fn write_samples(
        &self,
        _seed: u64,
        samples: &Tensor,
        columns: usize,
        out: &Out,
    ) -> Result<Vec<PathBuf>> {
        files::write_samples(samples, columns, out)
    }

    fn open(
        &mut self,
        config: &Config,
        backend: &Backend,
        hear: &mut dyn Hear,
    ) -> Result<Box<dyn Subject>> {
        Ok(Box::new(PictureSubject::open(self, config, backend, hear)?))
    }
}
