//! Proves that layers, networks and distances compute what PyTorch and NumPy compute: numbers that
//! `tests/fixtures/make.py` wrote down in `f64`, compared with the reference in `f64` and with every CPU kernel.

use crate::support;
use coulomb_gan::exec::{Store, reference};
use coulomb_gan::metrics::frechet::{Moments, distance};
use coulomb_gan::models::Dcgan;
use coulomb_gan::models::dcgan::{Norm, Output};
use coulomb_gan::nn::{
    Activation, BatchNorm, Conv2d, ConvTranspose2d, Init, Mode, Network, Statistics,
};
use coulomb_gan::numbers::Tensor;
use coulomb_gan::tape::{Op, Tape, Var, Window};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixtures {
    convolutions: Vec<Convolution>,
    batch_norms: Vec<BatchNormCase>,
    activations: Activations,
    dcgans: Vec<Networks>,
    distances: Vec<Distance>,
}

#[derive(Deserialize)]
struct Convolution {
    transposed: bool,
    x: [usize; 4],
    w: [usize; 4],
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
    shape: Vec<usize>,
    y: Vec<f64>,
    dx: Vec<f64>,
    dw: Vec<f64>,
    db: Vec<f64>,
}

#[derive(Deserialize)]
struct BatchNormCase {
    x: Vec<usize>,
    y: Vec<f64>,
    dx: Vec<f64>,
    dw: Vec<f64>,
    db: Vec<f64>,
    sample: Vec<f64>,
    running_mean: Vec<f64>,
    running_var: Vec<f64>,
}

#[derive(Deserialize)]
struct Activations {
    x: Vec<f64>,
    elu: Slopes,
    relu: Slopes,
    leaky_relu: Slopes,
}

#[derive(Deserialize)]
struct Slopes {
    y: Vec<f64>,
    dx: Vec<f64>,
}

#[derive(Deserialize)]
struct Networks {
    side: usize,
    norm: bool,
    sample: Vec<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
    gradients: std::collections::BTreeMap<String, f64>,
    kept: std::collections::BTreeMap<String, Vec<f64>>,
}

#[derive(Deserialize)]
struct Distance {
    rows: usize,
    columns: usize,
    distance: f64,
}

fn fixtures() -> Fixtures {
    serde_json::from_str(include_str!("../fixtures/pytorch.json")).expect("what make.py wrote")
}

/// The numbers that `make.py` calls by this name.
pub fn numbers(name: &str, count: usize) -> Vec<f64> {
    let mut state: u64 = name.bytes().map(u64::from).sum();
    let next = |_| {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        ((state / 65_536 % 129) as f64 - 64.0) / 64.0
    };
    (0..count).map(next).collect()
}

/// Where the numbers of an input or state come from, by its name and count.
type Source<'a> = &'a dyn Fn(&str, usize) -> Vec<f64>;

/// Compares each value with what is expected of it: in `f64` to 1e-10, on the CPU in `f32` to 1e-4, both relative
/// to the largest number expected (at least 0.1: sums cancel).
fn compare(what: &str, t: &mut Tape, source: Source, values: &[(Var, &[f64])]) {
    let count = |t: &Tape, wanted: &str| {
        let mut nodes = t.nodes().iter();
        let node = nodes
            .find(|n| matches!(&n.op, Op::Input { name } | Op::State { name } if name == wanted));
        node.expect("a source of the tape").shape.count()
    };
    let exact = reference::evaluate(t, &mut |name| source(name, count(t, name)));
    for (i, (v, expected)) in values.iter().enumerate() {
        assert_close(
            &format!("{what}, value {i}"),
            &exact[v.index()],
            expected,
            1e-10,
        );
        t.output(&i.to_string(), *v);
    }
    let narrow = |name: &str| -> Vec<f32> {
        source(name, count(t, name))
            .iter()
            .map(|&x| x as f32)
            .collect()
    };
    let mut store = Store::new();
    let mut inputs = vec![];
    for node in t.nodes() {
        match &node.op {
            Op::Input { name } => inputs.push((name.as_str(), narrow(name))),
            Op::State { name } => {
                let tensor = Tensor::new(&node.shape, narrow(name)).expect("as many as needed");
                store.insert(name, &tensor);
            }
            _ => {}
        }
    }
    for device in support::devices() {
        let mut program = support::compile(&device[1], t, &store, &inputs);
        program.run(&mut store.duplicate().unwrap()).unwrap();
        for (i, (_, expected)) in values.iter().enumerate() {
            let values = support::wide(program.read(&i.to_string()).unwrap());
            assert_close(
                &format!("{what}, value {i} on the CPU"),
                &values,
                expected,
                1e-4,
            );
        }
    }
}

