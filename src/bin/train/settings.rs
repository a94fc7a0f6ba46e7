//! From flags to the configuration of a run.

use coulomb_gan::numbers::written::{choice, number};
use coulomb_gan::numbers::{Error, Result};
use coulomb_gan::optim::schedule::Schedule;
use coulomb_gan::train::Config;
use coulomb_gan::train::config::limits::whole;
use coulomb_gan::train::method::Method;
use coulomb_gan::train::presets::preset;

use super::args::Args;

/// What a run is; fixed once it has started.
#[derive(clap::Args)]
#[command(next_help_heading = "Hyperparameters of a new run [default: the preset's]")]
pub struct Hyper {
    /// How the two networks learn: coulomb (the paper's Algorithm 1), gan, wgan-gp, began or mmd; the latter bring rates of
    /// their own, and began and mmd an auto-encoder for a discriminator
    #[arg(long, value_name = "NAME")]
    objective: Option<String>,
    /// With --objective wgan-gp or mmd: how often the discriminator moves before the generator does [default: 1]
    #[arg(long, value_name = "N")]
    critic_steps: Option<String>,
    /// Key of all random draws
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// Points of each kind per step
    #[arg(long, value_name = "N")]
    batch_size: Option<String>,
    /// Learning rate of the generator
    #[arg(long, value_name = "X")]
    lr_g: Option<String>,
    /// Learning rate of the discriminator
    #[arg(long, value_name = "X")]
    lr_d: Option<String>,
    /// Final learning rates as a share of the first, with --schedule exponential [default: a tenth, if the preset has another
    /// schedule]
    #[arg(long, value_name = "X")]
    lr_final: Option<String>,
    /// How learning rates fall: exponential, or plateau (to a tenth, once the samples get no better)
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// Looks (see --sample-every) without a better one that make a plateau, with --schedule plateau [default: 10, if the
    /// preset has another schedule]
    #[arg(long, value_name = "N")]
    patience: Option<String>,
    /// Steps until rates and epsilon are final [default: --steps]
    #[arg(long, value_name = "N")]
    decay_steps: Option<String>,
    /// Exponent d of the Plummer kernel
    #[arg(long, value_name = "D")]
    kernel_dim: Option<String>,
    /// Width of the Plummer kernel at the start (and at the end, unless --epsilon-final)
    #[arg(long, value_name = "X")]
    epsilon: Option<String>,
    /// Width of the Plummer kernel at the end
    #[arg(long, value_name = "X")]
    epsilon_final: Option<String>,
    /// Numbers per latent
    #[arg(long, value_name = "N")]
    z_dim: Option<String>,
    /// Units per hidden layer; for pictures, channels of the generator's first one
    #[arg(long, value_name = "N")]
    width: Option<String>,
    /// Adam's beta1
    #[arg(long, value_name = "X")]
    beta1: Option<String>,
    /// L2 factor on the weights
    #[arg(long, value_name = "X")]
    weight_decay: Option<String>,
    /// D learns this times the potential
    #[arg(long, value_name = "X")]
    potential_scale: Option<String>,
    /// Spread of the biases of D's first layer; 0 for PyTorch's
    #[arg(long, value_name = "X")]
    bias_range: Option<String>,
    /// Standard deviation of the Gaussian ball of Eq. (9)
    #[arg(long, value_name = "X")]
    ball: Option<String>,
    /// Decay of the running average of the generator; 0 for none
    #[arg(long, value_name = "X")]
    average: Option<String>,
}

