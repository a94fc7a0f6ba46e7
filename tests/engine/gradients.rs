//! Proves that the calculus on one page is right: every primitive's rule against central differences in
//! `f64`, the values at kinks, gradients of gradients, and the bookkeeping around the rules (stopped
//! gradients, values used many times, independent values), alone and in a small network.

use crate::support;
use coulomb_gan::exec::check::check_gradient;
use coulomb_gan::exec::{Backend, Precision, Store};
use coulomb_gan::tape::convolution::Convolution;
use coulomb_gan::tape::op::Interaction;
use coulomb_gan::tape::{Op, Tape, Var, Window};

/// A central difference with `h = 1e-5` leaves about 1e-10, more where third derivatives are large.
const H: f64 = 1e-5;
const TOLERANCE: f64 = 2e-8;

/// Records one primitive; hands back its result and the values with respect to which it is differentiated.
type Record = fn(&mut Tape) -> (Var, Vec<Var>);

/// Every primitive with a gradient, and numbers from where its inputs come: away from poles, and from the
/// kinks of `elu`, `max` and `min` by more than a finite difference, but on both sides of them. (Of random numbers no two
/// are so near that a finite difference changes which is the largest.)
const CASES: &[(&str, Record, [f32; 2])] = &[
    ("input", |t| one(t, |_, x| x), [-2.0, 2.0]),
    ("state", state, [-2.0, 2.0]),
    (
        "reshape",
        |t| one(t, |t, x| t.reshape(x, [4, 3])),
        [-2.0, 2.0],
    ),
    ("broadcast", rows_and_columns, [-2.0, 2.0]),
    ("broadcast", scattered_broadcast, [-2.0, 2.0]),
    ("sum", |t| one(t, |t, x| t.sum(x, 0..1)), [-2.0, 2.0]),
    ("sum", |t| one(t, |t, x| t.sum(x, 1..2)), [-2.0, 2.0]),
    ("sum", |t| one(t, |t, x| t.sum(x, 0..2)), [-2.0, 2.0]),
    (
        "reduce_max",
        |t| one(t, |t, x| t.reduce_max(x, 0..1)),
        [-2.0, 2.0],
    ),
    (
        "reduce_max",
        |t| one(t, |t, x| t.reduce_max(x, 1..2)),
        [-2.0, 2.0],
    ),
    (
        "reduce_max",
        |t| one(t, |t, x| t.reduce_max(x, 0..2)),
        [-2.0, 2.0],
    ),
    ("transpose", |t| one(t, Tape::transpose), [-2.0, 2.0]),
    ("slice", |t| one(t, |t, x| t.slice(x, 1, 2..5)), [-2.0, 2.0]),
    ("slice", |t| one(t, |t, x| t.slice(x, 0, 1..2)), [-2.0, 2.0]),
    (
        "concat",
        |t| two(t, |t, a, b| t.concat(&[a, b, a], 1)),
        [-2.0, 2.0],
    ),
    (
        "concat",
        |t| two(t, |t, a, b| t.concat(&[b, a], 0)),
        [-2.0, 2.0],
    ),
    ("pool_pick", pool_pick, [-2.0, 2.0]),
    (
        "pool_pick",
        |t| {
            let x = t.input("x", PICTURES);
            (t.max_pool2d(x, KERNEL, WINDOW), vec![x])
        },
        [-2.0, 2.0],
    ),
    ("pool_spread", pool_spread, [-2.0, 2.0]),
    (
        "affine",
        |t| one(t, |t, x| t.affine(x, -1.7, 0.3)),
        [-2.0, 2.0],
    ),
    ("exp", |t| one(t, Tape::exp), [-2.0, 2.0]),
    ("ln", |t| one(t, Tape::ln), [0.3, 3.0]),
    ("sqrt", |t| one(t, Tape::sqrt), [0.3, 3.0]),
    ("pow", |t| one(t, |t, x| t.pow(x, -1.5)), [0.5, 3.0]),
    ("pow", |t| one(t, |t, x| t.pow(x, 3.0)), [-2.0, 2.0]),
    ("pow", |t| one(t, |t, x| t.pow(x, 1.0)), [-2.0, 2.0]),
    ("pow", |t| one(t, |t, x| t.pow(x, 0.0)), [-2.0, 2.0]),
    ("tanh", |t| one(t, Tape::tanh), [-2.0, 2.0]),
    (
        "elu",
        |t| one(t, |t, x| off_zero(t, x, Tape::elu)),
        [-2.0, 2.0],
    ),
    (
        "step",
        |t| one(t, |t, x| off_zero(t, x, Tape::step)),
        [-2.0, 2.0],
    ),
    ("add", |t| two(t, Tape::add), [-2.0, 2.0]),
    ("sub", |t| two(t, Tape::sub), [-2.0, 2.0]),
    ("mul", |t| two(t, Tape::mul), [-2.0, 2.0]),
    ("div", |t| two(t, Tape::div), [0.5, 3.0]),
    (
        "max",
        |t| two(t, |t, a, b| apart(t, a, b, Tape::max)),
        [-2.0, 2.0],
    ),
    (
        "min",
        |t| two(t, |t, a, b| apart(t, a, b, Tape::min)),
        [-2.0, 2.0],
    ),
    ("matmul", |t| product(t, false, false), [-2.0, 2.0]),
    ("matmul", |t| product(t, false, true), [-2.0, 2.0]),
    ("matmul", |t| product(t, true, false), [-2.0, 2.0]),
    ("matmul", |t| product(t, true, true), [-2.0, 2.0]),
    ("conv2d", |t| answers(t, [2, 2], [2, 2]), [-1.0, 1.0]),
    ("conv2d", |t| answers(t, [1, 3], [0, 1]), [-1.0, 1.0]),
    (
        "conv2d_input_grad",
        |t| pictures(t, [2, 2], [2, 1]),
        [-1.0, 1.0],
    ),
    (
        "conv2d_input_grad",
        |t| pictures(t, [3, 1], [0, 0]),
        [-1.0, 1.0],
    ),
    (
        "conv2d_weight_grad",
        |t| filters(t, [2, 2], [1, 2]),
        [-1.0, 1.0],
    ),
    (
        "conv2d_weight_grad",
        |t| filters(t, [1, 2], [0, 0]),
        [-1.0, 1.0],
    ),
    (
        "potential",
        |t| coulomb(t, |t, c, _| t.potential(c)),
        [-2.0, 2.0],
    ),
    ("field", |t| coulomb(t, |t, c, _| t.field(c)), [-2.0, 2.0]),
    ("curvature", curvature, [-2.0, 2.0]),
];

