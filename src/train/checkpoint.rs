//! The complete state of a run in one safetensors file.
//!
//! Networks have PyTorch's names and layouts (`generator.0.weight`, `[out, in]`); Adam's moments are
//! `adam.g.m.0.weight` and so on. The metadata holds `format`, `preset`, `seed` and `step`, `plateau` where the
//! learning rates wait for one, and `judged`, the step and the outcome of the last look at the samples; every random
//! draw is a function of seed and step, so there is nothing else to save.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::kept::steps_in;
use super::model::Model;
use super::{Config, RunDir};
use crate::exec::Store;
use crate::numbers::tensor_file::{self, TensorFile};
use crate::numbers::words::quoted;
use crate::numbers::{Error, Result};
use crate::optim::schedule::{Plateau, Schedule};

/// The version of names and metadata; files of another version are refused.
const FORMAT: &str = "coulomb-gan 1";

/// What a checkpoint holds beside tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// Steps done.
    pub step: u64,
    /// Where the learning rates are, unless they are a function of the step.
    pub plateau: Option<Plateau>,
    /// The step of the last look at the samples, and its outcome, of which less is better.
    pub judged: Option<(u64, f64)>,
}

/// Writes the state of a run where its checkpoints are; returns the file.
///
/// # Errors
/// If it cannot be written.
pub fn save(run: &RunDir, config: &Config, facts: Facts, store: &Store) -> Result<PathBuf> {
    let folder = run.file("checkpoints");
    // Somebody may have removed it; if it cannot be made, the next line says so.
    let _ = std::fs::create_dir_all(&folder);
    let path = folder.join(format!("step-{:09}.safetensors", facts.step));
    write(&path, config, facts, store)?;
    Ok(path)
}

/// Writes the state of a run to `path`.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, config: &Config, facts: Facts, store: &Store) -> Result<()> {
    let mut metadata = BTreeMap::new();
    let mut add = |key: &str, value: String| metadata.insert(key.to_owned(), value);
    add("format", FORMAT.to_owned());
    add("preset", config.preset.clone());
    add("seed", config.seed.to_string());
    add("step", facts.step.to_string());
    if let Some(plateau) = facts.plateau {
        add("plateau", plateau.state());
    }
    if let Some((step, outcome)) = facts.judged {
        add("judged", format!("{step} {outcome}"));
    }
    tensor_file::write(path, &store.views()?, &metadata)
}

/// What the last look at the samples had found when the checkpoint `path` was written: a number of which less is
/// better. None if it does not say.
pub fn judgement(path: &Path) -> Option<f64> {
    let metadata = tensor_file::read_metadata(path).ok()?;
    judged(&metadata).map(|(_, outcome)| outcome)
}

fn judged(metadata: &BTreeMap<String, String>) -> Option<(u64, f64)> {
    let (step, outcome) = metadata.get("judged")?.split_once(' ')?;
    let outcome: f64 = outcome.parse().ok()?;
    (!outcome.is_nan()).then_some(())?;
    Some((step.parse().ok()?, outcome))
}

/// What to do about the checkpoint `path`, which cannot be used: `; another one is ...`.
fn advice(path: &Path) -> String {
    let all = steps_in(path.parent().unwrap_or(Path::new(".")), "safetensors");
    let before = all.iter().rev().skip_while(|(_, p)| p != path).nth(1);
    let other = before.or_else(|| all.iter().rev().find(|(_, p)| p != path));
    other.map_or(String::new(), |(_, path)| {
        let path = quoted(path);
        format!("; another one is {path}, which --resume and --run take in place of the run")
    })
}

/// Reads `path` into `store`, which already holds a tensor of the right shape under every expected name, to go on from
/// there. Returns the facts.
///
/// # Errors
/// If the file is damaged, holds a part of a state only, or comes from another program, another run, or another
/// architecture.
pub fn load(path: &Path, config: &Config, store: &mut Store) -> Result<Facts> {
    let all = store.names().map(String::from).collect();
    let (step, metadata) = read(path, config, store, &all)?;
    let plateau = |patience| {
        let state = metadata.get("plateau")?;
        Plateau::restore(patience, state)
    };
    let plateau = match config.schedule {
        Schedule::Exponential { .. } => None,
        Schedule::Plateau { patience } => Some(plateau(patience).ok_or_else(|| {
            Error::failure(format!(
                "{} does not say how far its learning rates are{}",
                path.display(),
                advice(path)
            ))
        })?),
    };
    Ok(Facts {
        step,
        plateau,
        judged: judged(&metadata),
    })
}

/// Reads `path` into `store` as far as it goes, if it has the tensors that samples are drawn with: somebody may have left
/// the others out, which take most of the space. Returns the step.
///
/// # Errors
/// As [`load`].
pub fn load_to_sample(path: &Path, config: &Config, store: &mut Store) -> Result<u64> {
    let needed = Model::names_to_sample(config);
    read(path, config, store, &needed).map(|(step, _)| step)
}

/// Reads `path` into `store`, with all the tensors that are `needed`; returns the step and the metadata.
fn read(
    path: &Path,
    config: &Config,
    store: &mut Store,
    needed: &BTreeSet<String>,
) -> Result<(u64, BTreeMap<String, String>)> {
    let file =
        TensorFile::read(path).map_err(|e| Error::failure(format!("{e}{}", advice(path))))?;
    let refuse = |why: String| Error::failure(format!("{} {why}", path.display()));
    match file.metadata.get("format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(other) => {
            return Err(refuse(format!(
                "has the format {other}, not {FORMAT}; use the version of this program that wrote it"
            )));
        }
        None => {
            return Err(refuse(format!(
                "was not written by this program{}",
                advice(path)
            )));
        }
    }
    let step = file.metadata.get("step").and_then(|s| s.parse().ok());
    let step = step.ok_or_else(|| refuse(format!("does not say its step{}", advice(path))))?;
    if file.metadata.get("seed") != Some(&config.seed.to_string()) {
        return Err(refuse(format!(
            "belongs to a run with another seed than {}; name a checkpoint of this run, or put back the config.toml \
             that it was trained with",
            config.seed
        )));
    }
    let other = |why: String| {
        refuse(format!(
            "is of another architecture: {why}; name a checkpoint of this run, or put back the config.toml that it was \
             trained with"
        ))
    };
    for (name, tensor) in &file.tensors {
        let wanted = store.shape_of(name);
        let wanted = wanted.ok_or_else(|| {
            other(format!(
                "it has {name} beyond what the configuration describes"
            ))
        })?;
        if wanted != tensor.shape() {
            let found = tensor.shape();
            return Err(other(format!("{name} is {found}, not {wanted}")));
        }
    }
    let lacks = |name: &&String| !file.tensors.contains_key(*name);
    let mut lacking = needed.iter().filter(lacks);
    if let Some(name) = lacking.next() {
        let more = match lacking.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let purpose = match Model::names_to_sample(config)
            .iter()
            .any(|name| lacks(&name))
        {
            true => "neither training nor `sample` can do without",
            false => "`sample` can do without, but no training goes on from it",
        };
        return Err(refuse(format!(
            "holds only a part of a state: it lacks {name}{more}, which {purpose}{}",
            advice(path)
        )));
    }
    for (name, tensor) in &file.tensors {
        store.insert(name, tensor);
    }
    Ok((step, file.metadata))
}
