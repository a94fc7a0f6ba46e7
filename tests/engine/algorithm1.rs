//! Algorithm 1, recorded a second time straight from the paper: no fused potential, no shared sweep, every loss as a
//! function of its own. The gradients that reach both players' Adam are compared with that recording, and with
//! differences of the two losses.

use crate::support::{elementary_potential, gradient_for_adam, output, random_source};
use coulomb_gan::coulomb::algorithm1::Algorithm1;
use coulomb_gan::exec::reference;
use coulomb_gan::models::dcgan::{Norm, Output};
use coulomb_gan::models::{Dcgan, Mlp};
use coulomb_gan::nn::{Activation, Mode, Network, Statistics};
use coulomb_gan::objective::{self, Batch};
use coulomb_gan::optim::Adam;
use coulomb_gan::tape::{Tape, Var};

const BATCH: usize = 3;
const Z_DIM: usize = 4;
const EPSILON: f64 = 1.5;
const D: u32 = 3;
const SCALE: f64 = 25.0;
const BETA1: f64 = 0.5;

/// The two players, and the shape of a point.
struct Players {
    what: &'static str,
    generator: Box<dyn Network>,
    discriminator: Box<dyn Network>,
    point: Vec<usize>,
}

fn players() -> Vec<Players> {
    let dcgan = |norm| Dcgan {
        side: 16,
        width: 16,
        z_dim: Z_DIM,
        norm,
        activation_g: Activation::Elu,
        activation_d: Activation::Elu,
        output: Output::Tanh,
        sampling: Statistics::Batch,
    };
    let convolutional = |what, norm| Players {
        what,
        generator: Box::new(dcgan(norm).generator("generator")),
        discriminator: Box::new(dcgan(norm).discriminator("discriminator")),
        point: vec![3, 16, 16],
    };
    vec![
        Players {
            what: "multilayer perceptrons",
            generator: Box::new(Mlp::new("generator", &[Z_DIM, 6, 5, 2])),
            discriminator: Box::new(Mlp::new("discriminator", &[2, 5, 6, 1])),
            point: vec![2],
        },
        convolutional("convolutions", Norm::None),
        // Here points meet in a norm, so no sweep through D can serve both losses.
        convolutional("convolutions with batch norms", Norm::Batch),
    ]
}

/// The gradients that Algorithm 1 hands to Adam, for D and then G, and both losses, on one tape.
struct Step {
    tape: Tape,
    gradients: Vec<Var>,
    losses: [Var; 2],
}

/// What the crate records. Adam's `m ← β₁ m + (1 − β₁) g` shows the gradient.
fn recorded(players: &Players, ball: bool, loss_scale: f64) -> Step {
    let [adam_g, adam_d] = ["adam.g", "adam.d"].map(|name| Adam::new(name, BETA1, 0.0));
    let step = Algorithm1 {
        d: D,
        scale: SCALE,
        ball,
    };
    let batch = Batch {
        size: BATCH,
        z_dim: Z_DIM,
        point: players.point.as_slice().into(),
    };
    let learning = objective::Players {
        generator: &*players.generator,
        discriminator: &*players.discriminator,
        adam_g: &adam_g,
        adam_d: &adam_d,
        loss_scale,
        average: Some(0.9),
    };
    let mut t = Tape::new();
    step.record(&mut t, &learning, &batch);
    let of = |network: &dyn Network, adam: &Adam, t: &mut Tape| -> Vec<Var> {
        let parameters = network.parameters().into_iter();
        parameters
            .map(|p| gradient_for_adam(t, adam, &p.name))
            .collect()
    };
    let gradients = [
        of(&*players.discriminator, &adam_d, &mut t),
        of(&*players.generator, &adam_g, &mut t),
    ]
    .concat();
    let losses = ["loss_d", "loss_g"].map(|name| output(&t, name));
    Step {
        tape: t,
        gradients,
        losses,
    }
}

