//! The mixture of 25 Gaussians in the plane (appendix A.5).

mod figures;
pub mod presets;
mod subject;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Form, Out, Subject, Task};
use crate::data::{Mixture, mixture};
use crate::exec::Backend;
use crate::figures::{WINDOW, png, scatter, write_png};
use crate::metrics::ModeReport;
use crate::models::{AutoEncoder, Mlp};
use crate::nn::Network;
use crate::numbers::folder::Filling;
use crate::numbers::written::number;
use crate::numbers::{Error, Result, Shape, Tensor, npy};
use crate::train::Config;
use crate::train::watch::Hear;
use subject::MixtureSubject;

/// Samples that are written and judged at the end of a run.
const SAMPLES: usize = 10_000;

/// The mixture, learnt by networks with two hidden layers of ELU units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureTask {
    /// Biases of `D`'s first layer start uniformly on ± this; 0 for PyTorch's ±1/√inputs.
    pub bias_range: f64,
}

impl MixtureTask {
    /// `mlp`, which takes points, with the biases that its first layer is to have.
    fn over_the_plane(&self, mlp: Mlp) -> Mlp {
        match self.bias_range > 0.0 {
            true => mlp.with_bias_range(self.bias_range as f32),
            false => mlp,
        }
    }
}

impl Task for MixtureTask {
    fn point(&self) -> Shape {
        [2].into()
    }

    /// The points lie in about [−21, 21].
    fn spread(&self) -> f32 {
        14.0
    }

    fn generator(&self, name: &str, config: &Config) -> Box<dyn Network + Send> {
        let (z_dim, width) = (config.z_dim, config.width);
        Box::new(Mlp::new(name, &[z_dim, width, width, 2]))
    }

    fn discriminator(&self, name: &str, config: &Config) -> Box<dyn Network + Send> {
        Box::new(self.over_the_plane(Mlp::new(name, &[2, config.width, config.width, 1])))
    }

    /// With as many latents as the presets have, a code is longer than a point: nothing is compressed.
    fn auto_encoder(&self, name: &str, config: &Config) -> Box<dyn Network + Send> {
        let (z_dim, width) = (config.z_dim, config.width);
        let encoder = Mlp::new(&format!("{name}.encoder"), &[2, width, width, z_dim]);
        let decoder = Mlp::new(&format!("{name}.decoder"), &[z_dim, width, width, 2]);
        Box::new(AutoEncoder::new(
            Box::new(self.over_the_plane(encoder)),
            Box::new(decoder),
        ))
    }

    fn rows_at_a_time(&self) -> usize {
        1000
    }

    fn judged(&self) -> usize {
        SAMPLES
    }

    fn shown(&self) -> usize {
        SAMPLES
    }

    /// 500 lines in a full run.
    fn log_every(&self, steps: u64) -> u64 {
        (steps / 500).max(1)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<bool> {
        match flag {
            "bias-range" => self.bias_range = number(flag, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn validate(&self, _config: &Config) -> Result<()> {
        let range = self.bias_range;
        if !(0.0..=1e3).contains(&range) {
            return Err(Error::usage(format!(
                "--bias-range must be from 0 to 1000, not {range}"
            )));
        }
        Ok(())
    }

    /// As an array, a scatter plot beside real points, or a folder with both.
    fn write_samples(
        &self,
        seed: u64,
        samples: &Tensor,
        _columns: usize,
        out: &Out,
    ) -> Result<Vec<PathBuf>> {
        let plot = || {
            let data = Mixture::new(seed);
            let generated = points(samples);
            let real = &data.points()[..generated.len().min(data.points().len())];
            scatter::scatter(real, generated, WINDOW, ["real", "generated"])
        };
        match out.form {
            Form::Array => npy::write(&out.path, samples)?,
            Form::Picture => write_png(&out.path, &plot())?,
            Form::Folder => {
                let mut filling = Filling::new(&out.path)?;
                filling.add("samples.npy", &npy::bytes(samples))?;
                filling.add("samples.png", &png(&plot())?)?;
                filling.finish()?;
                let names = ["samples.npy", "samples.png"];
                return Ok(names.map(|name| out.path.join(name)).into());
            }
        }
        Ok(vec![out.path.clone()])
    }

    fn open(
        &mut self,
        config: &Config,
        _backend: &Backend,
        _hear: &mut dyn Hear,
    ) -> Result<Box<dyn Subject>> {
        Ok(Box::new(MixtureSubject::new(config.seed)))
    }
}

/// `samples`, `[N, 2]`, as points.
pub fn points(samples: &Tensor) -> &[[f32; 2]] {
    samples.data().as_chunks::<2>().0
}

/// How well `samples`, `[N, 2]`, match the mixture.
pub fn modes(samples: &Tensor) -> ModeReport {
    ModeReport::new(points(samples), &mixture::means(), mixture::STD)
}
