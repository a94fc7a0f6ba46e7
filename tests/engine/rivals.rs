//! The objectives that the paper compares with: their losses from the formulas, the gradients that reach Adam from
//! differences of these losses, and who is moved by which tape.

use coulomb_gan::exec::reference;
use coulomb_gan::models::dcgan::{Norm, Output};
use coulomb_gan::models::{AutoEncoder, Dcgan, Mlp};
use coulomb_gan::nn::{Activation, Network, Statistics};
use coulomb_gan::objective::{Batch, Judge, Objective, Part, Players};
use coulomb_gan::optim::Adam;
use coulomb_gan::rivals::{Began, Gan, Mmd, WganGp};
use coulomb_gan::tape::{Op, Tape};

use crate::support::{gradient_for_adam, output, random_source};

pub const BATCH: usize = 3;
pub const Z_DIM: usize = 4;

/// Networks for points of one shape: `G`, and a `D` of either kind.
pub struct Networks {
    what: &'static str,
    pub generator: Box<dyn Network>,
    discriminator: Box<dyn Network>,
    pub auto_encoder: Box<dyn Network>,
    point: Vec<usize>,
}

impl Networks {
    /// The `D` that `objective` asks for.
    fn judge(&self, objective: &dyn Objective) -> &dyn Network {
        match objective.judge() {
            Judge::Score => &*self.discriminator,
            Judge::Reconstruction => &*self.auto_encoder,
        }
    }
}

pub fn perceptrons() -> Networks {
    let encoder = Mlp::new("discriminator.encoder", &[2, 5, Z_DIM]);
    let decoder = Mlp::new("discriminator.decoder", &[Z_DIM, 6, 2]);
    Networks {
        what: "multilayer perceptrons",
        generator: Box::new(Mlp::new("generator", &[Z_DIM, 6, 5, 2])),
        discriminator: Box::new(Mlp::new("discriminator", &[2, 5, 6, 1])),
        auto_encoder: Box::new(AutoEncoder::new(Box::new(encoder), Box::new(decoder))),
        point: vec![2],
    }
}

fn convolutions(norm: Norm) -> Networks {
    let dcgan = Dcgan {
        side: 16,
        width: 16,
        z_dim: Z_DIM,
        norm,
        activation_g: Activation::Elu,
        activation_d: Activation::LeakyRelu(0.2),
        output: Output::Tanh,
        sampling: Statistics::Running,
    };
    Networks {
        what: "convolutions",
        generator: Box::new(dcgan.generator("generator")),
        discriminator: Box::new(dcgan.discriminator("discriminator")),
        auto_encoder: Box::new(dcgan.auto_encoder("discriminator")),
        point: vec![3, 16, 16],
    }
}

fn wgan_gp() -> WganGp {
    WganGp {
        penalty: 10.0,
        critic_steps: 3,
    }
}

