//! Training, on one screen: draw a minibatch, run the recorded step, now and then log, look, save.
//!
//! A look or a line of the log that fails is tried again at the next one, and a checkpoint a minute later; whatever else
//! ends a training, `saving.rs` saves it first.

use std::path::Path;
use std::time::Instant;

use super::log::{Log, Metrics};
use super::model::{Model, Sampler};
use super::saving::Saved;
use super::subject::{self, End, Finished, Subject};
use super::watch::{Status, Troubles, Watch};
use super::{Config, RunDir, checkpoint};
use crate::exec::{Backend, Program, Store};
use crate::numbers::{Error, Result, rng};
use crate::optim::schedule::{Plateau, exponential};

/// A run in progress.
pub struct Trainer {
    pub(super) config: Config,
    model: Model,
    pub(super) store: Store,
    program: Program,
    gauge: Program,
    sampler: Sampler,
    subject: Box<dyn Subject>,
    pub(super) step: u64,
    pub(super) plateau: Option<Plateau>,
    /// The step of the last look and its outcome.
    pub(super) judged: Option<(u64, f64)>,
    pub(super) saved: Saved,
    pub(super) troubles: Troubles,
    z: Vec<f32>,
    y: Vec<f32>,
    ball: Vec<f32>,
    last_rates: [f64; 2],
    /// `loss_d` and `loss_g` of one step.
    losses: Vec<f32>,
    sums: Sums,
    /// The mean losses in the last line of `metrics.csv`.
    logged: Option<[f64; 2]>,
    /// When the steps began that this trainer does, and with which.
    begun: (Instant, u64),
}

/// Sums of the losses since the last line of `metrics.csv`.
#[derive(Debug, Default)]
struct Sums {
    steps: u64,
    losses: [f64; 2],
}

impl Sums {
    /// The mean losses of `D` and `G`; none before any have come back.
    fn losses(&self) -> Option<[f64; 2]> {
        let mean = |sum| sum / self.steps as f64;
        (self.steps > 0).then(|| self.losses.map(mean))
    }
}

