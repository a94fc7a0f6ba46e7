//! What is measured. Each row records a tape, compiles it for a backend, checks one run of it against the
//! reference executor, and hands back a closure that runs it once.
//!
//! Kernels whose result has many independent rows are checked in their first and last few: the reference
//! gets only those rows of the input. The program that is checked is the one that is timed.

mod kernels;
mod products;
mod training;

use coulomb_gan::coulomb::potential::{Charges, field, potential};
use coulomb_gan::exec::{Backend, Program, Store};
use coulomb_gan::numbers::{Error, Result, rng};
use coulomb_gan::tape::explain::Cost;
use coulomb_gan::tape::plan::Plan;
use coulomb_gan::tape::{Op, Tape, Var, Window};

use super::steps;

/// One line of the table, once per crew of threads.
pub struct Row {
    pub name: String,
    pub work: Work,
    /// The row does not use the backend's threads.
    pub one_thread_only: bool,
    /// Minutes on a CPU: measured where there is a GPU that is worth it, in both precisions, or where it is asked for by
    /// name.
    pub heavy: bool,
    pub prepare: Box<Prepare>,
}

/// Compiles a row for a backend, checks its result, and returns what is to be timed.
type Prepare = dyn Fn(&Backend) -> Result<Timed>;

/// Runs once; returns how long that took by the device's own clock, where it has one.
pub type Timed = Box<dyn FnMut() -> Option<f64> + Send>;

/// Runs a program once, on a GPU with its clock.
pub fn run_once(backend: &Backend, program: &mut Program, store: &mut Store) -> Option<f64> {
    match backend {
        Backend::Gpu(_) => Some(program.profile(store, 1).unwrap().iter().sum()),
        _ => {
            program.run(store).unwrap();
            None
        }
    }
}

/// What one call does.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    pub cost: Cost,
    /// Steps of the plan; 0 for what is no program.
    pub steps: usize,
    /// What else is worth counting: pairs, training steps.
    pub items: Option<(usize, &'static str)>,
}

impl Work {
    /// What a plan of `tape` costs.
    pub fn of(tape: &Tape) -> Self {
        let plan = Plan::new(tape);
        Self {
            cost: tape.cost(&plan),
            steps: plan.steps.len(),
            items: None,
        }
    }
}

/// All rows.
pub fn all() -> Vec<Row> {
    let mut rows = vec![];
    for (size, ta, tb) in [
        ([128, 128, 128], false, false),
        ([128, 128, 128], false, true),
        ([128, 128, 128], true, false),
        ([256, 128, 128], false, false),
        ([128, 1600, 512], false, false),
        ([1024, 1024, 1024], false, false),
        ([1024, 1024, 1024], false, true),
        // The first layer of the paper's generator for 32 x 32 pictures, and its latents' gradient.
        ([128, 16, 16384], false, true),
        ([128, 16384, 16], false, false),
    ] {
        rows.push(products::matmul(size, ta, tb));
        rows.push(products::sgemm(size, ta, tb));
    }
    rows.extend([
        kernels::pointwise("elu of 1 Mi", [1024, 1024], |t, x| t.elu(x)),
        kernels::pointwise("tanh of 1 Mi", [1024, 1024], |t, x| t.tanh(x)),
        kernels::pointwise("bias + elu of 256x128", [256, 128], |t, x| {
            let bias = t.input("bias", [128]);
            let shape = t.shape(x).clone();
            let bias = t.broadcast(bias, shape);
            let sum = t.add(x, bias);
            t.elu(sum)
        }),
        kernels::of_matrix("sum over rows of 256x128", [256, 128], |t, x| {
            t.sum(x, 0..1)
        }),
        kernels::of_matrix("sum of 1 Mi", [1024, 1024], |t, x| t.sum(x, 0..2)),
        kernels::of_matrix("largest of 1 Mi", [1024, 1024], |t, x| {
            t.reduce_max(x, 0..2)
        }),
        kernels::of_matrix("transpose of 1 Mi", [1024, 1024], Tape::transpose),
        kernels::of_matrix("halves of 1 Mi change places", [1024, 1024], |t, x| {
            let [left, right] = [0..512, 512..1024].map(|places| t.slice(x, 1, places));
            t.concat(&[right, left], 1)
        }),
        kernels::of_matrix("3x3 max pooling of 1 Mi", [1024, 1024], |t, x| {
            let pictures = t.reshape(x, [16, 64, 32, 32]);
            let window = Window {
                stride: [2; 2],
                padding: [1; 2],
            };
            t.max_pool2d(pictures, [3; 2], window)
        }),
    ]);
    // The paper's layers for 32 x 32 and 64 x 64 pictures: colours first, then the inner ones. What is conv2d in a
    // discriminator is the gradient in a generator, and the other way round.
    for sizes in [
        [3, 32, 128],
        [3, 32, 256],
        [3, 64, 128],
        [128, 16, 256],
        [128, 32, 256],
        [256, 8, 512],
        [256, 16, 512],
        [512, 8, 1024],
    ] {
        rows.extend(kernels::convolutions(sizes));
    }
    for (name, record) in [
        (
            "potential",
            potential as fn(&mut Tape, &Charges, Var) -> Var,
        ),
        ("field", field),
    ] {
        for (n, m) in [(256, 2), (8192, 2), (256, 3072), (256, 12288)] {
            rows.push(kernels::pairwise(name, n, m, record));
        }
    }
    rows.push(training::adam("Adam on 1 Mi parameters", 1024));
    rows.push(training::mixture_step());
    rows.extend(["cifar10", "lsun"].map(steps::step));
    rows
}

