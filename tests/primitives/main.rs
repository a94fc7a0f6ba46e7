//! Proves that every primitive means the same everywhere: the reference executor equals the oracle's
//! formulas to about 1e-12, and the CPU executor equals them within a bound derived from the number of
//! roundings, on random sizes (empty, one, odd, beyond registers, tiles and blocks), for every instruction
//! set of the machine; the bits do not depend on the number of threads, nor on what a run left behind.
//!
//! A primitive without a case makes `every_primitive_has_a_case` fail.

mod convolution;
#[path = "../oracle/mod.rs"]
mod oracle;
#[path = "../support/mod.rs"]
mod support;

use convolution::Which;
use coulomb_gan::exec::{Backend, Precision};
use coulomb_gan::numbers::Shape;
use coulomb_gan::tape::op::Charges;
use coulomb_gan::tape::{Tape, Var};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// Half a unit in the last place, relative: the error of one rounding to `f32`.
const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;

/// One primitive at one size: a recorded program, its numbers, and what it should compute.
struct Trial {
    tape: Tape,
    numbers: Vec<(&'static str, Shape, Vec<f32>)>,
    /// The one output by the oracle.
    expected: Vec<f64>,
    /// For each element the size of what is rounded on the way: `Σ |a| |b|` for a product of matrices.
    magnitude: Vec<f64>,
    /// How many roundings of that size an element of `y` may suffer; 0 demands equality.
    roundings: usize,
    /// State `s` after the run, if the program assigns it: exactly this.
    state: Option<Vec<f32>>,
}

/// Where a trial gets its sizes and numbers from.
#[derive(Debug, Clone)]
struct Draw {
    seed: u64,
    sizes: [usize; 4],
}

/// A primitive's name and the trials that a draw makes of it.
type Case = (&'static str, fn(&Draw) -> Vec<Trial>);

const CASES: &[Case] = &[
    ("input", input),
    ("state", state),
    ("constant", constant),
    ("stop_gradient", stop_gradient),
    ("reshape", reshape),
    ("broadcast", broadcast),
    ("sum", sum),
    ("transpose", transpose),
    ("affine", affine),
    ("exp", exp),
    ("ln", ln),
    ("sqrt", sqrt),
    ("pow", pow),
    ("tanh", tanh),
    ("elu", elu),
    ("step", step),
    ("add", add),
    ("sub", sub),
    ("mul", mul),
    ("div", div),
    ("max", max),
    ("min", min),
    ("matmul", matmul),
    ("conv2d", |draw| convolutions(Which::Answer, draw)),
    ("conv2d_input_grad", |draw| {
        convolutions(Which::Picture, draw)
    }),
    ("conv2d_weight_grad", |draw| {
        convolutions(Which::Filter, draw)
    }),
    ("potential", potential),
    ("field", field),
    ("curvature", curvature),
    ("assign", assign),
];

impl Draw {
    fn numbers(&self, name: &str, count: usize, low: f32, high: f32) -> Vec<f32> {
        support::uniform(self.seed, name, count, low, high)
    }

    /// The first two sizes.
    fn matrix(&self) -> [usize; 2] {
        [self.sizes[0], self.sizes[1]]
    }

    /// Four axes, short enough that all axes together stay small.
    fn four_axes(&self) -> [usize; 4] {
        let [a, b, c, d] = self.sizes;
        [a % 20, b % 4, c % 5, d % 20]
    }
}

impl Trial {
    /// A trial whose program only moves numbers: nothing is rounded.
    fn exact(
        tape: Tape,
        numbers: Vec<(&'static str, Shape, Vec<f32>)>,
        expected: Vec<f64>,
    ) -> Self {
        Self {
            tape,
            numbers,
            magnitude: expected.iter().map(|y| y.abs()).collect(),
            expected,
            roundings: 0,
            state: None,
        }
    }

    fn rounded(self, roundings: usize, magnitude: Vec<f64>) -> Self {
        Self {
            roundings,
            magnitude,
            ..self
        }
    }

    /// Compares both executors with the oracle.
    fn check(&self) -> Result<(), String> {
        self.check_reference()?;
        for threads in support::devices() {
            let [one, two, three] = threads.each_ref().map(|backend| self.run(backend));
            let who = threads[0].describe();
            self.check_rounded(&who, &one[0])?;
            for (other, backend) in [(&one, 0), (&two, 1), (&three, 2)] {
                for (run, bits) in other.iter().enumerate() {
                    if !same_bits(bits, &one[0]) {
                        let who = threads[backend].describe();
                        return Err(format!("{who}: run {run} differs from one thread's first"));
                    }
                }
            }
        }
        self.check_gpu()
    }

    /// The GPU rounds more often: it may fuse or split any product and sum, divides and takes roots to within 2.5 units
    /// in the last place, and evaluates logarithms and powers as the driver likes.
    fn check_gpu(&self) -> Result<(), String> {
        let Some(backend) = support::gpu(Precision::Single) else {
            return Ok(());
        };
        let [first, second] = self.run(&backend);
        let who = backend.describe();
        if !same_bits(&first, &second) {
            return Err(format!("{who}: two runs differ"));
        }
        let roundings = match self.roundings {
            0 => 0,
            n => 2 * n + 8,
        };
        self.check_roundings(&who, &first, roundings)
    }

    fn check_reference(&self) -> Result<(), String> {
        let (_, y) = &self.tape.outputs()[0];
        let y = support::value(&self.tape, *y, &mut |name| {
            let found = self.numbers.iter().find(|(n, ..)| *n == name);
            support::wide(&found.expect("a number source").2)
        });
        if y.len() != self.expected.len() {
            return Err(format!(
                "{} instead of {} numbers",
                y.len(),
                self.expected.len()
            ));
        }
        for (i, (&y, &expected)) in y.iter().zip(&self.expected).enumerate() {
            let tolerance = 1e-12 * self.magnitude[i];
            if !same(y, expected, tolerance) {
                return Err(format!("reference: y[{i}] = {y:e}, not {expected:e}"));
            }
        }
        self.check_rounded("reference", &self.run(&Backend::Reference)[0])
    }

    /// The output of two runs. Scratch memory starts as NaN, so an element that nobody writes shows up in
    /// the first; what the first leaves behind shows up in the second.
    fn run(&self, backend: &Backend) -> [Vec<f32>; 2] {
        let fresh = support::store(&self.numbers);
        let mut program = backend.compile(&self.tape, &fresh).expect("all states");
        for (name, _, values) in &self.numbers {
            if *name != "s" {
                program.write(name, values);
            }
        }
        [(); 2].map(|()| {
            let mut store = fresh.duplicate().unwrap();
            program.run(&mut store).unwrap();
            if let Some(expected) = &self.state {
                let state = store.get("s").unwrap().expect("the state");
                assert!(same_bits(state.data(), expected), "the assigned state");
            }
            program.read(&self.tape.outputs()[0].0).unwrap().to_vec()
        })
    }

    fn check_rounded(&self, who: &str, y: &[f32]) -> Result<(), String> {
        self.check_roundings(who, y, self.roundings)
    }

    fn check_roundings(&self, who: &str, y: &[f32], roundings: usize) -> Result<(), String> {
        assert_eq!(y.len(), self.expected.len(), "{who}");
        for (i, (&y, &expected)) in y.iter().zip(&self.expected).enumerate() {
            let smallest = f64::from(f32::MIN_POSITIVE);
            let tolerance = match roundings {
                0 => 0.0,
                n => n as f64 * ROUNDING * self.magnitude[i] + smallest,
            };
            if !same(f64::from(y), expected, tolerance) {
                let error = (f64::from(y) - expected).abs();
                return Err(format!(
                    "{who}: y[{i}] = {y:e}, not {expected:e}: error {error:e} > {tolerance:e}"
                ));
            }
        }
        Ok(())
    }
}

/// Within `tolerance`, or the same infinity, or both not a number.
fn same(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || (a - b).abs() <= tolerance || (a.is_nan() && b.is_nan())
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// Mostly 1 to 70 (registers have 8 or 16 numbers, tiles 4 rows), now and then around 256 (blocks), or none.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![16 => 1usize..=70, 2 => 255usize..=257, 1 => Just(0usize)]
}

/// Draws sizes and seeds, always the same ones, and checks all their trials.
fn check_on_random_sizes(primitives: &[&str], cases: u32) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    for (name, trials) in CASES.iter().filter(|(name, _)| primitives.contains(name)) {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let draws = (any::<u64>(), [size(), size(), size(), size()])
            .prop_map(|(seed, sizes)| Draw { seed, sizes });
        let result = TestRunner::new_with_rng(config.clone(), rng).run(&draws, |draw| {
            let checked = trials(&draw).iter().try_for_each(|trial| {
                let check = trial.check();
                check.map_err(|why| format!("{name}: {why}\n{}", trial.tape.explain()))
            });
            checked.map_err(TestCaseError::fail)
        });
        if let Err(failure) = result {
            panic!("{failure}");
        }
    }
}

#[test]
fn every_primitive_has_a_case() {
    let mut all = support::all_primitives();
    let mut tested: Vec<&str> = CASES.iter().map(|(name, _)| *name).collect();
    all.sort();
    tested.sort();
    assert_eq!(all, tested, "one case for each primitive");
    let draw = Draw {
        seed: 1,
        sizes: [3, 5, 2, 7],
    };
    for (name, trials) in CASES {
        for trial in trials(&draw) {
            let mut nodes = trial.tape.nodes().iter();
            assert!(nodes.any(|n| n.op.name() == *name), "{name} is recorded");
        }
    }
}

#[test]
fn sources_and_rearrangements() {
    let names = ["input", "state", "constant", "stop_gradient", "reshape"];
    check_on_random_sizes(&names, 16);
    check_on_random_sizes(&["broadcast", "sum", "transpose", "assign"], 16);
}

#[test]
fn functions_of_one_number() {
    let names = ["affine", "exp", "ln", "sqrt", "pow", "tanh", "elu", "step"];
    check_on_random_sizes(&names, 24);
}

#[test]
fn functions_of_two_numbers() {
    check_on_random_sizes(&["add", "sub", "mul", "div", "max", "min"], 24);
}

#[test]
fn matrix_products() {
    check_on_random_sizes(&["matmul"], 32);
}

#[test]
fn random_convolutions() {
    let names = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"];
    check_on_random_sizes(&names, 48);
}

#[test]
fn large_convolutions() {
    for sizes in convolution::large() {
        for which in [Which::Answer, Which::Picture, Which::Filter] {
            let trial = convolution::trial(which, 5, &sizes);
            let check = trial.check();
            check.unwrap_or_else(|why| panic!("{which:?} of {sizes:?}: {why}"));
        }
    }
}

#[test]
fn coulomb_sums() {
    check_on_random_sizes(&["potential", "field", "curvature"], 12);
}

/// In many dimensions the lanes of a register are coordinates, in blocks of 1024 or 256; chunks of many points are larger
/// than those of a few.
#[test]
fn coulomb_sums_in_many_dimensions() {
    for (n, m) in [(21, 48), (21, 67), (301, 67), (21, 1100)] {
        for (name, trials) in [("potential", potential as fn(&Draw) -> _), ("field", field)] {
            let sizes = [n, 13, 18, m];
            for trial in trials(&Draw { seed: 4, sizes }) {
                trial.check().unwrap_or_else(|why| panic!("{name}: {why}"));
            }
        }
    }
}

/// Right factors of more than 2¹⁷ numbers take another path through the CPU executor.
#[test]
fn large_matrix_products() {
    for [m, k, n] in [[5, 300, 441], [37, 1031, 130]] {
        assert!(k * n > 1 << 17);
        for trial in matmul_trials(9, [m, k, n]) {
            trial.check().unwrap_or_else(|why| panic!("{why}"));
        }
    }
}

/// So do products of at most four columns; rows and terms fill registers or do not.
#[test]
fn narrow_matrix_products() {
    for n in 1..=5 {
        for [m, k] in [[1, 1], [16, 32], [70, 45], [131, 8], [3, 200]] {
            for trial in matmul_trials(9, [m, k, n]) {
                let check = trial.check();
                check.unwrap_or_else(|why| panic!("{m} x {k} x {n}: {why}"));
            }
        }
    }
}

/// A sum over many more numbers than a chain of partial sums has.
#[test]
fn long_sums() {
    for shape in [[100_003, 1], [1, 100_003], [20_011, 5]] {
        for axis in 0..2 {
            let draw = support::uniform(4, "x", shape[0] * shape[1], -1.0, 2.0);
            let trial = sum_trial(&shape, axis..axis + 1, draw);
            trial.check().unwrap_or_else(|why| panic!("{why}"));
        }
    }
}

fn input(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let x = draw.numbers("x", shape[0] * shape[1], -9.0, 9.0);
    let mut t = Tape::new();
    let v = t.input("x", shape);
    t.output("y", v);
    let expected = support::wide(&x);
    vec![Trial::exact(t, vec![("x", shape.into(), x)], expected)]
}

fn state(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let s = draw.numbers("s", shape[0] * shape[1], -9.0, 9.0);
    let mut t = Tape::new();
    let v = t.state("s", shape);
    t.output("y", v);
    let expected = support::wide(&s);
    let state = Some(s.clone());
    let trial = Trial::exact(t, vec![("s", shape.into(), s)], expected);
    vec![Trial { state, ..trial }]
}

fn constant(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let mut t = Tape::new();
    let v = t.constant(0.1, shape);
    t.output("y", v);
    let expected = vec![0.1; shape[0] * shape[1]];
    let magnitude = expected.clone();
    vec![Trial::exact(t, vec![], expected).rounded(1, magnitude)]
}

fn stop_gradient(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let x = draw.numbers("x", shape[0] * shape[1], -9.0, 9.0);
    let mut t = Tape::new();
    let v = t.input("x", shape);
    let v = t.stop_gradient(v);
    t.output("y", v);
    let expected = support::wide(&x);
    vec![Trial::exact(t, vec![("x", shape.into(), x)], expected)]
}

fn reshape(draw: &Draw) -> Vec<Trial> {
    let [a, b, c, d] = draw.four_axes();
    let x = draw.numbers("x", a * b * c * d, -9.0, 9.0);
    let mut t = Tape::new();
    let v = t.input("x", [a, b, c, d]);
    let v = t.reshape(v, [c * b, a, 1, d]);
    t.output("y", v);
    let expected = support::wide(&x);
    let numbers = vec![("x", [a, b, c, d].into(), x)];
    vec![Trial::exact(t, numbers, expected)]
}

/// Every way to repeat along some of four axes (rows, columns, channels, and patterns such as
/// `[2, 1, 3, 1]` to `[2, 4, 3, 5]` that no simple index describes), and axes added on the left.
fn broadcast(draw: &Draw) -> Vec<Trial> {
    let to = draw.four_axes().map(|n| n + 1);
    let kept = |axes: usize| std::array::from_fn(|i| if axes >> i & 1 == 1 { to[i] } else { 1 });
    let patterns = (0..16).map(kept).map(|from: [usize; 4]| from.to_vec());
    let short = [to[2..].to_vec(), vec![to[1], 1, to[3]], vec![]];
    let empty = vec![to[0], 1, 1, 0];
    let trial = |from: Vec<usize>| {
        let mut to = to;
        if from.last() == Some(&0) {
            to[3] = 0;
        }
        let x = draw.numbers("x", from.iter().product(), -9.0, 9.0);
        let mut t = Tape::new();
        let v = t.input("x", from.clone());
        let v = t.broadcast(v, to);
        // All axes kept record nothing; one more row of copies does.
        let v = t.broadcast(v, [&[2][..], &to].concat());
        t.output("y", v);
        let padded = [&vec![1; 5 - from.len()][..], &from].concat();
        let once = oracle::broadcast(&support::wide(&x), &padded[1..], &to);
        let expected = [&once[..], &once].concat();
        Trial::exact(t, vec![("x", from.into(), x)], expected)
    };
    let all = patterns.chain(short).chain([empty]);
    all.map(trial).collect()
}

/// Every run of neighbouring axes of four, of which some may be empty.
fn sum(draw: &Draw) -> Vec<Trial> {
    let shape = draw.four_axes();
    let runs = (0..4).flat_map(|start| (start + 1..=4).map(move |end| start..end));
    let count = shape.iter().product();
    let trial = |axes: std::ops::Range<usize>| {
        // Two numbers along a summed axis at least, or nothing is recorded.
        let mut shape = shape;
        if shape[axes.clone()].iter().all(|&n| n == 1) {
            shape[axes.start] = 2;
        }
        let count = std::cmp::max(count, shape.iter().product());
        let x = draw.numbers("x", count, -1.0, 2.0);
        let x = x[..shape.iter().product()].to_vec();
        sum_trial(&shape, axes, x)
    };
    runs.map(trial).collect()
}

/// Partial sums keep chains short, but `n` roundings of `Σ |x|` are a bound for any order of `n` terms.
fn sum_trial(shape: &[usize], axes: std::ops::Range<usize>, x: Vec<f32>) -> Trial {
    let mut t = Tape::new();
    let v = t.input("x", shape);
    let v = t.sum(v, axes.clone());
    t.output("y", v);
    let terms = shape[axes.clone()].iter().product();
    let wide = support::wide(&x);
    let expected = oracle::sum(&wide, shape, axes.clone());
    let sizes: Vec<f64> = wide.iter().map(|x| x.abs()).collect();
    let magnitude = oracle::sum(&sizes, shape, axes);
    Trial::exact(t, vec![("x", shape.into(), x)], expected).rounded(terms, magnitude)
}

fn transpose(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let x = draw.numbers("x", shape[0] * shape[1], -9.0, 9.0);
    let mut t = Tape::new();
    let v = t.input("x", shape);
    let v = t.transpose(v);
    t.output("y", v);
    let expected = oracle::transpose(&support::wide(&x), shape);
    vec![Trial::exact(t, vec![("x", shape.into(), x)], expected)]
}

/// Records a function of one number.
type Unary = fn(&mut Tape, Var) -> Var;

/// A function of one number on a matrix of numbers from `range`.
fn map(
    draw: &Draw,
    range: [f32; 2],
    record: impl Fn(&mut Tape, Var) -> Var,
    formula: impl Fn(f64) -> f64,
) -> Trial {
    let shape = draw.matrix();
    let x = draw.numbers("x", shape[0] * shape[1], range[0], range[1]);
    let mut t = Tape::new();
    let v = t.input("x", shape);
    let v = record(&mut t, v);
    t.output("y", v);
    let expected: Vec<f64> = x.iter().map(|&x| formula(f64::from(x))).collect();
    Trial::exact(t, vec![("x", shape.into(), x)], expected)
}

impl Trial {
    /// At most `n` roundings of the result's own size.
    fn relative(self, n: usize) -> Vec<Trial> {
        let magnitude = self.magnitude.clone();
        vec![self.rounded(n, magnitude)]
    }
}

/// The factor, the product and the sum are rounded.
fn affine(draw: &Draw) -> Vec<Trial> {
    let trial = map(
        draw,
        [-9.0, 9.0],
        |t, x| t.affine(x, -1.7, 0.3),
        |x| oracle::affine(x, -1.7, 0.3),
    );
    let magnitude = (trial.numbers[0].2.iter())
        .map(|&x| 1.7 * f64::from(x).abs() + 0.3)
        .collect();
    vec![trial.rounded(3, magnitude)]
}

fn exp(draw: &Draw) -> Vec<Trial> {
    map(draw, [-80.0, 88.0], Tape::exp, oracle::exp).relative(2 * EXP_ULPS)
}

fn ln(draw: &Draw) -> Vec<Trial> {
    // Near 1 the oracle itself, a product, is exact to 1e-16 but for a factor: relative errors stay small.
    map(draw, [1.5, 99.0], Tape::ln, oracle::ln).relative(4)
}

fn sqrt(draw: &Draw) -> Vec<Trial> {
    map(draw, [0.0, 99.0], Tape::sqrt, oracle::sqrt).relative(1)
}

fn pow(draw: &Draw) -> Vec<Trial> {
    let power = |p: f64| {
        let record = move |t: &mut Tape, x| t.pow(x, p);
        map(draw, [0.1, 9.0], record, move |x| oracle::pow(x, p)).relative(4)
    };
    [-1.5, 0.5, 3.0].into_iter().flat_map(power).collect()
}

fn tanh(draw: &Draw) -> Vec<Trial> {
    map(draw, [-9.0, 9.0], Tape::tanh, oracle::tanh).relative(2 * TANH_ULPS)
}

fn elu(draw: &Draw) -> Vec<Trial> {
    map(draw, [-9.0, 9.0], Tape::elu, oracle::elu).relative(2 * ELU_ULPS)
}

fn step(draw: &Draw) -> Vec<Trial> {
    vec![map(draw, [-1.0, 1.0], Tape::step, oracle::step)]
}

/// A function of two numbers on two matrices.
fn zip(
    draw: &Draw,
    record: impl Fn(&mut Tape, Var, Var) -> Var,
    formula: impl Fn(f64, f64) -> f64,
) -> Trial {
    let shape = draw.matrix();
    let [a, b] = ["a", "b"].map(|name| draw.numbers(name, shape[0] * shape[1], -9.0, 9.0));
    let mut t = Tape::new();
    let (va, vb) = (t.input("a", shape), t.input("b", shape));
    let v = record(&mut t, va, vb);
    t.output("y", v);
    let pairs = a.iter().zip(&b);
    let expected = pairs.map(|(&a, &b)| formula(f64::from(a), f64::from(b)));
    let expected = expected.collect();
    let numbers = vec![("a", shape.into(), a), ("b", shape.into(), b)];
    Trial::exact(t, numbers, expected)
}

fn add(draw: &Draw) -> Vec<Trial> {
    zip(draw, Tape::add, |a, b| a + b).relative(1)
}

fn sub(draw: &Draw) -> Vec<Trial> {
    zip(draw, Tape::sub, |a, b| a - b).relative(1)
}

fn mul(draw: &Draw) -> Vec<Trial> {
    zip(draw, Tape::mul, |a, b| a * b).relative(1)
}

fn div(draw: &Draw) -> Vec<Trial> {
    zip(draw, Tape::div, |a, b| a / b).relative(1)
}

fn max(draw: &Draw) -> Vec<Trial> {
    vec![zip(draw, Tape::max, f64::max)]
}

fn min(draw: &Draw) -> Vec<Trial> {
    vec![zip(draw, Tape::min, f64::min)]
}

fn matmul(draw: &Draw) -> Vec<Trial> {
    let [m, k, n, _] = draw.sizes;
    matmul_trials(draw.seed, [m, k, n])
}

/// All four combinations of transposed factors. Each element is a chain of `k` products and sums, at most
/// two roundings each (one where multiply-add is fused), none larger than `Σ |a| |b|`.
fn matmul_trials(seed: u64, [m, k, n]: [usize; 3]) -> Vec<Trial> {
    let a = support::uniform(seed, "a", m * k, -1.0, 1.0);
    let b = support::uniform(seed, "b", k * n, -1.0, 1.0);
    let sizes = |x: &[f32]| x.iter().map(|&x| f64::from(x).abs()).collect::<Vec<_>>();
    let expected = oracle::matmul(&support::wide(&a), &support::wide(&b), [m, k, n]);
    let magnitude = oracle::matmul(&sizes(&a), &sizes(&b), [m, k, n]);
    let stored = |x: &[f32], [rows, cols]: [usize; 2], transposed: bool| {
        let turned = oracle::transpose(&support::wide(x), [rows, cols]);
        match transposed {
            false => (Shape::from([rows, cols]), x.to_vec()),
            true => (
                [cols, rows].into(),
                turned.iter().map(|&x| x as f32).collect(),
            ),
        }
    };
    let trial = |ta: bool, tb: bool| {
        let ((shape_a, a), (shape_b, b)) = (stored(&a, [m, k], ta), stored(&b, [k, n], tb));
        let mut t = Tape::new();
        let (va, vb) = (t.input("a", &shape_a), t.input("b", &shape_b));
        let v = t.matmul(va, ta, vb, tb);
        t.output("y", v);
        let numbers = vec![("a", shape_a, a), ("b", shape_b, b)];
        Trial::exact(t, numbers, expected.clone()).rounded(2 * k, magnitude.clone())
    };
    let combinations = [(false, false), (false, true), (true, false), (true, true)];
    combinations.map(|(ta, tb)| trial(ta, tb)).into()
}

fn convolutions(which: Which, draw: &Draw) -> Vec<Trial> {
    vec![convolution::trial(
        which,
        draw.seed,
        &convolution::sizes(draw),
    )]
}

/// The oracle's formula for one point `a`, from `d`, `epsilon`, `a`, the charges, and a vector.
type CoulombFormula = fn(f64, f64, &[f64], &[oracle::Charge], &[f64]) -> Vec<f64>;

/// A Coulomb sum over random points, for each exponent `d`, in the dimension that the draw says.
///
/// Roundings: a coordinate's difference enters squared (3), `m` of them are added up (`m + 1`); the power
/// `p/2` of that multiplies its relative error and adds as many of its own; the factors before it are a few,
/// and the sum over charges adds one each.
fn coulomb(
    draw: &Draw,
    width: fn(usize) -> usize,
    extra_power: u32,
    record: fn(&mut Tape, Charges, Var) -> Var,
    formula: CoulombFormula,
) -> Vec<Trial> {
    let [n, real, generated, m] = draw.sizes;
    let m = [1, 2, 3, 10, m.clamp(1, 1100)][draw.seed as usize % 5];
    let [real, generated] = [real.max(1), generated.max(1)];
    let points = |name, rows: usize| {
        (
            name,
            [rows, m].into(),
            draw.numbers(name, rows * m, -2.0, 2.0),
        )
    };
    let numbers: Vec<(&'static str, Shape, Vec<f32>)> = vec![
        points("a", n),
        points("real", real),
        points("generated", generated),
        points("v", n),
        ("epsilon", [1].into(), vec![0.7]),
    ];
    let trial = |d: u32| {
        let mut t = Tape::new();
        let [a, y, x, v, epsilon] = [0, 1, 2, 3, 4].map(|i| t.input(numbers[i].0, &numbers[i].1));
        let charges = Charges {
            d,
            epsilon,
            a,
            y,
            x,
        };
        let out = record(&mut t, charges, v);
        t.output("y", out);
        let [a, y, x, v, epsilon] = [0, 1, 2, 3, 4].map(|i| support::wide(&numbers[i].2));
        let charges = oracle::charges(&y, &x, m);
        let (mut expected, mut magnitude) = (vec![], vec![]);
        for (a, v) in a.chunks(m).zip(v.chunks(m)) {
            expected.extend(formula(d.into(), epsilon[0], a, &charges, v));
            let size = |c: &oracle::Charge| size_of_term(d, extra_power, epsilon[0], a, c, v);
            let size: f64 = charges.iter().map(size).sum();
            magnitude.extend(vec![size; width(m)]);
        }
        let power = (d + extra_power) as usize;
        let roundings = (m + 4) * power.div_ceil(2) + power + m + 8 + real + generated;
        Trial::exact(t, numbers.clone(), expected).rounded(roundings, magnitude)
    };
    [1, 2, 3, 4, 7].map(trial).into()
}

/// What one charge contributes at most: `|q| k_d` to the potential, `|q| d ‖r‖ k_{d+2}` to the field, and
/// `|q| d (d + 3) ‖v‖ k_{d+2}` to the curvature, because `‖r‖² k_{d+4} ≤ k_{d+2}`.
fn size_of_term(
    d: u32,
    extra_power: u32,
    epsilon: f64,
    a: &[f64],
    charge: &oracle::Charge,
    v: &[f64],
) -> f64 {
    let d = f64::from(d);
    let k = |power| charge.q.abs() * oracle::plummer(power, epsilon, a, &charge.at);
    let length = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    match extra_power {
        0 => k(d),
        2 => d * length(&mut a.iter().zip(&charge.at).map(|(a, b)| a - b)) * k(d + 2.0),
        _ => d * (d + 3.0) * length(&mut v.iter().copied()) * k(d + 2.0),
    }
}

fn potential(draw: &Draw) -> Vec<Trial> {
    let formula = |d, epsilon, a: &[f64], charges: &[_], _: &[f64]| {
        vec![oracle::potential(d, epsilon, a, charges)]
    };
    coulomb(draw, |_| 1, 0, |t, c, _| t.potential(c), formula)
}

fn field(draw: &Draw) -> Vec<Trial> {
    let formula =
        |d, epsilon, a: &[f64], charges: &[_], _: &[f64]| oracle::field(d, epsilon, a, charges);
    coulomb(draw, |m| m, 2, |t, c, _| t.field(c), formula)
}

fn curvature(draw: &Draw) -> Vec<Trial> {
    coulomb(draw, |m| m, 4, Tape::curvature, oracle::curvature)
}

/// The run sees the old state; the store has the new one after it.
fn assign(draw: &Draw) -> Vec<Trial> {
    let shape = draw.matrix();
    let [x, s] = ["x", "s"].map(|name| draw.numbers(name, shape[0] * shape[1], -9.0, 9.0));
    let mut t = Tape::new();
    let (vx, vs) = (t.input("x", shape), t.state("s", shape));
    t.assign(vs, vx);
    t.output("y", vs);
    let state = Some(x.clone());
    let expected = support::wide(&s);
    let numbers = vec![("x", shape.into(), x), ("s", shape.into(), s)];
    let trial = Trial::exact(t, numbers, expected);
    vec![Trial { state, ..trial }]
}

/// The bounds that `exec::cpu::lanes::math` states, in units in the last place.
const EXP_ULPS: usize = 2;
const ELU_ULPS: usize = 3;
const TANH_ULPS: usize = 4;

/// What each device computes for `x`.
fn on_devices(record: Unary, x: &[f32]) -> Vec<(String, Vec<f32>)> {
    let mut t = Tape::new();
    let v = t.input("x", [x.len()]);
    let v = record(&mut t, v);
    t.output("y", v);
    let inputs = [("x", x.to_vec())];
    let run = |[backend, ..]: &[Backend; 3]| {
        let mut store = support::store(&[]);
        let mut program = support::compile(backend, &t, &store, &inputs);
        program.run(&mut store).unwrap();
        (backend.describe(), program.read("y").unwrap().to_vec())
    };
    support::devices().iter().map(run).collect()
}

/// What the oracle says.
type Formula = fn(f64) -> f64;

/// The worst error over a sweep, in units in the last place of the true value.
fn worst_ulps(record: Unary, formula: Formula, x: &[f32]) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    for (_, y) in on_devices(record, x) {
        for (&x, y) in x.iter().zip(y) {
            let exact = formula(f64::from(x));
            let rounded = (exact as f32).abs();
            let ulp = f64::from(rounded.next_up()) - f64::from(rounded);
            let error = (f64::from(y) - exact).abs() / ulp;
            if error.is_nan() || error > worst.0 {
                worst = (error, x);
            }
        }
    }
    worst
}

/// From −`limit` to `limit` in even steps, and towards 0 in ever smaller ones.
fn sweep(limit: f32) -> Vec<f32> {
    let even = (-50_000..=50_000).map(|i| i as f32 / 50_000.0 * limit);
    let small = (0..2000).flat_map(|i| {
        let x = limit * 0.99f32.powi(i);
        [x, -x]
    });
    even.chain(small).collect()
}

#[test]
fn elementary_functions_are_as_accurate_as_documented() {
    let exp: Vec<f32> = sweep(88.3).into_iter().filter(|&x| x > -87.3).collect();
    let functions: [(&str, Unary, Formula, _, usize); 3] = [
        ("exp", Tape::exp, oracle::exp, exp, EXP_ULPS),
        ("elu", Tape::elu, oracle::elu, sweep(100.0), ELU_ULPS),
        ("tanh", Tape::tanh, oracle::tanh, sweep(100.0), TANH_ULPS),
    ];
    for (name, record, formula, x, bound) in functions {
        let (ulps, at) = worst_ulps(record, formula, &x);
        println!("{name}: {ulps:.3} units in the last place at {at}");
        assert!(ulps <= bound as f64, "{name}({at}): {ulps} > {bound}");
    }
}

#[test]
fn elementary_functions_at_the_edges() {
    let x = [
        0.0,
        1e-8,
        -1e-8,
        100.0,
        -100.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    for (who, y) in on_devices(Tape::tanh, &x) {
        assert_eq!(y[..7], [0.0, 1e-8, -1e-8, 1.0, -1.0, 1.0, -1.0], "{who}");
        assert!(y[7].is_nan(), "{who}");
    }
    for (who, y) in on_devices(Tape::elu, &x) {
        assert_eq!(y[..5], [0.0, 1e-8, -1e-8, 100.0, -1.0], "{who}");
        assert_eq!(y[5..7], [f32::INFINITY, -1.0], "{who}");
        assert!(y[7].is_nan(), "{who}");
    }
    for (who, y) in on_devices(Tape::exp, &x) {
        assert_eq!(y[..4], [1.0, 1.0, 1.0, f32::INFINITY], "{who}");
        assert_eq!(y[5], f32::INFINITY, "{who}");
        assert!(y[7].is_nan(), "{who}");
        // Documented: never below the smallest normal number.
        for tiny in [y[4], y[6]] {
            assert!((1.1e-38..1.3e-38).contains(&tiny), "{who}: {tiny:e}");
        }
    }
}

/// Where eˣ leaves the range of `f32` it becomes infinite, and never less than a number before.
#[test]
fn exp_grows_into_infinity() {
    let x: Vec<f32> = (8800..9000).map(|i| i as f32 / 100.0).collect();
    for (who, y) in on_devices(Tape::exp, &x) {
        for (x, pair) in x.iter().zip(y.windows(2)) {
            assert!(
                pair[0] <= pair[1],
                "{who}: exp({x}) = {}, then {}",
                pair[0],
                pair[1]
            );
        }
    }
}

/// Ties, signed zeros and numbers that are none: every comparison is strict, else the second case holds.
#[test]
fn comparisons_at_their_edges() {
    let nan = f32::NAN;
    for (who, y) in on_devices(Tape::step, &[0.0, -0.0, 1e-40, -1e-40, nan, f32::INFINITY]) {
        assert_eq!(y, [0.0, 0.0, 1.0, 0.0, 0.0, 1.0], "{who}");
    }
    let mut t = Tape::new();
    let (a, b) = (t.input("a", [5]), t.input("b", [5]));
    let (larger, smaller) = (t.max(a, b), t.min(a, b));
    t.output("max", larger);
    t.output("min", smaller);
    let a = vec![1.0, 0.0, -0.0, nan, 3.0];
    let b = vec![1.0, -0.0, 0.0, 2.0, nan];
    let inputs = [("a", a), ("b", b.clone())];
    let backends = support::devices().iter().flatten();
    for backend in backends.chain([&Backend::Reference]) {
        let mut store = support::store(&[]);
        let mut program = support::compile(backend, &t, &store, &inputs);
        program.run(&mut store).unwrap();
        for name in ["max", "min"] {
            let who = backend.describe();
            assert!(
                same_bits(program.read(name).unwrap(), &b),
                "{name} on {who}"
            );
        }
    }
}

#[test]
fn not_a_number_stays_visible() {
    let maps: [(&str, Unary); 6] = [
        ("affine", |t, x| t.affine(x, 2.0, 1.0)),
        ("exp", Tape::exp),
        ("ln", Tape::ln),
        ("sqrt", Tape::sqrt),
        ("tanh", Tape::tanh),
        ("elu", Tape::elu),
    ];
    for (name, record) in maps {
        for (who, y) in on_devices(record, &[1.0, f32::NAN, 2.0]) {
            let nan = y.iter().map(|y| y.is_nan()).collect::<Vec<_>>();
            assert_eq!(nan, [false, true, false], "{name} on {who}");
        }
    }
}