/// What no gradient passes through; tested one by one below.
const WITHOUT_GRADIENT: [&str; 3] = ["constant", "stop_gradient", "assign"];

fn one(t: &mut Tape, f: fn(&mut Tape, Var) -> Var) -> (Var, Vec<Var>) {
    let x = t.input("x", [2, 6]);
    (f(t, x), vec![x])
}

fn two(t: &mut Tape, f: fn(&mut Tape, Var, Var) -> Var) -> (Var, Vec<Var>) {
    let (a, b) = (t.input("a", [2, 6]), t.input("b", [2, 6]));
    (f(t, a, b), vec![a, b])
}

fn state(t: &mut Tape) -> (Var, Vec<Var>) {
    let s = t.state("s", [2, 6]);
    (t.exp(s), vec![s])
}

/// A bias for each column, a factor for each row, and one number for all.
fn rows_and_columns(t: &mut Tape) -> (Var, Vec<Var>) {
    let (b, f, c) = (t.input("b", [6]), t.input("f", [2, 1]), t.input("c", []));
    let [vb, vf, vc] = [b, f, c].map(|v| t.broadcast(v, [2, 6]));
    let product = t.mul(vb, vf);
    (t.mul(product, vc), vec![b, f, c])
}

/// `[2, 1, 3, 1]` to `[2, 4, 3, 5]`: no axis that is kept has a kept neighbour.
fn scattered_broadcast(t: &mut Tape) -> (Var, Vec<Var>) {
    let x = t.input("x", [2, 1, 3, 1]);
    (t.broadcast(x, [2, 4, 3, 5]), vec![x])
}

/// `f` of `x` moved away from 0 by 0.05 without changing its sign.
fn off_zero(t: &mut Tape, x: Var, f: fn(&mut Tape, Var) -> Var) -> Var {
    let side = t.step(x);
    let shift = t.affine(side, 0.1, -0.05);
    let moved = t.add(x, shift);
    f(t, moved)
}

/// `f` of `a` and `b` after moving them apart by 0.05.
fn apart(t: &mut Tape, a: Var, b: Var, f: fn(&mut Tape, Var, Var) -> Var) -> Var {
    let difference = t.sub(a, b);
    let side = t.step(difference);
    let shift = t.affine(side, 0.1, -0.05);
    let a = t.add(a, shift);
    f(t, a, b)
}

/// Two pictures of 5 x 6 pixels with two channels under overlapping windows.
const PICTURES: [usize; 4] = [2, 2, 5, 6];
const KERNEL: [usize; 2] = [3, 2];
const WINDOW: Window = Window {
    stride: [2, 1],
    padding: [1, 1],
};

/// The choice has no gradient, what is picked has.
fn pool_pick(t: &mut Tape) -> (Var, Vec<Var>) {
    let (by, x) = (t.input("by", PICTURES), t.input("x", PICTURES));
    (t.pool_pick(by, x, KERNEL, WINDOW), vec![x])
}

