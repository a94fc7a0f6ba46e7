//! Proves that training does what it does in PyTorch: ten rounds of each objective that `tests/fixtures/make_steps.py`
//! wrote down in `f64`, compared update by update: losses, the gradients that Adam averages, and what it makes of the
//! weights. The reference carries its states in `f64` from round to round; kernels carry theirs in `f32`, in the store.

use std::collections::BTreeMap;

use crate::pytorch::numbers;
use crate::support;
use coulomb_gan::coulomb::algorithm1::Algorithm1;
use coulomb_gan::exec::{Backend, Precision, Program, Store, reference};
use coulomb_gan::models::dcgan::{Norm, Output};
use coulomb_gan::models::{Dcgan, Mlp};
use coulomb_gan::nn::{Activation, Network, Statistics};
use coulomb_gan::numbers::Shape;
use coulomb_gan::objective::{Batch, Objective, Part, Players};
use coulomb_gan::optim::Adam;
use coulomb_gan::rivals::{Gan, WganGp};
use coulomb_gan::tape::{Op, Tape};
use serde::Deserialize;

const ROUNDS: u64 = 10;
const Z_DIM: usize = 3;
const KERNEL_DIM: u32 = 3;
const PENALTY: f64 = 10.0;

/// The largest deviations allowed, relative to the largest number of a tensor; for losses, to the largest of ten rounds.
struct Tolerance {
    loss: f64,
    gradient: f64,
    state: f64,
}

/// The fixture's twelve digits, and rounding: at most 2e-11 when written.
const EXACT: Tolerance = Tolerance {
    loss: 1e-10,
    gradient: 1e-10,
    state: 1e-10,
};

/// A bias of `D`'s score has a gradient whose terms nearly cancel, `D(x)` against `D(y)`: 7e-5 when written. All other
/// gradients were within 2e-6, losses and states within 1e-6.
const SINGLE: Tolerance = Tolerance {
    loss: 1e-5,
    gradient: 5e-4,
    state: 1e-5,
};

/// A training of ten rounds, as the script describes it.
#[derive(Deserialize)]
struct Case {
    objective: String,
    network: String,
    norm: bool,
    batch: usize,
    /// The largest size of initial weights, and of real points.
    spread: f64,
    reach: f64,
    ball: f64,
    epsilon: f64,
    scale: f64,
    /// Of `G` and `D`.
    rates: [f64; 2],
    betas: [f64; 2],
    weight_decay: f64,
    critic_steps: u64,
    /// One for every run of a part, in the order of the runs.
    updates: Vec<Update>,
}

/// What PyTorch computed in one run; tensors by name, as [`Case::evidence`] has them.
#[derive(Deserialize)]
struct Update {
    losses: BTreeMap<String, f64>,
    gradients: Tensors,
    states: Tensors,
}

type Tensors = BTreeMap<String, Vec<f64>>;

impl Case {
    fn name(&self) -> String {
        let norm = if self.norm { " with batch norms" } else { "" };
        format!("{} on {}{norm}", self.objective, self.network)
    }

    fn objective(&self) -> Box<dyn Objective> {
        match self.objective.as_str() {
            "coulomb" => Box::new(Algorithm1 {
                d: KERNEL_DIM,
                scale: self.scale,
                ball: self.ball > 0.0,
            }),
            "gan" => Box::new(Gan),
            "wgan-gp" => Box::new(WganGp {
                penalty: PENALTY,
                critic_steps: self.critic_steps,
            }),
            other => panic!("{other} is no objective"),
        }
    }

    /// `G`, `D`, and the shape of a point.
    fn networks(&self) -> ([Box<dyn Network>; 2], Shape) {
        if self.network == "mlp" {
            let g = Mlp::new("generator", &[Z_DIM, 8, 8, 2]);
            let d = Mlp::new("discriminator", &[2, 8, 8, 1]);
            return ([Box::new(g), Box::new(d)], [2].into());
        }
        let (norm, activation_g, activation_d) = match self.norm {
            true => (Norm::Batch, Activation::Relu, Activation::LeakyRelu(0.2)),
            false => (Norm::None, Activation::Elu, Activation::Elu),
        };
        let dcgan = Dcgan {
            side: 16,
            width: 16,
            z_dim: Z_DIM,
            norm,
            activation_g,
            activation_d,
            output: Output::Tanh,
            sampling: Statistics::Running,
        };
        let (g, d) = (
            dcgan.generator("generator"),
            dcgan.discriminator("discriminator"),
        );
        ([Box::new(g), Box::new(d)], [3, 16, 16].into())
    }

    /// What a state starts from.
    fn start(&self, name: &str, shape: &Shape) -> Vec<f64> {
        if name.starts_with("adam.") {
            return vec![0.0; shape.count()];
        }
        let of_norm = shape.len() == 1 && name.ends_with("weight");
        let around = f64::from(of_norm || name.ends_with("running_var"));
        let numbers = numbers(name, shape.count()).into_iter();
        numbers.map(|x| around + self.spread * x).collect()
    }

