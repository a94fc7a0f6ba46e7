//! What a run is about: which points it learns from, and how its samples are shown and judged.
//!
//! The trainer and the programs know a [`Subject`] only; `mixture` is the 25 Gaussians of appendix A.5, `pictures`
//! any set of pictures (section 3.1).

pub mod interpolation;
mod mixture;
mod mixture_figures;
mod picture_files;
mod pictures;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::model::Source;
use super::{Config, RunDir};
use crate::exec::Backend;
use crate::metrics::ModeReport;
use crate::numbers::{Error, Result, Shape, Tensor};
use mixture::MixtureSubject;
pub use pictures::PictureReport;
use pictures::PictureSubject;

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

    /// The values in these columns. `d_error` is how far the discriminator is from what it should have learnt: the
    /// root mean square of `D − Φ̂` over the steps since the line before, relative to the standard deviation of
    /// the potential `Φ̂` over real and generated points. At 1 it knows no more than a constant would.
    fn cells(&self, d_error: f64) -> String;

    /// The last look in a few words, for the line of progress.
    fn status(&self) -> String;

    /// The last look in one number, of which less is better: what a schedule watches for a plateau.
    fn tracked(&self) -> f64;

    /// Writes everything that a finished run shows; returns the judgement in words and the files.
    ///
    /// # Errors
    /// If a file cannot be written.
    fn finish(&mut self, end: End) -> Result<(String, Vec<PathBuf>)>;

    /// How well `samples`, `[N, point...]`, match the data.
    ///
    /// # Errors
    /// If they cannot be compared with the data.
    fn judge(&mut self, samples: &Tensor) -> Result<Report>;
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
    Modes(Box<ModeReport>),
    /// Of a set of pictures.
    Pictures(Box<PictureReport>),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Modes(report) => report.fmt(f),
            Self::Pictures(report) => report.fmt(f),
        }
    }
}

/// The subject of the run that `config` describes, with its data. A new run's data set is noted in `config`; a
/// run that goes on must find the one it knows. `say` hears what a waiting person should know.
///
/// # Errors
/// If the data cannot be read, or are others than the run's.
pub fn open(
    config: &mut Config,
    backend: &Backend,
    say: &mut dyn FnMut(&str),
) -> Result<Box<dyn Subject>> {
    match config.pictures {
        None => Ok(Box::new(MixtureSubject::new(config.seed))),
        Some(_) => Ok(Box::new(PictureSubject::open(config, backend, say)?)),
    }
}

/// The shape of a point.
pub fn point(config: &Config) -> Shape {
    match &config.pictures {
        None => [2].into(),
        Some(pictures) => [3, pictures.side, pictures.side].into(),
    }
}

/// Points that a sampler computes at a time.
pub fn rows_at_a_time(config: &Config) -> usize {
    match config.pictures {
        None => 1000,
        Some(_) => 64,
    }
}

/// Samples that are judged at the end of a run, and by default later.
pub fn judged(config: &Config) -> usize {
    match config.pictures {
        None => mixture::SAMPLES,
        Some(_) => pictures::JUDGED,
    }
}

/// Samples that are drawn into files unless somebody asks for another number.
pub fn shown(config: &Config) -> usize {
    match config.pictures {
        None => mixture::SAMPLES,
        Some(_) => pictures::SHEET,
    }
}

/// Whether `count` samples fit into 4 GiB of memory.
///
/// # Errors
/// If they do not; the sentence says how many would.
pub fn check_memory(config: &Config, count: usize) -> Result<()> {
    let most = (1 << 30) / point(config).count();
    if count > most {
        return Err(Error::usage(format!(
            "{count} samples need more than 4 GiB of memory; ask for {most} or fewer"
        )));
    }
    Ok(())
}

/// What files of samples can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A `.npy` file.
    Array,
    /// A `.png` file.
    Picture,
    /// A folder: of points, with both; of pictures, with one file for each and a sheet of them.
    Folder,
}

/// Writes `samples` of the run that `config` describes to `out` in the given form, pictures in rows of `columns`;
/// returns the files.
///
/// # Errors
/// If a file cannot be written.
pub fn write_samples(
    config: &Config,
    samples: &Tensor,
    columns: usize,
    form: Form,
    out: &Path,
) -> Result<Vec<PathBuf>> {
    match config.pictures {
        None => mixture::write_samples(config.seed, samples, form, out),
        Some(_) => picture_files::write_samples(samples, columns, form, out),
    }
}

/// The pictures of the run as frames: all of them, or at most `most` evenly chosen ones with the last.
fn training_frames(run: &RunDir, step: u64, most: usize) -> Result<Vec<image::RgbImage>> {
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
    let stride = pictures.len().div_ceil(most).max(1);
    pictures
        .iter()
        .rev()
        .step_by(stride)
        .rev()
        .map(open)
        .collect()
}