fn pool_spread(t: &mut Tape) -> (Var, Vec<Var>) {
    let by = t.input("by", PICTURES);
    let picked = t.pool_pick(by, by, KERNEL, WINDOW);
    let shape = t.shape(picked).clone();
    let y = t.input("y", shape);
    (t.pool_spread(by, y, KERNEL, WINDOW), vec![y])
}

fn product(t: &mut Tape, ta: bool, tb: bool) -> (Var, Vec<Var>) {
    let a = t.input("a", if ta { [3, 2] } else { [2, 3] });
    let b = t.input("b", if tb { [4, 3] } else { [3, 4] });
    (t.matmul(a, ta, b, tb), vec![a, b])
}

/// Sizes of a convolution of two 5 x 6 pictures of 2 channels with three 3 x 4 filters.
fn convolution(stride: [usize; 2], padding: [usize; 2]) -> Convolution {
    let window = Window { stride, padding };
    Convolution::new([2, 2, 5, 6], [3, 2, 3, 4], window).expect("sizes that fit")
}

fn answers(t: &mut Tape, stride: [usize; 2], padding: [usize; 2]) -> (Var, Vec<Var>) {
    let c = convolution(stride, padding);
    let (x, w) = (t.input("x", c.x()), t.input("w", c.w()));
    (t.conv2d(x, w, c.window), vec![x, w])
}

fn pictures(t: &mut Tape, stride: [usize; 2], padding: [usize; 2]) -> (Var, Vec<Var>) {
    let c = convolution(stride, padding);
    let (y, w) = (t.input("y", c.y()), t.input("w", c.w()));
    (t.conv2d_input_grad(y, w, c.window, c.picture), vec![y, w])
}

fn filters(t: &mut Tape, stride: [usize; 2], padding: [usize; 2]) -> (Var, Vec<Var>) {
    let c = convolution(stride, padding);
    let (x, y) = (t.input("x", c.x()), t.input("y", c.y()));
    (t.conv2d_weight_grad(x, y, c.window, c.kernel), vec![x, y])
}

/// Five points in three dimensions among seven charges.
fn coulomb(t: &mut Tape, f: fn(&mut Tape, Interaction, Var) -> Var) -> (Var, Vec<Var>) {
    let charges = Interaction {
        d: 3,
        epsilon: t.constant(0.8, [1]),
        a: t.input("a", [5, 3]),
        y: t.input("y", [4, 3]),
        x: t.input("x", [3, 3]),
    };
    let v = t.input("v", [5, 3]);
    (f(t, charges, v), vec![charges.a])
}

/// The curvature is linear in `v`; its gradient with respect to the points would be a third derivative.
fn curvature(t: &mut Tape) -> (Var, Vec<Var>) {
    let (y, _) = coulomb(t, Tape::curvature);
    let v = t.input("v", [5, 3]);
    (y, vec![v])
}

/// `Σ w y` with random weights `w`: every element of `y` counts differently.
fn weighted(t: &mut Tape, y: Var) -> Var {
    let shape = t.shape(y).clone();
    let w = t.input("weights", shape);
    let product = t.mul(w, y);
    t.sum_all(product)
}

#[track_caller]
fn assert_gradient(what: &str, t: &Tape, loss: Var, wrt: &[Var], range: [f32; 2]) {
    for seed in 0..4 {
        let mut source = support::random_source(t, seed, range[0], range[1]);
        if let Some(worst) = check_gradient(t, loss, wrt, H, &mut source) {
            assert!(worst.error < TOLERANCE, "{what}, seed {seed}: {worst:?}");
        }
    }
}

/// The numbers of `v` where each input has the numbers given by its name.
fn numbers(t: &Tape, v: Var, inputs: &[(&str, &[f64])]) -> Vec<f64> {
    support::value(t, v, &mut |name| {
        let found = inputs.iter().find(|(n, _)| *n == name);
        found.expect("numbers for every input").1.to_vec()
    })
}

#[test]
fn every_primitive_has_a_case() {
    let mut tested: Vec<&str> = CASES.iter().map(|(name, ..)| *name).collect();
    tested.extend(WITHOUT_GRADIENT);
    for primitive in support::all_primitives() {
        assert!(tested.contains(&primitive.as_str()), "{primitive}");
    }
    for (name, record, _) in CASES {
        let mut t = Tape::new();
        record(&mut t);
        assert!(
            t.nodes().iter().any(|n| n.op.name() == *name) || *name == "pow",
            "{name}"
        );
    }
}

#[test]
fn every_rule_is_the_derivative() {
    for (name, record, range) in CASES {
        let mut t = Tape::new();
        let (y, wrt) = record(&mut t);
        let loss = weighted(&mut t, y);
        assert_gradient(name, &t, loss, &wrt, *range);
    }
}

