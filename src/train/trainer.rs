//! Training, on one screen: run the recorded rounds, now and then log, look, save.
//!
//! A look or a line of the log that fails is tried again at the next one, and a checkpoint a minute later; whatever else
//! ends a training, `saving.rs` saves it first.

use std::path::Path;
use std::time::Instant;

use super::log::{Log, Metrics};
use super::model::Model;
use super::round::Round;
use super::sampler::Sampler;
use super::saving::Saved;
use super::tasks::{End, Finished, Subject};
use super::watch::{Status, Troubles, Watch};
use super::{Config, RunDir, checkpoint};
use crate::exec::{Backend, Program, Store};
use crate::figures::write_png;
use crate::numbers::{Error, Result};
use crate::objective::{Draw, Feed, Seen};
use crate::optim::schedule::{Plateau, exponential};

/// A run in progress.
pub struct Trainer {
    pub(super) config: Config,
    model: Model,
    pub(super) store: Store,
    round: Round,
    gauge: Program,
    gauge_feed: Feed,
    /// What the gauge measures, in the order of its outputs.
    gauged: Vec<String>,
    sampler: Sampler,
    subject: Box<dyn Subject>,
    pub(super) step: u64,
    pub(super) plateau: Option<Plateau>,
    /// The step of the last look and its outcome.
    pub(super) judged: Option<(u64, f64)>,
    pub(super) saved: Saved,
    pub(super) troubles: Troubles,
    last_rates: [f64; 2],
    /// The mean losses in the last line of `metrics.csv`.
    logged: Option<[f64; 2]>,
    /// When the steps began that this trainer does, and with which.
    begun: (Instant, u64),
}

impl Trainer {
    /// A trainer at step 0 of the run that `config` describes, on its `subject`.
    ///
    /// # Errors
    /// If a device has failed or has no memory left.
    pub fn new(config: &Config, backend: &Backend, subject: Box<dyn Subject>) -> Result<Self> {
        let model = Model::new(config);
        let store = model.initial_store(config)?;
        let round = Round::new(model.record(config), &model, backend, &store)?;
        let gauge = model.record_gauge(config, subject.gauge_points());
        let gauged = gauge.outputs().iter().map(|(name, _)| name.clone());
        let gauged = gauged.collect();
        let gauge_feed = model.feed(&gauge);
        let gauge = backend.compile(&gauge, &store)?;
        let sampler = Sampler::new(&Model::record_sampler(config), backend, &store)?;
        Ok(Self {
            round,
            gauge,
            gauge_feed,
            gauged,
            sampler,
            subject,
            step: 0,
            plateau: config.schedule.plateau(),
            judged: None,
            saved: Saved::default(),
            troubles: Troubles::default(),
            last_rates: [0.0; 2],
            logged: None,
            begun: (Instant::now(), 0),
            config: config.clone(),
            model,
            store,
        })
    }

