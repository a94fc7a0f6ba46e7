//! Whole training steps on pictures, at full width: what a GPU is for.
//!
//! The reference executor would take days, so losses are compared with those of the CPU executor, which the other rows
//! hold against it.

use coulomb_gan::exec::{Backend, Executor, Precision, Program, Store};
use coulomb_gan::numbers::{Error, Result, rng};
use coulomb_gan::objective::Feed;
use coulomb_gan::tape::Tape;
use coulomb_gan::train::Config;
use coulomb_gan::train::model::Model;
use coulomb_gan::train::presets::preset;

use super::rows::{Row, Work, run_once};

/// The training step of the preset `name`, batch 128.
pub fn step(name: &'static str) -> Row {
    let config = preset(name).expect("a preset");
    let tape = only_part(&Model::new(&config), &config);
    Row {
        name: format!("{name} step"),
        work: Work {
            items: Some((1, "steps")),
            ..Work::of(&tape)
        },
        one_thread_only: false,
        heavy: true,
        prepare: Box::new(move |backend| {
            let (mut step, mut store) = Step::compile(&config, backend)?;
            let (mut same, mut other) = Step::compile(&config, &Backend::cpu(None)?)?;
            let tolerance = match backend {
                Backend::Gpu(device) if device.precision() == Precision::Half => 3e-2,
                _ => 1e-3,
            };
            step.run(&mut store)?;
            same.run(&mut other)?;
            for loss in ["loss_d", "loss_g"] {
                let [found, expected] = [&step, &same].map(|step| step.program.scalar(loss));
                let (found, expected) = (found?, expected?);
                // Not `>`: what is not a number must not pass.
                let close = (found - expected).abs() <= tolerance * expected.abs().max(1e-3);
                if !close {
                    return Err(Error::failure(format!(
                        "{loss} is {found}, on the CPU {expected}"
                    )));
                }
            }
            let backend = backend.clone();
            Ok(Box::new(move || {
                run_once(&backend, &mut step.program, &mut store)
            }))
        }),
    }
}

/// The one tape of a round of the Coulomb GAN.
fn only_part(model: &Model, config: &Config) -> Tape {
    model.record(config).swap_remove(0).tape
}

/// A compiled step and what hands it numbers.
struct Step {
    feed: Feed,
    config: Config,
    program: Program,
}

impl Step {
    fn compile(config: &Config, backend: &Backend) -> Result<(Self, Store)> {
        let mut config = config.clone();
        if let Backend::Gpu(device) = backend {
            config.backend = Executor::Gpu;
            config.precision = device.precision();
        }
        let model = Model::new(&config);
        let tape = only_part(&model, &config);
        let store = model.initial_store(&config)?;
        let program = backend.compile(&tape, &store)?;
        let step = Self {
            feed: model.feed(&tape),
            config,
            program,
        };
        Ok((step, store))
    }

    /// The first step, on random points.
    fn run(&mut self, store: &mut Store) -> Result<()> {
        let spread = self.config.task().spread();
        let mut real = |y: &mut [f32]| {
            rng::fill_normal(&mut rng::stream(1, "y", 0), y);
            y.iter_mut().for_each(|x| *x *= spread);
            Ok(())
        };
        let mut draw = self.config.draw(&mut real);
        self.feed.hand_in(&mut self.program, &mut draw)?;
        self.program.run(store)
    }
}