/// `Σ w g²` of the first gradient `g` has a gradient too, and it is right: second derivatives of all smooth
/// primitives, inside a `tanh` so that linear ones bend as well.
#[test]
fn gradients_have_gradients() {
    let third_derivative = ["field", "curvature"];
    for (name, record, range) in CASES
        .iter()
        .filter(|case| !third_derivative.contains(&case.0))
    {
        let mut t = Tape::new();
        let (y, wrt) = record(&mut t);
        let bent = t.tanh(y);
        let loss = weighted(&mut t, bent);
        let mut penalty = t.constant(0.0, [1]);
        for g in t.grad(loss, &wrt) {
            let square = t.square(g);
            let sum = t.sum_all(square);
            penalty = t.add(penalty, sum);
        }
        assert_gradient(
            &format!("second order of {name}"),
            &t,
            penalty,
            &wrt,
            *range,
        );
    }
}

/// First and second derivatives of every case on the GPU equal those of the reference.
#[test]
fn gradients_on_the_gpu() {
    let Some(gpu) = support::gpu(Precision::Single) else {
        return;
    };
    let third_derivative = ["field", "curvature"];
    for (name, record, range) in CASES {
        let mut t = Tape::new();
        let (y, wrt) = record(&mut t);
        let loss = weighted(&mut t, y);
        let mut gradients = t.grad(loss, &wrt);
        if !third_derivative.contains(name) {
            gradients.extend(t.grad_of_sum(gradients[0], &wrt));
        }
        for (i, &g) in gradients.iter().enumerate() {
            t.output(&i.to_string(), g);
        }
        let mut source = support::random_source(&t, 3, range[0], range[1]);
        let nodes = t.nodes().iter().filter_map(|node| match &node.op {
            Op::Input { name } | Op::State { name } => Some((name.as_str(), node)),
            _ => None,
        });
        let mut numbers = nodes
            .map(|(name, node)| {
                let values: Vec<f32> = source(name).iter().map(|&x| x as f32).collect();
                (name, node, values)
            })
            .collect::<Vec<_>>();
        let (states, inputs): (Vec<_>, Vec<_>) =
            (numbers.drain(..)).partition(|(_, node, _)| matches!(node.op, Op::State { .. }));
        let states: Vec<_> = states
            .into_iter()
            .map(|(name, node, x)| (name, node.shape.clone(), x))
            .collect();
        let inputs: Vec<_> = inputs.into_iter().map(|(name, _, x)| (name, x)).collect();
        let [found, expected] = [&gpu, &Backend::Reference].map(|backend| {
            let mut store = support::store(&states);
            let mut program = support::compile(backend, &t, &store, &inputs);
            program.run(&mut store).unwrap();
            let read = |i: usize| program.read(&i.to_string()).unwrap().to_vec();
            (0..gradients.len()).map(read).collect::<Vec<_>>()
        });
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            let error = (found - expected).abs() / (1.0 + expected.abs());
            assert!(error < 1e-4, "{name}: {found}, not {expected}");
        }
    }
}

/// Third derivatives come from the same rules: `(x⁵)''' = 60 x²`.
#[test]
fn three_times() {
    let mut t = Tape::new();
    let x = t.input("x", [2]);
    let mut y = t.pow(x, 5.0);
    for _ in 0..3 {
        y = t.grad_of_sum(y, &[x])[0];
    }
    let y = numbers(&t, y, &[("x", &[2.0, -0.5])]);
    assert_eq!(y, [240.0, 15.0]);
}

#[test]
#[should_panic(expected = "third derivative of the potential is not provided")]
fn a_third_derivative_of_the_potential_is_refused() {
    let mut t = Tape::new();
    let (phi, wrt) = coulomb(&mut t, |t, c, _| t.potential(c));
    let mut g = phi;
    for _ in 0..3 {
        let square = t.square(g);
        g = t.grad_of_sum(square, &wrt)[0];
    }
}

#[test]
fn at_a_tie_the_gradient_goes_to_b() {
    for f in [Tape::max, Tape::min] {
        let mut t = Tape::new();
        let (a, b) = (t.input("a", [3]), t.input("b", [3]));
        let y = f(&mut t, a, b);
        let g = t.grad_of_sum(y, &[a, b]);
        let inputs: [(&str, &[f64]); 2] = [("a", &[1.0, 0.0, -0.0]), ("b", &[1.0, -0.0, 0.0])];
        assert_eq!(numbers(&t, g[0], &inputs), [0.0; 3]);
        assert_eq!(numbers(&t, g[1], &inputs), [1.0; 3]);
    }
}