    /// What run number `run` of a part is handed as `name`.
    fn input(&self, name: &str, run: u64, count: usize) -> Vec<f64> {
        let [shift, scale] = match name {
            "z" | "z_other" => [0.0, 1.0],
            "y" => [0.0, self.reach],
            "epsilon" => [self.epsilon, self.epsilon / 4.0],
            "ball_x" | "ball_y" => [0.0, self.ball],
            "shares" => [0.5, 0.5],
            other => panic!("{other} is no input of a fixture"),
        };
        let numbers = numbers(&format!("{name} {run}"), count).into_iter();
        numbers.map(|x| shift + scale * x).collect()
    }

    /// What the script stores of a tensor: all of it, or three sums with factors and the root of the sum of squares.
    fn evidence(&self, name: &str, tensor: Vec<f64>) -> Vec<f64> {
        if self.network == "mlp" {
            return tensor;
        }
        let dot = |a: &[f64]| -> f64 { a.iter().zip(&tensor).map(|(a, b)| a * b).sum() };
        let sum = |i| dot(&numbers(&format!("factors {i} {name}"), tensor.len()));
        vec![sum(0), sum(1), sum(2), dot(&tensor).sqrt()]
    }
}

/// An Adam and the number and rate of its next update.
struct Move<'a> {
    adam: &'a Adam,
    n: u64,
    rate: f64,
}

/// What runs the parts, and keeps their states.
enum Machine {
    Reference(Tensors),
    Kernels(Vec<Program>, Store),
}

impl Machine {
    fn new(case: &Case, parts: &[Part], backend: Option<&Backend>) -> Self {
        let nodes = parts.iter().flat_map(|part| part.tape.nodes());
        let states = nodes.filter_map(|node| match &node.op {
            Op::State { name } => Some((name.as_str(), node.shape.clone())),
            _ => None,
        });
        let states = states.map(|(name, shape)| (name, case.start(name, &shape), shape));
        let Some(backend) = backend else {
            return Self::Reference(states.map(|(name, v, _)| (name.to_owned(), v)).collect());
        };
        let narrow: Vec<_> = states
            .map(|(name, values, shape)| (name, shape, single(&values)))
            .collect();
        let store = support::store(&narrow);
        let programs = parts.iter();
        let programs =
            programs.map(|part| backend.compile(&part.tape, &store).expect("all states"));
        Self::Kernels(programs.collect(), store)
    }

    /// Runs part number `part` once; gives the values of `losses`.
    fn run(
        &mut self,
        part: usize,
        tape: &Tape,
        mut inputs: Tensors,
        moves: &[Move],
        losses: &mut dyn Iterator<Item = &String>,
    ) -> Vec<f64> {
        match self {
            Self::Reference(states) => {
                for Move { adam, n, rate } in moves {
                    let decayed = |beta: f64| 1.0 - beta.powf(*n as f64);
                    let [name, correction] = adam.inputs();
                    inputs.insert(name, vec![rate / decayed(adam.beta1)]);
                    inputs.insert(correction, vec![decayed(adam.beta2).sqrt().recip()]);
                }
                let values = reference::evaluate(tape, &mut |name| {
                    let known = inputs.get(name).or_else(|| states.get(name));
                    known.expect("an input or a state").clone()
                });
                for (name, value) in assigned(tape) {
                    states.insert(name.into(), values[value].clone());
                }
                losses
                    .map(|name| values[support::output(tape, name).index()][0])
                    .collect()
            }
            Self::Kernels(programs, store) => {
                let program = &mut programs[part];
                for (name, values) in &inputs {
                    program.write(name, &single(values));
                }
                for Move { adam, n, rate } in moves {
                    adam.write(program, *n, *rate);
                }
                program.run(store).expect("a device that works");
                losses
                    .map(|name| f64::from(program.scalar(name).expect("a device that works")))
                    .collect()
            }
        }
    }

