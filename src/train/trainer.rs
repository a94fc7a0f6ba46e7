//! Training, on one screen: draw a minibatch, run the recorded step, now and then log, look, save.

use super::model::{Model, POINT, Sampler};
use super::progress::{Progress, Status};
use super::run_dir::Metrics;
use super::{Config, RunDir, checkpoint};
use crate::data::{Mixture, mixture};
use crate::exec::{Backend, Program, Store};
use crate::figures;
use crate::metrics::ModeReport;
use crate::numbers::{Error, Result, rng};
use crate::optim::schedule::exponential;

/// Lines of `metrics.csv` in a full run.
const LOG_LINES: u64 = 500;

/// Samples for a picture and a mode count.
const LOOK_AT: usize = 2000;

/// Points of each kind behind a line's potentials and energy.
const GAUGE_ROWS: usize = 1024;

/// A run in progress.
pub struct Trainer {
    config: Config,
    model: Model,
    store: Store,
    program: Program,
    gauge: Program,
    sampler: Sampler,
    data: Mixture,
    step: u64,
    z: Vec<f32>,
    y: Vec<f32>,
    ball: Vec<f32>,
    sums: Sums,
    last_look: Option<ModeReport>,
}

/// Sums of the losses since the last line of `metrics.csv`.
#[derive(Debug, Default)]
struct Sums {
    steps: u64,
    losses: [f64; 2],
}

impl Trainer {
    /// A trainer at step 0.
    ///
    /// # Errors
    /// Never for a valid configuration.
    pub fn new(config: &Config, backend: &Backend) -> Result<Self> {
        let model = Model::new(config);
        let store = model.initial_store(config);
        let program = backend.compile(&model.record(config), &store)?;
        let gauge = backend.compile(&Model::record_gauge(config, GAUGE_ROWS), &store)?;
        let sampler = Sampler::new(config, backend, &store)?;
        Ok(Self {
            program,
            gauge,
            sampler,
            data: Mixture::new(config.seed),
            step: 0,
            z: vec![0.0; config.batch_size * config.z_dim],
            y: vec![0.0; config.batch_size * POINT],
            ball: vec![0.0; config.batch_size * POINT],
            sums: Sums::default(),
            last_look: None,
            config: config.clone(),
            model,
            store,
        })
    }