    /// Continues `run` from the state in `path`.
    ///
    /// # Errors
    /// If it cannot be read or does not fit the configuration, or a device has failed.
    pub fn load(&mut self, run: &RunDir, path: &Path) -> Result<()> {
        let facts = checkpoint::load(path, &self.config, &mut self.store)?;
        (self.step, self.plateau, self.judged) = (facts.step, facts.plateau, facts.judged);
        self.set_origin(run, path);
        self.subject.look(&mut self.sampler.with(&mut self.store))
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The kernel's width at the current step.
    fn epsilon(&self) -> f64 {
        let c = &self.config;
        exponential(c.epsilon, c.epsilon_final, self.step, c.decay_steps)
    }

    /// The learning rates of `G` and `D` in the next step.
    fn rates(&self) -> [f64; 2] {
        let fallen = self.config.falling_rates(self.step);
        fallen.map(|lr| self.plateau.map_or(lr, |plateau| lr * plateau.factor()))
    }

    /// One round.
    fn advance(&mut self) -> Result<()> {
        self.last_rates = self.rates();
        let epsilon = self.epsilon();
        let subject = &mut self.subject;
        // Minibatches come one after the other, whichever parts of a round take them.
        let mut batch = self.step * self.round.batches();
        let mut real = |y: &mut [f32]| {
            batch += 1;
            subject.fill_batch(batch - 1, y)
        };
        let mut draw = Draw {
            epsilon,
            rates: self.last_rates,
            ..self.config.draw(&mut real)
        };
        let torn = &mut self.saved.is_torn;
        self.round
            .run(self.step, &mut self.store, torn, &mut draw)?;
        self.step += 1;
        Ok(())
    }

    /// Trains until the last step, or until `watch` says so between two; the run directory then holds a checkpoint of
    /// the step that was reached.
    ///
    /// # Errors
    /// If the training cannot go on, or its last checkpoint cannot be written; what can be saved has been, and the
    /// sentence says where it is.
    pub fn run(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<()> {
        self.saved_whatever_happens(run, watch, |trainer, watch| trainer.steps(run, watch))
    }

    /// Sees to it that the state it has reached is in the run directory, from which somebody may have removed it.
    ///
    /// # Errors
    /// As [`Trainer::run`].
    pub fn secure(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<()> {
        self.saved_whatever_happens(run, watch, |_, _| Ok(()))
    }

    fn steps(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<()> {
        let head = Metrics::head(self.model.objective.columns(), self.subject.columns());
        let mut log = Log::new(run, head, self.step);
        match log.begin() {
            Ok(None) => {}
            Ok(Some(aside)) => watch.warn(&format!(
                "metrics.csv held lines that are not of this run; it is kept as {}",
                aside.display()
            )),
            Err(e) => self.troubles.warn("log", &no_line(&e), watch),
        }
        // A state from outside the run, such as one that was set aside, may be far from where the lines end.
        let every = self.config.task().log_every(self.config.steps);
        if self.saved.elsewhere.is_some() && log.end() + every < self.step {
            let (end, step) = (log.end(), self.step);
            watch.warn(&format!(
                "metrics.csv has no lines between steps {end} and {step}"
            ));
        }
        if self.step == 0 {
            self.look(run, watch)?;
            self.save(run, watch)?;
        } else if self.saved.step.is_none() {
            self.save_or_warn(run, watch)?;
        }
        self.begun = (Instant::now(), self.step);
        watch.begin(self.step);
        let c = self.config.clone();
        while self.step < c.steps && !watch.is_asked_to_stop() {
            self.advance()?;
            if self.step.is_multiple_of(c.sample_every) {
                self.look(run, watch)?;
            }
            if self.step.is_multiple_of(c.task().log_every(c.steps)) {
                self.log(run, &mut log, watch)?;
            }
            if watch.is_due() {
                self.show(watch);
            }
            if self.is_time_to_save() {
                self.save_or_warn(run, watch)?;
            }
        }
        Ok(())
    }

    /// Judges and draws the samples of the same latents, and lets the schedule know. Only numbers that have become
    /// infinite end the training; anything else that fails here is tried again at the next look.
    fn look(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<()> {
        self.check_finite(run)?;
        let looked = self
            .subject
            .look(&mut self.sampler.with(&mut self.store))
            .and_then(|()| {
                self.judged = Some((self.step, self.subject.tracked()));
                if let Some(plateau) = &mut self.plateau {
                    plateau.look(self.subject.tracked());
                }
                self.restore(run, watch)?;
                let path = run.sample_picture(self.step);
                write_png(&path, &self.subject.draw_look(self.step))
            });
        match looked {
            Ok(()) => _ = self.troubles.end("look"),
            Err(e) => {
                let text = format!("no look at the samples of step {}: {e}", self.step);
                self.troubles.warn("look", &text, watch);
            }
        }
        Ok(())
    }

    /// Writes a line of `metrics.csv`. As with looks, only numbers that have become infinite end the training.
    fn log(&mut self, run: &RunDir, log: &mut Log, watch: &mut dyn Watch) -> Result<()> {
        let written = self.metrics().and_then(|line| {
            self.restore(run, watch).inspect_err(|_| log.keep(&line))?;
            log.add(&line)
        });
        match written {
            Ok(()) => _ = self.troubles.end("log"),
            Err(e) => self.troubles.warn("log", &no_line(&e), watch),
        }
        // A weight that is no number makes losses that are none: as long as they are, spare looking at every weight.
        match self.logged {
            Some([d, g]) if !(d + g).is_finite() => self.check_finite(run),
            _ => Ok(()),
        }
    }

    /// What a line of `metrics.csv` says.
    fn metrics(&mut self) -> Result<Metrics> {
        self.round.collect(true)?;
        self.logged = self.round.losses().or(self.logged);
        self.round.forget();
        let losses = self.logged.unwrap_or([f64::NAN; 2]);
        let gauge = self.measure()?;
        let seen = Seen {
            losses,
            gauge: &gauge,
            epsilon: self.epsilon(),
        };
        let [lr_g, lr_d] = self.last_rates;
        let (time, first) = self.begun;
        Ok(Metrics {
            step: self.step,
            losses,
            measures: self.model.objective.measures(&seen),
            lr_d,
            lr_g,
            look: self.subject.values(),
            steps_per_s: (self.step - first) as f64 / time.elapsed().as_secs_f64().max(1e-9),
        })
    }

    /// Shows where the run is.
    fn show(&self, watch: &mut dyn Watch) {
        watch.show(&Status {
            step: self.step,
            losses: self.round.losses().or(self.logged),
            look: self.subject.status(),
        });
    }

    /// What the objective measures, for fresh points of both kinds.
    fn measure(&mut self) -> Result<Vec<f64>> {
        let epsilon = self.epsilon();
        let subject = &self.subject;
        let step = self.step;
        let mut real = |y: &mut [f32]| subject.fill_gauge(step, y);
        let mut draw = Draw {
            latents: "gauge latents",
            run: step,
            epsilon,
            ..self.config.draw(&mut real)
        };
        self.gauge_feed.hand_in(&mut self.gauge, &mut draw)?;
        self.gauge.run(&mut self.store)?;
        let scalar = |name: &String| self.gauge.scalar(name).map(f64::from);
        self.gauged.iter().map(scalar).collect()
    }

    /// Writes everything that a finished run shows.
    ///
    /// # Errors
    /// If a device has failed.
    pub fn finish(&mut self, run: &RunDir, backend: &Backend) -> Result<Finished> {
        let epsilon = self.epsilon();
        self.subject.finish(End {
            run,
            config: &self.config,
            backend,
            step: self.step,
            epsilon,
            source: self.sampler.with(&mut self.store),
        })
    }
}

/// What is said when `metrics.csv` cannot be written.
fn no_line(error: &Error) -> String {
    format!("no line in metrics.csv for now: {error}")
}