/// What pictures and their networks look like; fixed once a run has started.
#[derive(clap::Args)]
#[command(next_help_heading = "Hyperparameters of a new run on pictures [default: the preset's]")]
pub struct PictureFlags {
    /// Height and width in pixels: 16, 32, 64 or 128
    #[arg(long, value_name = "N")]
    side: Option<String>,
    /// What is left of a picture before it is resized: center or celeba
    #[arg(long, value_name = "NAME")]
    crop: Option<String>,
    /// How activations are normalised: none, batch, or layer (in the discriminator; the generator has batch norm)
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
        let mut c = preset(self.preset.as_deref().unwrap_or("mixture"))?;
        if let Some(steps) = &self.steps {
            c.set_length(whole("steps", steps)?);
        }
        if let Some(epsilon) = &self.hyper.epsilon {
            c.epsilon_final = number("epsilon", epsilon)?;
        }
        if let Some(name) = &self.hyper.objective {
            choice::<Method>("objective", name)?.adapt(&mut c);
        }
        self.apply_fixed(&mut c)?;
        self.refuse_flags_of_the_field(&c)?;
        self.override_running(&mut c)?;
        Ok(c)
    }

    /// Writes into `c` what is fixed once a run has started.
    fn apply_fixed(&self, c: &mut Config) -> Result<()> {
        let h = &self.hyper;
        if let Some(name) = &h.objective {
            c.objective = choice("objective", name)?;
        }
        set(&mut c.critic_steps, "critic-steps", &h.critic_steps)?;
        set(&mut c.decay_steps, "decay-steps", &h.decay_steps)?;
        set(&mut c.seed, "seed", &h.seed)?;
        set(&mut c.batch_size, "batch-size", &h.batch_size)?;
        set(&mut c.z_dim, "z-dim", &h.z_dim)?;
        set(&mut c.width, "width", &h.width)?;
        set(&mut c.kernel_dim, "kernel-dim", &h.kernel_dim)?;
        for (target, flag, value) in [
            (&mut c.epsilon, "epsilon", &h.epsilon),
            (&mut c.epsilon_final, "epsilon-final", &h.epsilon_final),
            (&mut c.lr_g, "lr-g", &h.lr_g),
            (&mut c.lr_d, "lr-d", &h.lr_d),
            (&mut c.beta1, "beta1", &h.beta1),
            (&mut c.weight_decay, "weight-decay", &h.weight_decay),
            (
                &mut c.potential_scale,
                "potential-scale",
                &h.potential_scale,
            ),
            (&mut c.ball, "ball", &h.ball),
            (&mut c.average, "average", &h.average),
        ] {
            if let Some(value) = value {
                *target = number(flag, value)?;
            }
        }
        c.schedule = self.schedule(c.schedule)?;
        for (flag, value) in self.of_the_task() {
            if !c.task_mut().set(flag, value)? {
                return Err(Error::usage(format!(
                    "--{flag} {value} is of no use with --preset {}; leave it out",
                    c.preset
                )));
            }
        }
        Ok(())
    }

    /// The flags that only some tasks have, and their values.
    fn of_the_task(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let f = &self.pictures;
        let all = [
            ("bias-range", &self.hyper.bias_range),
            ("side", &f.side),
            ("crop", &f.crop),
            ("norm", &f.norm),
            ("bn-sampling", &f.bn_sampling),
            ("output", &f.output),
        ];
        let given = all.into_iter();
        given.filter_map(|(flag, value)| Some((flag, value.as_deref()?)))
    }

    /// Refuses flags about kernel and potential where the objective has neither.
    fn refuse_flags_of_the_field(&self, c: &Config) -> Result<()> {
        let h = &self.hyper;
        for (flag, value) in [
            ("kernel-dim", &h.kernel_dim),
            ("epsilon", &h.epsilon),
            ("epsilon-final", &h.epsilon_final),
            ("potential-scale", &h.potential_scale),
            ("ball", &h.ball),
        ] {
            if let (Some(value), false) = (value, c.objective.is_usual()) {
                return Err(Error::usage(format!(
                    "--{flag} {value} is of no use: only --objective coulomb has a potential; leave one of them out"
                )));
            }
        }
        Ok(())
    }

    /// Refuses to change what is fixed in the run of `c`, which goes on.
    ///
    /// # Errors
    /// If a flag says something else than the run has.
    pub fn check_fixed(&self, c: &Config) -> Result<()> {
        let refuse = |flag: &str, wanted: &str, has: &str| {
            Err(Error::usage(format!(
                "--{flag} {wanted} cannot change once a run has started: this one has {has}; leave it out, or start a \
                 new run"
            )))
        };
        match &self.preset {
            Some(preset) if *preset != c.preset => return refuse("preset", preset, &c.preset),
            _ => {}
        }
        let mut wanted = c.clone();
        self.apply_fixed(&mut wanted)?;
        match c.first_difference(&wanted) {
            Some([flag, has, wanted]) => refuse(&flag, &wanted, &has),
            None => Ok(()),
        }
    }

    /// Writes into `c` where its data lie.
    fn apply_files(&self, c: &mut Config) -> Result<()> {
        let preset = c.preset.clone();
        let Some(files) = c.task_mut().files() else {
            return match (&self.data, &self.cache) {
                (Some(data), _) => Err(Error::usage(format!(
                    "--data {} is of no use with --preset {preset}, which makes its own data; {}",
                    data.display(),
                    self.advice_for_data()
                ))),
                (None, Some(cache)) => Err(Error::usage(format!(
                    "--cache {} is of no use with --preset {preset}, which makes its own data; leave it out",
                    cache.display()
                ))),
                (None, None) => Ok(()),
            };
        };
        if let Some(data) = &self.data {
            // Absolute, so that the run can go on from another folder.
            let found = data.canonicalize();
            *files.data = found.map_err(|e| Error::io("open", data, &e))?;
        }
        if let Some(cache) = &self.cache {
            let cache = std::path::absolute(cache);
            let cache = cache.map_err(|e| Error::usage(format!("--cache is no folder: {e}")))?;
            *files.cache = Some(cache);
        }
        if self.new_data {
            files.forget();
        }
        Ok(())
    }

    /// What to do about data that are of no use.
    fn advice_for_data(&self) -> &'static str {
        match &self.preset {
            _ if self.resume.is_some() => "leave it out",
            None => "add --preset images to learn from pictures (or cifar10, celeba, lsun)",
            Some(_) => "leave it out, or take --preset images",
        }
    }

    /// How rates fall, if the preset, or the run, has `given`.
    fn schedule(&self, given: Schedule) -> Result<Schedule> {
        let h = &self.hyper;
        let exponential = match h.schedule.as_deref() {
            None => matches!(given, Schedule::Exponential { .. }),
            Some("exponential") => true,
            Some("plateau") => false,
            Some(other) => {
                return Err(Error::usage(format!(
                    "there is no --schedule {other}; use exponential or plateau"
                )));
            }
        };
        let of_no_use = |flag, value: &str, schedule| {
            Error::usage(format!(
                "--{flag} {value} is of no use without --schedule {schedule}; leave it out or add that"
            ))
        };
        Ok(match (exponential, &h.lr_final, &h.patience, given) {
            (true, _, Some(patience), _) => return Err(of_no_use("patience", patience, "plateau")),
            (false, Some(share), _, _) => return Err(of_no_use("lr-final", share, "exponential")),
            (true, Some(share), None, _) => Schedule::Exponential {
                lr_final: number("lr-final", share)?,
            },
            (false, None, Some(patience), _) => Schedule::Plateau {
                patience: whole("patience", patience)?,
            },
            (true, None, None, Schedule::Plateau { .. }) => Schedule::Exponential { lr_final: 0.1 },
            (false, None, None, Schedule::Exponential { .. }) => Schedule::Plateau { patience: 10 },
            (_, None, None, as_given) => as_given,
        })
    }

    /// What may also change when a run goes on.
    ///
    /// # Errors
    /// If a flag makes no sense for the run.
    pub fn override_running(&self, c: &mut Config) -> Result<()> {
        self.apply_files(c)?;
        self.machine.apply(c)?;
        set(&mut c.steps, "steps", &self.steps)?;
        let every = &self.checkpoint_every;
        set(&mut c.checkpoint_every, "checkpoint-every", every)?;
        set(&mut c.keep, "keep", &self.keep)?;
        set(&mut c.keep_every, "keep-every", &self.keep_every)?;
        if c.keep > 0 && c.keep_every == 0 {
            // A run of an earlier version has no such number.
            c.keep_every = (c.steps / 10).max(1);
        }
        set(&mut c.sample_every, "sample-every", &self.sample_every)?;
        c.validate()
    }
}

fn set<T: TryFrom<u64>>(target: &mut T, flag: &str, value: &Option<String>) -> Result<()> {
    if let Some(value) = value {
        *target = whole(flag, value)?;
    }
    Ok(())
}