    /// Continues from a checkpoint.
    ///
    /// # Errors
    /// If it cannot be read or does not fit the configuration.
    pub fn load(&mut self, path: &std::path::Path) -> Result<()> {
        self.step = checkpoint::load(path, &self.config, &mut self.store)?;
        let samples = self.samples(self.config.seed, LOOK_AT);
        self.last_look = Some(ModeReport::new(&samples, &mixture::means(), mixture::STD));
        Ok(())
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The real points.
    pub fn data(&self) -> &[[f32; 2]] {
        self.data.points()
    }

    /// The kernel's width at the current step.
    pub fn epsilon(&self) -> f64 {
        let c = &self.config;
        exponential(c.epsilon, c.epsilon_final, self.step, c.decay_steps)
    }

    /// The learning rates of `G` and `D` in the step after `step` steps.
    fn rates(&self, step: u64) -> [f64; 2] {
        let c = &self.config;
        [c.lr_g, c.lr_d].map(|lr| exponential(lr, lr * c.lr_final, step, c.decay_steps))
    }

    /// One step of Algorithm 1.
    fn advance(&mut self) {
        let (config, step) = (&self.config, self.step);
        let [lr_g, lr_d] = self.rates(step);
        let draw = |name| rng::stream(config.seed, name, step);
        rng::fill_normal(&mut draw("latents"), &mut self.z);
        self.data.fill_batch(&mut draw("batch"), &mut self.y);
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
        self.program.run(&mut self.store);
        self.step += 1;
        self.sums.steps += 1;
        for (sum, name) in self.sums.losses.iter_mut().zip(["loss_d", "loss_g"]) {
            *sum += f64::from(self.program.scalar(name));
        }
    }

    /// Trains until the last step, or until `stop` says so after a step; the run directory then holds a
    /// checkpoint of the step that was reached.
    ///
    /// # Errors
    /// If a file cannot be written, or the numbers stop being finite (the last checkpoint stays).
    pub fn run(
        &mut self,
        run: &RunDir,
        progress: &mut Progress,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<()> {
        let log_every = (self.config.steps / LOG_LINES).max(1);
        if self.step == 0 {
            self.look(run)?;
            self.save(run)?;
        }
        let mut saved = self.step;
        while self.step < self.config.steps {
            self.advance();
            if self.step.is_multiple_of(self.config.sample_every) {
                self.look(run)?;
            }
            if self.step.is_multiple_of(log_every) {
                self.log(run, progress)?;
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
        checkpoint::save(run, &self.config, self.step, &self.store)?;
        Ok(())
    }

    /// Stops a run whose numbers have become infinite or undefined: every later step would be wasted.
    fn check_finite(&self, run: &RunDir) -> Result<()> {
        if self.store.is_finite() {
            return Ok(());
        }
        Err(Error::failure(format!(
            "training diverged before step {}: a weight is infinite or undefined; start again with a lower \
             --lr-d or --lr-g ({} is the last good state)",
            self.step,
            checkpoint::newest(run)?.display()
        )))
    }

    /// Draws the samples of the same latents and counts their modes.
    fn look(&mut self, run: &RunDir) -> Result<()> {
        let samples = self.samples(self.config.seed, LOOK_AT);
        let caption = format!("step {}", self.step);
        let real = &self.data.points()[..LOOK_AT];
        let frame = figures::animation::frame(real, &samples, figures::WINDOW, &caption);
        figures::write_png(&run.sample_picture(self.step), &frame)?;
        self.last_look = Some(ModeReport::new(&samples, &mixture::means(), mixture::STD));
        Ok(())
    }

    /// Writes a line of `metrics.csv` and shows it.
    fn log(&mut self, run: &RunDir, progress: &mut Progress) -> Result<()> {
        let sums = std::mem::take(&mut self.sums);
        let [loss_d, loss_g] = sums.losses.map(|sum| sum / sums.steps as f64);
        self.check_finite(run)?;
        let [phi_real, phi_generated, energy] = self.measure();
        let look = self.last_look.as_ref();
        let [lr_g, lr_d] = self.rates(self.step - 1);
        let modes_covered = look.map_or(0, |look| look.modes_covered);
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
            modes_covered,
            high_quality: look.map_or(0.0, |look| look.high_quality),
            steps_per_s: progress.rate(self.step),
        })?;
        progress.show(Status {
            step: self.step,
            loss_d,
            loss_g,
            modes: modes_covered,
        });
        Ok(())
    }

    /// Mean potentials at real and generated points, and the energy, for fresh points of both kinds.
    fn measure(&mut self) -> [f32; 3] {
        let draw = |name| rng::stream(self.config.seed, name, self.step);
        let mut z = vec![0.0; GAUGE_ROWS * self.config.z_dim];
        let mut y = vec![0.0; GAUGE_ROWS * POINT];
        rng::fill_normal(&mut draw("gauge latents"), &mut z);
        self.data.fill_batch(&mut draw("gauge batch"), &mut y);
        self.gauge.write("z", &z);
        self.gauge.write("y", &y);
        self.gauge.write("epsilon", &[self.epsilon() as f32]);
        self.gauge.run(&mut self.store);
        ["phi_real", "phi_generated", "energy"].map(|name| self.gauge.scalar(name))
    }

    /// `count` samples of the generator as it is now; `seed` chooses the latents.
    pub fn samples(&mut self, seed: u64, count: usize) -> Vec<[f32; 2]> {
        self.sampler.draw(&mut self.store, seed, count)
    }
}
