//! The folder of a run.
//!
//! ```text
//! config.toml                              everything needed to repeat the run
//! metrics.csv                              one line per logged step
//! checkpoints/step-NNNNNNNNN.safetensors   complete state
//! checkpoints/latest                       the name of the newest
//! samples/step-NNNNNNNNN.png               what the generator makes of the same latents
//! samples.npy, *.png, *.gif                at the end: samples and pictures
//! ```

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::Config;
use crate::numbers::atomic::write_atomically;
use crate::numbers::{Error, Result};

/// The head of `metrics.csv`.
pub const METRICS: &str = "step,loss_d,loss_g,phi_real,phi_generated,energy,epsilon,lr_d,lr_g,\
modes_covered,high_quality,steps_per_s";

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes a new folder for `config`: `out`, or the first free `runs/PRESET-NNNN`.
    ///
    /// # Errors
    /// If `out` exists and is not empty, or the folder cannot be made.
    pub fn create(out: Option<&Path>, config: &Config) -> Result<Self> {
        let path = match out {
            Some(out) => out.to_owned(),
            None => (1..)
                .map(|n| PathBuf::from(format!("runs/{}-{n:04}", config.preset)))
                .find(|path| !path.exists())
                .expect("there are more numbers than folders"),
        };
        let occupied = match fs::read_dir(&path) {
            Ok(mut entries) => entries.next().is_some(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
            Err(e) => return Err(Error::io("use --out", &path, &e)),
        };
        if occupied {
            let path = path.display();
            return Err(Error::usage(format!(
                "{path} already holds files; choose another --out, or continue a run with --resume {path}"
            )));
        }
        for folder in ["checkpoints", "samples"] {
            let folder = path.join(folder);
            fs::create_dir_all(&folder).map_err(|e| Error::io("create", &folder, &e))?;
        }
        let run = Self { path };
        run.write_config(config)?;
        let head = format!("{METRICS}\n");
        write_atomically(&run.file("metrics.csv"), |w| w.write_all(head.as_bytes()))?;
        Ok(run)
    }

    /// Opens an existing run.
    ///
    /// # Errors
    /// If there is no readable `config.toml` in it.
    pub fn open(path: &Path) -> Result<(Self, Config)> {
        let file = path.join("config.toml");
        if !file.is_file() {
            return Err(Error::failure(format!(
                "{} is not a run directory: it has no config.toml",
                path.display()
            )));
        }
        let config = Config::read(&file)?;
        let path = path.to_owned();
        Ok((Self { path }, config))
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

    /// Appends a line to `metrics.csv`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn log(&self, line: &str) -> Result<()> {
        let path = self.file("metrics.csv");
        let append = || {
            let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
            file.write_all(format!("{line}\n").as_bytes())
        };
        append().map_err(|e| Error::io("write", &path, &e))
    }

    /// Drops the lines of `metrics.csv` after `step`: a resumed run writes them again.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn rewind_metrics(&self, step: u64) -> Result<()> {
        let path = self.file("metrics.csv");
        let text = fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
        let line_step = |line: &str| line.split(',').next().and_then(|s| s.parse::<u64>().ok());
        let kept = text.split_inclusive('\n').enumerate();
        let kept: String = kept
            .filter(|(i, line)| *i == 0 || line_step(line).is_some_and(|s| s <= step))
            .map(|(_, line)| line)
            .collect();
        write_atomically(&path, |w| w.write_all(kept.as_bytes()))
    }

    /// The picture of the samples at `step`.
    pub fn sample_picture(&self, step: u64) -> PathBuf {
        self.path.join(format!("samples/step-{step:09}.png"))
    }

    /// The pictures of the samples up to `step`, in order.
    pub fn sample_pictures(&self, step: u64) -> Vec<PathBuf> {
        let last = self.sample_picture(step);
        let entries = fs::read_dir(self.path.join("samples"))
            .into_iter()
            .flatten();
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_picture = |p: &PathBuf| p.extension().is_some_and(|e| e == "png") && *p <= last;
        let mut pictures: Vec<PathBuf> = files.filter(is_picture).collect();
        pictures.sort();
        pictures
    }
}
