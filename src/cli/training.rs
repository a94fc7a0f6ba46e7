//! The middle of every program that trains: from a trainer and the folder of its run to a run that is complete, with what
//! people are told on the way.

use std::time::Instant;

use super::progress::Progress;
use super::{again, start};
use crate::exec::Backend;
use crate::numbers::words::quoted;
use crate::numbers::{Error, Result};
use crate::train::tasks::Finished;
use crate::train::trainer::Trainer;
use crate::train::watch::Hear;
use crate::train::{Config, RunDir};

/// Trains `run` to its last step, and writes what shows it; none if it was asked to stop before, and is saved.
///
/// `again` is the command that goes on, with some more flags.
///
/// # Errors
/// If the training cannot go on, or nothing that shows it can be made; the sentence says what is safe, and how to go on.
pub fn complete(
    trainer: &mut Trainer,
    (run, config): (&RunDir, &Config),
    backend: &Backend,
    progress: &mut Progress,
    again: &dyn Fn(&str) -> String,
) -> Result<Option<Finished>> {
    progress.say(&format!(
        "step {} of {}, into {}; Ctrl-C saves and stops",
        trainer.step(),
        config.steps,
        run.path().display()
    ));
    trainer.announce_size(run, progress);
    if !run.is_locked() {
        progress.warn(&format!(
            "{} is on a file system without locks; see to it that no other program trains there",
            run.path().display()
        ));
    }
    let (begun, first) = (Instant::now(), trainer.step());
    let trained = trainer.run(run, progress);
    progress.finish();
    let stopped = |e: Error, trainer: &Trainer| {
        Error::failure(format!("{e}{}", how_to_go_on(trainer, again)))
    };
    trained.map_err(|e| stopped(e, trainer))?;
    if trainer.step() < config.steps {
        return Ok(None);
    }
    if trainer.step() > first {
        let (steps, seconds) = (trainer.step() - first, begun.elapsed().as_secs_f64());
        progress.say(&format!("{steps} steps in {seconds:.0} s"));
    }
    let finished = start::guarded(|| trainer.finish(run, backend));
    // That has taken a while, too.
    let secured = trainer.secure(run, progress);
    secured.map_err(|e| stopped(e, trainer))?;
    finished
        .map(Some)
        .map_err(|e| unshown(&format!("what shows it could not be made: {e}"), again))
}

/// A training that is complete, but not everything that shows it, for this reason.
pub fn unshown(why: &str, again: &dyn Fn(&str) -> String) -> Error {
    Error::failure(format!(
        "the training is complete and saved, but {why}; to try that again: {}",
        again("")
    ))
}

/// How to go on after an error, if there is anything to go on from.
fn how_to_go_on(trainer: &Trainer, again: &dyn Fn(&str) -> String) -> String {
    if !trainer.is_worth_going_on() {
        return String::new();
    }
    let command = match (trainer.refuge(), trainer.saved_elsewhere()) {
        (Some(run), _) => again::resume(run, ""),
        (None, Some(file)) => again(&format!("--checkpoint {}", quoted(file))),
        (None, None) => again(""),
    };
    format!("; go on with: {command}")
}
