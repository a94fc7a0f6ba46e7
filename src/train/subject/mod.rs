//! What a run is about: which points it learns from, and how its samples are shown and judged.
//!
//! The trainer and the programs know a [`Subject`] only; `mixture` is the 25 Gaussians of appendix A.5, `pictures`
//! any set of pictures (section 3.1).

pub mod interpolation;
mod mixture;
mod mixture_figures;
mod out;
mod picture_files;
mod picture_set;
mod pictures;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::model::Source;
use super::watch::Hear;
use super::{Config, RunDir};
use crate::exec::Backend;
use crate::metrics::ModeReport;
use crate::numbers::{Error, Result, Shape, Tensor};
use mixture::MixtureSubject;
pub use out::{Form, Out};
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

    /// The values in these columns.
    fn cells(&self) -> String;

    /// The last look in a few words, for the line of progress.
    fn status(&self) -> String;

    /// The last look in one number, of which less is better: what a schedule watches for a plateau.
    fn tracked(&self) -> f64;

    /// Writes everything that a finished run shows.
    ///
    /// # Errors
    /// If the samples cannot be drawn.
    fn finish(&mut self, end: End) -> Result<Finished>;

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

/// What a finished run shows.
#[derive(Debug, Default)]
pub struct Finished {
    /// The judgement in words.
    pub report: String,
    /// The files that show it.
    pub files: Vec<PathBuf>,
    /// Why others could not be written. The training is complete without them.
    pub failed: Vec<Error>,
}

impl Finished {
    /// Writes the file `name` of `run`, or notes why not.
    fn add(&mut self, run: &RunDir, name: &str, write: impl FnOnce(&Path) -> Result<()>) {
        let path = run.file(name);
        match write(&path) {
            Ok(()) => self.files.push(path),
            Err(e) => self.failed.push(e),
        }
    }
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
/// run that goes on must find the one it knows.
///
/// # Errors
/// If the data cannot be read, or are others than the run's.
pub fn open(
    config: &mut Config,
    backend: &Backend,
    hear: &mut dyn Hear,
) -> Result<Box<dyn Subject>> {
    match config.pictures {
        None => Ok(Box::new(MixtureSubject::new(config.seed))),
        Some(_) => Ok(Box::new(PictureSubject::open(config, backend, hear)?)),
    }
}

/// Whether the data of the run that `config` describes have been named, where that is needed: before anything else is
/// done.
///
/// # Errors
/// If they have not.
pub fn check_data(config: &Config) -> Result<()> {
    match &config.pictures {
        None => Ok(()),
        Some(pictures) => picture_set::check_named(pictures, &config.preset),
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

/// Whether `count` samples of the run that `config` describes can be drawn and written in this form: before they are.
///
/// # Errors
/// If they are too many; the sentence says how many are not.
pub fn check_count(config: &Config, count: usize, form: Form) -> Result<()> {
    check_memory(config, count)?;
    match config.pictures {
        None => Ok(()),
        Some(_) => picture_files::check_count(count, form),
    }
}

/// Writes `samples` of the run that `config` describes to `out`, pictures in rows of `columns`; returns the files.
///
/// # Errors
/// If a file cannot be written.
pub fn write_samples(
    config: &Config,
    samples: &Tensor,
    columns: usize,
    out: &Out,
) -> Result<Vec<PathBuf>> {
    match config.pictures {
        None => mixture::write_samples(config.seed, samples, out),
        Some(_) => picture_files::write_samples(samples, columns, out),
    }
}

/// The pictures of the run as frames: all of them, or at most `most` evenly chosen ones with the last. Those that
/// somebody has damaged, or replaced by ones of another size, are left out.
fn training_frames(run: &RunDir, step: u64, most: usize) -> Vec<image::RgbImage> {
    let pictures = run.sample_pictures(step);
    let stride = pictures.len().div_ceil(most).max(1);
    let chosen = pictures.iter().rev().step_by(stride).rev();
    let open = |path: &PathBuf| image::open(path).ok().map(image::DynamicImage::into_rgb8);
    let mut frames: Vec<image::RgbImage> = chosen.filter_map(open).collect();
    if let Some(size) = frames.last().map(image::RgbImage::dimensions) {
        frames.retain(|frame| frame.dimensions() == size);
    }
    frames
}