/// Where several numbers are the largest, they share the gradient of a maximum; of a window the first one has it all.
#[test]
fn equal_numbers_share_or_the_first_has_it() {
    let mut t = Tape::new();
    let x = t.input("x", [1, 1, 2, 3]);
    let y = t.reduce_max(x, 2..4);
    let shared = t.grad_of_sum(y, &[x])[0];
    let window = Window {
        stride: [1; 2],
        padding: [0; 2],
    };
    let y = t.max_pool2d(x, [2, 3], window);
    let first = t.grad_of_sum(y, &[x])[0];
    let at: [(&str, &[f64]); 1] = [("x", &[0.0, 3.0, 1.0, 3.0, -3.0, 2.0])];
    assert_eq!(numbers(&t, shared, &at), [0.0, 0.5, 0.0, 0.5, 0.0, 0.0]);
    assert_eq!(numbers(&t, first, &at), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

/// `elu` has slope 1 on both sides of 0 and at 0; its second derivative jumps there from 1 to 0, and is 0 at 0.
#[test]
fn elu_at_zero() {
    let mut t = Tape::new();
    let x = t.input("x", [3]);
    let y = t.elu(x);
    let dx = t.grad_of_sum(y, &[x])[0];
    let ddx = t.grad_of_sum(dx, &[x])[0];
    let at: [(&str, &[f64]); 1] = [("x", &[-1e-12, 0.0, 1e-12])];
    let y = numbers(&t, y, &at);
    assert!((y[0] + 1e-12).abs() < 1e-23 && y[1..] == [0.0, 1e-12]);
    let slope = numbers(&t, dx, &at);
    assert!(slope.iter().all(|s| (s - 1.0).abs() < 1e-11), "{slope:?}");
    assert_eq!(slope[1], 1.0);
    let bend = numbers(&t, ddx, &at);
    assert!((bend[0] - 1.0).abs() < 1e-11 && bend[1] == 0.0 && bend[2] == 0.0);
}

#[test]
fn step_has_no_slope_even_at_its_jump() {
    let mut t = Tape::new();
    let x = t.input("x", [3]);
    let y = t.step(x);
    let dx = t.grad_of_sum(y, &[x])[0];
    let at: [(&str, &[f64]); 1] = [("x", &[-1.0, 0.0, 1.0])];
    assert_eq!(numbers(&t, y, &at), [0.0, 0.0, 1.0]);
    assert_eq!(numbers(&t, dx, &at), [0.0; 3]);
}

/// `x · stop(x)` has slope `x`, not `2 x`, and finite differences, which do not stop, notice.
#[test]
fn stop_gradient_cuts_and_a_wrong_gradient_is_found() {
    let mut t = Tape::new();
    let x = t.input("x", [3]);
    let stopped = t.stop_gradient(x);
    let y = t.mul(x, stopped);
    let loss = t.sum_all(y);
    let dx = t.grad(loss, &[x])[0];
    let at = [0.5, -2.0, 3.0];
    assert_eq!(numbers(&t, dx, &[("x", &at)]), at);
    let worst = check_gradient(&t, loss, &[x], H, &mut |_| at.to_vec()).expect("three elements");
    assert_eq!(worst.at, (0, 2));
    assert_eq!(worst.recorded, 3.0);
    assert!(
        (worst.difference - 6.0).abs() < 1e-8 && worst.error > 0.4,
        "{worst:?}"
    );
}

/// An element that is not a number is the worst of all, wherever it stands.
#[test]
fn a_gradient_check_does_not_lose_nan() {
    // √(x²) at 0: the loss is fine there, the recorded slope is 1/0 · 0.
    for at in [[0.0, 4.0], [4.0, 0.0]] {
        let mut t = Tape::new();
        let x = t.input("x", [2]);
        let square = t.square(x);
        let root = t.sqrt(square);
        let loss = t.sum_all(root);
        let worst = check_gradient(&t, loss, &[x], H, &mut |_| at.to_vec());
        assert!(worst.expect("two elements").error.is_nan(), "at {at:?}");
    }
}

/// One value, eight uses: `y = Σ_k x^k` by Horner's rule has slope `Σ_k k x^(k−1)`.
#[test]
fn a_value_used_many_times_collects_all_its_adjoints() {
    let mut t = Tape::new();
    let x = t.input("x", [1]);
    let mut y = t.constant(1.0, [1]);
    for _ in 0..8 {
        let product = t.mul(y, x);
        y = t.affine(product, 1.0, 1.0);
    }
    let dx = t.grad(y, &[x])[0];
    let expected: i32 = (1..=8).map(|k| k * 2i32.pow(k as u32 - 1)).sum();
    assert_eq!(numbers(&t, dx, &[("x", &[2.0])]), [f64::from(expected)]);
    assert_gradient("Horner", &t, y, &[x], [-1.0, 1.0]);
}

#[test]
fn what_the_loss_does_not_depend_on_has_gradient_zero() {
    let mut t = Tape::new();
    let (x, z, s) = (t.input("x", [2]), t.input("z", [2, 3]), t.state("s", [4]));
    t.assign(s, s);
    let constant = t.constant(2.0, [2]);
    let y = t.square(x);
    let loss = t.sum_all(y);
    let later = t.exp(z);
    let g = t.grad(loss, &[x, z, constant, later, s]);
    let inputs: [(&str, &[f64]); 3] = [("x", &[1.0, -3.0]), ("z", &[1.0; 6]), ("s", &[1.0; 4])];
    assert_eq!(numbers(&t, g[0], &inputs), [2.0, -6.0]);
    assert_eq!(numbers(&t, g[1], &inputs), [0.0; 6]);
    assert_eq!(numbers(&t, g[2], &inputs), [0.0; 2]);
    assert_eq!(numbers(&t, g[3], &inputs), [0.0; 6]);
    assert_eq!(numbers(&t, g[4], &inputs), [0.0; 4]);
}

/// A gradient with respect to any value on the way, whatever made it: the derivative by the operation's
/// result, as if it were an input.
#[test]
fn gradients_with_respect_to_intermediate_values() {
    for (name, record, range) in CASES {
        let mut t = Tape::new();
        let (y, _) = record(&mut t);
        let square = t.square(y);
        let loss = t.sum_all(square);
        let dy = t.grad(loss, &[y])[0];
        let twice = t.scale(y, 2.0);
        let mut source = support::random_source(&t, 5, range[0], range[1]);
        let expected = support::value(&t, twice, &mut source);
        assert_eq!(support::value(&t, dy, &mut source), expected, "{name}");
    }
}

#[test]
fn the_gradient_with_respect_to_a_stopped_value_itself() {
    let mut t = Tape::new();
    let x = t.input("x", [2]);
    let stopped = t.stop_gradient(x);
    let y = t.square(stopped);
    let g = t.grad_of_sum(y, &[x, stopped]);
    assert_eq!(numbers(&t, g[0], &[("x", &[1.0, -3.0])]), [0.0; 2]);
    assert_eq!(numbers(&t, g[1], &[("x", &[1.0, -3.0])]), [2.0, -6.0]);
}

#[test]
#[should_panic(expected = "the loss must be a single number (operand shapes: [2, 3])")]
fn a_loss_is_one_number() {
    let mut t = Tape::new();
    let x = t.input("x", [2, 3]);
    t.grad(x, &[x]);
}

/// A critic of two hidden ELU layers: `D(x)`, shape `[rows, 1]`, and its weights and biases.
fn critic(t: &mut Tape, x: Var) -> (Var, Vec<Var>) {
    let rows = t.shape(x)[0];
    let sizes = [2, 5, 4, 1];
    let (mut h, mut parameters) = (x, vec![]);
    for (i, size) in sizes.windows(2).enumerate() {
        let w = t.state(&format!("{i}.weight"), [size[1], size[0]]);
        let b = t.state(&format!("{i}.bias"), [size[1]]);
        parameters.extend([w, b]);
        h = t.layer(&format!("critic.{i}"), |t| {
            let product = t.matmul(h, false, w, true);
            let bias = t.broadcast(b, [rows, size[1]]);
            let sum = t.add(product, bias);
            if i < 2 { t.elu(sum) } else { sum }
        });
    }
    (h, parameters)
}

#[test]
fn all_of_a_network() {
    let mut t = Tape::new();
    let x = t.input("x", [7, 2]);
    let (d, parameters) = critic(&mut t, x);
    let loss = weighted(&mut t, d);
    let wrt = [&parameters[..], &[x]].concat();
    assert_gradient("critic", &t, loss, &wrt, [-1.0, 1.0]);
}

/// The penalty of a WGAN-GP, `Σ (‖∇_x D(x)‖² − 1)²`: a function of a gradient, differentiated by the weights.
#[test]
fn gradient_penalty() {
    let mut t = Tape::new();
    let x = t.input("x", [7, 2]);
    let (d, parameters) = critic(&mut t, x);
    let dx = t.grad_of_sum(d, &[x])[0];
    let square = t.square(dx);
    let norms = t.sum(square, 1..2);
    let excess = t.affine(norms, 1.0, -1.0);
    let penalties = t.square(excess);
    let penalty = t.sum_all(penalties);
    assert_gradient("gradient penalty", &t, penalty, &parameters, [-1.0, 1.0]);
}

/// `[3, 1]` from `[3, 2, 6, 6]`: a convolution, its transpose, a matrix product, biases, and values used twice.
fn network_by_rows(t: &mut Tape) -> (Var, Var, Vec<Var>) {
    let window = Window {
        stride: [2; 2],
        padding: [2; 2],
    };
    let x = t.input("x", [3, 2, 6, 6]);
    let shapes = [
        [4, 2, 5, 5].to_vec(),
        [1, 4, 1, 1].to_vec(),
        [4, 2, 5, 5].to_vec(),
        [5, 72].to_vec(),
        [5, 1].to_vec(),
    ];
    let names = ["w0", "w1", "w2", "w3", "w4"];
    let w: Vec<Var> = (names.iter().zip(&shapes))
        .map(|(name, shape)| t.input(name, &shape[..]))
        .collect();
    let h = t.conv2d(x, w[0], window);
    let bias = t.broadcast(w[1], [3, 4, 3, 3]);
    let h = t.add(h, bias);
    let h = t.elu(h);
    let h = t.conv2d_input_grad(h, w[2], window, [6, 6]);
    let h = t.mul(h, x);
    let h = t.tanh(h);
    let h = t.reshape(h, [3, 72]);
    let h = t.matmul(h, false, w[3], true);
    let h = t.elu(h);
    let y = t.matmul(h, false, w[4], false);
    (x, y, w)
}

#[test]
fn one_sweep_by_rows_gives_both_gradients() {
    let mut t = Tape::new();
    let (x, y, w) = network_by_rows(&mut t);
    let r = t.input("r", [3, 1]);
    assert!(t.rows_stay_apart(y, x));
    let (dx, dw) = t.grad_by_rows(y, r, x, &w);
    let weighed = t.mul(r, y);
    let expected_x = t.grad_of_sum(y, &[x])[0];
    let expected_w = t.grad_of_sum(weighed, &w);
    let found = [&[dx], &dw[..]].concat();
    let expected = [&[expected_x], &expected_w[..]].concat();
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        t.output(&format!("found {i}"), *a);
        t.output(&format!("expected {i}"), *b);
    }
    let mut store = Store::new();
    let mut program = Backend::Reference.compile(&t, &store).unwrap();
    for node in t.nodes() {
        if let Op::Input { name } = &node.op {
            let values = support::uniform(7, name, node.shape.count(), -1.0, 1.0);
            program.write(name, &values);
        }
    }
    program.run(&mut store).unwrap();
    for i in 0..found.len() {
        let [a, b] =
            ["found", "expected"].map(|which| program.read(&format!("{which} {i}")).unwrap());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{i}: {a} {b}");
        }
        assert!(b.iter().any(|b| b.abs() > 1e-3), "{i}");
    }
}

