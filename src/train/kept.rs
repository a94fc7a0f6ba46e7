//! Which checkpoints a run has, which one somebody means, and which ones it keeps.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Config, RunDir, checkpoint};
use crate::numbers::atomic::write_atomically;
use crate::numbers::{Error, Result};

/// The files `step-NNNNNNNNN.EXTENSION` in `folder`, by their steps. Anything else, such as the hidden files that file
/// managers leave, is not the run's.
pub(super) fn steps_in(folder: &Path, extension: &str) -> Vec<(u64, PathBuf)> {
    let step_of = |path: &Path| -> Option<u64> {
        let name = path.file_name()?.to_str()?;
        let digits = name.strip_prefix("step-")?.strip_suffix(extension)?;
        let digits = digits.strip_suffix('.')?;
        let is_ours = digits.len() >= 9 && digits.bytes().all(|b| b.is_ascii_digit());
        is_ours.then(|| digits.parse().ok())?
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut found: Vec<_> = paths
        .filter_map(|path| Some((step_of(&path)?, path)))
        .collect();
    found.sort();
    found
}

/// All checkpoints of `run`, by their steps.
pub fn all(run: &RunDir) -> Vec<(u64, PathBuf)> {
    steps_in(&run.file("checkpoints"), "safetensors")
}

/// The checkpoint that somebody means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one of the highest step.
    Latest,
    /// The one with the best judgement, see [`crate::train::tasks::Subject::tracked`].
    Best,
    /// The one of this step.
    Step(u64),
    /// This file.
    File(PathBuf),
}

impl Which {
    /// The file; none if the run has no checkpoint yet and the newest is asked for.
    ///
    /// # Errors
    /// If the run has no such checkpoint; the sentence says which it has.
    pub fn find(&self, run: &RunDir) -> Result<Option<PathBuf>> {
        let all = all(run);
        let path = run.path().display();
        match self {
            Self::Latest => Ok(all.into_iter().next_back().map(|(_, path)| path)),
            Self::Best => best(&all).map(Some).ok_or_else(|| {
                Error::failure(format!(
                    "no checkpoint of {path} was written with a judgement; use --checkpoint latest"
                ))
            }),
            Self::Step(step) => {
                let found = all.iter().find(|(s, _)| s == step);
                found.map(|(_, path)| Some(path.clone())).ok_or_else(|| {
                    let steps: Vec<u64> = all.iter().map(|(s, _)| *s).collect();
                    Error::failure(format!(
                        "{path} has no checkpoint of step {step}; it has {}",
                        listed(&steps)
                    ))
                })
            }
            Self::File(file) => {
                // A name alone may be that of one of the run's own.
                let places = [file.clone(), run.file("checkpoints").join(file)];
                let found = places.into_iter().find(|file| file.exists());
                found.map(Some).ok_or_else(|| {
                    let steps: Vec<u64> = all.iter().map(|(s, _)| *s).collect();
                    Error::failure(format!(
                        "there is no checkpoint {}; use latest, best, the path of a file, or a step, of which {path} has \
                         {}",
                        file.display(),
                        listed(&steps)
                    ))
                })
            }
        }
    }
}

/// Numbers in words, of many the last few.
fn listed(steps: &[u64]) -> String {
    const MOST: usize = 10;
    let shown: Vec<String> = steps
        .iter()
        .rev()
        .take(MOST)
        .rev()
        .map(u64::to_string)
        .collect();
    match (steps.len(), shown.join(", ")) {
        (0, _) => "none".into(),
        (n, shown) if n > MOST => format!("{n}, the last of them {shown}"),
        (_, shown) => shown,
    }
}

/// The folder of the run that `path` lies in, as a checkpoint does, or `config.toml`; none if it lies in none.
pub fn run_of(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut around = path.ancestors().skip(1).take(2);
    let run = around
        .find(|folder| folder.join("config.toml").is_file() && folder.join("checkpoints").is_dir());
    run.map(Path::to_owned)
}

/// The newest checkpoint.
///
/// # Errors
/// If the run has none.
pub fn newest(run: &RunDir) -> Result<PathBuf> {
    Which::Latest.find(run)?.ok_or_else(|| {
        Error::failure(format!(
            "{} has no checkpoint yet; --resume lets it begin",
            run.path().display()
        ))
    })
}

/// The one of `checkpoints` with the smallest judgement, the first of several.
fn best(checkpoints: &[(u64, PathBuf)]) -> Option<PathBuf> {
    let judged = checkpoints
        .iter()
        .filter_map(|(_, path)| Some((checkpoint::judgement(path)?, path)));
    let best = judged.min_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, path)| path.clone())
}

/// Removes the checkpoints of `run` that `config` does not ask to keep. Call it once the newest is safely on disk.
///
/// What stays: the newest [`Config::keep`]; the best; and the first of every [`Config::keep_every`] steps. With a
/// `keep` of 0 all do.
///
/// # Errors
/// If one cannot be removed; the others are, all the same.
pub fn prune(run: &RunDir, config: &Config) -> Result<()> {
    if config.keep == 0 {
        return Ok(());
    }
    let all = all(run);
    let old = all.len().saturating_sub(config.keep as usize);
    if old == 0 {
        return Ok(());
    }
    let best = best(&all);
    let mut last_span = None;
    let mut result = Ok(());
    for (step, path) in &all[..old] {
        let span = Some(step / config.keep_every.max(1));
        let is_first = span != last_span;
        last_span = span;
        if !is_first && best.as_ref() != Some(path) {
            match fs::remove_file(path) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    result = result.and(Err(Error::io("remove", path, &e)));
                }
                _ => {}
            }
        }
    }
    result
}

