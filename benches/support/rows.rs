//! What is measured. Each row records a tape, compiles it for a backend, checks one run of it against the
//! reference executor, and hands back a closure that runs it once.
//!
//! Kernels whose result has many independent rows are checked in their first and last few: the reference
//! gets only those rows of the input. The program that is checked is the one that is timed.

use std::sync::Arc;

use coulomb_gan::coulomb::potential::{Charges, field, potential};
use coulomb_gan::data::Mixture;
use coulomb_gan::exec::{Backend, Program, Store};
use coulomb_gan::nn::{self, Init, Parameter};
use coulomb_gan::numbers::{Error, Result, rng};
use coulomb_gan::optim::Adam;
use coulomb_gan::tape::convolution::Convolution;
use coulomb_gan::tape::explain::Cost;
use coulomb_gan::tape::plan::Plan;
use coulomb_gan::tape::{Op, Tape, Var, Window};
use coulomb_gan::train::model::Model;
use coulomb_gan::train::presets::preset;

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
        rows.push(matmul(size, ta, tb));
        rows.push(sgemm(size, ta, tb));
    }
    rows.extend([
        pointwise("elu of 1 Mi", [1024, 1024], |t, x| t.elu(x)),
        pointwise("tanh of 1 Mi", [1024, 1024], |t, x| t.tanh(x)),
        pointwise("bias + elu of 256x128", [256, 128], |t, x| {
            let bias = t.input("bias", [128]);
            let shape = t.shape(x).clone();
            let bias = t.broadcast(bias, shape);
            let sum = t.add(x, bias);
            t.elu(sum)
        }),
        sum("sum over rows of 256x128", [256, 128], 0..1),
        sum("sum of 1 Mi", [1024, 1024], 0..2),
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
        rows.extend(convolutions(sizes));
    }
    for (name, record) in [
        (
            "potential",
            potential as fn(&mut Tape, &Charges, Var) -> Var,
        ),
        ("field", field),
    ] {
        for (n, m) in [(256, 2), (8192, 2), (256, 3072), (256, 12288)] {
            rows.push(pairwise(name, n, m, record));
        }
    }
    rows.push(adam("Adam on 1 Mi parameters", 1024));
    rows.push(mixture_step());
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

/// `[m, k, n]` as `matmul 128x128x128 NT`, where `T` marks a factor that is read transposed.
fn product_name(what: &str, [m, k, n]: [usize; 3], ta: bool, tb: bool) -> String {
    let letter = |transposed| if transposed { "T" } else { "N" };
    format!("{what} {m}x{k}x{n} {}{}", letter(ta), letter(tb))
}

/// A tape with one matrix product.
fn product([m, k, n]: [usize; 3], ta: bool, tb: bool) -> Tape {
    let mut t = Tape::new();
    let a = t.input("a", if ta { [k, m] } else { [m, k] });
    let b = t.input("b", if tb { [n, k] } else { [k, n] });
    let c = t.matmul(a, ta, b, tb);
    t.output("result", c);
    t
}

/// A product's factors, and so many rows as the reference can do in no time.
fn product_function(what: &str, size: [usize; 3], ta: bool, tb: bool) -> Function {
    let [m, k, n] = size;
    let checked = (8_000_000 / (k * n)).clamp(1, m);
    assert!(
        !ta || checked == m,
        "rows of a transposed factor are not contiguous"
    );
    Function {
        name: product_name(what, size, ta, tb),
        record: Box::new(move |rows| product([rows, k, n], ta, tb)),
        rows: m,
        checked,
        inputs: vec![("a", normal("a", m * k)), ("b", normal("b", k * n))],
        tolerance: 1e-5,
    }
}

/// Our matrix product.
fn matmul(size: [usize; 3], ta: bool, tb: bool) -> Row {
    product_function("matmul", size, ta, tb).into_row()
}

/// The `matrixmultiply` crate's product, the baseline, on the calling thread.
fn sgemm(size: [usize; 3], ta: bool, tb: bool) -> Row {
    let function = product_function("sgemm", size, ta, tb);
    let cost = Work::of(&product(size, ta, tb)).cost;
    Row {
        name: function.name.clone(),
        work: Work {
            cost,
            steps: 0,
            items: None,
        },
        one_thread_only: true,
        heavy: false,
        prepare: Box::new(move |_| {
            let [a, b] = ["a", "b"].map(|name| function.input(name).to_vec());
            let mut c = vec![0.0; size[0] * size[2]];
            call_sgemm(size, ta, tb, &a, &b, &mut c);
            function.check(&c)?;
            Ok(Box::new(move || {
                call_sgemm(size, ta, tb, &a, &b, &mut c);
                None
            }))
        }),
    }
}

#[expect(unsafe_code, reason = "matrixmultiply takes pointers")]
fn call_sgemm([m, k, n]: [usize; 3], ta: bool, tb: bool, a: &[f32], b: &[f32], c: &mut [f32]) {
    assert_eq!([a.len(), b.len(), c.len()], [m * k, k * n, m * n]);
    let [m_stride, k_stride, n_stride] = [m, k, n].map(|size| size as isize);
    let (row_a, col_a) = if ta { (1, m_stride) } else { (k_stride, 1) };
    let (row_b, col_b) = if tb { (1, k_stride) } else { (n_stride, 1) };
    // SAFETY: with these strides the call reads m·k numbers of `a` and k·n of `b` and writes m·n of `c`, which
    // is how many they hold.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.as_ptr(),
            row_a,
            col_a,
            b.as_ptr(),
            row_b,
            col_b,
            0.0,
            c.as_mut_ptr(),
            n_stride,
            1,
        );
    }
}

