//! The mixture as the subject of a run: its points, looks, judgement and last pictures.

use std::path::Path;

use image::RgbImage;

use super::figures::{field_picture, particle_frames};
use super::{SAMPLES, modes, points};
use crate::coulomb::Plummer;
use crate::data::Mixture;
use crate::figures::{WINDOW, animation, density, scatter, write_png};
use crate::metrics::ModeReport;
use crate::numbers::{Result, Tensor, npy, rng};
use crate::train::sampler::Source;
use crate::train::tasks::subject::training_frames;
use crate::train::tasks::{End, Finished, Report, Subject};

/// Samples for a picture and a mode count in the course of training.
const LOOK_AT: usize = 2000;

/// Pictures of the training in its animation, at most.
const TRAINING_FRAMES: usize = 100;

/// The mixture and what the last look saw of its modes.
pub struct MixtureSubject {
    seed: u64,
    data: Mixture,
    samples: Tensor,
    modes: Option<ModeReport>,
}

impl MixtureSubject {
    /// The mixture of a run with `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            data: Mixture::new(seed),
            samples: Tensor::zeros([0, 2]),
            modes: None,
        }
    }
}

impl Subject for MixtureSubject {
    fn fill_batch(&mut self, step: u64, y: &mut [f32]) -> Result<()> {
        let rng = &mut rng::stream(self.seed, "batch", step);
        self.data.fill_batch(rng, y);
        Ok(())
    }

    fn fill_gauge(&self, step: u64, y: &mut [f32]) -> Result<()> {
        let rng = &mut rng::stream(self.seed, "gauge batch", step);
        self.data.fill_batch(rng, y);
        Ok(())
    }

    fn gauge_points(&self) -> usize {
        1024
    }

    fn look(&mut self, source: &mut Source) -> Result<()> {
        self.samples = source.draw(self.seed, LOOK_AT)?;
        self.modes = Some(modes(&self.samples));
        Ok(())
    }

    fn draw_look(&self, step: u64) -> RgbImage {
        let caption = format!("step {step}");
        let real = &self.data.points()[..LOOK_AT];
        animation::frame(real, points(&self.samples), WINDOW, &caption)
    }

    fn columns(&self) -> &'static [&'static str] {
        &["modes_covered", "high_quality"]
    }

    fn values(&self) -> Vec<f64> {
        let found = self.modes.as_ref();
        found.map_or(vec![f64::NAN; 2], |modes| {
            vec![modes.modes_covered as f64, modes.high_quality]
        })
    }

    fn status(&self) -> String {
        format!("{} of 25 modes", self.covered())
    }

    /// Modes missing, and of the samples the share that misses its mode.
    fn tracked(&self) -> f64 {
        let missing = |modes: &ModeReport| 26.0 - modes.modes_covered as f64 - modes.high_quality;
        self.modes.as_ref().map_or(f64::INFINITY, missing)
    }

    fn finish(&mut self, mut end: End) -> Result<Finished> {
        let samples = end.source.draw(self.seed, SAMPLES)?;
        let generated = points(&samples);
        let real = &self.data.points()[..SAMPLES];
        let (frames, line) = training_frames(end.run, end.step, TRAINING_FRAMES);
        let lines = [Some(modes(&samples).to_string()), line];
        let lines: Vec<String> = lines.into_iter().flatten().collect();
        let mut finished = Finished {
            report: lines.join("\n"),
            ..Finished::default()
        };
        let mut add =
            |name, write: &dyn Fn(&Path) -> Result<()>| finished.add(end.run, name, write);
        add("samples.npy", &|path| npy::write(path, &samples));
        let titles = ["real", "generated"];
        add("scatter.png", &|path| {
            write_png(path, &scatter::scatter(real, generated, WINDOW, titles))
        });
        add("density.png", &|path| {
            write_png(path, &density::density(real, generated, WINDOW, titles))
        });
        let plummer = Plummer {
            d: end.config.kernel_dim,
            epsilon: end.epsilon,
        };
        add("field.png", &|path| {
            write_png(path, &field_picture(end.backend, plummer, real, generated)?)
        });
        // Somebody may have removed the looks; a run that is complete makes no others.
        if !frames.is_empty() {
            add("training.gif", &|path| {
                animation::write_gif(path, &frames, 120)
            });
        }
        add("particles.gif", &|path| {
            animation::write_gif(path, &particle_frames(self.seed, end.backend, real)?, 120)
        });
        Ok(finished)
    }

    fn judge(&mut self, samples: &Tensor) -> Result<Report> {
        Report::new(&modes(samples))
    }
}

impl MixtureSubject {
    /// Modes covered at the last look.
    fn covered(&self) -> usize {
        self.modes.as_ref().map_or(0, |modes| modes.modes_covered)
    }
}