/// Independent draws from N(0, 1), the same for the same name.
fn normal(name: &str, count: usize) -> Vec<f32> {
    let mut values = vec![0.0; count];
    rng::fill_normal(&mut rng::stream(1, name, 0), &mut values);
    values
}

/// Refuses what is farther from `expected` than `tolerance`, in some measure; `what` is for the message.
type Agree = fn(what: &str, found: &[f32], expected: &[f32], tolerance: f32) -> Result<()>;

/// No element may be off by more than `tolerance` times the largest expected one.
fn agree_everywhere(what: &str, found: &[f32], expected: &[f32], tolerance: f32) -> Result<()> {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    // Not `>`: what is not a number must not pass.
    let close = |i: &usize| (found[*i] - expected[*i]).abs() <= tolerance * scale;
    match (0..found.len()).find(|i| !close(i)) {
        Some(i) => Err(Error::failure(format!(
            "element {i} of {what} is {} instead of {} (tolerance: {tolerance} of {scale})",
            found[i], expected[i]
        ))),
        None => Ok(()),
    }
}

/// The difference's norm may be at most `tolerance` times that of the expected numbers.
fn agree_on_average(what: &str, found: &[f32], expected: &[f32], tolerance: f32) -> Result<()> {
    assert_eq!(found.len(), expected.len(), "{what}");
    let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>().sqrt();
    let off = norm(&mut found.iter().zip(expected).map(|(f, e)| f - e));
    let scale = norm(&mut expected.iter().copied());
    // As above.
    if off <= tolerance * scale {
        return Ok(());
    }
    Err(Error::failure(format!(
        "{what} is off by {off} where its norm is {scale} (tolerance: {tolerance} of it)"
    )))
}

/// A pure function of its inputs.
struct Function {
    name: String,
    /// Records the function for so many rows; its output is `result`.
    record: Box<dyn Fn(usize) -> Tape>,
    /// Rows that are timed.
    rows: usize,
    /// Rows that the reference computes at each end.
    checked: usize,
    /// Numbers for every input, perhaps for more than there are.
    inputs: Vec<(&'static str, Vec<f32>)>,
    tolerance: f32,
}

impl Function {
    fn into_row(self) -> Row {
        Row {
            name: self.name.clone(),
            work: Work::of(&(self.record)(self.rows)),
            one_thread_only: false,
            heavy: false,
            prepare: Box::new(move |backend| {
                let mut store = Store::new();
                let tape = (self.record)(self.rows);
                let mut program = backend.compile(&tape, &store)?;
                for (name, _) in inputs_of(&tape) {
                    program.write(name, self.input(name));
                }
                program.run(&mut store).unwrap();
                self.check(program.read("result").unwrap())?;
                let backend = backend.clone();
                Ok(Box::new(move || {
                    run_once(&backend, &mut program, &mut store)
                }))
            }),
        }
    }

    /// Compares the first and the last rows of `found` with the reference.
    fn check(&self, found: &[f32]) -> Result<()> {
        let tape = (self.record)(self.checked);
        let mut store = Store::new();
        let mut reference = Backend::Reference.compile(&tape, &store)?;
        for end in [End::First, End::Last] {
            for (name, count) in inputs_of(&tape) {
                reference.write(name, end.of(self.input(name), count));
            }
            reference.run(&mut store).unwrap();
            let expected = reference.read("result").unwrap();
            let found = end.of(found, expected.len());
            let what = format!("the {} {} rows", end.name(), self.checked);
            agree_everywhere(&what, found, expected, self.tolerance)?;
        }
        Ok(())
    }

    fn input(&self, name: &str) -> &[f32] {
        let mut inputs = self.inputs.iter();
        let found = inputs.find(|(input, _)| *input == name);
        &found.expect("every input has numbers").1
    }
}

/// Name and number of elements of each input of `tape`.
fn inputs_of(tape: &Tape) -> impl Iterator<Item = (&str, usize)> {
    tape.nodes().iter().filter_map(|node| match &node.op {
        Op::Input { name } => Some((name.as_str(), node.shape.count())),
        _ => None,
    })
}

/// One end of a list.
#[derive(Debug, Clone, Copy)]
enum End {
    First,
    Last,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            End::First => "first",
            End::Last => "last",
        }
    }

    fn of(self, values: &[f32], count: usize) -> &[f32] {
        match self {
            End::First => &values[..count],
            End::Last => &values[values.len() - count..],
        }
    }
}

/// A tape of so many steps that do next to nothing: transposes of a 2x2 matrix, which the planner leaves
/// alone.
pub fn transposes(steps: usize) -> Tape {
    let mut t = Tape::new();
    let mut x = t.input("x", [2, 2]);
    for _ in 0..steps {
        x = t.transpose(x);
    }
    t.output("result", x);
    t
}
