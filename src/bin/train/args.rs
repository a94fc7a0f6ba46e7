//! The flags of `train`, and the configuration that they ask for.

use std::path::PathBuf;

use clap::Parser;
use coulomb_gan::numbers::{Error, Result};
use coulomb_gan::train::Config;
use coulomb_gan::train::flags::unsigned;
use coulomb_gan::train::machine::Machine;
use coulomb_gan::train::picture_config::{PictureConfig, choice};
use coulomb_gan::train::presets::preset;

/// Train a Coulomb GAN. Without options: 25 Gaussians in the plane, a minute or two, pictures at the end.
#[derive(Parser)]
#[command(version, allow_negative_numbers = true)]
pub struct Args {
    /// What to train; see --list-presets
    #[arg(long, default_value = "mixture", conflicts_with = "resume")]
    preset: String,
    /// Folder of the pictures to learn from; also with --resume, if they have moved
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Folder for decoded pictures [default: the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Print the presets and exit
    #[arg(long)]
    pub list_presets: bool,
    /// Print the GPUs of this machine and exit
    #[arg(long)]
    pub list_devices: bool,
    #[command(flatten)]
    pub machine: Machine,
    /// Folder for the run [default: runs/PRESET-NNNN]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Continue the run in DIR
    #[arg(long, value_name = "DIR", conflicts_with_all = ["Hyper", "PictureFlags"])]
    pub resume: Option<PathBuf>,
    /// Stop after this many steps
    #[arg(long, value_name = "N")]
    steps: Option<i64>,
    /// Show no progress
    #[arg(long)]
    pub quiet: bool,
    /// Print the recorded step and its plan, then exit
    #[arg(long)]
    pub explain: bool,
    /// Print the time per step of the plan, on random numbers instead of data, then exit
    #[arg(long)]
    pub profile: bool,
    /// Steps between checkpoints
    #[arg(long, value_name = "N")]
    checkpoint_every: Option<i64>,
    /// Steps between pictures
    #[arg(long, value_name = "N")]
    sample_every: Option<i64>,
    #[command(flatten)]
    hyper: Hyper,
    #[command(flatten)]
    pictures: PictureFlags,
}

/// What a run is; fixed once it has started.
#[derive(clap::Args)]
#[command(next_help_heading = "Hyperparameters of a new run [default: the preset's]")]
struct Hyper {
    /// Key of all random draws
    #[arg(long, value_name = "N")]
    seed: Option<i64>,
    /// Points of each kind per step
    #[arg(long, value_name = "N")]
    batch_size: Option<i64>,
    /// Learning rate of the generator
    #[arg(long, value_name = "X")]
    lr_g: Option<f64>,
    /// Learning rate of the discriminator
    #[arg(long, value_name = "X")]
    lr_d: Option<f64>,
    /// Final learning rates as a share of the first
    #[arg(long, value_name = "X")]
    lr_final: Option<f64>,
    /// How learning rates fall: exponential, or plateau (to a tenth, once the samples get no better)
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// Looks (see --sample-every) without a better one that make a plateau [default: 10]
    #[arg(long, value_name = "N")]
    patience: Option<i64>,
    /// Steps until rates and epsilon are final [default: --steps]
    #[arg(long, value_name = "N")]
    decay_steps: Option<i64>,
    /// Exponent d of the Plummer kernel
    #[arg(long, value_name = "D")]
    kernel_dim: Option<i64>,
    /// Width of the Plummer kernel at the start (and at the end, unless --epsilon-final)
    #[arg(long, value_name = "X")]
    epsilon: Option<f64>,
    /// Width of the Plummer kernel at the end
    #[arg(long, value_name = "X")]
    epsilon_final: Option<f64>,
    /// Numbers per latent
    #[arg(long, value_name = "N")]
    z_dim: Option<i64>,
    /// Units per hidden layer; for pictures, channels of the generator's first one
    #[arg(long, value_name = "N")]
    width: Option<i64>,
    /// Adam's beta1
    #[arg(long, value_name = "X")]
    beta1: Option<f64>,
    /// L2 factor on the weights
    #[arg(long, value_name = "X")]
    weight_decay: Option<f64>,
    /// D learns this times the potential
    #[arg(long, value_name = "X")]
    potential_scale: Option<f64>,
    /// Spread of the biases of D's first layer; 0 for PyTorch's
    #[arg(long, value_name = "X")]
    bias_range: Option<f64>,
    /// Standard deviation of the Gaussian ball of Eq. (9)
    #[arg(long, value_name = "X")]
    ball: Option<f64>,
    /// Decay of the running average of the generator; 0 for none
    #[arg(long, value_name = "X")]
    average: Option<f64>,
}

/// What pictures and their networks look like; fixed once a run has started.
#[derive(clap::Args)]
#[command(next_help_heading = "Hyperparameters of a new run on pictures [default: the preset's]")]
struct PictureFlags {
    /// Height and width in pixels: 16, 32, 64 or 128
    #[arg(long, value_name = "N")]
    side: Option<i64>,
    /// What is left of a picture before it is resized: center or celeba
    #[arg(long, value_name = "NAME")]
    crop: Option<String>,
    /// Whether activations are normalised: none or batch
    #[arg(long, value_name = "NAME")]
    norm: Option<String>,
    /// Statistics with which batch norms draw samples: running or batch
    #[arg(long, value_name = "NAME")]
    bn_sampling: Option<String>,
    /// The function at the generator's end: tanh or lecun
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
}

impl Args {
    /// The configuration of a new run.
    ///
    /// # Errors
    /// If a flag makes no sense, alone or beside the others.
    pub fn config(&self) -> Result<Config> {
        let mut c = preset(&self.preset)?;
        let h = &self.hyper;
        if let Some(steps) = self.steps {
            c.steps = unsigned("steps", steps)?;
            c.decay_steps = c.steps;
            c.sample_every = (c.steps / 60).max(1);
            c.checkpoint_every = (c.steps / 10).max(1);
        }
        set(&mut c.decay_steps, "decay-steps", h.decay_steps)?;
        set(&mut c.seed, "seed", h.seed)?;
        set(&mut c.batch_size, "batch-size", h.batch_size)?;
        set(&mut c.z_dim, "z-dim", h.z_dim)?;
        set(&mut c.width, "width", h.width)?;
        set(&mut c.kernel_dim, "kernel-dim", h.kernel_dim)?;
        if let Some(epsilon) = h.epsilon {
            (c.epsilon, c.epsilon_final) = (epsilon, epsilon);
        }
        for (target, value) in [
            (&mut c.epsilon_final, h.epsilon_final),
            (&mut c.lr_g, h.lr_g),
            (&mut c.lr_d, h.lr_d),
            (&mut c.lr_final, h.lr_final),
            (&mut c.beta1, h.beta1),
            (&mut c.weight_decay, h.weight_decay),
            (&mut c.potential_scale, h.potential_scale),
            (&mut c.bias_range, h.bias_range),
            (&mut c.ball, h.ball),
            (&mut c.average, h.average),
        ] {
            *target = value.unwrap_or(*target);
        }
        c.plateau_patience = self.patience(c.plateau_patience)?;
        if let Some(pictures) = &mut c.pictures {
            self.pictures.apply(pictures)?;
        }
        self.override_running(&mut c)?;
        Ok(c)
    }

