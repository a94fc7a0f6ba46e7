//! Proves that what should run as one step does, that what nobody needs does not run, and that a listing says
//! what each step costs.

use crate::support;
use coulomb_gan::exec::{Backend, Store};
use coulomb_gan::tape::plan::{Kernel, Plan, SlotKind};
use coulomb_gan::tape::{Tape, Var, Window};

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
    program.run(&mut store).unwrap();
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

/// Bias and activation of a convolution, its slope in the backward pass, and the update of its filters: all run
/// with a convolution while its result is in the cache.
#[test]
fn pointwise_work_runs_with_its_convolution() {
    let mut t = Tape::new();
    let window = Window {
        stride: [2; 2],
        padding: [2; 2],
    };
    let mut h = t.input("x", [4, 3, 16, 16]);
    let mut filters = vec![];
    for (layer, [from, to]) in [[3, 8], [8, 16]].into_iter().enumerate() {
        let w = t.state(&format!("{layer}.weight"), [to, from, 5, 5]);
        let b = t.state(&format!("{layer}.bias"), [1, to, 1, 1]);
        let answer = t.conv2d(h, w, window);
        let shape = t.shape(answer).clone();
        let bias = t.broadcast(b, shape);
        let sum = t.add(answer, bias);
        h = t.elu(sum);
        filters.push(w);
    }
    let loss = t.mean_all(h);
    let gradients = t.grad(loss, &filters);
    for (layer, g) in gradients.into_iter().enumerate() {
        adam(&mut t, &format!("adam.{layer}"), filters[layer], g);
    }
    t.output("loss", loss);
    let plan = Plan::new(&t);
    let convolutions = plan
        .steps
        .iter()
        .filter(|step| matches!(step.kernel, Some(Kernel::Contract(_))));
    let alone = convolutions.clone().filter(|step| step.pointwise.is_none());
    assert_eq!(
        (convolutions.count(), alone.count()),
        (5, 0),
        "{}",
        t.explain()
    );
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
    let backends = support::single_precision().into_iter();
    for backend in &backends.chain([Backend::Reference]).collect::<Vec<_>>() {
        let mut store = fresh.duplicate().unwrap();
        let mut program = support::compile(backend, &t, &store, &[("x", vec![])]);
        program.run(&mut store).unwrap();
        assert_eq!(program.read("loss").unwrap(), [0.0]);
        assert_eq!(program.read("dw").unwrap(), [0.0; 12]);
        assert_eq!(program.read("db").unwrap(), [0.0; 4]);
        assert!(program.read("dx").unwrap().is_empty());
    }
}
