//! Proves that planning changes nothing but speed: fused programs on shared memory compute what the
//! unfused reference computes, on random tapes with shared values, several outputs and swapped states.

use crate::support;
use coulomb_gan::exec::{Backend, Precision, Program, Store};
use coulomb_gan::numbers::Shape;
use coulomb_gan::tape::op::Interaction;
use coulomb_gan::tape::plan::Plan;
use coulomb_gan::tape::{Tape, Var, Window};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// A random computation: which operation, and which earlier values (counted modulo what there is).
#[derive(Debug, Clone)]
struct Recipe {
    rows: usize,
    cols: usize,
    operations: Vec<[u8; 4]>,
    outputs: Vec<u8>,
    /// Which state gets which value, after how many operations.
    assigns: [[u8; 2]; 4],
    swap: bool,
    gradient: bool,
}

const STATES: [&str; 3] = ["s0", "s1", "s2"];

fn recipes() -> impl Strategy<Value = Recipe> {
    let sizes = (1usize..=19, 1usize..=19);
    let operations = prop::collection::vec(any::<[u8; 4]>(), 1..24);
    let outputs = prop::collection::vec(any::<u8>(), 0..4);
    let rest = (any::<[[u8; 2]; 4]>(), any::<bool>(), any::<bool>());
    (sizes, operations, outputs, rest).prop_map(
        |((rows, cols), operations, outputs, (assigns, swap, gradient))| Recipe {
            rows,
            cols,
            operations,
            outputs,
            assigns,
            swap,
            gradient,
        },
    )
}

/// Records a recipe. Every value is a matrix of `[rows, cols]`, `[1, cols]`, `[rows, 1]` or `[1, 1]` with
/// numbers of about −1 to 1, so that roundings stay small however deep the recipe is.
struct Cook {
    tape: Tape,
    rows: usize,
    cols: usize,
    values: Vec<Var>,
}

impl Cook {
    fn new(recipe: &Recipe) -> Self {
        let (rows, cols) = (recipe.rows, recipe.cols);
        let mut tape = Tape::new();
        let x = tape.input("x", [rows, cols]);
        let mut values = vec![
            x,
            tape.input("row", [1, cols]),
            tape.input("column", [rows, 1]),
        ];
        values.push(tape.constant(0.7, [rows, cols]));
        values.extend(STATES.map(|name| tape.state(name, [rows, cols])));
        Self {
            tape,
            rows,
            cols,
            values,
        }
    }

    fn pick(&self, which: u8) -> Var {
        // Later values are the more interesting ones.
        self.values[self.values.len() - 1 - usize::from(which) % self.values.len()]
    }

    fn full(&mut self, v: Var) -> Var {
        self.tape.broadcast(v, [self.rows, self.cols])
    }

