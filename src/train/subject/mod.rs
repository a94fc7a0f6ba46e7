//! What a run is about: which points it learns from, and how its samples are shown and judged.
//!
//! The trainer and the programs know a [`Subject`] only; `mixture` is the 25 Gaussians of appendix A.5.

mod mixture;
mod mixture_figures;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::model::Source;
use super::{Config, RunDir};
use crate::exec::Backend;
use crate::metrics::ModeReport;
use crate::numbers::{Error, Result, Shape, Tensor};

/// Pictures of the training in its animation, at most.
const TRAINING_FRAMES: usize = 100;

/// What a run is about.
pub trait Subject: Send {
    /// Fills `y` with the real points of the minibatch of `step`, `[B, point...]`.
    ///
    /// # Errors
    /// If the data cannot be read.
    fn fill_batch(&mut self, step: u64, y: &mut [f32]) -> Result<()>;

    /// Fills `y` with real points to measure potentials at after `step`, drawn independently of any minibatch.
    fn fill_gauge(&self, step: u64, y: &mut [f32]);

    /// Points of each kind that potentials are measured at.
    fn gauge_points(&self) -> usize;

    /// Judges what the generator makes of the run's fixed latents; [`Subject::cells`], [`Subject::status`] and
    /// [`Subject::tracked`] tell the outcome.
    ///
    /// # Errors
    /// If the samples cannot be drawn.
    fn look(&mut self, source: &mut Source) -> Result<()>;

    /// Draws what the last look saw into `path`, captioned with `step`.
    ///
    /// # Errors
    /// If `path` cannot be written.
    fn draw_look(&self, step: u64, path: &Path) -> Result<()>;

    /// The subject's own columns of `metrics.csv`, separated by commas.
    fn columns(&self) -> &'static str;

    /// The values in these columns.
    fn cells(&self) -> String;

    /// The last look in a few words, for the line of progress.
    fn status(&self) -> String;

    /// The last look in one number, of which less is better: what a schedule watches for a plateau.
    fn tracked(&self) -> f64;

    /// Writes everything that a finished run shows; returns the judgement and the files.
    ///
    /// # Errors
    /// If a file cannot be written.
    fn finish(&mut self, end: End) -> Result<(Report, Vec<PathBuf>)>;

    /// How well `samples`, `[N, point...]`, match the data.
    ///
    /// # Errors
    /// If they cannot be compared with the data.
    fn judge(&self, samples: &Tensor) -> Result<Report>;
}

/// A run at its end.
pub struct End<'a> {
    /// Its folder.
    pub run: &'a RunDir,
    /// Its configuration.
    pub config: &'a Config,
    /// Where it was computed.
    pub backend: &'a Backend,
    /// Steps done.
    pub step: u64,
    /// The kernel's width after them.
    pub epsilon: f64,
    /// Its generator.
    pub source: Source<'a>,
}

/// How well samples match the data: [`fmt::Display`] for people, [`Serialize`] for programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Report {
    /// Of the mixture of 25 Gaussians.
    Modes(ModeReport),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Modes(report) => report.fmt(f),
        }
    }
}

/// The subject of the run that `config` describes, with its data.
///
/// # Errors
/// If the data cannot be read.
pub fn open(config: &Config) -> Result<Box<dyn Subject>> {
    Ok(Box::new(mixture::MixtureSubject::new(config.seed)))
}

/// The shape of a point.
pub fn point(_config: &Config) -> Shape {
    mixture::POINT.into()
}

/// Points that a sampler computes at a time.
pub fn rows_at_a_time(_config: &Config) -> usize {
    1000
}

/// Samples that are judged at the end of a run, and by default later.
pub fn samples(_config: &Config) -> usize {
    mixture::SAMPLES
}

/// What a file of samples can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A `.npy` file.
    Array,
    /// A `.png` file.
    Picture,
    /// A folder with both.
    Folder,
}

/// Writes `samples` of the run that `config` describes to `out` in the given form; returns the files.
///
/// # Errors
/// If a file cannot be written.
pub fn write_samples(
    config: &Config,
    samples: &Tensor,
    form: Form,
    out: &Path,
) -> Result<Vec<PathBuf>> {
    mixture::write_samples(config.seed, samples, form, out)
}

/// The pictures of the run as frames: all of them, or [`TRAINING_FRAMES`] evenly chosen ones with the last.
fn training_frames(run: &RunDir, step: u64) -> Result<Vec<image::RgbImage>> {
    let pictures = run.sample_pictures(step);
    let open = |path: &PathBuf| {
        let image = image::open(path);
        let image = image.map_err(|e| {
            Error::failure(format!(
                "cannot read {}: {e}; delete it and resume the run",
                path.display()
            ))
        });
        image.map(|image| image.into_rgb8())
    };
    let stride = pictures.len().div_ceil(TRAINING_FRAMES).max(1);
    pictures
        .iter()
        .rev()
        .step_by(stride)
        .rev()
        .map(open)
        .collect()
}