/// All of them, by name.
fn rivals() -> [(&'static str, Box<dyn Objective>); 4] {
    [
        ("gan", Box::new(Gan)),
        ("wgan-gp", Box::new(wgan_gp())),
        ("began", Box::new(Began)),
        ("mmd", Box::new(Mmd { critic_steps: 2 })),
    ]
}

fn adams() -> [Adam; 2] {
    ["adam.g", "adam.d"].map(|name| Adam::new(name, 0.5, 0.0))
}

pub fn parts(objective: &dyn Objective, networks: &Networks) -> Vec<Part> {
    let [adam_g, adam_d] = adams();
    let players = Players {
        generator: &*networks.generator,
        discriminator: networks.judge(objective),
        adam_g: &adam_g,
        adam_d: &adam_d,
        loss_scale: 64.0,
        average: Some(0.9),
    };
    let batch = Batch {
        size: BATCH,
        z_dim: Z_DIM,
        point: networks.point.as_slice().into(),
    };
    objective.parts(&players, &batch)
}

/// Numbers for all inputs and states of `tape`; `change` is added to one of them.
fn values(tape: &Tape, change: Option<(&str, usize, f64)>) -> reference::Values {
    let mut random = random_source(tape, 7, -0.6, 0.6);
    reference::evaluate(tape, &mut |name| {
        let mut numbers = random(name);
        let positive = [".v.", "shares", "running_var", "began.k"];
        if positive.iter().any(|part| name.contains(part)) {
            numbers.iter_mut().for_each(|v| *v = v.abs());
        }
        if let Some((_, i, h)) = change.filter(|(changed, ..)| *changed == name) {
            numbers[i] += h;
        }
        numbers
    })
}

/// Checks the gradient for each of `network`'s parameters in `tape` against differences of its loss `name`.
fn check_descent(what: &str, tape: &Tape, name: &str, network: &dyn Network, adam: &Adam) {
    let mut tape = tape.clone();
    let loss = output(&tape, name);
    for parameter in network.parameters() {
        let gradient = gradient_for_adam(&mut tape, adam, &parameter.name);
        let gradient = values(&tape, None).swap_remove(gradient.index());
        let at = gradient.len() / 2;
        // Small, so that hardly any of the kinks that these functions have lies between the two.
        let h = 1e-6;
        let [above, below] =
            [h, -h].map(|h| values(&tape, Some((&parameter.name, at, h)))[loss.index()][0]);
        let slope = (above - below) / (2.0 * h);
        assert!(
            (gradient[at] - slope).abs() < 1e-6 * (1.0 + slope.abs()),
            "{what}, {}: {} is not {slope}",
            parameter.name,
            gradient[at]
        );
    }
}

#[test]
fn both_players_descend_their_own_loss() {
    for networks in [perceptrons(), convolutions(Norm::None)] {
        for (name, objective) in rivals() {
            let what = format!("{name} on {}", networks.what);
            let [adam_g, adam_d] = adams();
            let parts = parts(&*objective, &networks);
            let (d, g) = (networks.judge(&*objective), &*networks.generator);
            check_descent(&what, &parts[0].tape, "loss_d", d, &adam_d);
            check_descent(&what, &parts[1].tape, "loss_g", g, &adam_g);
        }
    }
}

#[test]
fn a_tape_moves_one_player_only() {
    for (_, objective) in rivals() {
        for (part, allowed) in parts(&*objective, &perceptrons()).iter().zip([
            ["discriminator.", "adam.d.", "began.k"],
            ["generator.", "adam.g.", "average.generator."],
        ]) {
            let tape = &part.tape;
            let mut moved = 0;
            for node in tape.nodes() {
                let Op::Assign { state, .. } = node.op else {
                    continue;
                };
                let Op::State { name } = &tape.node(state).op else {
                    panic!("only states are assigned");
                };
                assert!(allowed.iter().any(|a| name.starts_with(a)), "{name}");
                moved += 1;
            }
            assert!(moved > 0);
        }
    }
}

#[test]
fn a_gans_losses_are_those_of_the_formula() {
    let mut t = Tape::new();
    let s = t.input("s", [6]);
    let softplus = t.softplus(s);
    let at = [-800.0, -2.0, 0.0, 0.5, 3.0, 800.0];
    let found = crate::support::value(&t, softplus, &mut |_| at.to_vec());
    let expected = [
        0.0,
        0.126_928_011,
        2f64.ln(),
        0.974_076_984,
        3.048_587_352,
        800.0,
    ];
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-9, "{found:?}");
    }

    // With a linear D the logits are known.
    let networks = Networks {
        discriminator: Box::new(Mlp::new("discriminator", &[2, 1])),
        ..perceptrons()
    };
    let parts = parts(&Gan, &networks);
    let tape = &parts[0].tape;
    let all = values(tape, None);
    let state = |name: &str| {
        let mut nodes = tape.nodes().iter();
        let i = nodes.position(|node| matches!(&node.op, Op::State { name: n } if n == name));
        all[i.expect("a state")].clone()
    };
    let (w, b) = (
        state("discriminator.0.weight"),
        state("discriminator.0.bias"),
    );
    let y = &all[tape.nodes().iter().position(is_real).unwrap()];
    let z = &all[tape.nodes().iter().position(is_latents).unwrap()];
    let x = generated(z);
    let logit = |a: &[f64]| w[0] * a[0] + w[1] * a[1] + b[0];
    let sigmoid = |s: f64| 1.0 / (1.0 + (-s).exp());
    let mean = |points: &[f64], f: &dyn Fn(f64) -> f64| {
        let sum: f64 = points.chunks(2).map(|a| f(logit(a))).sum();
        sum / BATCH as f64
    };
    let expected = mean(y, &|s| -sigmoid(s).ln()) + mean(&x, &|s| -(1.0 - sigmoid(s)).ln());
    let found = all[output(tape, "loss_d").index()][0];
    assert!(
        (found - expected).abs() < 1e-12,
        "{found} is not {expected}"
    );
}