/// `[3, 1]` from `[3, 2, 4]`: rows divided by their own size, with a factor per channel, as a layer norm has it.
fn norm_by_rows(t: &mut Tape) -> (Var, Var, Vec<Var>) {
    let x = t.input("x", [3, 2, 4]);
    let w = [
        t.input("w0", [2, 1]),
        t.input("w1", [8, 1]),
        t.input("w2", [1]),
        t.input("w3", [1, 2]),
    ];
    let square = t.square(x);
    let size = t.sum(square, 1..3);
    let size = t.affine(size, 1.0, 0.5);
    let size = t.sqrt(size);
    let size = t.broadcast(size, [3, 2, 4]);
    let normal = t.div(x, size);
    let factor = t.broadcast(w[0], [3, 2, 4]);
    let h = t.mul(normal, factor);
    let h = t.tanh(h);
    // Sums over some of the axes, spread over others again.
    let pixels = t.sum(h, 2..3);
    let pixels = t.broadcast(pixels, [3, 2, 4]);
    let h = t.mul(h, pixels);
    let h = t.reshape(h, [3, 8]);
    // A parameter beside each row, part of it cut off, and all of it times the largest.
    let beside = t.broadcast(w[3], [3, 2]);
    let h = t.concat(&[h, beside], 1);
    let h = t.slice(h, 1, 1..9);
    let largest = t.reduce_max(h, 1..2);
    let largest = t.broadcast(largest, [3, 8]);
    let h = t.mul(h, largest);
    let y = t.matmul(h, false, w[1], false);
    let shift = t.broadcast(w[2], [3, 1]);
    let y = t.mul(y, shift);
    (x, y, w.into())
}

