//! The folder of a run that has not begun yet.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::run_dir::{FOLDERS, LOCK};
use super::{Config, RunDir};
use crate::numbers::atomic::{is_draft, sweep};
use crate::numbers::words::quoted;
use crate::numbers::{Error, Result};

/// A folder that a new run will have. Unless the run begins, everything is left as it was found.
#[derive(Debug)]
pub struct Claim {
    run: RunDir,
    /// Folders that were not there before, the innermost first.
    made: Vec<PathBuf>,
    has_begun: bool,
    /// Whether `config.toml` may be ours.
    has_written: bool,
}

impl Claim {
    /// Makes and locks `out`, which may be there if it is empty, or the first free `runs/PRESET-NNNN`.
    ///
    /// # Errors
    /// If `out` is not empty, somebody else has just claimed it, or it cannot be made.
    pub fn new(out: Option<&Path>, preset: &str) -> Result<Self> {
        if let Some(out) = out {
            return Self::of(out);
        }
        let runs = Path::new("runs");
        let made = missing(runs);
        fs::create_dir_all(runs).map_err(|e| Error::io("create", runs, &e))?;
        let mut number = 1;
        loop {
            let path = runs.join(format!("{preset}-{number:04}"));
            number += 1;
            let is_new = match fs::create_dir(&path) {
                Ok(()) => true,
                Err(e) if e.kind() == ErrorKind::AlreadyExists => false,
                Err(e) => return Err(Error::io("create", &path, &e)),
            };
            // A run that was broken off before it had begun leaves an empty folder.
            if !is_new && !is_free(&path) {
                continue;
            }
            match Self::of(&path) {
                Ok(mut claim) if is_new => {
                    claim.made = [&[path], &made[..]].concat();
                    return Ok(claim);
                }
                // Without locks only whoever has made the folder can be sure of it.
                Ok(claim) if claim.run.is_locked() => return Ok(claim),
                Ok(mut claim) => claim.has_begun = true,
                // Taken between the two calls, or truly impossible.
                Err(e) if is_new && !path.join(LOCK).exists() => return Err(e),
                Err(_) => {}
            }
        }
    }

    fn of(path: &Path) -> Result<Self> {
        let made = missing(path);
        if !is_free(path) {
            return Err(occupied(path));
        }
        fs::create_dir_all(path).map_err(|e| Error::io("create", path, &e))?;
        let mut claim = Self {
            run: RunDir::at(path),
            made,
            has_begun: false,
            has_written: false,
        };
        if let Err(e) = claim.run.lock() {
            // Its holder cleans up.
            claim.has_begun = true;
            return Err(e);
        }
        // Another program may have begun, and ended, a run there in the meantime.
        match is_free(path) {
            true => Ok(claim),
            false => {
                claim.has_begun = true;
                Err(occupied(path))
            }
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.run.path()
    }

    /// Begins the run that `config` describes.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn begin(mut self, config: &Config) -> Result<RunDir> {
        self.run.make_folders()?;
        sweep(self.run.path());
        self.has_written = true;
        self.run.write_config(config)?;
        self.has_begun = true;
        Ok(self.run.clone())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.has_begun {
            return;
        }
        // Only what was made here, and folders only if nothing is in them.
        if self.has_written {
            let _ = fs::remove_file(self.run.file("config.toml"));
        }
        for folder in FOLDERS {
            let _ = fs::remove_dir(self.run.file(folder));
        }
        let _ = fs::remove_file(self.run.file(LOCK));
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The folders on the way to `path` that are not there, the innermost first.
fn missing(path: &Path) -> Vec<PathBuf> {
    let missing = path.ancestors().take_while(|folder| {
        let is_named = !folder.as_os_str().is_empty();
        is_named && !folder.exists()
    });
    missing.map(Path::to_owned).collect()
}

/// Whether `path` is not there or holds nothing but what a run leaves that was broken off before it had begun.
fn is_free(path: &Path) -> bool {
    let is_left_over = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let is_empty = || fs::read_dir(entry.path()).is_ok_and(|mut e| e.next().is_none());
        name == LOCK || is_draft(&name) || (FOLDERS.iter().any(|f| name == *f) && is_empty())
    };
    match fs::read_dir(path) {
        Ok(mut entries) => entries.all(|entry| entry.is_ok_and(is_left_over)),
        Err(e) => e.kind() == ErrorKind::NotFound,
    }
}

/// Why a run cannot have the folder `path`.
fn occupied(path: &Path) -> Error {
    let out = path.display();
    if !path.is_dir() {
        return Error::failure(format!("--out {out} is not a folder; choose another"));
    }
    Error::usage(match path.join("config.toml").is_file() {
        true => format!(
            "{out} already holds a run; choose another --out, or go on with it: --resume {}",
            quoted(path)
        ),
        false => format!("{out} already holds files; choose another --out"),
    })
}