fn assert_close(what: &str, values: &[f64], expected: &[f64], tolerance: f64) {
    // Of pictures only every eleventh number is written down.
    let every = values.len().div_ceil(expected.len());
    assert!(
        every == 1 || every == 11,
        "{what}: {} numbers",
        values.len()
    );
    let size = expected.iter().fold(0.1f64, |m, x| m.max(x.abs()));
    for (i, (x, e)) in values.iter().step_by(every).zip(expected).enumerate() {
        assert!(
            (x - e).abs() <= tolerance * size,
            "{what}[{i}] is {x}, not {e}"
        );
    }
}

/// `Σ y dy`, whose gradients PyTorch wrote down.
fn loss(t: &mut Tape, y: Var) -> Var {
    let shape = t.shape(y).clone();
    let dy = t.input("dy", shape);
    let product = t.mul(y, dy);
    t.sum_all(product)
}

#[test]
fn convolutions() {
    for case in fixtures().convolutions {
        let window = Window {
            stride: case.stride,
            padding: case.padding,
        };
        let [weight, bias] = [Init::Constant(0.0); 2];
        let layer: Box<dyn Network> = if case.transposed {
            Box::new(ConvTranspose2d {
                name: "layer".into(),
                inputs: case.w[0],
                outputs: case.w[1],
                kernel: [case.w[2], case.w[3]],
                window,
                output_padding: case.output_padding,
                weight,
                bias: Some(bias),
            })
        } else {
            Box::new(Conv2d {
                name: "layer".into(),
                inputs: case.w[1],
                outputs: case.w[0],
                kernel: [case.w[2], case.w[3]],
                window,
                weight,
                bias: Some(bias),
            })
        };
        let mut t = Tape::new();
        let x = t.input("x", case.x);
        let y = layer.record(&mut t, x, Mode::Train);
        assert_eq!(t.shape(y)[..], case.shape);
        let parameters = layer.parameters();
        let [w, b] = [0, 1].map(|i: usize| parameters[i].record(&mut t));
        assert_eq!(t.shape(w)[..], case.w);
        let loss = loss(&mut t, y);
        let g = t.grad(loss, &[x, w, b]);
        let source = |name: &str, count: usize| match name {
            "layer.weight" => numbers("w", count),
            "layer.bias" => numbers("b", count),
            name => numbers(name, count),
        };
        let expected: [(Var, &[f64]); 4] = [
            (y, &case.y),
            (g[0], &case.dx),
            (g[1], &case.dw),
            (g[2], &case.db),
        ];
        let what = format!("transposed {} of {:?}", case.transposed, case.x);
        compare(&what, &mut t, &source, &expected);
    }
}

#[test]
fn batch_norms() {
    for case in fixtures().batch_norms {
        let layer = BatchNorm {
            name: "n".into(),
            channels: case.x[1],
            sampling: Statistics::Running,
        };
        let mut t = Tape::new();
        let x = t.input("x", case.x.clone());
        let sample = layer.record(&mut t, x, Mode::Sample);
        let y = layer.record(&mut t, x, Mode::Train);
        let kept: Vec<Var> = assigned(&t).into_iter().map(|(_, value)| value).collect();
        let loss = loss(&mut t, y);
        let wrt = [&[x][..], &states(&mut t, &layer)].concat();
        let g = t.grad(loss, &wrt);
        let source = |name: &str, count: usize| match name {
            "n.running_mean" => numbers("mean", count),
            "n.running_var" => numbers("var", count)
                .iter()
                .map(|x| 1.0 + x / 2.0)
                .collect(),
            name => numbers(name.trim_start_matches("n."), count),
        };
        let expected: [(Var, &[f64]); 7] = [
            (sample, &case.sample),
            (y, &case.y),
            (g[0], &case.dx),
            (g[1], &case.dw),
            (g[2], &case.db),
            (kept[0], &case.running_mean),
            (kept[1], &case.running_var),
        ];
        compare(
            &format!("batch norm of {:?}", case.x),
            &mut t,
            &source,
            &expected,
        );
    }
}

fn states(t: &mut Tape, network: &dyn Network) -> Vec<Var> {
    network.parameters().iter().map(|p| p.record(t)).collect()
}