impl Trainer {
    /// A trainer at step 0 of the run that `config` describes, on its `subject`.
    ///
    /// # Errors
    /// If a device has failed or has no memory left.
    pub fn new(config: &Config, backend: &Backend, subject: Box<dyn Subject>) -> Result<Self> {
        let model = Model::new(config);
        let store = model.initial_store(config)?;
        let program = backend.compile(&model.record(config), &store)?;
        let gauge = Model::record_gauge(config, subject.gauge_points());
        let gauge = backend.compile(&gauge, &store)?;
        let sampler = Sampler::new(config, backend, &store)?;
        let point = subject::point(config).count();
        Ok(Self {
            program,
            gauge,
            sampler,
            subject,
            step: 0,
            plateau: config.plateau_patience.map(Plateau::new),
            judged: None,
            saved: Saved::default(),
            troubles: Troubles::default(),
            z: vec![0.0; config.batch_size * config.z_dim],
            y: vec![0.0; config.batch_size * point],
            ball: vec![0.0; config.batch_size * point],
            last_rates: [0.0; 2],
            losses: Vec::with_capacity(2),
            sums: Sums::default(),
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
        let c = &self.config;
        [c.lr_g, c.lr_d].map(|lr| match &self.plateau {
            Some(plateau) => lr * plateau.factor(),
            None => exponential(lr, lr * c.lr_final, self.step, c.decay_steps),
        })
    }

    /// One step of Algorithm 1.
    fn advance(&mut self) -> Result<()> {
        self.last_rates = self.rates();
        let (config, step, [lr_g, lr_d]) = (&self.config, self.step, self.last_rates);
        let draw = |name| rng::stream(config.seed, name, step);
        rng::fill_normal(&mut draw("latents"), &mut self.z);
        self.subject.fill_batch(step, &mut self.y)?;
        self.program.write("z", &self.z);
        self.program.write("y", &self.y);
        if config.ball > 0.0 {
            for name in ["ball_x", "ball_y"] {
                rng::fill_normal(&mut draw(name), &mut self.ball);
                self.ball.iter_mut().for_each(|b| *b *= config.ball as f32);
                self.program.write(name, &self.ball);
            }
        }
        self.program.write("epsilon", &[self.epsilon() as f32]);
        self.model.adam_g.write(&mut self.program, step + 1, lr_g);
        self.model.adam_d.write(&mut self.program, step + 1, lr_d);
        self.saved.is_torn = true;
        self.program.run(&mut self.store)?;
        self.step += 1;
        self.saved.is_torn = false;
        self.collect(false)
    }

    /// Adds up the losses that have come back, with `wait` of all steps so far.
    fn collect(&mut self, wait: bool) -> Result<()> {
        while self.program.take_scalars(wait, &mut self.losses)? {
            self.sums.steps += 1;
            for (sum, &loss) in self.sums.losses.iter_mut().zip(&self.losses) {
                *sum += f64::from(loss);
            }
        }
        Ok(())
    }

    /// Trains until the last step, or until `watch` says so after a step; the run directory then holds a checkpoint of
    /// the step that was reached.
    ///
    /// # Errors
    /// If the training cannot go on, or its last checkpoint cannot be written; what can be saved has been, and the
    /// sentence says where it is.
    pub fn run(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<()> {
        self.saved_whatever_happens(run, |trainer| trainer.steps(run, watch))
    }

    fn steps(&mut self, run: &RunDir, watch: &mut dyn Watch) -> Result<()> {
        let head = Metrics::head(self.subject.columns());
        let mut log = Log::new(run, head, self.step);
        match log.begin() {
            Ok(None) => {}
            Ok(Some(aside)) => watch.warn(&format!(
                "metrics.csv held lines that are not of this run; it is kept as {}",
                aside.display()
            )),
            Err(e) => self.troubles.warn("log", &no_line(&e), watch),
        }
        if self.step == 0 {
            self.look(run, watch)?;
            self.save(run)?;
        } else if self.saved.step.is_none() {
            self.save_or_warn(run, watch)?;
        }
        self.begun = (Instant::now(), self.step);
        watch.begin(self.step);
        let c = self.config.clone();
        while self.step < c.steps {
            self.advance()?;
            if self.step.is_multiple_of(c.sample_every) {
                self.look(run, watch)?;
            }
            if self.step.is_multiple_of(c.log_every()) {
                self.log(run, &mut log, watch)?;
            }
            if watch.is_due() {
                self.show(watch);
            }
            if self.is_time_to_save() {
                self.save_or_warn(run, watch)?;
            }
            if watch.is_asked_to_stop() {
                break;
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
                let path = run.sample_picture(self.step);
                self.subject.draw_look(self.step, &path)
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
        let written = self.metrics().and_then(|line| log.add(&line));
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
        self.collect(true)?;
        let sums = std::mem::take(&mut self.sums);
        self.logged = sums.losses().or(self.logged);
        let [loss_d, loss_g] = self.logged.unwrap_or([f64::NAN; 2]);
        let [phi_real, phi_generated, energy, spread] = self.measure()?;
        let d_error = (2.0 * loss_d).sqrt() / f64::from(spread);
        let [lr_g, lr_d] = self.last_rates;
        let (time, first) = self.begun;
        Ok(Metrics {
            step: self.step,
            loss_d,
            loss_g,
            phi_real,
            phi_generated,
            energy,
            epsilon: self.epsilon(),
            lr_d,
            lr_g,
            look: self.subject.cells(d_error),
            steps_per_s: (self.step - first) as f64 / time.elapsed().as_secs_f64().max(1e-9),
        })
    }

    /// Shows where the run is.
    fn show(&self, watch: &mut dyn Watch) {
        watch.show(&Status {
            step: self.step,
            losses: self.sums.losses().or(self.logged),
            look: self.subject.status(),
        });
    }

    /// Mean potentials at real and generated points, the energy, and the standard deviation of the potential, for
    /// fresh points of both kinds.
    fn measure(&mut self) -> Result<[f32; 4]> {
        let (config, count) = (&self.config, self.subject.gauge_points());
        let mut z = vec![0.0; count * config.z_dim];
        let mut y = vec![0.0; count * subject::point(config).count()];
        let mut rng = rng::stream(config.seed, "gauge latents", self.step);
        rng::fill_normal(&mut rng, &mut z);
        self.subject.fill_gauge(self.step, &mut y);
        self.gauge.write("z", &z);
        self.gauge.write("y", &y);
        self.gauge.write("epsilon", &[self.epsilon() as f32]);
        self.gauge.run(&mut self.store)?;
        let scalar = |name| self.gauge.scalar(name);
        Ok([
            scalar("phi_real")?,
            scalar("phi_generated")?,
            scalar("energy")?,
            scalar("spread")?,
        ])
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
