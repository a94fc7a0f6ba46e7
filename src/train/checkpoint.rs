//! The complete state of a run in one safetensors file.
//!
//! Networks have PyTorch's names and layouts (`generator.0.weight`, `[out, in]`); Adam's moments are
//! `adam.g.m.0.weight` and so on. The metadata holds `format`, `preset`, `seed` and `step`, `plateau` where the
//! learning rates wait for one, and `judged`, the step and the outcome of the last look at the samples; every random
//! draw is a function of seed and step, so there is nothing else to save.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::kept::steps_in;
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

/// Writes the state of a run where its checkpoints are.
///
/// # Errors
/// If it cannot be written.
pub fn save(run: &RunDir, config: &Config, facts: Facts, store: &Store) -> Result<()> {
    let folder = run.file("checkpoints");
    // Somebody may have removed it; if it cannot be made, the next line says so.
    let _ = std::fs::create_dir_all(&folder);
    let path = folder.join(format!("step-{:09}.safetensors", facts.step));
    write(&path, config, facts, store)
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

/// Reads `path` into `store`, which already holds a tensor of the right shape under every expected name.
/// Returns the facts.
///
/// # Errors
/// If the file is damaged, comes from another program, another run, or another architecture.
pub fn load(path: &Path, config: &Config, store: &mut Store) -> Result<Facts> {
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
    let plateau = |patience| {
        let state = file.metadata.get("plateau")?;
        Plateau::restore(patience, state)
    };
    let plateau = match config.schedule {
        Schedule::Exponential { .. } => None,
        Schedule::Plateau { patience } => Some(plateau(patience).ok_or_else(|| {
            refuse(format!(
                "does not say how far its learning rates are{}",
                advice(path)
            ))
        })?),
    };
    if file.metadata.get("seed") != Some(&config.seed.to_string()) {
        return Err(refuse(format!(
            "belongs to a run with another seed than {}; name a checkpoint of this run, or put back the config.toml \
             that it was trained with",
            config.seed
        )));
    }
    let expected: BTreeSet<String> = store.names().map(String::from).collect();
    if let Some(name) = expected.iter().find(|n| !file.tensors.contains_key(*n)) {
        return Err(refuse(format!(
            "is of another architecture: it lacks {name}; name a checkpoint of this run, or put back the config.toml \
             that it was trained with"
        )));
    }
    if let Some(name) = file.tensors.keys().find(|n| !expected.contains(*n)) {
        return Err(refuse(format!(
            "is of another architecture: it has {name} beyond what the configuration describes"
        )));
    }
    for (name, tensor) in &file.tensors {
        let wanted = store.shape_of(name).cloned();
        if wanted.as_ref() != Some(tensor.shape()) {
            let wanted = wanted.unwrap_or_else(|| [0].into());
            return Err(refuse(format!(
                "is of another architecture: {name} is {}, not {wanted}",
                tensor.shape()
            )));
        }
    }
    for (name, tensor) in &file.tensors {
        store.insert(name, tensor);
    }
    Ok(Facts {
        step,
        plateau,
        judged: judged(&file.metadata),
    })
}
