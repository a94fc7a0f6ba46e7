//! A task with its data at hand.

use std::fmt;
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde::Serialize;

use crate::exec::Backend;
use crate::numbers::{Error, Result, Tensor};
use crate::train::sampler::Source;
use crate::train::{Config, RunDir};

/// What a run learns from, and how its samples are shown and judged.
pub trait Subject: Send {
    /// Fills `y` with the real points of the minibatch of `step`, `[B, point...]`.
    ///
    /// # Errors
    /// If the data cannot be read.
    fn fill_batch(&mut self, step: u64, y: &mut [f32]) -> Result<()>;

    /// Fills `y` with real points to measure potentials at after `step`, drawn independently of any minibatch.
    fn fill_gauge(&self, step: u64, y: &mut [f32]) -> Result<()>;

    /// Points of each kind that potentials are measured at.
    fn gauge_points(&self) -> usize;

    /// Judges what the generator makes of the run's fixed latents; [`Subject::values`], [`Subject::status`] and
    /// [`Subject::tracked`] tell the outcome.
    ///
    /// # Errors
    /// If the samples cannot be drawn.
    fn look(&mut self, source: &mut Source) -> Result<()>;

    /// A picture of what the last look saw, captioned with `step`.
    fn draw_look(&self, step: u64) -> RgbImage;

    /// What a look measures: names for [`Subject::values`].
    fn columns(&self) -> &'static [&'static str];

    /// What the last look measured; NaN for what it could not see.
    fn values(&self) -> Vec<f64>;

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
    pub(super) fn add(
        &mut self,
        run: &RunDir,
        name: &str,
        write: impl FnOnce(&Path) -> Result<()>,
    ) {
        let path = run.file(name);
        match write(&path) {
            Ok(()) => self.files.push(path),
            Err(e) => self.failed.push(e),
        }
    }
}

/// How well samples match the data, in words and in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// For people: a few lines.
    pub words: String,
    /// For programs: each number by its name.
    pub numbers: serde_json::Map<String, serde_json::Value>,
}

impl Report {
    /// What `found` says of itself.
    ///
    /// # Errors
    /// If it has no names for its numbers.
    pub fn new(found: &(impl fmt::Display + Serialize)) -> Result<Self> {
        match serde_json::to_value(found) {
            Ok(serde_json::Value::Object(numbers)) => Ok(Self {
                words: found.to_string(),
                numbers,
            }),
            Ok(other) => Err(Error::failure(format!("{other} has no names"))),
            Err(e) => Err(Error::failure(format!("a judgement cannot be told: {e}"))),
        }
    }
}

/// The pictures of the run as frames: all of them, or at most `most` evenly chosen ones with the last. Those that
/// somebody has damaged, or replaced by ones of another size, are left out, and a line says so.
pub(super) fn training_frames(
    run: &RunDir,
    step: u64,
    most: usize,
) -> (Vec<RgbImage>, Option<String>) {
    let pictures = run.sample_pictures(step);
    let stride = pictures.len().div_ceil(most).max(1);
    let chosen = pictures.iter().rev().step_by(stride).rev();
    let open = |path| {
        (
            path,
            image::open(path).ok().map(image::DynamicImage::into_rgb8),
        )
    };
    let opened: Vec<(&PathBuf, Option<RgbImage>)> = chosen.map(open).collect();
    let sizes = opened.iter().filter_map(|(_, frame)| frame.as_ref());
    let size = sizes.map(RgbImage::dimensions).next_back();
    let (mut frames, mut unusable) = (vec![], vec![]);
    for (path, frame) in opened {
        match frame.filter(|frame| Some(frame.dimensions()) == size) {
            Some(frame) => frames.push(frame),
            None => unusable.push(path),
        }
    }
    let line = unusable.first().map(|first| {
        format!(
            "training.gif is without {} of its frames: {} is damaged or of another size{}",
            unusable.len(),
            first.display(),
            if unusable.len() > 1 {
                ", and so on"
            } else {
                ""
            }
        )
    });
    (frames, line)
}
