//! The folder of a run.
//!
//! ```text
//! config.toml                              everything needed to repeat the run
//! metrics.csv                              one line per logged step
//! metrics-NNNN.csv                         another table that was found in its place
//! checkpoints/step-NNNNNNNNN.safetensors   complete state
//! checkpoints/latest                       the name of the newest
//! samples/step-NNNNNNNNN.png               what the generator makes of the same latents
//! samples.npy, *.png, *.gif                at the end: samples and pictures
//! set-aside-NNNN/                          what lay beyond an earlier checkpoint that the run has gone back to
//! .lock                                    locked while a program trains here; says which
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Config;
use super::claim::Claim;
use super::kept;
use crate::numbers::atomic::{sweep, write_atomically};
use crate::numbers::lock::{Lock, Taken};
use crate::numbers::{Error, Result};

/// The file that is locked while a program trains in the folder.
pub(super) const LOCK: &str = ".lock";

/// Folders inside.
pub(super) const FOLDERS: [&str; 2] = ["checkpoints", "samples"];

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    /// Held by whoever writes into the folder.
    lock: Arc<Mutex<Option<Lock>>>,
}

impl RunDir {
    /// The folder `path`, whatever is in it.
    pub(super) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            lock: Arc::default(),
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
        let (run, config) = Self::open(path)?;
        run.lock()?;
        run.make_folders()?;
        for folder in ["", FOLDERS[0], FOLDERS[1]] {
            sweep(&run.file(folder));
        }
        // A kill may have come between the newest checkpoint and its name; nothing here depends on it.
        let _ = kept::point_at_newest(&run);
        Ok((run, config))
    }

    /// Takes the run's lock, unless the file system has none.
    pub(super) fn lock(&self) -> Result<()> {
        let lock = match Lock::take(&self.file(LOCK))? {
            Taken::Ours(lock) => Some(lock),
            Taken::Impossible => None,
            Taken::Held(who) => {
                return Err(Error::failure(format!(
                    "{} is in use: {who}, trains there; wait for it, stop it with Ctrl-C or `kill`, or choose another \
                     folder",
                    self.path.display()
                )));
            }
        };
        *self.held() = lock;
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Option<Lock>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody else can train in the folder: not on a file system without locks.
    pub fn is_locked(&self) -> bool {
        self.held().is_some()
    }

    /// Makes the folder of the run that `config` describes, and is written here, again if somebody has moved or removed it,
    /// or its `config.toml`. Returns what had gone.
    ///
    /// # Errors
    /// If it cannot be made, or another run has its place.
    pub fn restore(&self, config: &Config) -> Result<Option<PathBuf>> {
        let file = self.file("config.toml");
        let is_there = file.is_file();
        let has_its_lock = self
            .held()
            .as_ref()
            .is_none_or(|lock| lock.is_at(&self.file(LOCK)));
        if is_there && has_its_lock {
            return Ok(None);
        }
        let gone = match self.file(FOLDERS[0]).is_dir() {
            true => file.clone(),
            false => self.path.clone(),
        };
        fs::create_dir_all(&self.path).map_err(|e| Error::io("create", &self.path, &e))?;
        if !has_its_lock {
            self.lock()?;
        }
        if is_there {
            let other = Config::read(&file).ok();
            return match other.is_some_and(|other| other.first_difference(config).is_some()) {
                true => Err(Error::failure(format!(
                    "{} is another run now; move that one to another folder",
                    self.path.display()
                ))),
                false => Ok(None),
            };
        }
        self.make_folders()?;
        self.write_config(config)?;
        Ok(Some(gone))
    }

    /// Makes the folders inside.
    pub(super) fn make_folders(&self) -> Result<()> {
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
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io("create", &path, &e)),
            }
        };
        let metrics = self.file("metrics.csv");
        match fs::copy(&metrics, aside.join("metrics.csv")) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(Error::io("copy", &metrics, &e));
            }
            _ => {}
        }
        for path in checkpoints.iter().chain(&pictures) {
            let name = path.file_name().unwrap_or_default();
            fs::rename(path, aside.join(name)).map_err(|e| Error::io("move", path, &e))?;
        }
        // For other programs; the next checkpoint sets it right, too.
        let _ = kept::point_at_newest(self);
        Ok(Some(aside))
    }
}