    /// Refuses flags about pictures in a run without, and those about files in one that draws its pictures.
    fn refuse_picture_flags(&self, c: &Config) -> Result<()> {
        let f = &self.pictures;
        let drawn = c.pictures.as_ref().is_none_or(|p| p.data.is_none());
        let path = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string());
        let side = f.side.map(|side| side.to_string());
        for (flag, value, refused) in [
            ("data", path(&self.data), drawn),
            ("cache", path(&self.cache), drawn),
            ("crop", f.crop.clone(), drawn),
            ("side", side, c.pictures.is_none()),
            ("norm", f.norm.clone(), c.pictures.is_none()),
            ("bn-sampling", f.bn_sampling.clone(), c.pictures.is_none()),
            ("output", f.output.clone(), c.pictures.is_none()),
        ] {
            if let Some(value) = value.filter(|_| refused) {
                return Err(Error::usage(format!(
                    "--{flag} {value} is of no use: {} makes its own data; leave it out",
                    c.preset
                )));
            }
        }
        Ok(())
    }

    /// The patience of the plateau schedule, if that is asked for; the preset has `preset`.
    fn patience(&self, preset: Option<u32>) -> Result<Option<u32>> {
        let plateau = match self.hyper.schedule.as_deref() {
            None => preset.is_some(),
            Some("plateau") => true,
            Some("exponential") => false,
            Some(other) => {
                return Err(Error::usage(format!(
                    "there is no --schedule {other}; use exponential or plateau"
                )));
            }
        };
        let patience = self.hyper.patience.map(|n| unsigned("patience", n));
        match (plateau, patience.transpose()?) {
            (false, None) => Ok(None),
            (false, Some(_)) => Err(Error::usage(
                "--patience is of no use without --schedule plateau; leave it out or add that",
            )),
            (true, patience) => Ok(Some(patience.or(preset).unwrap_or(10))),
        }
    }

    /// What may also change when a run goes on.
    ///
    /// # Errors
    /// If a flag makes no sense for the run.
    pub fn override_running(&self, c: &mut Config) -> Result<()> {
        self.refuse_picture_flags(c)?;
        self.machine.apply(c)?;
        if let Some(pictures) = &mut c.pictures {
            if let Some(data) = &self.data {
                // Absolute, so that the run can go on from another folder.
                let data = data
                    .canonicalize()
                    .map_err(|e| Error::io("open", data, &e))?;
                pictures.data = Some(data);
            }
            if let Some(cache) = &self.cache {
                let cache = std::path::absolute(cache);
                let cache =
                    cache.map_err(|e| Error::usage(format!("--cache is no folder: {e}")))?;
                pictures.cache = Some(cache);
            }
        }
        set(&mut c.steps, "steps", self.steps)?;
        set(
            &mut c.checkpoint_every,
            "checkpoint-every",
            self.checkpoint_every,
        )?;
        set(&mut c.sample_every, "sample-every", self.sample_every)?;
        c.validate()
    }
}

impl PictureFlags {
    fn apply(&self, c: &mut PictureConfig) -> Result<()> {
        set(&mut c.side, "side", self.side)?;
        if let Some(name) = &self.crop {
            c.crop = choice("crop", name)?;
        }
        if let Some(name) = &self.norm {
            c.norm = choice("norm", name)?;
        }
        if let Some(name) = &self.bn_sampling {
            c.bn_sampling = choice("bn-sampling", name)?;
        }
        if let Some(name) = &self.output {
            c.output = choice("output", name)?;
        }
        Ok(())
    }
}

fn set<T: TryFrom<i64>>(target: &mut T, flag: &str, value: Option<i64>) -> Result<()> {
    if let Some(value) = value {
        *target = unsigned(flag, value)?;
    }
    Ok(())
}