    /// A value of one of the four shapes, scaled back to about −1 to 1.
    fn cook(&mut self, [what, a, b, c]: [u8; 4], smooth: bool) {
        let (rows, cols) = (self.rows, self.cols);
        let [a, b, c] = [a, b, c].map(|which| self.pick(which));
        let t = &mut self.tape;
        let v = match what % 25 {
            0 => t.tanh(a),
            1 => t.elu(a),
            2 => t.affine(a, -0.5, 0.25),
            3 => {
                let below = t.affine(a, 0.5, -0.7);
                t.exp(below)
            }
            4 => {
                let square = t.square(a);
                let positive = t.affine(square, 0.5, 0.3);
                t.sqrt(positive)
            }
            5 => {
                let square = t.square(a);
                let positive = t.affine(square, 1.0, 1.0);
                t.pow(positive, -1.5)
            }
            6 => {
                let square = t.square(a);
                let positive = t.affine(square, 0.5, 1.1);
                t.ln(positive)
            }
            7 => t.stop_gradient(a),
            8 => self.full(a),
            9 => t.sum(a, 0..1),
            10 => t.sum(a, 1..2),
            11 => t.sum_all(a),
            12..=16 => {
                let (a, b) = (self.full(a), self.full(b));
                let t = &mut self.tape;
                match what % 25 {
                    12 => {
                        let sum = t.add(a, b);
                        t.scale(sum, 0.5)
                    }
                    13 => t.sub(a, b),
                    14 => t.mul(a, b),
                    15 => {
                        let square = t.square(b);
                        let positive = t.affine(square, 1.0, 1.0);
                        t.div(a, positive)
                    }
                    _ if smooth => t.mul(a, b),
                    _ => {
                        let larger = t.max(a, b);
                        t.min(larger, a)
                    }
                }
            }
            17 => {
                // [rows, cols] = (a bᵀ) c
                let [a, b, c] = [a, b, c].map(|v| self.full(v));
                let square = self.tape.matmul(a, false, b, true);
                self.tape.matmul(square, false, c, false)
            }
            18 => {
                let (a, b) = (self.full(a), self.full(b));
                let square = self.tape.matmul(a, true, b, false);
                let c = self.full(c);
                self.tape.matmul(c, false, square, true)
            }
            19 => {
                // Turned, worked on, and turned back.
                let a = self.full(a);
                let turned = self.tape.transpose(a);
                let shape = [cols, rows];
                let one = self.tape.sum(turned, 0..1);
                let wide = self.tape.broadcast(one, shape);
                let product = self.tape.mul(turned, wide);
                self.tape.transpose(product)
            }
            20 => {
                // A broadcast that no index pattern describes, and its sum.
                let a = self.full(a);
                let apart = self.tape.reshape(a, [rows, 1, cols, 1]);
                let spread = self.tape.broadcast(apart, [rows, 3, cols, 2]);
                let bent = self.tape.tanh(spread);
                let inner = self.tape.sum(bent, 3..4);
                let outer = self.tape.sum(inner, 1..2);
                self.tape.reshape(outer, [rows, cols])
            }
            // The second derivative of a maximum is none near a tie: finite differences are not asked here.
            21 => t.reduce_max(a, 0..1),
            22 => {
                // Cut in two at a place, joined the other way round.
                let a = self.full(a);
                let t = &mut self.tape;
                let at = rows / 2;
                let (first, second) = (t.slice(a, 0, 0..at), t.slice(a, 0, at..rows));
                let turned = t.concat(&[second, first], 0);
                t.tanh(turned)
            }
            23 => {
                // The largest of three neighbours in a row, in place of the middle one.
                let a = self.full(a);
                let t = &mut self.tape;
                let picture = t.reshape(a, [1, 1, rows, cols]);
                let window = Window {
                    stride: [1, 1],
                    padding: [0, 1],
                };
                let pooled = t.max_pool2d(picture, [1, 3], window);
                t.reshape(pooled, [rows, cols])
            }
            _ => {
                let [a, y, x] = [a, b, c].map(|v| self.full(v));
                let t = &mut self.tape;
                let epsilon = t.constant(1.0, [1]);
                let charges = Interaction {
                    d: 3,
                    epsilon,
                    a,
                    y,
                    x,
                };
                let phi = t.potential(charges);
                let phi = t.reshape(phi, [rows, 1]);
                let phi = t.broadcast(phi, [rows, cols]);
                let field = t.field(charges);
                t.mul(phi, field)
            }
        };
        let v = if self.tape.shape(v)[..] == [1] {
            self.tape.reshape(v, [1, 1])
        } else {
            v
        };
        let v = if matches!(what % 25, 9..=13 | 17..=20) {
            self.tape.tanh(v)
        } else {
            v
        };
        self.values.push(v);
    }
}

/// The tape of a recipe.
fn cook(recipe: &Recipe) -> Tape {
    let mut cook = Cook::new(recipe);
    let states = STATES.map(|name| cook.tape.state(name, [recipe.rows, recipe.cols]));
    let mut assigned = [false; 3];
    for (i, operation) in recipe.operations.iter().enumerate() {
        cook.cook(*operation, recipe.gradient);
        // Assignments in the middle of the recording: what follows still reads the old state.
        for [which, value] in recipe.assigns {
            let which = usize::from(which) % 4;
            if which < 3 && !assigned[which] && i == usize::from(value) % 16 {
                assigned[which] = true;
                let value = cook.pick(value);
                let value = cook.full(value);
                cook.tape.assign(states[which], value);
            }
        }
    }
    if recipe.swap && !assigned[0] && !assigned[1] {
        cook.tape.assign(states[0], states[1]);
        cook.tape.assign(states[1], states[0]);
    }
    if recipe.gradient {
        let last = cook.pick(0);
        let loss = cook.tape.mean_all(last);
        let wrt = [cook.values[0], cook.values[1], states[0]];
        for (i, g) in cook.tape.grad(loss, &wrt).into_iter().enumerate() {
            cook.tape.output(&format!("gradient {i}"), g);
        }
    }
    for (i, &which) in recipe.outputs.iter().enumerate() {
        let v = cook.pick(which);
        cook.tape.output(&format!("output {i}"), v);
    }
    cook.tape
}