/// Both answers of one sweep are slopes: those of the plain sum for the points, of the weighed one for all else.
#[test]
fn one_sweep_by_rows_is_right_where_rows_are_summed_and_spread() {
    let mut t = Tape::new();
    let (x, y, w) = norm_by_rows(&mut t);
    let r = t.input("r", [3, 1]);
    assert!(t.rows_stay_apart(y, x));
    let (dx, dw) = t.grad_by_rows(y, r, x, &w);
    let weighed = t.mul(r, y);
    let (plain, weighed) = (t.sum_all(y), t.sum_all(weighed));
    let value = |v: Var, moved: &str, at: usize, by: f64| -> Vec<f64> {
        let mut source = support::random_source(&t, 3, -1.0, 1.0);
        support::value(&t, v, &mut |name| {
            let mut numbers = source(name);
            if name == moved {
                numbers[at] += by;
            }
            numbers
        })
    };
    let asked = [("x", dx, plain)].into_iter().chain([
        ("w0", dw[0], weighed),
        ("w1", dw[1], weighed),
        ("w2", dw[2], weighed),
        ("w3", dw[3], weighed),
    ]);
    for (name, gradient, loss) in asked {
        for (at, gradient) in value(gradient, "", 0, 0.0).into_iter().enumerate() {
            let [above, below] = [H, -H].map(|by| value(loss, name, at, by)[0]);
            let slope = (above - below) / (2.0 * H);
            assert!((gradient - slope).abs() < TOLERANCE * (1.0 + slope.abs()));
        }
    }
}

