//! `metrics.csv`: one line for each logged step.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::RunDir;
use crate::numbers::atomic::write_atomically;
use crate::numbers::{Error, Result};

/// A line of `metrics.csv`. Losses are means over the steps since the line before; everything else is measured
/// at `step`, what concerns the generator on the weights that samples are drawn with.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Steps done.
    pub step: u64,
    /// The losses of the discriminator and the generator.
    pub losses: [f64; 2],
    /// The objective's own values, in its columns' order.
    pub measures: Vec<f64>,
    /// The discriminator's learning rate.
    pub lr_d: f64,
    /// The generator's learning rate.
    pub lr_g: f64,
    /// What the last look measured; NaN, an empty cell, for what it could not see.
    pub look: Vec<f64>,
    /// Steps per second since training started or went on.
    pub steps_per_s: f64,
}

impl Metrics {
    /// The names of the columns, for an objective with these `measures`, and a subject with `look` of its own.
    pub fn head(measures: &[&str], look: &[&str]) -> String {
        let names = [
            &["step", "loss_d", "loss_g"],
            measures,
            &["lr_d", "lr_g"],
            look,
            &["steps_per_s"],
        ];
        names.concat().join(",")
    }

    fn line(&self) -> String {
        let rates = [self.lr_d, self.lr_g];
        let numbers = [&self.losses[..], &self.measures, &rates].concat();
        let numbers = numbers.iter().map(|n| format!("{n:.6e}"));
        let look = self.look.iter().map(|n| match n {
            n if n.is_nan() => String::new(),
            n if n.fract() == 0.0 && n.abs() < 1e9 => format!("{n:.0}"),
            n => format!("{n:.6e}"),
        });
        let numbers: Vec<String> = numbers.chain(look).collect();
        format!(
            "{},{},{:.1}\n",
            self.step,
            numbers.join(","),
            self.steps_per_s
        )
    }
}

/// The file in the course of a training.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    head: String,
    /// The step that the training begins with, until what the file says of later ones has been taken out.
    begin: Option<u64>,
    /// The step of the last line that was there and is kept, 0 without one.
    end: u64,
    /// Lines that could not be written yet.
    pending: String,
}

impl Log {
    /// The file of `run` for a training from `step` on, with the columns `head`.
    pub fn new(run: &RunDir, head: String, step: u64) -> Self {
        Self {
            path: run.file("metrics.csv"),
            head,
            begin: Some(step),
            end: 0,
            pending: String::new(),
        }
    }

    /// Keeps the complete lines of the file up to the step that the training begins with: it writes the others again.
    /// A new run begins its file so too. If the file holds anything else, such as the lines of another table, it is
    /// kept under the name that is returned.
    ///
    /// # Errors
    /// If the file cannot be read or written; [`Log::add`] tries again.
    pub fn begin(&mut self) -> Result<Option<PathBuf>> {
        let Some(step) = self.begin else {
            return Ok(None);
        };
        let text = match fs::read(&self.path) {
            Err(e) if e.kind() == ErrorKind::NotFound => vec![],
            read => read.map_err(|e| Error::io("read", &self.path, &e))?,
        };
        let text = String::from_utf8_lossy(&text);
        let commas = |line: &str| line.matches(',').count();
        let line_step = |line: &str| -> Option<u64> {
            let step = line.split(',').next()?.parse().ok()?;
            (commas(line) == commas(&self.head)).then_some(step)
        };
        // A last line without an end is what a crash has left.
        let lines = text.split_inclusive('\n').filter(|l| l.ends_with('\n'));
        let (heads, lines): (Vec<&str>, Vec<&str>) = lines.partition(|l| l.starts_with("step,"));
        // An earlier version's columns, or a spreadsheet's.
        let is_other = heads.iter().any(|head| head.trim_end() != self.head);
        let is_foreign = is_other || lines.iter().any(|line| line_step(line).is_none());
        let lines = if is_other { vec![] } else { lines };
        let aside = is_foreign.then(|| self.copy_aside()).transpose()?;
        let kept = lines
            .iter()
            .filter(|l| line_step(l).is_some_and(|s| s <= step));
        self.end = kept.clone().filter_map(|l| line_step(l)).max().unwrap_or(0);
        write_atomically(&self.path, |w| {
            writeln!(w, "{}", self.head)?;
            kept.into_iter()
                .try_for_each(|line| w.write_all(line.as_bytes()))
        })?;
        self.begin = None;
        Ok(aside)
    }

