//! Proves that every primitive means the same everywhere: the reference executor equals the oracle's
//! formulas to about 1e-12, and the CPU executor equals them within a bound derived from the number of
//! roundings, on random sizes (empty, one, odd, beyond registers, tiles and blocks), for every instruction
//! set of the machine; the bits do not depend on the number of threads, nor on what a run left behind.
//!
//! A primitive without a case makes `every_primitive_has_a_case` fail.

mod accuracy;
mod convolution;
mod coulomb;
mod pointwise;
mod pooling;
mod products;
mod rearranging;

use convolution::Which;
use coulomb_gan::exec::{Backend, Precision};
use coulomb_gan::numbers::Shape;
use coulomb_gan::tape::Tape;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::support;

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
    ("input", rearranging::input),
    ("state", rearranging::state),
    ("constant", rearranging::constant),
    ("stop_gradient", rearranging::stop_gradient),
    ("reshape", rearranging::reshape),
    ("broadcast", rearranging::broadcast),
    ("sum", rearranging::sum),
    ("reduce_max", rearranging::reduce_max),
    ("transpose", rearranging::transpose),
    ("slice", rearranging::slice),
    ("concat", rearranging::concat),
    ("pool_pick", pooling::pick),
    ("pool_spread", pooling::spread),
    ("affine", pointwise::affine),
    ("exp", pointwise::exp),
    ("ln", pointwise::ln),
    ("sqrt", pointwise::sqrt),
    ("pow", pointwise::pow),
    ("tanh", pointwise::tanh),
    ("elu", pointwise::elu),
    ("step", pointwise::step),
    ("add", pointwise::add),
    ("sub", pointwise::sub),
    ("mul", pointwise::mul),
    ("div", pointwise::div),
    ("max", pointwise::max),
    ("min", pointwise::min),
    ("matmul", products::matmul),
    ("conv2d", |draw| {
        convolution::convolutions(Which::Answer, draw)
    }),
    ("conv2d_input_grad", |draw| {
        convolution::convolutions(Which::Picture, draw)
    }),
    ("conv2d_weight_grad", |draw| {
        convolution::convolutions(Which::Filter, draw)
    }),
    ("potential", coulomb::potential),
    ("field", coulomb::field),
    ("curvature", coulomb::curvature),
    ("assign", rearranging::assign),
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
    check_on_random_sizes(&["reduce_max", "slice", "concat"], 16);
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
fn poolings() {
    check_on_random_sizes(&["pool_pick", "pool_spread"], 32);
}

#[test]
fn averages_of_windows() {
    for seed in 0..12 {
        for trial in pooling::averages(&Draw {
            seed,
            sizes: [1; 4],
        }) {
            let check = trial.check();
            check.unwrap_or_else(|why| panic!("{why}\n{}", trial.tape.explain()));
        }
    }
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
        for (name, trials) in [
            ("potential", coulomb::potential as fn(&Draw) -> _),
            ("field", coulomb::field),
        ] {
            let sizes = [n, 13, 18, m];
            for trial in trials(&Draw { seed: 4, sizes }) {
                trial.check().unwrap_or_else(|why| panic!("{name}: {why}"));
            }
        }
    }
}

/// Right factors of more than 2¹⁷ numbers take another path through the CPU executor, with few columns a third one.
#[test]
fn large_matrix_products() {
    for [m, k, n] in [
        [5, 300, 441],
        [37, 1031, 130],
        [29, 8200, 16],
        [13, 2100, 64],
    ] {
        assert!(k * n > 1 << 17);
        for trial in products::matmul_trials(9, [m, k, n]) {
            trial.check().unwrap_or_else(|why| panic!("{why}"));
        }
    }
}

/// So do products of at most four columns; rows and terms fill registers or do not.
#[test]
fn narrow_matrix_products() {
    for n in 1..=5 {
        for [m, k] in [[1, 1], [16, 32], [70, 45], [131, 8], [3, 200]] {
            for trial in products::matmul_trials(9, [m, k, n]) {
                let check = trial.check();
                check.unwrap_or_else(|why| panic!("{m} x {k} x {n}: {why}"));
            }
        }
    }
}

/// Sums and maxima over many more numbers than a chain of partial results has.
#[test]
fn long_reductions() {
    for shape in [[100_003, 1], [1, 100_003], [20_011, 5]] {
        for axis in 0..2 {
            let draw = support::uniform(4, "x", shape[0] * shape[1], -1.0, 2.0);
            let below: Vec<f32> = draw.iter().map(|x| x - 3.0).collect();
            for trial in [
                rearranging::sum_trial(&shape, axis..axis + 1, draw),
                rearranging::reduce_max_trial(&shape, axis..axis + 1, below),
            ] {
                trial.check().unwrap_or_else(|why| panic!("{why}"));
            }
        }
    }
}