/// Functions of rows, `[3, 4]`, and whether the tape can tell that they keep them apart.
type OfRows = (&'static str, fn(&mut Tape, Var) -> Var, bool);

const OF_ROWS: &[OfRows] = &[
    ("scaled", |t, x| t.scale(x, 2.0), true),
    ("sums of rows", |t, x| t.sum(x, 1..2), true),
    ("rows less their means", |t, x| centred(t, x, 1), true),
    (
        "rows and, stopped, their means",
        |t, x| {
            let stopped = t.stop_gradient(x);
            let other = centred(t, stopped, 1);
            t.mul(x, other)
        },
        true,
    ),
    (
        "pages of rows",
        |t, x| {
            let x = t.reshape(x, [3, 2, 2]);
            let sum = t.sum(x, 2..3);
            t.broadcast(sum, [3, 2, 5])
        },
        true,
    ),
    ("the largest of rows", |t, x| t.reduce_max(x, 1..2), true),
    (
        "parts of rows",
        |t, x| {
            let part = t.slice(x, 1, 1..3);
            t.concat(&[part, x], 1)
        },
        true,
    ),
    (
        "pooled rows",
        |t, x| {
            let x = t.reshape(x, [3, 1, 2, 2]);
            let window = Window {
                stride: [1; 2],
                padding: [0; 2],
            };
            t.max_pool2d(x, [2, 1], window)
        },
        true,
    ),
    (
        "rows in another order",
        |t, x| {
            let parts = [1..3, 0..1].map(|places| t.slice(x, 0, places));
            t.concat(&parts, 0)
        },
        false,
    ),
    (
        "the largest of columns",
        |t, x| {
            let largest = t.reduce_max(x, 0..1);
            t.broadcast(largest, [3, 4])
        },
        false,
    ),
    ("columns less their means", |t, x| centred(t, x, 0), false),
    (
        "rows and, stopped, the means of columns",
        |t, x| {
            let stopped = t.stop_gradient(x);
            let other = centred(t, stopped, 0);
            t.mul(x, other)
        },
        false,
    ),
    (
        "the mean of all",
        |t, x| {
            let mean = t.mean_all(x);
            t.broadcast(mean, [3, 4])
        },
        false,
    ),
    (
        "sums over the first axes of several",
        |t, x| {
            let x = t.reshape(x, [3, 2, 2]);
            let sum = t.sum(x, 0..2);
            t.broadcast(sum, [3, 2, 2])
        },
        false,
    ),
    (
        "sums of rows as a column and then as a row",
        |t, x| {
            let sum = t.sum(x, 1..2);
            let row = t.reshape(sum, [1, 3]);
            t.broadcast(row, [3, 3])
        },
        false,
    ),
    (
        "columns as rows",
        |t, x| {
            let x = t.sum(x, 1..2);
            let x = t.broadcast(x, [3, 3]);
            t.transpose(x)
        },
        false,
    ),
    ("products", |t, x| t.matmul(x, false, x, true), false),
    ("turned products", |t, x| t.matmul(x, true, x, false), false),
];

/// `x` less its means over one axis.
fn centred(t: &mut Tape, x: Var, axis: usize) -> Var {
    let shape = t.shape(x).clone();
    let sum = t.sum(x, axis..axis + 1);
    let mean = t.scale(sum, 1.0 / shape[axis] as f64);
    let mean = t.broadcast(mean, shape);
    t.sub(x, mean)
}

/// What the tape says, and what happens to the other rows when one is moved.
#[test]
fn rows_that_meet_are_noticed() {
    for (what, record, apart) in OF_ROWS {
        let mut t = Tape::new();
        let x = t.input("x", [3, 4]);
        let y = record(&mut t, x);
        assert_eq!(t.rows_stay_apart(y, x), *apart, "{what}");
        let own = t.shape(y).count() / t.shape(y)[0];
        let numbers: Vec<f64> = (0..12).map(|i| f64::from(i * i) / 20.0).collect();
        let before = support::value(&t, y, &mut |_| numbers.clone());
        let mut others_move = false;
        for row in 0..3 {
            let mut moved = numbers.clone();
            moved[4 * row] += 1.0;
            let after = support::value(&t, y, &mut |_| moved.clone());
            let rows = before.chunks(own).zip(after.chunks(own)).enumerate();
            others_move |= rows.filter(|(i, _)| *i != row).any(|(_, (a, b))| a != b);
        }
        assert_eq!(others_move, !apart, "{what}");
    }
    let mut t = Tape::new();
    let x = t.input("x", [3, 4]);
    let other = t.input("other", [3, 4]);
    assert!(!t.rows_stay_apart(other, x), "nothing to differentiate");
    let stopped = t.stop_gradient(x);
    assert!(!t.rows_stay_apart(stopped, x), "nothing, here neither");
}
