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

/// A line of `metrics.csv`. Losses are means over the steps since the line before; everything else is measured
/// at `step`, on the weights that samples are drawn with.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Steps done.
    pub step: u64,
    /// The discriminator's loss, Eq. (9).
    pub loss_d: f64,
    /// The generator's loss, Eq. (10).
    pub loss_g: f64,
    /// Mean potential at real points.
    pub phi_real: f32,
    /// Mean potential at generated points.
    pub phi_generated: f32,
    /// The energy, Eq. (33).
    pub energy: f32,
    /// The kernel's width.
    pub epsilon: f64,
    /// The discriminator's learning rate.
    pub lr_d: f64,
    /// The generator's learning rate.
    pub lr_g: f64,
    /// The subject's own values, separated by commas.
    pub look: String,
    /// Steps per second since training started or went on.
    pub steps_per_s: f64,
}

impl Metrics {
    /// The names of the columns, for a subject with `columns` of its own.
    pub fn head(columns: &str) -> String {
        format!(
            "step,loss_d,loss_g,phi_real,phi_generated,energy,epsilon,lr_d,lr_g,{columns},steps_per_s"
        )
    }

    fn line(&self) -> String {
        let m = self;
        format!(
            "{},{:.6e},{:.6e},{:.6e},{:.6e},{:.6e},{:.6},{:.6e},{:.6e},{},{:.1}",
            m.step,
            m.loss_d,
            m.loss_g,
            m.phi_real,
            m.phi_generated,
            m.energy,
            m.epsilon,
            m.lr_d,
            m.lr_g,
            m.look,
            m.steps_per_s
        )
    }
}

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
            Some(out) => Self::claim(out)?,
            None => Self::claim_numbered(&config.preset)?,
        };
        let run = Self { path };
        let fill = || {
            for folder in ["checkpoints", "samples"] {
                let folder = run.file(folder);
                fs::create_dir_all(&folder).map_err(|e| Error::io("create", &folder, &e))?;
            }
            run.write_config(config)
        };
        // A folder without a run in it would stand in the way of the next attempt.
        fill().inspect_err(|_| {
            let _ = fs::remove_dir_all(&run.path);
        })?;
        Ok(run)
    }

    /// Makes `out`, or takes it if it is there and empty.
    fn claim(out: &Path) -> Result<PathBuf> {
        let occupied = match fs::read_dir(out) {
            Ok(mut entries) => entries.next().is_some(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
            Err(e) => return Err(Error::io("use --out", out, &e)),
        };
        if occupied {
            let out = out.display();
            return Err(Error::usage(format!(
                "{out} already holds files; choose another --out, or continue a run with --resume {out}"
            )));
        }
        fs::create_dir_all(out).map_err(|e| Error::io("create", out, &e))?;
        Ok(out.to_owned())
    }

    /// Makes the first free `runs/PRESET-NNNN`; of two programs that try at once, one goes on to the next.
    fn claim_numbered(preset: &str) -> Result<PathBuf> {
        let runs = Path::new("runs");
        fs::create_dir_all(runs).map_err(|e| Error::io("create", runs, &e))?;
        let mut number = 1;
        loop {
            let path = runs.join(format!("{preset}-{number:04}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(path),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(Error::io("create", &path, &e)),
            }
        }
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
    pub fn log(&self, metrics: &Metrics) -> Result<()> {
        let path = self.file("metrics.csv");
        let append = || {
            let mut file = OpenOptions::new().append(true).open(&path)?;
            file.write_all(format!("{}\n", metrics.line()).as_bytes())
        };
        append().map_err(|e| Error::io("write", &path, &e))
    }

    /// Keeps the complete lines of `metrics.csv` up to `step`, under `head`: a resumed run writes the others
    /// again. A new run begins it so too.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn rewind_metrics(&self, head: &str, step: u64) -> Result<()> {
        let path = self.file("metrics.csv");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let commas = |line: &str| line.matches(',').count();
        let complete = |line: &&str| line.ends_with('\n') && commas(line) == commas(head);
        let line_step = |line: &str| line.split(',').next().and_then(|s| s.parse::<u64>().ok());
        let lines = text.split_inclusive('\n').filter(complete);
        let mut kept = lines.filter(|line| line_step(line).is_some_and(|s| s <= step));
        write_atomically(&path, |w| {
            writeln!(w, "{head}")?;
            kept.try_for_each(|line| w.write_all(line.as_bytes()))
        })
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
