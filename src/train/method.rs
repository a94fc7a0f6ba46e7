//! The objectives by name: `--objective`, and `objective` in `config.toml`.

use serde::{Deserialize, Serialize};

use super::Config;
use super::config::limits::check;
use crate::coulomb::algorithm1::Algorithm1;
use crate::nn::Mode;
use crate::numbers::{Error, Result};
use crate::objective::Objective;
use crate::rivals::{Began, Gan, Mmd, WganGp};
use crate::tape::Tape;

/// λ of the gradient penalty, as everywhere.
const PENALTY: f64 = 10.0;

/// How the two players learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Algorithm 1.
    #[default]
    Coulomb,
    /// The non-saturating GAN.
    Gan,
    /// The Wasserstein GAN with a gradient penalty.
    WganGp,
    /// The boundary-equilibrium GAN.
    Began,
    /// MMD-GAN.
    Mmd,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Coulomb,
        Self::Gan,
        Self::WganGp,
        Self::Began,
        Self::Mmd,
    ];

    /// Its name, as `--objective` and `config.toml` have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coulomb => "coulomb",
            Self::Gan => "gan",
            Self::WganGp => "wgan-gp",
            Self::Began => "began",
            Self::Mmd => "mmd",
        }
    }

    /// Whether this is what runs do that say nothing.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The objective, with the numbers that `config` has for it.
    pub fn objective(self, config: &Config) -> Box<dyn Objective> {
        match self {
            Self::Coulomb => Box::new(Algorithm1 {
                d: config.kernel_dim,
                scale: config.potential_scale,
                ball: config.ball > 0.0,
            }),
            Self::Gan => Box::new(Gan),
            Self::WganGp => Box::new(WganGp {
                penalty: PENALTY,
                critic_steps: config.critic_steps,
            }),
            Self::Began => Box::new(Began),
            Self::Mmd => Box::new(Mmd {
                critic_steps: config.critic_steps,
            }),
        }
    }

    /// Puts this objective's own rates into a preset that was made for the Coulomb GAN: those of TTUR (Heusel et al. 2017),
    /// which the paper compares with, for CIFAR-10 where they differ between sets; of MMD-GAN, the published one. For points
    /// in the plane nothing is published; there they are the best of a search over three rates for each player and some beyond,
    /// by the modes that 50,000 steps cover and then by the samples within 3 σ: 11 runs of `gan`, 12 of `wgan-gp`. For `began`
    /// and `mmd` no rates of nine did better than others, see there. Layers, batches and schedules stay the preset's.
    pub fn adapt(self, config: &mut Config) {
        config.objective = self;
        let of_pictures = config.task().point().len() > 1;
        let (rates, beta1) = match self {
            Self::Coulomb => return,
            Self::Gan if of_pictures => ([5e-4, 1e-4], 0.5),
            Self::Gan => ([1e-2, 1e-3], 0.5),
            Self::WganGp if of_pictures => ([1e-4, 3e-4], 0.0),
            Self::WganGp => ([3e-3, 3e-3], 0.0),
            Self::Began if of_pictures => ([4e-5, 6e-5], 0.5),
            Self::Began => ([1e-3, 1e-3], 0.5),
            Self::Mmd if of_pictures => ([5e-5, 5e-5], 0.0),
            Self::Mmd => ([1e-3, 1e-3], 0.0),
        };
        [config.lr_g, config.lr_d] = rates;
        (config.beta1, config.weight_decay) = (beta1, 0.0);
        (config.ball, config.potential_scale) = (0.0, 1.0);
    }

    /// Checks what not every objective can do.
    ///
    /// # Errors
    /// A sentence that names the flag.
    pub fn validate(self, config: &Config) -> Result<()> {
        let critic_steps = config.critic_steps;
        let usual = critic_steps == 1;
        if !matches!(self, Self::WganGp | Self::Mmd) && !usual {
            return Err(Error::usage(format!(
                "--critic-steps {critic_steps} is of no use without --objective wgan-gp or mmd; leave it out or add one \
                 of these"
            )));
        }
        check("critic-steps", critic_steps)?;
        if self == Self::WganGp && has_meeting_rows(config) {
            return Err(Error::usage(
                "--objective wgan-gp asks for the slope at each point by itself, which a batch norm mixes; use --norm layer or \
                 --norm none",
            ));
        }
        Ok(())
    }
}

/// Whether `D`'s answer at a point depends on the other points of a minibatch.
fn has_meeting_rows(config: &Config) -> bool {
    let mut t = Tape::new();
    let shape = [&[2], &config.task().point()[..]].concat();
    let x = t.input("x", shape);
    let d = config.task().discriminator("discriminator", config);
    let d = d.record(&mut t, x, Mode::Train);
    !t.rows_stay_apart(d, x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::model::Model;
    use crate::train::presets::{PRESETS, preset};

    #[test]
    fn every_objective_fits_every_preset_and_survives_toml() {
        for (name, _) in PRESETS {
            for method in Method::ALL {
                let mut config = preset(name).unwrap();
                method.adapt(&mut config);
                if method == Method::WganGp && has_meeting_rows(&config) {
                    assert!(config.validate().is_err());
                    continue;
                }
                config.validate().unwrap();
                // Its tapes can be recorded, so its networks fit the points.
                let parts = Model::new(&config).record(&config);
                let losses = parts.iter().flat_map(|part| part.tape.outputs());
                let losses: Vec<&str> = losses.map(|(name, _)| name.as_str()).collect();
                assert_eq!(losses, ["loss_d", "loss_g"], "{method:?} {name}");
                let text = config.to_toml().unwrap();
                assert_eq!(Config::parse(&text).unwrap(), config);
                let named = text.contains(&format!("objective = \"{}\"", method.name()));
                assert_eq!(named, !method.is_usual(), "{text}");
            }
        }
    }
}
