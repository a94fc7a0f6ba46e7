//! What several test files need: random numbers, every device, runs, and the names of all primitives.

use std::io::Write;
use std::sync::OnceLock;

use coulomb_gan::exec::cpu::{Device, Isa};
use coulomb_gan::exec::{Backend, Precision, Program, Store, reference};
use coulomb_gan::numbers::{Error, Shape, Tensor, rng};
use coulomb_gan::optim::Adam;
use coulomb_gan::tape::{Op, Tape, Var};
use rand::RngExt;

/// `count` numbers from `low` to `high`: a pure function of `seed` and `name`.
pub fn uniform(seed: u64, name: &str, count: usize, low: f32, high: f32) -> Vec<f32> {
    let mut rng = rng::stream(seed, name, 0);
    (0..count).map(|_| rng.random_range(low..high)).collect()
}

/// The same numbers in `f64`.
pub fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// The CPU backend with every instruction set of this machine and 1, 2 and 3 threads, in this order.
pub fn devices() -> &'static [[Backend; 3]] {
    static DEVICES: OnceLock<Vec<[Backend; 3]>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let with = |isa, threads| {
            Backend::Cpu(Device::with_isa(Some(threads), isa).expect("three threads"))
        };
        let isas = Isa::available().into_iter();
        isas.map(|isa| [1, 2, 3].map(|threads| with(isa, threads)))
            .collect()
    })
}

/// The GPU to test on; none, and loudly so, where this machine has none. With `COULOMB_REQUIRE_GPU=1` that is a failure.
pub fn gpu(precision: Precision) -> Option<Backend> {
    static SINGLE: OnceLock<Result<Backend, Error>> = OnceLock::new();
    static HALF: OnceLock<Result<Backend, Error>> = OnceLock::new();
    let cell = match precision {
        Precision::Single => &SINGLE,
        Precision::Half => &HALF,
    };
    match cell.get_or_init(|| Backend::gpu(None, precision)) {
        Ok(backend) => Some(backend.clone()),
        Err(why) => {
            let required = std::env::var_os("COULOMB_REQUIRE_GPU").is_some_and(|v| v == "1");
            assert!(!required, "COULOMB_REQUIRE_GPU=1, but {why}");
            // Not `eprintln`, which the test runner keeps to itself.
            let _ = writeln!(std::io::stderr(), "SKIPPED on the GPU: {why}");
            None
        }
    }
}

/// Every backend that computes in `f32`: all of [`devices`], and the GPU where there is one.
pub fn single_precision() -> Vec<Backend> {
    let cpus = devices().iter().flatten().cloned();
    cpus.chain(gpu(Precision::Single)).collect()
}

/// A store that holds these tensors.
pub fn store(states: &[(&str, Shape, Vec<f32>)]) -> Store {
    let mut store = Store::new();
    for (name, shape, values) in states {
        let tensor = Tensor::new(shape, values.clone()).expect("numbers that fit the shape");
        store.insert(name, &tensor);
    }
    store
}

/// Compiles `tape` and hands in its inputs.
pub fn compile(
    backend: &Backend,
    tape: &Tape,
    store: &Store,
    inputs: &[(&str, Vec<f32>)],
) -> Program {
    let mut program = backend.compile(tape, store).expect("all states");
    for (name, values) in inputs {
        program.write(name, values);
    }
    program
}

/// The value of `v` in `f64`, computed by the reference executor.
pub fn value(tape: &Tape, v: Var, source: &mut dyn FnMut(&str) -> Vec<f64>) -> Vec<f64> {
    reference::evaluate(tape, source).swap_remove(v.index())
}

/// `Φ̂` at the rows of `a` due to those of `y` and `x`, Eq. (8), from elementary operations only: all differences, squares,
/// sums and powers on the tape. The charges get no gradient.
pub fn elementary_potential(t: &mut Tape, d: u32, epsilon: f64, [a, y, x]: [Var; 3]) -> Var {
    let (n, m) = (t.shape(a)[0], t.shape(a)[1]);
    let [pull, push] = [y, x].map(|b| {
        let charges = t.shape(b)[0];
        let a = t.reshape(a, [n, 1, m]);
        let a = t.broadcast(a, [n, charges, m]);
        let b = t.stop_gradient(b);
        let b = t.broadcast(b, [n, charges, m]);
        let difference = t.sub(a, b);
        let square = t.square(difference);
        let distance = t.sum(square, 2..3);
        let s = t.affine(distance, 1.0, epsilon * epsilon);
        let k = t.pow(s, -f64::from(d) / 2.0);
        let sum = t.sum(k, 1..2);
        let mean = t.scale(sum, 1.0 / charges as f64);
        t.reshape(mean, [n])
    });
    t.sub(pull, push)
}

/// The output `name` of `t`.
pub fn output(t: &Tape, name: &str) -> Var {
    let found = t.outputs().iter().find(|(other, _)| other == name);
    found.expect("an output of that name").1
}

/// The gradient that `adam` is recorded to get for the parameter `name`: what its moment `m ← β₁ m + (1 − β₁) g` adds.
pub fn gradient_for_adam(t: &mut Tape, adam: &Adam, name: &str) -> Var {
    let (_network, rest) = name.split_once('.').expect("a network's name");
    let moment = format!("{}.m.{rest}", adam.name);
    let is_it = |t: &Tape, v: Var| matches!(&t.node(v).op, Op::State { name } if *name == moment);
    let assigned = t.nodes().iter().find_map(|node| match node.op {
        Op::Assign { state, value } if is_it(t, state) => Some((state, value)),
        _ => None,
    });
    let (old, new) = assigned.expect("Adam assigns it");
    let old = t.scale(old, -adam.beta1 / (1.0 - adam.beta1));
    let new = t.scale(new, 1.0 / (1.0 - adam.beta1));
    t.add(old, new)
}

/// Random numbers for each input and state of `tape` by its name, in `f64`.
pub fn random_source(
    tape: &Tape,
    seed: u64,
    low: f32,
    high: f32,
) -> impl FnMut(&str) -> Vec<f64> + use<> {
    let counts: Vec<(String, usize)> = (tape.nodes().iter())
        .filter_map(|node| match &node.op {
            Op::Input { name } | Op::State { name } => Some((name.clone(), node.shape.count())),
            _ => None,
        })
        .collect();
    move |wanted| {
        let count = counts.iter().find(|(name, _)| name == wanted);
        let &(_, count) = count.expect("an input or state of the tape");
        wide(&uniform(seed, wanted, count, low, high))
    }
}

/// The names of all primitives, read from the source of the enumerations that define them, as
/// [`Op::name`] writes them. Whoever adds a variant is told which tables of the tests lack it.
pub fn all_primitives() -> Vec<String> {
    let source = include_str!("../../src/tape/op.rs");
    let mut names = vec![];
    for enumeration in ["Op", "Map", "Zip"] {
        let start = format!("pub enum {enumeration} {{");
        let (_, body) = source.split_once(&start).expect("the enumeration");
        let (body, _) = body.split_once("\n}").expect("its end");
        let variants = body.lines().filter_map(|line| {
            let variant = line.strip_prefix("    ")?;
            let end = variant.find(|c: char| !c.is_ascii_alphanumeric())?;
            variant
                .starts_with(|c: char| c.is_ascii_uppercase())
                .then(|| variant[..end].to_owned())
        });
        // `Op::Map` and `Op::Zip` stand for the functions that follow.
        names.extend(
            variants
                .filter(|v| v != "Map" && v != "Zip")
                .map(|v| snake_case(&v)),
        );
    }
    names
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