/// The three contractions of `[channels, side, filters]` with 5 x 5 filters and stride 2. The gradient of the
/// filters sums over the whole batch, so the reference has to compute all of it, for fewer pictures.
fn convolutions([channels, side, filters]: [usize; 3]) -> [Row; 3] {
    let window = Window {
        stride: [2; 2],
        padding: [2; 2],
    };
    let sizes = move |batch| {
        let x = [batch, channels, side, side];
        let sizes = Convolution::new(x, [filters, channels, 5, 5], window);
        sizes.expect("5 x 5 filters fit these pictures")
    };
    [
        ("conv2d", 64, 1),
        ("conv2d_input_grad", 64, 1),
        ("conv2d_weight_grad", 8, 8),
    ]
    .map(|(name, batch, checked)| {
        let all = sizes(batch);
        let count = |shape: [usize; 4]| shape.iter().product();
        let numbers = |name, shape| (name, normal(name, count(shape)));
        let function = Function {
            name: format!("{name} {batch}x{channels}x{side}x{side} to {filters}"),
            record: Box::new(move |batch| {
                let c = sizes(batch);
                let mut t = Tape::new();
                let out = match name {
                    "conv2d" => {
                        let (x, w) = (t.input("x", c.x()), t.input("w", c.w()));
                        t.conv2d(x, w, window)
                    }
                    "conv2d_input_grad" => {
                        let (y, w) = (t.input("y", c.y()), t.input("w", c.w()));
                        t.conv2d_input_grad(y, w, window, c.picture)
                    }
                    _ => {
                        let (x, y) = (t.input("x", c.x()), t.input("y", c.y()));
                        t.conv2d_weight_grad(x, y, window, c.kernel)
                    }
                };
                t.output("result", out);
                t
            }),
            rows: batch,
            checked,
            inputs: vec![
                numbers("x", all.x()),
                numbers("w", all.w()),
                numbers("y", all.y()),
            ],
            tolerance: 1e-5,
        };
        function.into_row()
    })
}

/// A function of each element, for `x` of shape `[rows, cols]`.
fn pointwise(name: &str, [rows, cols]: [usize; 2], f: fn(&mut Tape, Var) -> Var) -> Row {
    Function {
        name: name.into(),
        record: Box::new(move |rows| {
            let mut t = Tape::new();
            let x = t.input("x", [rows, cols]);
            let y = f(&mut t, x);
            t.output("result", y);
            t
        }),
        rows,
        checked: rows.min(64),
        inputs: vec![
            ("x", normal("x", rows * cols)),
            ("bias", normal("bias", cols)),
        ],
        tolerance: 1e-6,
    }
    .into_row()
}

/// A sum over some axes of a matrix.
fn sum(name: &str, shape: [usize; 2], axes: std::ops::Range<usize>) -> Row {
    Function {
        name: name.into(),
        record: Box::new(move |_| {
            let mut t = Tape::new();
            let x = t.input("x", shape);
            let y = t.sum(x, axes.clone());
            t.output("result", y);
            t
        }),
        rows: shape[0],
        checked: shape[0],
        inputs: vec![("x", normal("x", shape[0] * shape[1]))],
        tolerance: 1e-5,
    }
    .into_row()
}

/// Potential or field at `n` points due to `n` charges, half of them real and half generated, in `m`
/// dimensions. The generated ones lie closer together, so that the two halves do not cancel.
fn pairwise(what: &str, n: usize, m: usize, f: fn(&mut Tape, &Charges, Var) -> Var) -> Row {
    let half = n / 2;
    let mut generated = normal("generated", half * m);
    generated.iter_mut().for_each(|x| *x *= 0.5);
    let mut row = Function {
        name: format!("{what} {n}x{n} in {m}-D"),
        record: Box::new(move |rows| {
            let mut t = Tape::new();
            let charges = Charges {
                d: 3,
                epsilon: t.constant(1.0, [1]),
                y: t.input("y", [half, m]),
                x: t.input("x", [half, m]),
            };
            let a = t.input("a", [rows, m]);
            let result = f(&mut t, &charges, a);
            t.output("result", result);
            t
        }),
        rows: n,
        checked: 16,
        inputs: vec![
            ("a", normal("a", n * m)),
            ("y", normal("y", half * m)),
            ("x", generated),
        ],
        tolerance: 1e-4,
    }
    .into_row();
    row.work.items = Some((n * n, "pairs"));
    row
}

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
fn adam(name: &'static str, size: usize) -> Row {
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
fn mixture_step() -> Row {
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
        tape: model.record(&config),
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