    fn state(&self, name: &str) -> Vec<f64> {
        match self {
            Self::Reference(states) => states[name].clone(),
            Self::Kernels(_, store) => {
                let tensor = store.get(name).expect("a device that works");
                support::wide(tensor.expect("a state").data())
            }
        }
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

/// The states that a run of `tape` assigns, and the positions of their next values.
fn assigned(tape: &Tape) -> impl Iterator<Item = (&str, usize)> {
    tape.nodes().iter().filter_map(|node| match &node.op {
        Op::Assign { state, value } => match &tape.node(*state).op {
            Op::State { name } => Some((name.as_str(), value.index())),
            _ => panic!("only states are assigned"),
        },
        _ => None,
    })
}

/// Trains as `case` says and compares every update.
fn compare(case: &Case, backend: Option<&Backend>, tolerance: &Tolerance) {
    let ([g, d], point) = case.networks();
    let adams = ["adam.g", "adam.d"].map(|name| Adam {
        beta2: case.betas[1],
        ..Adam::new(name, case.betas[0], case.weight_decay)
    });
    let players = Players {
        generator: &*g,
        discriminator: &*d,
        adam_g: &adams[0],
        adam_d: &adams[1],
        loss_scale: 1.0,
        average: None,
    };
    let batch = Batch {
        size: case.batch,
        z_dim: Z_DIM,
        point,
    };
    let parts = case.objective().parts(&players, &batch);
    let mut machine = Machine::new(case, &parts, backend);
    let place = backend.map_or("the reference".into(), Backend::describe);
    let mut updates = case.updates.iter();
    for round in 0..ROUNDS {
        for (i, part) in parts.iter().enumerate() {
            for run in round * part.runs..(round + 1) * part.runs {
                let update = updates.next().expect("as many updates as runs");
                let what = format!("{}, {place}, {} run {run}", case.name(), part.name);
                check_names(&what, &part.tape, update);
                let (mut inputs, mut moves) = (Tensors::new(), vec![]);
                for node in part.tape.nodes() {
                    let Op::Input { name } = &node.op else {
                        continue;
                    };
                    let player = adams.iter().position(|a| a.inputs().contains(name));
                    if player.is_none() {
                        let values = case.input(name, run, node.shape.count());
                        inputs.insert(name.clone(), values);
                    } else if let Some(p) = player.filter(|&p| adams[p].inputs()[0] == *name) {
                        moves.push(Move {
                            adam: &adams[p],
                            n: run + 1,
                            rate: case.rates[p],
                        });
                    }
                }
                let names = update.gradients.keys();
                let before: Vec<_> = names.map(|name| machine.state(&moment(name))).collect();
                let names = &mut update.losses.keys();
                let losses = machine.run(i, &part.tape, inputs, &moves, names);

                for ((name, expected), found) in update.losses.iter().zip(losses) {
                    let all = case.updates.iter().filter_map(|u| u.losses.get(name));
                    let size = all.fold(0.0f64, |most, loss| most.max(loss.abs()));
                    let what = format!("{what}: {name}");
                    assert_close(&what, &[found], &[*expected], size, tolerance.loss);
                }
                for ((name, expected), old) in update.gradients.iter().zip(before) {
                    let beta1 = case.betas[0];
                    let new = machine.state(&moment(name)).into_iter();
                    let gradient = new
                        .zip(old)
                        .map(|(new, old)| (new - beta1 * old) / (1.0 - beta1));
                    let found = case.evidence(name, gradient.collect());
                    let what = format!("{what}: gradient of {name}");
                    assert_close(
                        &what,
                        &found,
                        expected,
                        largest(expected),
                        tolerance.gradient,
                    );
                }
                for (name, expected) in &update.states {
                    let found = case.evidence(name, machine.state(name));
                    let what = format!("{what}: {name}");
                    assert_close(&what, &found, expected, largest(expected), tolerance.state);
                }
            }
        }
    }
    assert!(updates.next().is_none(), "{}: more updates", case.name());
}

/// The name of Adam's mean of a parameter's gradient, which shows the gradient.
fn moment(parameter: &str) -> String {
    let (network, rest) = parameter.split_once('.').expect("a network's name");
    format!("adam.{}.m.{rest}", &network[..1])
}

/// That PyTorch wrote down every state that the tape assigns, but for Adam's, and a gradient for each mean of gradients.
fn check_names(what: &str, tape: &Tape, update: &Update) {
    let (moments, mut states): (Vec<&str>, Vec<&str>) = assigned(tape)
        .map(|(name, _)| name)
        .partition(|name| name.starts_with("adam."));
    let mut means: Vec<&str> = moments.into_iter().filter(|m| m.contains(".m.")).collect();
    let mut expected: Vec<String> = update.gradients.keys().map(|name| moment(name)).collect();
    means.sort_unstable();
    expected.sort_unstable();
    states.sort_unstable();
    assert_eq!(means, expected, "{what}: gradients");
    assert!(states.iter().eq(update.states.keys()), "{what}: {states:?}");
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, x| most.max(x.abs()))
}

/// A tensor of zeros must be met exactly.
fn assert_close(what: &str, found: &[f64], expected: &[f64], size: f64, tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (x, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (x - e).abs() <= tolerance * size,
            "{what}[{i}] is {x}, not {e}, of at most {size}"
        );
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../fixtures/steps.json")).expect("what make_steps.py wrote")
}

#[test]
fn the_reference_trains_as_pytorch_does() {
    for case in cases() {
        compare(&case, None, &EXACT);
    }
}

#[test]
fn the_cpu_trains_as_pytorch_does() {
    for case in cases() {
        for device in support::devices() {
            compare(&case, Some(&device[1]), &SINGLE);
        }
    }
}

#[test]
fn the_gpu_trains_as_pytorch_does() {
    let Some(backend) = support::gpu(Precision::Single) else {
        return;
    };
    for case in cases() {
        compare(&case, Some(&backend), &SINGLE);
    }
}
