//! Keeping what has been trained: checkpoints now and then, and one however a training ends, if there is any way.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::checkpoint::{self, Facts};
use super::trainer::Trainer;
use super::watch::{Hear, Watch};
use super::{RunDir, kept};
use crate::numbers::{Error, Result, words};

/// How far the state is safe.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// The step of the last checkpoint.
    pub step: Option<u64>,
    /// When a checkpoint that was due could not be written.
    pub failed: Option<Instant>,
    /// Whether the state is that of a whole step: not while one runs, nor if it broke down on the way.
    pub is_torn: bool,
    /// Whether a weight has become infinite or undefined.
    pub has_diverged: bool,
    /// A file that is no checkpoint of the run but holds a state that none has, and its step: nothing could be written
    /// into the run's folder.
    pub elsewhere: Option<(u64, PathBuf)>,
    /// The folder around that file, if it is a run of its own, because the run's could not even be made again.
    pub refuge: Option<PathBuf>,
}

/// How long to wait before a checkpoint that could not be written is tried again.
const SAVE_AGAIN: Duration = Duration::from_secs(60);

impl Trainer {
    /// Says how much space the run's checkpoints will take, and whether there is so much.
    pub fn announce_size(&self, run: &RunDir, hear: &mut dyn Hear) {
        let counts = self
            .store
            .names()
            .filter_map(|name| self.store.shape_of(name));
        let one: u64 = counts.map(|shape| 4 * shape.count() as u64).sum();
        let count = kept::most(&self.config);
        let all = one * count;
        hear.say(&format!(
            "a checkpoint takes {}; at most {count} are there at a time, which makes {}",
            words::bytes(one),
            words::bytes(all)
        ));
        if let Some(free) = kept::free_space(run).filter(|free| *free < all) {
            let flags = match self.config.keep {
                0 => "--keep 3 or a larger --checkpoint-every",
                _ => "a smaller --keep or a larger --keep-every",
            };
            hear.warn(&format!(
                "{} has {} free, and checkpoints may take {}; {flags} needs less",
                run.path().display(),
                words::bytes(free),
                words::bytes(all)
            ));
        }
    }

    /// Whether there is a state to go on from: not after the numbers have become infinite.
    pub fn is_worth_going_on(&self) -> bool {
        let is_saved = self.saved.step.is_some() || self.saved.elsewhere.is_some();
        is_saved && !self.saved.has_diverged
    }

    /// The file outside the run's folder that holds the last state, if nothing could be written inside.
    pub fn saved_elsewhere(&self) -> Option<&Path> {
        self.saved
            .elsewhere
            .as_ref()
            .map(|(_, path)| path.as_path())
    }

    /// The folder outside the run's that has become a run of its own to hold the last state, because the run's had gone and
    /// could not be made again.
    pub fn refuge(&self) -> Option<&Path> {
        self.saved.refuge.as_deref()
    }

    /// Whether a checkpoint is due, or one that was is to be tried again.
    pub(super) fn is_time_to_save(&self) -> bool {
        let again = self
            .saved
            .failed
            .is_some_and(|at| at.elapsed() >= SAVE_AGAIN);
        // What was saved has gone with the run's folder.
        let is_lost = self.saved.step.is_none() && self.saved.failed.is_none();
        again || is_lost || self.step.is_multiple_of(self.config.checkpoint_every)
    }

