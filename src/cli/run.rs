//! Which state of which run: the flags that the programs share that use what has been trained.

use std::path::{Path, PathBuf};

use clap::Args;

use super::machine::Machine;
use crate::numbers::{Error, Result, written};
use crate::train::kept::{self, Which};
use crate::train::snapshot::Snapshot;
use crate::train::{Config, RunDir};

/// How often a checkpoint is looked for that goes while it is opened.
const TRIES: usize = 5;

/// What `--checkpoint` says: `latest`, `best`, a step written as any whole number, or a file.
fn which(text: Option<&str>) -> Which {
    match text {
        None | Some("latest") => Which::Latest,
        Some("best") => Which::Best,
        Some(text) => match written::unsigned("checkpoint", text) {
            Ok(step) => Which::Step(step),
            Err(_) => Which::File(text.into()),
        },
    }
}

/// The folder of a run and which of its states, from `--FLAG`, which is that folder or a checkpoint in it, and
/// `--checkpoint`. The run's `config.toml`, `checkpoints/latest`, or a folder in it stand for the run.
///
/// # Errors
/// If both name a checkpoint, or the one that is named lies in no run.
pub fn meant(flag: &str, path: &Path, checkpoint: Option<&str>) -> Result<(PathBuf, Which)> {
    let run = kept::run_of(path);
    let stands_for_it = ["config.toml", "latest"]
        .iter()
        .any(|name| path.ends_with(name));
    if let Some(run) = &run
        && (stands_for_it && path.is_file() || path.is_dir() && !path.join("config.toml").is_file())
    {
        return Ok((run.clone(), which(checkpoint)));
    }
    match (path.is_file(), checkpoint) {
        (true, None) => match run {
            Some(run) => Ok((run, Which::File(path.to_owned()))),
            None => Err(Error::failure(format!(
                "{} is not in the folder of a run; name that folder with --{flag}, and a checkpoint that lies elsewhere \
                 with --checkpoint",
                path.display()
            ))),
        },
        (true, Some(which)) => Err(Error::usage(format!(
            "--checkpoint {which} is of no use with --{flag} {}, which is a checkpoint; leave it out",
            path.display()
        ))),
        (false, _) => Ok((path.to_owned(), which(checkpoint))),
    }
}

/// Which state of which run.
#[derive(Debug, Args)]
pub struct Run {
    /// The run's folder, or one of its checkpoints
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Which state: latest, best (as judged while training), a step, or a file [default: latest]
    #[arg(long, value_name = "WHICH")]
    checkpoint: Option<String>,
}

impl Run {
    /// The run, its configuration and the checkpoint that is meant.
    ///
    /// # Errors
    /// If there is no such run or checkpoint.
    pub fn find(&self) -> Result<(Config, PathBuf)> {
        let (folder, which) = meant("run", &self.run, self.checkpoint.as_deref())?;
        let (run, config) = RunDir::open(&folder)?;
        let checkpoint = which.find(&run)?;
        let checkpoint = checkpoint.ok_or_else(|| {
            Error::failure(format!(
                "{} has no checkpoint yet; train first",
                folder.display()
            ))
        });
        Ok((config, checkpoint?))
    }

    /// Opens it, to compute where `machine` says.
    ///
    /// # Errors
    /// As [`Run::find`], and if the checkpoint is damaged or `machine` makes no sense.
    pub fn open(&self, machine: &Machine) -> Result<Snapshot> {
        let (mut config, mut checkpoint) = self.find()?;
        machine.apply(&mut config)?;
        let backend = machine.backend(&config)?;
        // A training that goes on meanwhile may have removed it, because there are newer ones.
        for _ in 0..TRIES {
            match Snapshot::open(&config, backend.clone(), &checkpoint) {
                Err(_) if !checkpoint.exists() => checkpoint = self.find()?.1,
                other => return other,
            }
        }
        Snapshot::open(&config, backend, &checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_named_in_words_as_steps_or_as_files() {
        assert_eq!(which(None), Which::Latest);
        assert_eq!(which(Some("latest")), Which::Latest);
        assert_eq!(which(Some("best")), Which::Best);
        for step in ["250000", "250k", "250_000", "2.5e5"] {
            assert_eq!(which(Some(step)), Which::Step(250_000), "{step}");
        }
        for file in ["a.safetensors", "./250k", "-1"] {
            assert_eq!(which(Some(file)), Which::File(file.into()), "{file}");
        }
    }
}