/// Writes the name of the newest checkpoint of `run` into `checkpoints/latest`, for other programs, unless it is there.
///
/// # Errors
/// If it cannot be written.
pub fn point_at_newest(run: &RunDir) -> Result<()> {
    let latest = run.file("checkpoints/latest");
    let newest = all(run).into_iter().next_back();
    let name = newest.as_ref().and_then(|(_, path)| path.file_name());
    let Some(name) = name else {
        return Ok(());
    };
    let line = format!("{}\n", name.to_string_lossy());
    if fs::read_to_string(&latest).is_ok_and(|text| text == line) {
        return Ok(());
    }
    write_atomically(&latest, |w| w.write_all(line.as_bytes()))
}

/// How many checkpoints a run of `config` holds at most.
pub fn most(config: &Config) -> u64 {
    let written = config.steps.div_ceil(config.checkpoint_every) + 1;
    match config.keep {
        0 => written,
        // While a new one is written there is one more; the best may be none of the others.
        keep => written.min(config.steps / config.keep_every.max(1) + 1 + keep + 2),
    }
}

/// Bytes that can still be written where `run` is, where the system tells.
#[cfg(unix)]
pub fn free_space(run: &RunDir) -> Option<u64> {
    let about = rustix::fs::statvfs(run.path()).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}

/// Bytes that can still be written where `run` is, where the system tells.
#[cfg(not(unix))]
pub fn free_space(_: &RunDir) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::tensor_file;
    use crate::train::presets::preset;
    use std::collections::BTreeMap;

    /// A run with checkpoints of these steps and judgements.
    fn run(folder: &Path, checkpoints: &[(u64, f64)]) -> RunDir {
        let run = RunDir::at(folder);
        fs::create_dir_all(run.file("checkpoints")).unwrap();
        for (step, judged) in checkpoints {
            let judged = format!("{step} {judged}");
            let metadata = BTreeMap::from([("judged".to_owned(), judged)]);
            let path = run.file(&format!("checkpoints/step-{step:09}.safetensors"));
            tensor_file::write(&path, &[], &metadata).unwrap();
        }
        run
    }

    fn steps(run: &RunDir) -> Vec<u64> {
        all(run).iter().map(|(step, _)| *step).collect()
    }

    #[test]
    fn the_newest_the_best_and_one_of_every_so_many_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = preset("images").unwrap();
        (config.keep, config.keep_every) = (2, 100);
        let judged: Vec<(u64, f64)> = (0..25)
            .map(|i| (10 * i, if i == 13 { 0.5 } else { 1.0 + i as f64 }))
            .collect();
        let run = run(dir.path(), &judged);
        prune(&run, &config).unwrap();
        assert_eq!(steps(&run), [0, 100, 130, 200, 230, 240]);
        let best = Which::Best.find(&run).unwrap().unwrap();
        assert!(best.ends_with("step-000000130.safetensors"));
        config.keep = 0;
        prune(&run, &config).unwrap();
        assert_eq!(steps(&run).len(), 6);
    }

    #[test]
    fn one_that_cannot_be_removed_keeps_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = preset("images").unwrap();
        (config.keep, config.keep_every) = (1, 1000);
        let run = run(dir.path(), &[(10, 9.0), (30, 8.0), (40, 1.0), (50, 7.0)]);
        let stuck = run.file("checkpoints/step-000000020.safetensors");
        fs::create_dir(&stuck).unwrap();
        let error = prune(&run, &config).unwrap_err().to_string();
        assert!(error.contains("step-000000020"), "{error}");
        assert_eq!(steps(&run), [10, 20, 40, 50]);
    }

    #[test]
    fn a_million_steps_of_images_keep_a_few_checkpoints() {
        let config = preset("images").unwrap();
        assert_eq!(config.steps / config.checkpoint_every, 1000);
        assert!(most(&config) < 20, "{}", most(&config));
        for (name, _) in crate::train::presets::PRESETS {
            let config = preset(name).unwrap();
            assert!(config.keep > 0 && most(&config) < 20, "{name}");
        }
    }

    #[test]
    fn only_files_of_the_run_s_own_names_count() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path(), &[(5, 1.0), (1_000_000_000, 2.0)]);
        for name in [
            "._step-000000007.safetensors",
            "step-7.safetensors",
            "step-000000007.safetensors.bak",
            "copy of step-000000007.safetensors",
            "step-00000007x.safetensors",
        ] {
            fs::write(run.file("checkpoints").join(name), "x").unwrap();
        }
        assert_eq!(steps(&run), [5, 1_000_000_000]);
        assert!(
            newest(&run)
                .unwrap()
                .ends_with("step-1000000000.safetensors")
        );
        let error = Which::Step(7).find(&run).unwrap_err().to_string();
        assert!(error.contains("it has 5, 1000000000"), "{error}");
    }
}