fn is_real(node: &coulomb_gan::tape::Node) -> bool {
    matches!(&node.op, Op::Input { name } if name == "y")
}

fn is_latents(node: &coulomb_gan::tape::Node) -> bool {
    matches!(&node.op, Op::Input { name } if name == "z")
}

/// `G(z)` for the weights of [`values`], by itself.
fn generated(z: &[f64]) -> Vec<f64> {
    let mut t = Tape::new();
    let input = t.input("z", [BATCH, Z_DIM]);
    let networks = perceptrons();
    let x = networks
        .generator
        .record(&mut t, input, coulomb_gan::nn::Mode::Sample);
    let mut random = random_source(&t, 7, -0.6, 0.6);
    crate::support::value(&t, x, &mut |name| match name {
        "z" => z.to_vec(),
        other => random(other),
    })
}

#[test]
fn a_linear_critics_penalty_is_known() {
    // D(a) = w·a + b has the slope w everywhere: the loss is w·(mean x − mean y) + λ (‖w‖ − 1)².
    let critic = Mlp::new("discriminator", &[2, 1]);
    let mut t = Tape::new();
    let y = t.input("y", [BATCH, 2]);
    let x = t.input("x", [BATCH, 2]);
    let shares = t.input("shares", [BATCH]);
    let loss = wgan_gp().loss_d(&mut t, &critic, [y, x], shares);
    let w = t.state("discriminator.0.weight", [1, 2]);
    let dw = t.grad(loss, &[w])[0];
    let mut source = |name: &str| match name {
        "y" => vec![1.0, 2.0, 3.0, -1.0, 0.5, 0.0],
        "x" => vec![0.0, 1.0, -2.0, 4.0, 0.5, 7.0],
        "shares" => vec![0.1, 0.5, 0.9],
        "discriminator.0.weight" => vec![1.5, 2.0],
        _ => vec![0.25],
    };
    let mean = |numbers: &[f64], axis: usize| -> f64 {
        numbers.iter().skip(axis).step_by(2).sum::<f64>() / BATCH as f64
    };
    let (y, x) = (source("y"), source("x"));
    let way = [0, 1].map(|axis| mean(&x, axis) - mean(&y, axis));
    let norm = 2.5;
    let expected = 1.5 * way[0] + 2.0 * way[1] + 10.0 * (norm - 1.0f64).powi(2);
    let slopes = [1.5, 2.0].map(|w| 20.0 * (norm - 1.0) * w / norm);
    let found = crate::support::value(&t, loss, &mut source)[0];
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    let found = crate::support::value(&t, dw, &mut source);
    for axis in [0, 1] {
        let expected = way[axis] + slopes[axis];
        assert!((found[axis] - expected).abs() < 1e-9, "{found:?}");
    }
}

#[test]
fn norms_of_layers_learn_with_a_gradient_penalty() {
    let networks = convolutions(Norm::Layer);
    let [_, adam_d] = adams();
    let parts = parts(&wgan_gp(), &networks);
    check_descent(
        "wgan-gp with layer norms",
        &parts[0].tape,
        "loss_d",
        &*networks.discriminator,
        &adam_d,
    );
}

#[test]
fn norms_of_batches_learn_with_a_gan() {
    let networks = convolutions(Norm::Batch);
    let [adam_g, _] = adams();
    let parts = parts(&Gan, &networks);
    check_descent(
        "gan with batch norms",
        &parts[1].tape,
        "loss_g",
        &*networks.generator,
        &adam_g,
    );
}
