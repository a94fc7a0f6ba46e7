//! Proves that planning changes nothing but speed: fused programs on shared memory compute what the
//! unfused reference computes, on random tapes with shared values, several outputs and swapped states; that
//! what should run as one step does, and what nobody needs does not run; and that mistakes are refused
//! while recording, with a message that names the operation, the layer and the shapes.

mod support;

use coulomb_gan::exec::{Backend, Program, Store};
use coulomb_gan::numbers::Shape;
use coulomb_gan::tape::op::Charges;
use coulomb_gan::tape::plan::{Kernel, Plan, SlotKind};
use coulomb_gan::tape::{Tape, Var};
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
        let v = match what % 22 {
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
                match what % 22 {
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
            _ => {
                let [a, y, x] = [a, b, c].map(|v| self.full(v));
                let t = &mut self.tape;
                let epsilon = t.constant(1.0, [1]);
                let charges = Charges {
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
        let v = if matches!(what % 22, 9..=13 | 17..=20) {
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

/// Runs a tape three times on every device, states carried from run to run, and compares each output and
/// state with the reference after each run.
fn compare(recipe: &Recipe) -> Result<(), String> {
    let tape = cook(recipe);
    let plan = Plan::new(&tape);
    if plan.scratch_bytes() > plan.bytes_without_reuse {
        return Err("reuse takes more memory than none".into());
    }
    let mut all: Vec<(String, Program, Store)> = (support::devices().iter().flatten())
        .map(|backend| {
            let (program, store) = start(backend, &tape, recipe);
            (backend.describe(), program, store)
        })
        .collect();
    let (mut exact, mut exact_store) = start(&Backend::Reference, &tape, recipe);
    for run in 0..3 {
        exact.run(&mut exact_store);
        for (who, program, store) in &mut all {
            program.run(store);
            let outputs = tape.outputs().iter().map(|(name, _)| {
                (
                    name.as_str(),
                    program.read(name).to_vec(),
                    exact.read(name).to_vec(),
                )
            });
            let states = STATES.map(|name| {
                let [cpu, exact] = [&*store, &exact_store].map(|s| s.get(name).expect("a state"));
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
    let config = Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result = TestRunner::new_with_rng(config, rng).run(&recipes(), |recipe| {
        compare(&recipe).map_err(TestCaseError::fail)
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
    let backends = support::devices()
        .iter()
        .flatten()
        .chain([&Backend::Reference]);
    for backend in backends {
        let mut store = fresh.clone();
        let mut program = support::compile(backend, &t, &store, &[]);
        program.run(&mut store);
        let state = |name| store.get(name).expect("a state").data().to_vec();
        assert_eq!(state("a"), [10.0, 20.0]);
        assert_eq!(state("b"), [1.0, 2.0]);
        assert_eq!(state("c"), [2.0, 6.0, 4.0, 8.0]);
        assert_eq!(state("d"), [1.0, 2.0, 1.0, 2.0]);
        assert_eq!(state("e"), [7.0; 3]);
        assert_eq!(program.read("a + b"), [11.0, 22.0]);
        assert_eq!(program.read("a"), [1.0, 2.0]);
        program.run(&mut store);
        assert_eq!(program.read("a"), [10.0, 20.0]);
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
        let mut store = fresh.clone();
        support::compile(backend, &t, &store, &[]).run(&mut store);
        store.get("s").expect("the state").data().to_vec()
    };
    let exact = after(&Backend::Reference);
    for backend in support::devices().iter().flatten() {
        for (s, exact) in after(backend).iter().zip(&exact) {
            assert!(
                (s - exact).abs() < 1e-5,
                "{}: {s}, {exact}",
                backend.describe()
            );
        }
    }
}

/// A layer's forward pass: `elu(x Wᵀ + b)`.
fn linear(t: &mut Tape, name: &str, x: Var, width: usize) -> (Var, [Var; 2]) {
    let [rows, inputs] = [t.shape(x)[0], t.shape(x)[1]];
    t.layer(name, |t| {
        let w = t.state(&format!("{name}.weight"), [width, inputs]);
        let b = t.state(&format!("{name}.bias"), [width]);
        let product = t.matmul(x, false, w, true);
        let bias = t.broadcast(b, [rows, width]);
        let sum = t.add(product, bias);
        (t.elu(sum), [w, b])
    })
}

#[test]
fn dead_operations_vanish() {
    let mut t = Tape::new();
    let x = t.input("x", [8, 3]);
    t.input("unread", [5]);
    let y = t.tanh(x);
    let dead = t.exp(x);
    let (_, _) = linear(&mut t, "dead", dead, 4);
    t.output("y", y);
    let plan = Plan::new(&t);
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].ops, [y]);
    let states = plan
        .slots
        .iter()
        .any(|s| matches!(s.kind, SlotKind::State(_)));
    assert!(!states, "nobody reads the dead layer's weights");
    // Inputs are accepted, and states demanded, whether or not something reads them.
    let mut store = support::store(&[
        ("dead.weight", [4, 3].into(), vec![0.0; 12]),
        ("dead.bias", [4].into(), vec![0.0; 4]),
    ]);
    let missing = Backend::Reference.compile(&t, &Store::new());
    assert!(
        missing.is_err()
            && Backend::cpu(Some(1))
                .unwrap()
                .compile(&t, &Store::new())
                .is_err()
    );
    let mut program = support::compile(
        &Backend::cpu(Some(1)).expect("a thread"),
        &t,
        &store,
        &[("x", vec![0.0; 24]), ("unread", vec![0.0; 5])],
    );
    program.run(&mut store);
}

#[test]
fn bias_and_activation_run_with_their_matrix_product() {
    let mut t = Tape::new();
    let x = t.input("x", [64, 10]);
    let (h, _) = linear(&mut t, "first", x, 32);
    let (y, _) = linear(&mut t, "second", h, 16);
    t.output("y", y);
    let plan = Plan::new(&t);
    assert_eq!(plan.steps.len(), 2, "{}", t.explain());
    for step in &plan.steps {
        assert!(matches!(step.kernel, Some(Kernel::Matmul { .. })));
        let pointwise = step.pointwise.as_ref().expect("bias and activation");
        assert_eq!(pointwise.instructions.len(), 2);
        assert_eq!(step.ops.len(), 3);
    }
}

/// Adam for one parameter reads the gradient once and writes two moments and the parameter.
fn adam(t: &mut Tape, name: &str, w: Var, g: Var) {
    let shape = t.shape(w).clone();
    let (m, v) = (
        t.state(&format!("m.{name}"), &shape),
        t.state(&format!("v.{name}"), &shape),
    );
    let (old, new) = (t.scale(m, 0.9), t.scale(g, 0.1));
    let next_m = t.add(old, new);
    let square = t.square(g);
    let (old, new) = (t.scale(v, 0.999), t.scale(square, 0.001));
    let next_v = t.add(old, new);
    let root = t.sqrt(next_v);
    let below = t.affine(root, 1.0, 1e-8);
    let ratio = t.div(next_m, below);
    let rate = t.input("rate", [1]);
    let rate = t.broadcast(rate, &shape);
    let change = t.mul(ratio, rate);
    let next = t.sub(w, change);
    t.assign(m, next_m);
    t.assign(v, next_v);
    t.assign(w, next);
}

#[test]
fn all_of_adam_is_one_step() {
    let mut t = Tape::new();
    let (w, g) = (t.state("w", [30, 7]), t.input("g", [30, 7]));
    adam(&mut t, "w", w, g);
    let plan = Plan::new(&t);
    assert_eq!(plan.steps.len(), 1, "{}", t.explain());
    let step = plan.steps[0].pointwise.as_ref().expect("pointwise work");
    assert_eq!((step.loads.len(), step.stores.len()), (5, 3));
    assert_eq!(plan.scratch_bytes(), 0);
}

#[test]
fn adam_runs_with_the_product_that_makes_the_gradient() {
    let mut t = Tape::new();
    let (x, dy) = (t.input("x", [40, 6]), t.input("dy", [40, 9]));
    let w = t.state("w", [9, 6]);
    let g = t.matmul(dy, true, x, false);
    adam(&mut t, "w", w, g);
    assert_eq!(Plan::new(&t).steps.len(), 1, "{}", t.explain());
}

#[test]
fn a_long_chain_needs_no_more_memory_than_a_short_one() {
    let scratch = |layers: usize| {
        let mut t = Tape::new();
        let mut h = t.input("x", [16, 8]);
        for i in 0..layers {
            h = linear(&mut t, &format!("{i}"), h, 8).0;
        }
        t.output("y", h);
        let plan = Plan::new(&t);
        (plan.scratch_bytes(), plan.bytes_without_reuse)
    };
    let (short, long) = (scratch(3), scratch(12));
    assert_eq!(short.0, long.0);
    assert!(
        long.1 > 3 * short.1 && long.0 < long.1,
        "{short:?} {long:?}"
    );
}

#[test]
fn names_are_recorded_once() {
    let mut t = Tape::new();
    let x = t.input("x", [2, 3]);
    assert_eq!(t.input("x", [2, 3]), x);
    let w = t.state("w", [2]);
    assert_eq!(t.state("w", [2]), w);
}

#[test]
fn layers_nest_and_gradients_say_whose_they_are() {
    let mut t = Tape::new();
    let x = t.input("x", [4]);
    let y = t.layer("critic", |t| {
        let h = t.layer("0", |t| t.tanh(x));
        t.layer("1", |t| t.exp(h))
    });
    let after = t.square(y);
    assert_eq!(t.node(y).layer, "critic.1");
    assert_eq!(t.node(after).layer, "");
    let dx = t.grad_of_sum(after, &[x])[0];
    assert_eq!(t.node(dx).layer, "d critic.0");
    let next = t.tanh(dx);
    assert_eq!(t.node(next).layer, "", "grad leaves the layer as it was");
}

#[test]
fn explain_shows_operations_steps_and_costs() {
    let mut t = Tape::new();
    let x = t.input("x", [128, 64]);
    let (h, [w, _]) = linear(&mut t, "critic", x, 32);
    let loss = t.sum_all(h);
    let dw = t.grad(loss, &[w])[0];
    t.output("dw", dw);
    let text = t.explain();
    for expected in [
        "TAPE: ",
        "PLAN: ",
        "state critic.weight",
        "d critic",
        "matmul 128x64x32 + add elu",
        "FLOP",
        "bytes",
        // 2 · 128 · 64 · 32 operations.
        "524.3 k",
        "scratch memory: ",
        " with reuse, ",
        " without",
    ] {
        assert!(
            text.contains(expected),
            "{expected:?} is missing in\n{text}"
        );
    }
    let node = t.nodes().iter().position(|n| n.op.name() == "matmul");
    assert_eq!(node.map(|i| t.nodes()[i].layer.as_str()), Some("critic"));
}

/// The message with which a recording is refused.
fn refusal(record: impl FnOnce(&mut Tape) + std::panic::UnwindSafe) -> String {
    let caught = std::panic::catch_unwind(|| {
        let mut t = Tape::new();
        t.layer("critic", |t| t.layer("2", |t| record(t)));
    });
    let payload = caught.expect_err("a recording that makes no sense");
    payload.downcast_ref::<String>().expect("a message").clone()
}

fn charges(
    t: &mut Tape,
    a: &[usize],
    y: &[usize],
    x: &[usize],
    epsilon: &[usize],
    d: u32,
) -> Charges {
    Charges {
        d,
        epsilon: t.input("epsilon", epsilon),
        a: t.input("a", a),
        y: t.input("y", y),
        x: t.input("x", x),
    }
}

/// Records one mistake with the inputs `a`, of shape `[2, 3]`, and `b`, of shape `[4, 5]`.
type Mistake = fn(&mut Tape, Var, Var);

#[test]
fn mistakes_name_operation_layer_and_shapes() {
    let mistakes: [(&str, &str, Mistake); 12] = [
        ("add", "[2, 3], [4, 5]", |t, a, b| _ = t.add(a, b)),
        ("sub", "[2, 3], [4, 5]", |t, a, b| _ = t.sub(a, b)),
        ("mul", "[2, 3], [4, 5]", |t, a, b| _ = t.mul(a, b)),
        ("div", "[2, 3], [4, 5]", |t, a, b| _ = t.div(a, b)),
        ("max", "[2, 3], [4, 5]", |t, a, b| _ = t.max(a, b)),
        ("min", "[2, 3], [4, 5]", |t, a, b| _ = t.min(a, b)),
        ("matmul", "[2, 3], [4, 5]", |t, a, b| {
            _ = t.matmul(a, false, b, true)
        }),
        ("reshape", "[2, 3]", |t, a, _| _ = t.reshape(a, [7])),
        ("broadcast", "[2, 3]", |t, a, _| _ = t.broadcast(a, [4, 5])),
        ("sum", "[2, 3]", |t, a, _| _ = t.sum(a, 1..3)),
        ("assign", "[2, 3], [4, 5]", |t, a, b| t.assign(a, b)),
        ("grad", "[2, 3]", |t, a, _| _ = t.grad(a, &[a])),
    ];
    for (name, shapes, mistake) in mistakes {
        let message = refusal(move |t| {
            let (a, b) = (t.input("a", [2, 3]), t.input("b", [4, 5]));
            mistake(t, a, b);
        });
        let start = format!("{name} recorded by critic.2: ");
        assert!(message.starts_with(&start), "{message}");
        assert!(
            message.ends_with(&format!("(operand shapes: {shapes})")),
            "{message}"
        );
    }
    let message = refusal(|t| {
        let (state, value) = (t.state("s", [2]), t.input("x", [3]));
        t.assign(state, value);
    });
    assert_eq!(
        message,
        "assign recorded by critic.2: shapes differ (operand shapes: [2], [3])"
    );
    let message = refusal(|t| {
        let (state, value) = (t.state("s", [2]), t.input("x", [2]));
        t.assign(state, value);
        t.assign(state, value);
    });
    assert!(
        message.contains("the state already has a next value"),
        "{message}"
    );
    let message = refusal(|t| {
        t.input("x", [2]);
        t.input("x", [3]);
    });
    assert!(
        message.starts_with("input recorded by critic.2: ") && message.contains("[2]"),
        "{message}"
    );
    let message = refusal(|t| {
        let x = t.input("x", [2, 3, 4]);
        t.transpose(x);
    });
    assert!(
        message.contains("transpose") && message.contains("[2, 3, 4]"),
        "{message}"
    );
}

#[test]
fn charges_that_make_no_sense_are_refused() {
    type Sizes = [&'static [usize]; 4];
    let mistakes: [(Sizes, u32, &str); 5] = [
        (
            [&[5, 2], &[4, 3], &[4, 2], &[1]],
            3,
            "rows of one dimension",
        ),
        ([&[5], &[4, 2], &[4, 2], &[1]], 3, "rows of one dimension"),
        (
            [&[5, 2], &[4, 2], &[4, 2], &[2]],
            3,
            "epsilon must be one number",
        ),
        ([&[5, 2], &[4, 2], &[4, 2], &[1]], 0, "d at least 1"),
        ([&[5, 2], &[0, 2], &[4, 2], &[1]], 3, "no charges"),
    ];
    for ([a, y, x, epsilon], d, why) in mistakes {
        for which in 0..3 {
            let message = refusal(move |t| {
                let charges = charges(t, a, y, x, epsilon, d);
                match which {
                    0 => t.potential(charges),
                    1 => t.field(charges),
                    _ => t.curvature(charges, charges.a),
                };
            });
            let name = ["potential", "field", "curvature"][which];
            assert!(
                message.starts_with(&format!("{name} recorded by critic.2: ")),
                "{message}"
            );
            assert!(
                message.contains(why) && message.contains("4, 2]"),
                "{message}"
            );
        }
    }
}

#[test]
fn a_program_wants_its_states() {
    let mut t = Tape::new();
    let w = t.state("generator.weight", [2, 3]);
    let y = t.tanh(w);
    t.output("y", y);
    let wrong = support::store(&[("generator.weight", [5].into(), vec![0.0; 5])]);
    for backend in [Backend::Reference, Backend::cpu(Some(1)).expect("a thread")] {
        for store in [&Store::new(), &wrong] {
            let error = backend.compile(&t, store).expect_err("no such state");
            assert!(error.to_string().contains("generator.weight"), "{error}");
        }
    }
}

/// An empty batch runs through broadcasts, sums, products and their gradients.
#[test]
fn an_empty_batch_is_a_batch() {
    let mut t = Tape::new();
    let x = t.input("x", [0, 3]);
    let (h, [w, b]) = linear(&mut t, "critic", x, 4);
    let column = t.sum(h, 1..2);
    let bent = t.exp(column);
    let wide = t.broadcast(bent, [0, 5]);
    let again = t.tanh(wide);
    let loss = t.sum_all(again);
    let g = t.grad(loss, &[w, b, x]);
    for (name, v) in [("loss", loss), ("dw", g[0]), ("db", g[1]), ("dx", g[2])] {
        t.output(name, v);
    }
    let fresh = support::store(&[
        ("critic.weight", [4, 3].into(), vec![1.0; 12]),
        ("critic.bias", [4].into(), vec![1.0; 4]),
    ]);
    let backends = support::devices()
        .iter()
        .flatten()
        .chain([&Backend::Reference]);
    for backend in backends {
        let mut store = fresh.clone();
        let mut program = support::compile(backend, &t, &store, &[("x", vec![])]);
        program.run(&mut store);
        assert_eq!(program.read("loss"), [0.0]);
        assert_eq!(program.read("dw"), [0.0; 12]);
        assert_eq!(program.read("db"), [0.0; 4]);
        assert!(program.read("dx").is_empty());
    }
}

#[test]
fn a_store_of_another_shape_is_refused_in_words() {
    let mut t = Tape::new();
    let w = t.state("w", [2, 3]);
    t.output("y", w);
    let store = support::store(&[("w", [3, 2].into(), vec![0.0; 6])]);
    for backend in [Backend::Reference, Backend::cpu(Some(1)).expect("a thread")] {
        let message = backend
            .compile(&t, &store)
            .expect_err("a shape")
            .to_string();
        assert_eq!(
            message,
            "the state w is [3, 2] in the store where the tape expects [2, 3]"
        );
    }
}

#[test]
#[should_panic(expected = "clashes with an earlier one")]
fn one_name_cannot_stand_for_two_things() {
    let mut t = Tape::new();
    t.input("w", [2]);
    t.state("w", [2]);
}

#[test]
#[should_panic(expected = "there is already an output y")]
fn outputs_have_different_names() {
    let mut t = Tape::new();
    let x = t.input("x", [2]);
    t.output("y", x);
    t.output("y", x);
}