    /// The step of the last line that the training has found and kept, 0 without one.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Copies the file to a name that is free.
    fn copy_aside(&self) -> Result<PathBuf> {
        let mut names = (1..).map(|n: u32| self.path.with_file_name(format!("metrics-{n:04}.csv")));
        let aside = names.find(|path| !path.exists()).unwrap_or_default();
        fs::copy(&self.path, &aside).map_err(|e| Error::io("write", &aside, &e))?;
        Ok(aside)
    }

    /// Keeps a line for the next time that one is added.
    pub fn keep(&mut self, metrics: &Metrics) {
        self.pending += &metrics.line();
    }

    /// Appends a line, after those that could not be written before. A file that somebody has moved away is begun
    /// anew.
    ///
    /// # Errors
    /// If it cannot be written; the line is kept for the next time.
    pub fn add(&mut self, metrics: &Metrics) -> Result<()> {
        self.keep(metrics);
        self.begin()?;
        self.write_pending()
            .map_err(|e| Error::io("write", &self.path, &e))?;
        self.pending.clear();
        Ok(())
    }

    fn write_pending(&self) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&self.path)?;
        let end = file.seek(SeekFrom::End(0))?;
        let text = match end {
            0 => format!("{}\n{}", self.head, self.pending),
            _ if ends_in_a_line(&mut file)? => self.pending.clone(),
            _ => format!("\n{}", self.pending),
        };
        file.seek(SeekFrom::End(0))?;
        let written = file.write_all(text.as_bytes());
        if written.is_err() {
            // A line that a full disk has cut off must not be continued by the next one.
            let _ = file.set_len(end);
        }
        written
    }
}

/// Whether the last character of `file` is the end of a line.
fn ends_in_a_line(file: &mut fs::File) -> std::io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(step: u64) -> Metrics {
        Metrics {
            step,
            losses: [1.0, 2.0],
            measures: vec![3.0],
            lr_d: 1e-3,
            lr_g: 1e-4,
            look: vec![25.0],
            steps_per_s: 10.0,
        }
    }

    #[test]
    fn lines_wait_until_they_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::at(dir.path());
        let path = run.file("metrics.csv");
        let mut log = Log::new(&run, Metrics::head(&["energy"], &["modes"]), 0);
        log.add(&metrics(1)).unwrap();
        // Something else in its place: it cannot be written.
        fs::rename(&path, run.file("moved.csv")).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(log.add(&metrics(2)).is_err());
        assert!(log.add(&metrics(3)).is_err());
        fs::remove_dir(&path).unwrap();
        log.add(&metrics(4)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let steps: Vec<&str> = text.lines().map(|l| l.split(',').next().unwrap()).collect();
        assert_eq!(steps, ["step", "2", "3", "4"]);
        // A line that somebody has cut off ends where it is.
        fs::write(&path, text.trim_end()).unwrap();
        log.add(&metrics(5)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 5);
        let mut log = Log::new(&run, Metrics::head(&["energy"], &["modes"]), 3);
        assert_eq!(log.begin().unwrap(), None);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn tables_that_are_not_ours_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::at(dir.path());
        let path = run.file("metrics.csv");
        // As a spreadsheet saves it.
        let foreign = b"step;loss_d\n1;0,5\n2;\xff\n";
        fs::write(&path, foreign).unwrap();
        for name in ["metrics-0001.csv", "metrics-0002.csv"] {
            let mut log = Log::new(&run, Metrics::head(&["energy"], &["modes"]), 9);
            assert_eq!(log.begin().unwrap(), Some(run.file(name)));
            assert_eq!(fs::read(run.file(name)).unwrap(), foreign);
            assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
            fs::write(&path, foreign).unwrap();
        }
        // Columns of another version: the same number of them, under other names.
        let other = "step,loss_d,loss_g,force,lr_d,lr_g,modes,steps_per_s\n1,1,2,3,4,5,6,7\n";
        fs::write(&path, other).unwrap();
        let mut log = Log::new(&run, Metrics::head(&["energy"], &["modes"]), 9);
        assert_eq!(log.begin().unwrap(), Some(run.file("metrics-0003.csv")));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        // Begun late, because it was a folder at first.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let mut log = Log::new(&run, Metrics::head(&["energy"], &["modes"]), 9);
        assert!(log.begin().is_err());
        assert!(log.add(&metrics(10)).is_err());
        fs::remove_dir(&path).unwrap();
        log.add(&metrics(11)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }
}
