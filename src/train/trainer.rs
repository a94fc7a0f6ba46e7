//! Training, on one screen: draw a minibatch, run the recorded step, now and then log, look, save.

use std::path::{Path, PathBuf};

use super::checkpoint::Facts;
use super::model::{Model, Sampler};
use super::progress::{Progress, Status};
use super::run_dir::Metrics;
use super::subject::{self, End, Subject};
use super::{Config, RunDir, checkpoint};
use crate::exec::{Backend, Program, Store};
use crate::numbers::{Error, Result, rng};
use crate::optim::schedule::{Plateau, exponential};

/// A run in progress.
pub struct Trainer {
    config: Config,
    model: Model,
    store: Store,
    program: Program,
    gauge: Program,
    sampler: Sampler,
    subject: Box<dyn Subject>,
    step: u64,
    plateau: Option<Plateau>,
    z: Vec<f32>,
    y: Vec<f32>,
    ball: Vec<f32>,
    last_rates: [f64; 2],
    /// `loss_d` and `loss_g` of one step.
    losses: Vec<f32>,
    sums: Sums,
    /// The mean losses in the last line of `metrics.csv`.
    logged: [f64; 2],
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
            z: vec![0.0; config.batch_size * config.z_dim],
            y: vec![0.0; config.batch_size * point],
            ball: vec![0.0; config.batch_size * point],
            last_rates: [0.0; 2],
            losses: Vec::with_capacity(2),
            sums: Sums::default(),
            logged: [f64::NAN; 2],
            config: config.clone(),
            model,
            store,
        })
    }

    /// Continues from a checkpoint.
    ///
    /// # Errors
    /// If it cannot be read or does not fit the configuration, or a device has failed.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let facts = checkpoint::load(path, &self.config, &mut self.store)?;
        (self.step, self.plateau) = (facts.step, facts.plateau);
        self.subject.look(&mut self.sampler.with(&mut self.store))
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The first line of the run's `metrics.csv`.
    pub fn metrics_head(&self) -> String {
        Metrics::head(self.subject.columns())
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
        self.program.run(&mut self.store)?;
        self.step += 1;
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

    /// Trains until the last step, or until `stop` says so after a step; the run directory then holds a
    /// checkpoint of the step that was reached.
    ///
    /// # Errors
    /// If a file cannot be written, a device fails, or the numbers stop being finite (the last checkpoint stays).
    pub fn run(
        &mut self,
        run: &RunDir,
        progress: &mut Progress,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<()> {
        let log_every = self.config.log_every();
        if self.step == 0 {
            run.rewind_metrics(&self.metrics_head(), 0)?;
            self.look(run)?;
            self.save(run)?;
        }
        let mut saved = self.step;
        while self.step < self.config.steps {
            self.advance()?;
            if self.step.is_multiple_of(self.config.sample_every) {
                self.look(run)?;
            }
            if self.step.is_multiple_of(log_every) {
                self.log(run, progress)?;
            } else if progress.is_due() {
                self.show(self.sums.losses().unwrap_or(self.logged), progress);
            }
            if self.step.is_multiple_of(self.config.checkpoint_every) {
                self.save(run)?;
                saved = self.step;
            }
            if stop() {
                break;
            }
        }
        if saved != self.step {
            self.save(run)?;
        }
        Ok(())
    }

    /// Writes a checkpoint, unless there is nothing worth keeping.
    fn save(&self, run: &RunDir) -> Result<()> {
        self.check_finite(run)?;
        let facts = Facts {
            step: self.step,
            plateau: self.plateau,
        };
        checkpoint::save(run, &self.config, facts, &self.store)?;
        Ok(())
    }

    /// Stops a run whose numbers have become infinite or undefined: every later step would be wasted.
    fn check_finite(&self, run: &RunDir) -> Result<()> {
        if self.store.is_finite()? {
            return Ok(());
        }
        Err(Error::failure(format!(
            "training diverged before step {}: a weight is infinite or undefined; start again with a lower \
             --lr-d or --lr-g ({} is the last good state)",
            self.step,
            checkpoint::newest(run)?.display()
        )))
    }

    /// Judges and draws the samples of the same latents, and lets the schedule know.
    fn look(&mut self, run: &RunDir) -> Result<()> {
        self.check_finite(run)?;
        self.subject.look(&mut self.sampler.with(&mut self.store))?;
        if let Some(plateau) = &mut self.plateau {
            plateau.look(self.subject.tracked());
        }
        let path = run.sample_picture(self.step);
        self.subject.draw_look(self.step, &path)
    }

    /// Writes a line of `metrics.csv` and shows it.
    fn log(&mut self, run: &RunDir, progress: &mut Progress) -> Result<()> {
        self.collect(true)?;
        let sums = std::mem::take(&mut self.sums);
        self.logged = sums.losses().unwrap_or(self.logged);
        let [loss_d, loss_g] = self.logged;
        // A weight that is no number makes losses that are none: as long as they are, spare looking at every weight.
        if !(loss_d + loss_g).is_finite() {
            self.check_finite(run)?;
        }
        let [phi_real, phi_generated, energy, spread] = self.measure()?;
        let d_error = (2.0 * loss_d).sqrt() / f64::from(spread);
        let [lr_g, lr_d] = self.last_rates;
        run.log(&Metrics {
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
            steps_per_s: progress.rate(self.step),
        })?;
        self.show([loss_d, loss_g], progress);
        Ok(())
    }

    /// Shows where the run is.
    fn show(&self, [loss_d, loss_g]: [f64; 2], progress: &mut Progress) {
        progress.show(Status {
            step: self.step,
            loss_d,
            loss_g,
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

    /// Writes everything that a finished run shows; returns the judgement in words and the files.
    ///
    /// # Errors
    /// If a file cannot be written, or a device has failed.
    pub fn finish(&mut self, run: &RunDir, backend: &Backend) -> Result<(String, Vec<PathBuf>)> {
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
