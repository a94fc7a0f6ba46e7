//! What a run learns: a folder for each task, with every fact about it.
//!
//! A [`Task`] is the table `[task]` of `config.toml`: it knows the shape of a point, its networks, and how samples become
//! files. With its data at hand it is a [`Subject`], which deals minibatches, looks, and judges. The rest of the program
//! knows these two traits only; which task it is, [`TaskConfig`] alone decides.

pub mod interpolation;
pub mod mixture;
mod out;
pub mod pictures;
mod subject;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Config;
use super::watch::Hear;
use crate::exec::Backend;
use crate::nn::Network;
use crate::numbers::{Error, Result, Shape, Tensor};
pub use out::{Form, Out};
pub use subject::{End, Finished, Report, Subject};

/// What is learnt.
pub trait Task {
    /// The shape of a point.
    fn point(&self) -> Shape;

    /// The standard deviation of normal deviates that stand in for a point's numbers where only time counts.
    fn spread(&self) -> f32;

    /// `G`, from `[N, z_dim]` to `[N, point...]`; the names of its parameters begin with `name`.
    fn generator(&self, name: &str, config: &Config) -> Box<dyn Network + Send>;

    /// `D`, from `[N, point...]` to `[N, 1]`; the names of its parameters begin with `name`.
    fn discriminator(&self, name: &str, config: &Config) -> Box<dyn Network + Send>;

    /// A `D` that is an auto-encoder: from `[N, point...]` through codes `[N, z_dim]` to `[N, point...]`, with halves that
    /// resemble `D` and `G`; the names of its parameters begin with `name.encoder` and `name.decoder`.
    fn auto_encoder(&self, name: &str, config: &Config) -> Box<dyn Network + Send>;

    /// Points that a sampler computes at a time.
    fn rows_at_a_time(&self) -> usize;

    /// Samples that are judged at the end of a run, and by default later.
    fn judged(&self) -> usize;

    /// Samples that are drawn into files unless somebody asks for another number.
    fn shown(&self) -> usize;

    /// Steps between lines of `metrics.csv` in a run of so many `steps`.
    fn log_every(&self, steps: u64) -> u64;

    /// Takes `value` for the setting that `--flag` names; returns whether there is such a setting.
    ///
    /// # Errors
    /// If it makes no sense; the sentence names the flag and what it may be.
    fn set(&mut self, flag: &str, value: &str) -> Result<bool>;

    /// Where its data lie; none if it makes them itself.
    fn files(&mut self) -> Option<Files<'_>> {
        None
    }

    /// Checks its settings, alone and beside those of `config`.
    ///
    /// # Errors
    /// A sentence that names the flag and what it may be.
    fn validate(&self, config: &Config) -> Result<()>;

    /// Whether its data have been named, where that is needed, in a run that began with `preset`: before anything else is
    /// done.
    ///
    /// # Errors
    /// If they have not.
    fn check_data(&self, _preset: &str) -> Result<()> {
        Ok(())
    }

    /// Whether `count` samples fit into 4 GiB of memory.
    ///
    /// # Errors
    /// If they do not; the sentence says how many would.
    fn check_memory(&self, count: usize) -> Result<()> {
        let most = (1 << 30) / self.point().count();
        if count > most {
            return Err(Error::usage(format!(
                "{count} samples need more than 4 GiB of memory; ask for {most} or fewer"
            )));
        }
        Ok(())
    }

    /// Whether `count` samples can be written in this form: before they are drawn.
    ///
    /// # Errors
    /// If they are too many; the sentence says how many are not.
    fn check_form(&self, _count: usize, _form: Form) -> Result<()> {
        Ok(())
    }

    /// Writes `samples`, `[N, point...]`, of a run with `seed` to `out`, pictures in rows of `columns`; returns the files.
    ///
    /// # Errors
    /// If a file cannot be written.
    fn write_samples(
        &self,
        seed: u64,
        samples: &Tensor,
        columns: usize,
        out: &Out,
    ) -> Result<Vec<PathBuf>>;

    /// Opens the data of the run that `config` describes. What a new run finds is noted; a run that goes on must find
    /// what it knows.
    ///
    /// # Errors
    /// If the data cannot be read, or are others than the run's.
    fn open(
        &mut self,
        config: &Config,
        backend: &Backend,
        hear: &mut dyn Hear,
    ) -> Result<Box<dyn Subject>>;
}

/// Where the data of a task lie, and what a run knows of them.
#[derive(Debug)]
pub struct Files<'a> {
    /// A file or folder.
    pub data: &'a mut PathBuf,
    /// Where what has been decoded is kept; none for the user's cache folder.
    pub cache: &'a mut Option<PathBuf>,
    /// Points in the data set; 0 before it is opened for the first time.
    pub count: &'a mut usize,
    /// With what a run notices that it goes on with another data set; empty before it is opened for the first time.
    pub fingerprint: &'a mut String,
}

impl Files<'_> {
    /// Lets the run take whatever data it finds.
    pub fn forget(self) {
        (*self.count, *self.fingerprint) = (0, String::new());
    }
}

/// Every task, as `config.toml` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TaskConfig {
    /// The 25 Gaussians of appendix A.5.
    Mixture(mixture::MixtureTask),
    /// A set of pictures (section 3.1).
    Pictures(pictures::PictureTask),
}

impl TaskConfig {
    pub(super) fn as_task(&self) -> &dyn Task {
        match self {
            Self::Mixture(task) => task,
            Self::Pictures(task) => task,
        }
    }

    pub(super) fn as_task_mut(&mut self) -> &mut dyn Task {
        match self {
            Self::Mixture(task) => task,
            Self::Pictures(task) => task,
        }
    }
}

/// Opens the data of the run that `config` describes, and notes there what a new run finds.
///
/// # Errors
/// As [`Task::open`].
pub fn open(
    config: &mut Config,
    backend: &Backend,
    hear: &mut dyn Hear,
) -> Result<Box<dyn Subject>> {
    // A copy, as the task reads the rest of the configuration while it is opened.
    let mut task = config.task.clone();
    let subject = task.as_task_mut().open(config, backend, hear)?;
    config.task = task;
    Ok(subject)
}

/// Whether the run of `now` has other data than that of `before`, as far as both tell.
pub fn has_other_data(before: &Config, now: &Config) -> bool {
    let of = |config: &Config| {
        let mut task = config.task.clone();
        let files = task.as_task_mut().files()?;
        Some((*files.count, std::mem::take(files.fingerprint)))
    };
    match (of(before), of(now)) {
        // Runs of earlier versions know a few pictures only.
        (Some((before, old)), Some((now, new))) => {
            before != now || (old != new && old.len() == new.len())
        }
        _ => false,
    }
}

/// Brings `config.toml` of an earlier version up to date: it had a table `[pictures]`, or was about the mixture, whose one
/// setting stood among the others.
pub(super) fn upgrade(config: &mut toml::Table) {
    if config.contains_key("task") {
        return;
    }
    let bias_range = config.remove("bias_range");
    let (kind, mut task) = match config.remove("pictures") {
        Some(toml::Value::Table(pictures)) => ("pictures", pictures),
        _ => {
            let setting = bias_range.map(|range| ("bias_range".into(), range));
            ("mixture", setting.into_iter().collect())
        }
    };
    task.insert("kind".into(), kind.into());
    config.insert("task".into(), task.into());
}