/// The states that a run of `t` assigns, and their next values.
fn assigned(t: &Tape) -> Vec<(String, Var)> {
    let assigns = t.nodes().iter().filter_map(|node| match &node.op {
        Op::Assign { state, value } => Some((*state, *value)),
        _ => None,
    });
    let named = assigns.map(|(state, value)| match &t.node(state).op {
        Op::State { name } => (name.clone(), value),
        _ => panic!("only states are assigned"),
    });
    named.collect()
}

#[test]
fn activations() {
    let all = fixtures().activations;
    for (activation, expected) in [
        (Activation::Elu, &all.elu),
        (Activation::Relu, &all.relu),
        (Activation::LeakyRelu(0.2), &all.leaky_relu),
    ] {
        let mut t = Tape::new();
        let x = t.input("x", [all.x.len()]);
        let y = activation.record(&mut t, x, Mode::Train);
        let dx = t.grad_of_sum(y, &[x])[0];
        let expected: [(Var, &[f64]); 2] = [(y, &expected.y), (dx, &expected.dx)];
        compare(
            &format!("{activation:?}"),
            &mut t,
            &|_, _| all.x.clone(),
            &expected,
        );
    }
}

/// Whole networks, named as PyTorch names them: pictures, scores, gradients, running statistics.
#[test]
fn dcgans() {
    for case in fixtures().dcgans {
        let released = case.norm;
        let networks = Dcgan {
            side: case.side,
            width: 16,
            z_dim: 3,
            norm: if released { Norm::Batch } else { Norm::None },
            activation_g: if released {
                Activation::Relu
            } else {
                Activation::Elu
            },
            activation_d: if released {
                Activation::LeakyRelu(0.2)
            } else {
                Activation::Elu
            },
            output: Output::Tanh,
            sampling: Statistics::Running,
        };
        let (g, d) = (networks.generator("g"), networks.discriminator("d"));
        let mut t = Tape::new();
        let z = t.input("z", [2, 3]);
        let sample = g.record(&mut t, z, Mode::Sample);
        let x = g.record(&mut t, z, Mode::Train);
        let kept = assigned(&t);
        let y = d.record(&mut t, x, Mode::Train);
        let loss = loss(&mut t, y);
        let parameters = [g.parameters(), d.parameters()].concat();
        let names: Vec<String> = parameters.iter().map(|p| p.name.clone()).collect();
        let expected_names: Vec<&String> = case.gradients.keys().collect();
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort();
        assert_eq!(sorted, expected_names, "PyTorch's names");

        let mut results: Vec<(Var, &[f64])> =
            vec![(sample, &case.sample), (x, &case.x), (y, &case.y)];
        let wrt: Vec<Var> = parameters.iter().map(|p| p.record(&mut t)).collect();
        let gradients = t.grad(loss, &wrt);
        for (parameter, gradient) in parameters.iter().zip(gradients) {
            let factors = t.input(&format!("factors {}", parameter.name), &parameter.shape);
            let product = t.mul(gradient, factors);
            let sum = t.sum_all(product);
            results.push((sum, std::slice::from_ref(&case.gradients[&parameter.name])));
        }
        assert_eq!(kept.len(), case.kept.len(), "PyTorch's buffers");
        for (name, value) in kept {
            results.push((value, &case.kept[&name]));
        }
        let source = |name: &str, count: usize| {
            if ["z", "dy"].contains(&name) || name.starts_with("factors") {
                return numbers(name, count);
            }
            let shift = f64::from(name.contains("norm") || name.contains("running_var"));
            let around = numbers(name, count).into_iter();
            around.map(|x| shift + x / 4.0).collect()
        };
        compare(
            &format!("DCGAN of {}", case.side),
            &mut t,
            &source,
            &results,
        );
    }
}

#[test]
fn distances() {
    for case in fixtures().distances {
        let (rows, n) = (case.rows, case.columns);
        let [a, b, mix] =
            [("a", rows), ("b", rows), ("mix", n)].map(|(name, r)| numbers(name, r * n));
        let mut moments = [Moments::new(n), Moments::new(n)];
        for (a, b) in a.chunks(n).zip(b.chunks(n)) {
            let mixed = |j: usize| 0.5 + (0..n).map(|l| b[l] * mix[l * n + j]).sum::<f64>();
            moments[0].add(a);
            moments[1].add(&(0..n).map(mixed).collect::<Vec<_>>());
        }
        let [a, b] = moments.map(|m| m.gaussian());
        for d in [distance(&a, &b), distance(&b, &a)] {
            assert!(
                (d / case.distance - 1.0).abs() < 1e-6,
                "{d}, not {}",
                case.distance
            );
        }
    }
}