/// The same from the paper's sentences.
fn straight(players: &Players, ball: bool) -> Step {
    let (g, d) = (&players.generator, &players.discriminator);
    let mut t = Tape::new();
    let t = &mut t;
    let z = t.input("z", [BATCH, Z_DIM]);
    let y = t.input("y", [&[BATCH], &players.point[..]].concat());
    let x = g.record(t, z, Mode::Train);
    let w: Vec<Var> = d.parameters().iter().map(|p| p.record(t)).collect();
    let theta: Vec<Var> = g.parameters().iter().map(|p| p.record(t)).collect();

    // Eq. (9): at real and generated points alike, each within its ball; "only derive with respect to a".
    let fixed = t.stop_gradient(x);
    let places = [("ball_x", fixed), ("ball_y", y)].map(|(noise, a)| match ball {
        true => {
            let shape = t.shape(a).clone();
            let noise = t.input(noise, shape);
            t.add(a, noise)
        }
        false => a,
    });
    let errors = places.map(|a| {
        let phi = potential(t, [a, y, fixed]);
        let phi = t.scale(phi, SCALE);
        let value = d.record(t, a, Mode::Train);
        let value = t.reshape(value, [BATCH]);
        let error = t.sub(value, phi);
        let square = t.mul(error, error);
        t.mean_all(square)
    });
    let sum = t.add(errors[0], errors[1]);
    let loss_d = t.scale(sum, 0.5 * 0.5);
    let mut gradients = t.grad(loss_d, &w);

    // Eq. (10): through D into G.
    let value = d.record(t, x, Mode::Train);
    let mean = t.mean_all(value);
    let loss_g = t.scale(mean, -0.5);
    gradients.extend(t.grad(loss_g, &theta));
    let losses = [
        t.scale(loss_d, SCALE.powi(-2)),
        t.scale(loss_g, 1.0 / SCALE),
    ];
    Step {
        tape: std::mem::take(t),
        gradients,
        losses,
    }
}

/// Eq. (8), a constant.
fn potential(t: &mut Tape, places_and_charges: [Var; 3]) -> Var {
    let m = t.shape(places_and_charges[0]).count() / BATCH;
    let rows = places_and_charges.map(|points| t.reshape(points, [BATCH, m]));
    let phi = elementary_potential(t, D, EPSILON, rows);
    t.stop_gradient(phi)
}

/// Numbers for all inputs and states, as training could have them; `change` is added to one of them.
fn values(step: &Step, change: Option<(&str, usize, f64)>) -> reference::Values {
    let mut random = random_source(&step.tape, 11, -0.5, 0.5);
    reference::evaluate(&step.tape, &mut |name| {
        let mut numbers = match name {
            "epsilon" => vec![EPSILON],
            _ => random(name),
        };
        if name.contains(".v.") {
            numbers.iter_mut().for_each(|v| *v = v.abs());
        }
        if let Some((_, i, h)) = change.filter(|(changed, ..)| *changed == name) {
            numbers[i] += h;
        }
        numbers
    })
}

#[test]
fn both_players_get_the_gradients_of_the_papers_losses() {
    for players in players() {
        for (ball, loss_scale) in [(false, 1.0), (true, 1.0), (false, 1024.0)] {
            let what = format!("{}, ball {ball}, scale {loss_scale}", players.what);
            let (ours, papers) = (
                recorded(&players, ball, loss_scale),
                straight(&players, ball),
            );
            let (our_values, paper_values) = (values(&ours, None), values(&papers, None));
            let pairs = ours.gradients.iter().zip(&papers.gradients);
            for (i, (a, b)) in pairs
                .chain(ours.losses.iter().zip(&papers.losses))
                .enumerate()
            {
                let (a, b) = (&our_values[a.index()], &paper_values[b.index()]);
                let size = b.iter().fold(0.0f64, |most, v| most.max(v.abs()));
                assert!(size > 0.0, "{what}: number {i} is all zeros");
                let error = a
                    .iter()
                    .zip(b)
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f64::max);
                assert!(
                    a.len() == b.len() && error < 1e-9 * size,
                    "{what}: number {i} is off by {error} of {size}"
                );
            }
        }
    }
}

#[test]
fn both_players_descend_their_own_loss() {
    for players in players() {
        for ball in [false, true] {
            let step = recorded(&players, ball, 1.0);
            let at_rest = values(&step, None);
            let d = players.discriminator.parameters();
            let of_d = d.len();
            let all = [d, players.generator.parameters()].concat();
            for (i, parameter) in all.iter().enumerate() {
                let (loss, unit) = match i < of_d {
                    true => (step.losses[0], SCALE.powi(2)),
                    false => (step.losses[1], SCALE),
                };
                let gradient = &at_rest[step.gradients[i].index()];
                let at = gradient.len() / 2;
                let h = 1e-5;
                let [above, below] = [h, -h].map(|h| {
                    let changed = values(&step, Some((&parameter.name, at, h)));
                    unit * changed[loss.index()][0]
                });
                let slope = (above - below) / (2.0 * h);
                let error = (gradient[at] - slope).abs();
                assert!(
                    error < 1e-6 * (1.0 + slope.abs()),
                    "{}, ball {ball}, {}: {} is not {slope}",
                    players.what,
                    parameter.name,
                    gradient[at]
                );
            }
        }
    }
}