fn start(backend: &Backend, tape: &Tape, recipe: &Recipe) -> (Program, Store) {
    let (rows, cols) = (recipe.rows, recipe.cols);
    let numbers = |name, count| support::uniform(11, name, count, -1.0, 1.0);
    let states = STATES.map(|name| (name, Shape::from([rows, cols]), numbers(name, rows * cols)));
    let store = support::store(&states);
    let inputs = [("x", rows * cols), ("row", cols), ("column", rows)];
    let inputs = inputs.map(|(name, count)| (name, numbers(name, count)));
    (support::compile(backend, tape, &store, &inputs), store)
}

/// Runs a tape three times on every backend, states carried from run to run, and compares each output and
/// state with the reference after each run.
fn compare(recipe: &Recipe, backends: &[Backend]) -> Result<(), String> {
    let tape = cook(recipe);
    let plan = Plan::new(&tape);
    if plan.scratch_bytes() > plan.bytes_without_reuse {
        return Err("reuse takes more memory than none".into());
    }
    let mut all: Vec<(String, Program, Store)> = (backends.iter())
        .map(|backend| {
            let (program, store) = start(backend, &tape, recipe);
            (backend.describe(), program, store)
        })
        .collect();
    let (mut exact, mut exact_store) = start(&Backend::Reference, &tape, recipe);
    for run in 0..3 {
        exact.run(&mut exact_store).unwrap();
        for (who, program, store) in &mut all {
            program.run(store).unwrap();
            let outputs = tape.outputs().iter().map(|(name, _)| {
                (
                    name.as_str(),
                    program.read(name).unwrap().to_vec(),
                    exact.read(name).unwrap().to_vec(),
                )
            });
            let states = STATES.map(|name| {
                let [cpu, exact] =
                    [&*store, &exact_store].map(|s| s.get(name).unwrap().expect("a state"));
                (name, cpu.data().to_vec(), exact.data().to_vec())
            });
            for (name, cpu, exact) in outputs.chain(states) {
                let scale = exact.iter().map(|x| x.abs()).fold(1.0, f32::max);
                for (i, (cpu, exact)) in cpu.iter().zip(&exact).enumerate() {
                    let error = (cpu - exact).abs();
                    if error.is_nan() || error > 1e-4 * scale {
                        return Err(format!(
                            "run {run} on {who}: {name}[{i}] = {cpu}, not {exact}\n{}",
                            tape.explain()
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn fused_programs_equal_the_reference_on_random_tapes() {
    let cpus: Vec<Backend> = support::devices().iter().flatten().cloned().collect();
    compare_on_random_tapes(300, &cpus);
}

#[test]
fn fused_programs_equal_the_reference_on_the_gpu() {
    if let Some(gpu) = support::gpu(Precision::Single) {
        compare_on_random_tapes(60, &[gpu]);
    }
}

fn compare_on_random_tapes(cases: u32, backends: &[Backend]) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result = TestRunner::new_with_rng(config, rng).run(&recipes(), |recipe| {
        compare(&recipe, backends).map_err(TestCaseError::fail)
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[test]
fn swapped_states_swap_and_later_readers_see_the_old_ones() {
    let mut t = Tape::new();
    let (a, b) = (t.state("a", [2]), t.state("b", [2]));
    let (c, d) = (t.state("c", [2, 2]), t.state("d", [2, 2]));
    t.assign(a, b);
    t.assign(b, a);
    let before = t.add(a, b);
    t.output("a + b", before);
    t.output("a", a);
    // A state assigned twice its own transpose, a state assigned a repeated row, and a constant.
    let turned = t.transpose(c);
    let twice = t.scale(turned, 2.0);
    t.assign(c, twice);
    let row = t.broadcast(a, [2, 2]);
    t.assign(d, row);
    let e = t.state("e", [3]);
    let seven = t.constant(7.0, [3]);
    t.assign(e, seven);
    let fresh = support::store(&[
        ("a", [2].into(), vec![1.0, 2.0]),
        ("b", [2].into(), vec![10.0, 20.0]),
        ("c", [2, 2].into(), vec![1.0, 2.0, 3.0, 4.0]),
        ("d", [2, 2].into(), vec![0.0; 4]),
        ("e", [3].into(), vec![0.0; 3]),
    ]);
    let backends = support::single_precision().into_iter();
    for backend in &backends.chain([Backend::Reference]).collect::<Vec<_>>() {
        let mut store = fresh.duplicate().unwrap();
        let mut program = support::compile(backend, &t, &store, &[]);
        program.run(&mut store).unwrap();
        let state = |name| store.get(name).unwrap().expect("a state").data().to_vec();
        assert_eq!(state("a"), [10.0, 20.0]);
        assert_eq!(state("b"), [1.0, 2.0]);
        assert_eq!(state("c"), [2.0, 6.0, 4.0, 8.0]);
        assert_eq!(state("d"), [1.0, 2.0, 1.0, 2.0]);
        assert_eq!(state("e"), [7.0; 3]);
        assert_eq!(program.read("a + b").unwrap(), [11.0, 22.0]);
        assert_eq!(program.read("a").unwrap(), [1.0, 2.0]);
        program.run(&mut store).unwrap();
        assert_eq!(program.read("a").unwrap(), [10.0, 20.0]);
    }
}

/// `s ← s s / 10` on many tiles of the product: all of `s` must be read before any of it is overwritten, so
/// the assignment, though pointwise, cannot run tile by tile with its product.
#[test]
fn a_state_is_not_overwritten_while_a_product_reads_it() {
    let mut t = Tape::new();
    let s = t.state("s", [150, 150]);
    let square = t.matmul(s, false, s, false);
    let next = t.scale(square, 0.1);
    t.assign(s, next);
    assert_eq!(Plan::new(&t).steps.len(), 2, "{}", t.explain());
    let numbers = support::uniform(5, "s", 150 * 150, -1.0, 1.0);
    let fresh = support::store(&[("s", [150, 150].into(), numbers)]);
    let after = |backend: &Backend| {
        let mut store = fresh.duplicate().unwrap();
        support::compile(backend, &t, &store, &[])
            .run(&mut store)
            .unwrap();
        store.get("s").unwrap().expect("the state").data().to_vec()
    };
    let exact = after(&Backend::Reference);
    for backend in &support::single_precision() {
        for (s, exact) in after(backend).iter().zip(&exact) {
            assert!(
                (s - exact).abs() < 1e-5,
                "{}: {s}, {exact}",
                backend.describe()
            );
        }
    }
}

/// Adam on more numbers than a chunk has: states change in place, some operands repeat, and the last elements do not fill
/// a register.
#[test]
fn updates_of_many_numbers_are_the_same_for_any_number_of_threads() {
    let [rows, cols] = [331, 303];
    let mut t = Tape::new();
    let states = ["w", "m", "v"].map(|name| t.state(name, [rows, cols]));
    let [w, m, v] = states;
    let (row, rate) = (t.input("row", [1, cols]), t.input("rate", [1, 1]));
    let wide = t.broadcast(row, [rows, cols]);
    let rate = t.broadcast(rate, [rows, cols]);
    let g = t.mul(w, wide);
    let [old, new] = [(m, 0.9), (g, 0.1)].map(|(x, factor)| t.scale(x, factor));
    let m_next = t.add(old, new);
    let square = t.mul(g, g);
    let [old, new] = [(v, 0.99), (square, 0.01)].map(|(x, factor)| t.scale(x, factor));
    let v_next = t.add(old, new);
    let root = t.sqrt(v_next);
    let root = t.affine(root, 1.0, 1e-3);
    let step = t.div(m_next, root);
    let step = t.mul(rate, step);
    let w_next = t.sub(w, step);
    for (state, next) in states.into_iter().zip([w_next, m_next, v_next]) {
        t.assign(state, next);
    }
    assert_eq!(Plan::new(&t).steps.len(), 1, "{}", t.explain());
    let numbers = |name, count| support::uniform(6, name, count, 0.1, 1.0);
    let fresh = ["w", "m", "v"].map(|name| (name, [rows, cols].into(), numbers(name, rows * cols)));
    let fresh = support::store(&fresh);
    let inputs = [("row", numbers("row", cols)), ("rate", vec![0.01])];
    let after = |backend: &Backend| {
        let mut store = fresh.duplicate().unwrap();
        let mut program = support::compile(backend, &t, &store, &inputs);
        for _ in 0..3 {
            program.run(&mut store).unwrap();
        }
        let state = |name| store.get(name).unwrap().expect("a state").data().to_vec();
        ["w", "m", "v"].map(state).concat()
    };
    let exact = after(&Backend::Reference);
    let [one, two, three] =
        [1, 2, 3].map(|threads| after(&Backend::cpu(Some(threads)).expect("threads")));
    assert!(one == two && one == three, "threads change bits");
    for (i, (x, exact)) in one.iter().zip(&exact).enumerate() {
        assert!((x - exact).abs() < 1e-5, "number {i}: {x}, {exact}");
    }
}
