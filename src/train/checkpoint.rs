//! The complete state of a run in one safetensors file.
//!
//! Networks have PyTorch's names and layouts (`generator.0.weight`, `[out, in]`); Adam's moments are
//! `adam.g.m.0.weight` and so on. The metadata holds `format`, `preset`, `seed` and `step`, and `plateau` where
//! the learning rates wait for one; every random draw is a function of seed and step, so there is nothing else
//! to save.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{Config, RunDir};
use crate::exec::Store;
use crate::numbers::atomic::write_atomically;
use crate::numbers::tensor_file::{self, TensorFile};
use crate::numbers::{Error, Result};
use crate::optim::schedule::Plateau;

/// The version of names and metadata; files of another version are refused.
const FORMAT: &str = "coulomb-gan 1";

/// What a checkpoint holds beside tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// Steps done.
    pub step: u64,
    /// Where the learning rates are, unless they are a function of the step.
    pub plateau: Option<Plateau>,
}

/// Writes the state of a run and then points `latest` at it; whatever happens in between, `latest` names a
/// complete file. Returns the file.
///
/// # Errors
/// If the files cannot be written.
pub fn save(run: &RunDir, config: &Config, facts: Facts, store: &Store) -> Result<PathBuf> {
    let mut metadata = BTreeMap::new();
    let mut add = |key: &str, value: String| metadata.insert(key.to_owned(), value);
    add("format", FORMAT.to_owned());
    add("preset", config.preset.clone());
    add("seed", config.seed.to_string());
    add("step", facts.step.to_string());
    if let Some(plateau) = facts.plateau {
        add("plateau", plateau.state());
    }
    let name = format!("step-{:09}.safetensors", facts.step);
    let path = run.file("checkpoints").join(&name);
    tensor_file::write(&path, &store.views()?, &metadata)?;
    write_atomically(&run.file("checkpoints/latest"), |w| {
        w.write_all(format!("{name}\n").as_bytes())
    })?;
    Ok(path)
}

/// The newest checkpoint: the one that `latest` names, or if that is missing the one with the highest step.
///
/// # Errors
/// If the run has no checkpoint yet.
pub fn newest(run: &RunDir) -> Result<PathBuf> {
    let folder = run.file("checkpoints");
    if let Ok(name) = fs::read_to_string(folder.join("latest")) {
        let path = folder.join(name.trim());
        if path.is_file() {
            return Ok(path);
        }
    }
    let entries = fs::read_dir(&folder).into_iter().flatten();
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .max()
        .ok_or_else(|| {
            Error::failure(format!(
                "{} has no checkpoint to go on from; start the run again in another --out",
                run.path().display()
            ))
        })
}

/// Reads `path` into `store`, which already holds a tensor of the right shape under every expected name.
/// Returns the facts.
///
/// # Errors
/// If the file is damaged, comes from another program, another run, or another architecture.
pub fn load(path: &Path, config: &Config, store: &mut Store) -> Result<Facts> {
    let file = TensorFile::read(path)?;
    let refuse = |why: String| Error::failure(format!("{} {why}", path.display()));
    match file.metadata.get("format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(other) => {
            return Err(refuse(format!(
                "has the format {other}, not {FORMAT}; use the version that wrote it"
            )));
        }
        None => {
            return Err(refuse(
                "was not written by this program; use a checkpoint of a run".into(),
            ));
        }
    }
    let step = file.metadata.get("step").and_then(|s| s.parse().ok());
    let step =
        step.ok_or_else(|| refuse("does not say its step; use another checkpoint".into()))?;
    let plateau = |patience| {
        let state = file.metadata.get("plateau")?;
        Plateau::restore(patience, state)
    };
    let plateau = match config.plateau_patience {
        None => None,
        Some(patience) => Some(plateau(patience).ok_or_else(|| {
            refuse("does not say how far its learning rates are; use another checkpoint".into())
        })?),
    };
    if file.metadata.get("seed") != Some(&config.seed.to_string()) {
        return Err(refuse(format!(
            "belongs to a run with another seed than {}; use the config.toml it was trained with",
            config.seed
        )));
    }
    let expected: BTreeSet<String> = store.names().map(String::from).collect();
    if let Some(name) = expected.iter().find(|n| !file.tensors.contains_key(*n)) {
        return Err(refuse(format!(
            "is of another architecture: it lacks {name}; use the config.toml it was trained with"
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
    Ok(Facts { step, plateau })
}
