//! Programs that change what they start from: Adam, and whole steps of training.

use std::sync::Arc;

use coulomb_gan::data::Mixture;
use coulomb_gan::exec::{Backend, Program, Store};
use coulomb_gan::nn::{self, Init, Parameter};
use coulomb_gan::numbers::{Result, rng};
use coulomb_gan::optim::Adam;
use coulomb_gan::tape::Tape;
use coulomb_gan::train::model::Model;
use coulomb_gan::train::presets::preset;

use super::{Agree, Row, Work, agree_everywhere, agree_on_average, normal, run_once};

/// Steps that are compared with the reference: the second sees the first one's assignments.
const CHECKED_STEPS: u64 = 3;

/// Hands in the inputs of a step, counted from 0.
type Write = dyn Fn(&mut Program, u64) + Send + Sync;

/// A program that changes its store from step to step.
struct Training {
    name: &'static str,
    tape: Tape,
    /// The store at step 0.
    store: Store,
    write: Arc<Write>,
    agree: Agree,
    tolerance: f32,
    items: Option<(usize, &'static str)>,
}

impl Training {
    fn into_row(self) -> Row {
        Row {
            name: self.name.into(),
            work: Work {
                items: self.items,
                ..Work::of(&self.tape)
            },
            one_thread_only: false,
            heavy: false,
            prepare: Box::new(move |backend| {
                let [mut store, mut expected] = [(); 2].map(|()| self.store.duplicate().unwrap());
                let mut program = backend.compile(&self.tape, &store)?;
                let mut reference = Backend::Reference.compile(&self.tape, &expected)?;
                for step in 0..CHECKED_STEPS {
                    (self.write)(&mut program, step);
                    program.run(&mut store).unwrap();
                    (self.write)(&mut reference, step);
                    reference.run(&mut expected).unwrap();
                    self.check([&program, &reference], [&store, &expected])?;
                }
                let write = Arc::clone(&self.write);
                let mut step = CHECKED_STEPS;
                let backend = backend.clone();
                Ok(Box::new(move || {
                    write(&mut program, step);
                    step += 1;
                    run_once(&backend, &mut program, &mut store)
                }))
            }),
        }
    }

    /// Compares all outputs and all states of the program and the reference.
    fn check(&self, programs: [&Program; 2], stores: [&Store; 2]) -> Result<()> {
        for (name, _) in self.tape.outputs() {
            let [found, expected] = programs.map(|program| program.read(name).unwrap());
            (self.agree)(name, found, expected, self.tolerance)?;
        }
        for name in stores[1].names() {
            let [found, expected] =
                stores.map(|store| store.get(name).unwrap().expect("a name it lists"));
            (self.agree)(name, found.data(), expected.data(), self.tolerance)?;
        }
        Ok(())
    }
}

/// Adam's update of a square weight of `size` rows, its gradient given.
pub fn adam(name: &'static str, size: usize) -> Row {
    let parameters = [Parameter {
        name: "net.weight".into(),
        shape: [size, size].into(),
        init: Init::Uniform(1.0),
        decays: true,
    }];
    let adam = Adam::new("adam", 0.9, 0.0);
    let mut store = Store::new();
    nn::initialise(&parameters, 1, &mut store);
    adam.initialise(&parameters, &mut store);
    let mut tape = Tape::new();
    let gradient = tape.input("gradient", [size, size]);
    adam.record(&mut tape, &parameters, &[gradient]);
    let values = normal("gradient", size * size);
    Training {
        name,
        tape,
        store,
        write: Arc::new(move |program, step| {
            if step == 0 {
                program.write("gradient", &values);
            }
            adam.write(program, step + 1, 1e-4);
        }),
        agree: agree_everywhere,
        tolerance: 1e-5,
        items: None,
    }
    .into_row()
}

/// Batches that the training step goes round and round.
const BATCHES: u64 = 64;

/// The compiled training step of the preset `mixture`, its batches drawn beforehand.
///
/// It is compared on average: Adam's first steps are as long for a gradient of almost zero as for any other,
/// so where rounding decides a gradient's sign, single weights may differ by a step.
pub fn mixture_step() -> Row {
    let config = preset("mixture").expect("a preset");
    let model = Model::new(&config);
    let data = Mixture::new(config.seed);
    let batch = |step| {
        let mut z = vec![0.0; config.batch_size * config.z_dim];
        let mut y = vec![0.0; config.batch_size * 2];
        rng::fill_normal(&mut rng::stream(config.seed, "latents", step), &mut z);
        data.fill_batch(&mut rng::stream(config.seed, "batch", step), &mut y);
        (z, y)
    };
    let batches: Vec<_> = (0..BATCHES).map(batch).collect();
    Training {
        name: "mixture step",
        tape: model.record(&config).swap_remove(0).tape,
        store: model
            .initial_store(&config)
            .expect("nothing has left this memory"),
        write: Arc::new(move |program, step| {
            let (z, y) = &batches[(step % BATCHES) as usize];
            program.write("z", z);
            program.write("y", y);
            program.write("epsilon", &[config.epsilon as f32]);
            model.adam_g.write(program, step + 1, config.lr_g);
            model.adam_d.write(program, step + 1, config.lr_d);
        }),
        agree: agree_on_average,
        tolerance: 2e-3,
        items: Some((1, "steps")),
    }
    .into_row()
}