    /// Makes the run's folder again if somebody has moved or removed it, and says so; what was saved there is gone then.
    pub(super) fn restore(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<()> {
        let gone = run.restore(&self.config);
        if matches!(gone, Ok(None)) {
            return Ok(());
        }
        self.saved.step = None;
        if let Some(gone) = gone? {
            // A checkpoint that failed because the folder went need not wait for its next turn.
            self.saved.failed = None;
            watch.warn(&format!(
                "{} had gone and has been made again; the state is saved there anew",
                gone.display()
            ));
        }
        Ok(())
    }

    /// Writes a checkpoint; if there is no place for it, the training goes on all the same.
    pub(super) fn save_or_warn(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<()> {
        match self.save(run, watch) {
            Ok(()) => {
                self.saved.failed = None;
                if self.troubles.end("save") {
                    watch.say("checkpoints can be written again");
                }
                match self.tidy(run) {
                    Ok(()) => _ = self.troubles.end("tidy"),
                    Err(e) => {
                        let text = format!("step {} is saved, but {e}", self.step());
                        self.troubles.warn("tidy", &text, watch);
                    }
                }
                Ok(())
            }
            Err(e) if self.saved.has_diverged => Err(e),
            Err(e) => {
                self.saved.failed = Some(Instant::now());
                let seconds = SAVE_AGAIN.as_secs();
                let text = format!("{e}; tries again at least every {seconds} s");
                self.troubles.warn("save", &text, watch);
                Ok(())
            }
        }
    }

    /// What is to be done once a checkpoint is on disk: older ones go, and `latest` names it.
    fn tidy(&self, run: &RunDir) -> Result<()> {
        // First, so that it never names one that has gone; again, because a full disk may have room only afterwards.
        let pointed = kept::point_at_newest(run);
        kept::prune(run, &self.config)?;
        pointed.or_else(|_| kept::point_at_newest(run))
    }

    /// Writes a checkpoint, unless there is nothing worth keeping.
    pub(super) fn save(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<()> {
        self.check_finite(run)?;
        self.restore(run, watch)?;
        checkpoint::save(run, &self.config, self.facts(), &self.store)?;
        self.saved.step = Some(self.step);
        self.saved.elsewhere = None;
        Ok(())
    }

    /// Takes the state of `path` as the one to go on from: if that is no checkpoint of `run`, as after a full disk, it
    /// is to become one at once.
    pub(super) fn set_origin(&mut self, run: &RunDir, path: &Path) {
        let real = |path: &Path| path.canonicalize().ok();
        let all = kept::all(run).into_iter();
        let mut own = all.filter(|(step, _)| *step == self.step());
        match own.any(|(_, own)| real(&own) == real(path)) {
            true => self.saved.step = Some(self.step()),
            false => self.saved.elsewhere = Some((self.step(), path.to_owned())),
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            step: self.step,
            plateau: self.plateau,
            judged: self.judged,
        }
    }

    /// Stops a run whose numbers have become infinite or undefined: every later step would be wasted.
    pub(super) fn check_finite(&mut self, run: &RunDir) -> Result<()> {
        if self.store.is_finite()? {
            return Ok(());
        }
        self.saved.has_diverged = true;
        let good = kept::newest(run).map_or(String::new(), |path| {
            format!(" ({} is the last good state)", path.display())
        });
        Err(Error::failure(format!(
            "training diverged before step {}: a weight is infinite or undefined; start again with a lower \
             --lr-d or --lr-g{good}",
            self.step,
        )))
    }

    /// Does `work` and then sees to it that the state it has reached is on disk: also after an error, and after a panic,
    /// which becomes one.
    pub(super) fn saved_whatever_happens(
        &mut self,
        run: &RunDir,
        watch: &mut dyn Watch,
        work: impl FnOnce(&mut Self, &mut dyn Watch) -> Result<()>,
    ) -> Result<()> {
        let result = catch_unwind(AssertUnwindSafe(|| work(self, watch)));
        let result = result.unwrap_or_else(|payload| {
            Err(Error::failure(format!(
                "the program broke down at step {}, which is a fault in it: {}",
                self.step(),
                reason(&*payload)
            )))
        });
        // A run that has not begun has nothing to lose, and one whose numbers are infinite names its last good state.
        if self.step() == 0 || self.saved.has_diverged {
            return result;
        }
        // The checkpoint of this very step may have gone with the folder; if that cannot be made again, nor can the next.
        let _ = self.restore(run, watch);
        if self.saved.step == Some(self.step()) {
            return result.map_err(|e| self.told(e));
        }
        if self.saved.is_torn {
            return result.map_err(|e| self.lost(run, e));
        }
        match (self.save_guarded(run, watch), result) {
            (Ok(()), Ok(())) => Ok(()),
            (Ok(()), Err(e)) => Err(self.told(e)),
            (Err(diverged), _) if self.saved.has_diverged => Err(diverged),
            (Err(unsaved), result) => Err(self.elsewhere(run, result.err(), unsaved)),
        }
    }

    /// Writes a checkpoint; a panic is an error.
    fn save_guarded(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<()> {
        let saved = catch_unwind(AssertUnwindSafe(|| self.save(run, watch)));
        saved.unwrap_or_else(|payload| {
            let why = reason(&*payload);
            Err(Error::failure(format!("saving broke down: {why}")))
        })?;
        // An old checkpoint that stays is no reason to fail at the end.
        let _ = self.tidy(run);
        Ok(())
    }

    /// The run's folder takes no checkpoint: tries the folder for temporary files.
    fn elsewhere(&mut self, run: &RunDir, cause: Option<Error>, unsaved: Error) -> Error {
        let cause = cause.map_or(String::new(), |e| format!("{e}; "));
        if let Some((step, file)) = &self.saved.elsewhere
            && *step == self.step()
        {
            return Error::failure(format!(
                "{cause}{unsaved}; {} still holds it",
                file.display()
            ));
        }
        match self.save_outside(run) {
            Ok(file) => {
                let place = file.display();
                let text = format!(
                    "{cause}{unsaved}; step {} is saved as {place} instead",
                    self.step()
                );
                self.saved.elsewhere = Some((self.step(), file));
                Error::failure(text)
            }
            Err(_) => self.lost(run, Error::failure(format!("{cause}{unsaved}"))),
        }
    }

    /// Writes the state to a file outside the run's folder. If that is not there and cannot be made, the file lies in a
    /// folder that is a run of its own.
    fn save_outside(&mut self, run: &RunDir) -> Result<PathBuf> {
        let name = run.path().canonicalize();
        let name = name.or_else(|_| std::path::absolute(run.path())).ok();
        let name = name.as_ref().and_then(|path| path.file_name());
        let name = name.map_or("run".into(), |name| name.to_string_lossy());
        let pid = std::process::id();
        let name = format!("{name}-{pid}-step-{:09}", self.step());
        let place = std::env::temp_dir().join(&name);
        if run.restore(&self.config).is_err() {
            let run = RunDir::create(Some(&place), &self.config)?;
            let file = checkpoint::save(&run, &self.config, self.facts(), &self.store)?;
            self.saved.refuge = Some(place);
            return Ok(file);
        }
        let file = place.with_file_name(format!("{name}.safetensors"));
        checkpoint::write(&file, &self.config, self.facts(), &self.store)?;
        Ok(file)
    }

    /// `error`, and that nothing is lost by it.
    fn told(&self, error: Error) -> Error {
        Error::failure(format!("{error}; step {} is saved", self.step()))
    }

    /// `error`, after which only an earlier checkpoint is left.
    fn lost(&self, run: &RunDir, error: Error) -> Error {
        let left = match kept::newest(run) {
            Ok(path) => format!("the newest state is {}", path.display()),
            Err(_) => "nothing is saved".into(),
        };
        Error::failure(format!("{error}; {left}"))
    }
}

/// What a panic said.
fn reason(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref().map(|s: &&str| (*s).into()))
        .unwrap_or_else(|| "no reason given".into())
}
