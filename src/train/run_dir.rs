//! The folder of a run.
//!
//! ```text
//! config.toml                              everything needed to repeat the run
//! metrics.csv                              one line per logged step
//! checkpoints/step-NNNNNNNNN.safetensors   complete state
//! checkpoints/latest                       the name of the newest
//! samples/step-NNNNNNNNN.png               what the generator makes of the same latents
//! samples.npy, *.png, *.gif                at the end: samples and pictures
//! set-aside-NNNN/                          what lay beyond an earlier checkpoint that the run has gone back to
//! .lock                                    locked while a program trains here; says which
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Config;
use super::kept;
use crate::numbers::atomic::{is_draft, sweep, write_atomically};
use crate::numbers::lock::{Lock, Taken};
use crate::numbers::words::quoted;
use crate::numbers::{Error, Result};

/// The file that is locked while a program trains in the folder.
const LOCK: &str = ".lock";

/// Folders inside.
const FOLDERS: [&str; 2] = ["checkpoints", "samples"];

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    /// Held by whoever writes into the folder.
    _lock: Option<Arc<Lock>>,
}

impl RunDir {
    /// The folder `path`, whatever is in it.
    pub(super) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            _lock: None,
        }
    }

    /// Makes and locks a new folder for `config`: `out`, or the first free `runs/PRESET-NNNN`.
    ///
    /// # Errors
    /// As [`Claim::new`] and [`Claim::begin`].
    pub fn create(out: Option<&Path>, config: &Config) -> Result<Self> {
        Claim::new(out, &config.preset)?.begin(config)
    }

    /// Opens an existing run, to read.
    ///
    /// # Errors
    /// If there is no readable `config.toml` in it.
    pub fn open(path: &Path) -> Result<(Self, Config)> {
        let file = path.join("config.toml");
        if !file.is_file() {
            let what = match path.exists() {
                true => "is not the folder of a run: it has no config.toml",
                false => "is not there; check the path",
            };
            return Err(Error::failure(format!("{} {what}", path.display())));
        }
        let config = Config::read(&file)?;
        Ok((Self::at(path), config))
    }

    /// Opens an existing run, to train in it: nobody else may, and what they may have left unfinished goes.
    ///
    /// # Errors
    /// As [`RunDir::open`], and if another program trains in the folder.
    pub fn open_to_train(path: &Path) -> Result<(Self, Config)> {
        let (mut run, config) = Self::open(path)?;
        run._lock = lock(path)?;
        run.make_folders()?;
        for folder in ["", FOLDERS[0], FOLDERS[1]] {
            sweep(&run.file(folder));
        }
        Ok((run, config))
    }

    /// Makes the folders inside.
    fn make_folders(&self) -> Result<()> {
        for folder in FOLDERS {
            let folder = self.file(folder);
            fs::create_dir_all(&folder).map_err(|e| Error::io("create", &folder, &e))?;
        }
        Ok(())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_config(&self, config: &Config) -> Result<()> {
        let text = config.to_toml()?;
        write_atomically(&self.file("config.toml"), |w| w.write_all(text.as_bytes()))
    }

    /// The picture of the samples at `step`. Its folder is made if somebody has removed it.
    pub fn sample_picture(&self, step: u64) -> PathBuf {
        let folder = self.file(FOLDERS[1]);
        let _ = fs::create_dir_all(&folder);
        folder.join(format!("step-{step:09}.png"))
    }

    /// The pictures of the samples up to `step`, in order. Other files in their folder are somebody else's.
    pub fn sample_pictures(&self, step: u64) -> Vec<PathBuf> {
        let all = kept::steps_in(&self.file(FOLDERS[1]), "png");
        let until = all.into_iter().take_while(|(s, _)| *s <= step);
        until.map(|(_, path)| path).collect()
    }

    /// Moves what the run has beyond `step` into a folder of its own, and copies `metrics.csv` there, whose later lines
    /// will be written anew. Returns that folder, if there was anything.
    ///
    /// # Errors
    /// If something cannot be moved.
    pub fn set_aside(&self, step: u64) -> Result<Option<PathBuf>> {
        let beyond = |folder: &str, extension| {
            let all = kept::steps_in(&self.file(folder), extension).into_iter();
            all.filter(|(s, _)| *s > step)
                .map(|(_, path)| path)
                .collect::<Vec<_>>()
        };
        let [checkpoints, pictures] =
            [beyond(FOLDERS[0], "safetensors"), beyond(FOLDERS[1], "png")];
        if checkpoints.is_empty() {
            return Ok(None);
        }
        let mut numbers = 1..;
        let aside = loop {
            let number: u32 = numbers.next().unwrap_or(u32::MAX);
            let path = self.file(&format!("set-aside-{number:04}"));
            match fs::create_dir(&path) {
                Ok(()) => break path,
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io("create", &path, &e)),
            }
        };
        let _ = fs::copy(self.file("metrics.csv"), aside.join("metrics.csv"));
        for path in checkpoints.iter().chain(&pictures) {
            let name = path.file_name().unwrap_or_default();
            fs::rename(path, aside.join(name)).map_err(|e| Error::io("move", path, &e))?;
        }
        Ok(Some(aside))
    }
}

/// Takes the lock of the run in `path`; none where the file system has no locks.
fn lock(path: &Path) -> Result<Option<Arc<Lock>>> {
    match Lock::take(&path.join(LOCK))? {
        Taken::Ours(lock) => Ok(Some(Arc::new(lock))),
        Taken::Impossible => Ok(None),
        Taken::Held(who) => Err(Error::failure(format!(
            "{} is in use: {who}, trains there; wait for it, stop it with Ctrl-C or `kill`, or choose another folder",
            path.display()
        ))),
    }
}

/// A folder that a new run will have. Unless the run begins, everything is left as it was found.
#[derive(Debug)]
pub struct Claim {
    run: RunDir,
    /// Folders that were not there before, the innermost first.
    made: Vec<PathBuf>,
    has_begun: bool,
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
        let mut number = 1;
        loop {
            let path = runs.join(format!("{preset}-{number:04}"));
            // A run that was broken off before it had begun leaves an empty folder.
            if is_free(&path) {
                match Self::of(&path) {
                    Err(_) if path.exists() => {}
                    other => return other,
                }
            }
            number += 1;
        }
    }

    fn of(path: &Path) -> Result<Self> {
        let missing = path.ancestors().take_while(|folder| {
            let is_named = !folder.as_os_str().is_empty();
            is_named && !folder.exists()
        });
        let made: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        if !is_free(path) {
            return Err(occupied(path));
        }
        fs::create_dir_all(path).map_err(|e| Error::io("create", path, &e))?;
        let mut claim = Self {
            run: RunDir::at(path),
            made,
            has_begun: false,
        };
        match lock(path) {
            Ok(lock) => claim.run._lock = lock,
            Err(e) => {
                // Its holder cleans up.
                claim.has_begun = true;
                return Err(e);
            }
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
        let _ = fs::remove_file(self.run.file("config.toml"));
        for folder in FOLDERS {
            let _ = fs::remove_dir(self.run.file(folder));
        }
        let _ = fs::remove_file(self.run.file(LOCK));
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }
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
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
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
