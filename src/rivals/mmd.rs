//! MMD-GAN (Li et al. 2017): two sets of points are compared by the means of a kernel, between codes that are learnt.
//!
//! `D` is an auto-encoder with the encoder `f` and the decoder `g`. With a sum of Gaussian kernels, and means over all pairs
//! of a minibatch, a point's with itself included,
//!
//! ```text
//! k(a, b) = Σ_s exp(−‖a − b‖² / 2 s²),  s = 1, 2, 4, 8, 16
//! MMD²    = mean k(f(y), f(y')) + mean k(f(x), f(x')) − 2 mean k(f(y), f(x))
//! ```
//!
//! is the squared maximum mean discrepancy of real and generated codes (Gretton et al. 2012), 0 where the two sets are one
//! (and never below but for rounding). `D` looks for codes that tell them apart, `G` for points that they do not:
//!
//! ```text
//! order = mean max(0, mean f(x) − mean f(y))                              over the numbers of a code
//! L_D   = −√max(0, MMD²) + 16 order + 8 mean (g(f(y)) − y)² + 8 mean (g(f(x)) − x)²
//! L_G   =  √max(0, MMD²) − 16 order
//! ```
//!
//! The reconstructions keep `f` from throwing away what distinguishes points; the order settles which of `f` and `−f` it is,
//! which the kernel cannot tell apart; and clipping the encoder's weights to ±0.01 after each update bounds its slope,
//! without which it could stretch any difference at will.
//!
//! `G` gains from a wrong order, so it pushes its codes up, and `D`, whose slope is bounded, turns the order round. Where points
//! have no bounds either, as in the plane, `G` wins that race and its points run off to infinity: so it went with the mixture at
//! all of nine pairs of rates, with one step of `D` or five. Without the order they stay, at three to five of 25 modes.
//! Pixels, which end at ±1, cannot run off.
//!
//! What is published learns by RMSprop. This is Adam with `β₁ = 0` and `β₂ = 0.99`, which is RMSprop with PyTorch's decay and
//! Adam's correction of the first steps. There `D` moves 5 times for each step of `G`, and 100 times for each of the first 25
//! and every 500th; here it moves as often as it is told, once unless somebody says more. The networks are those of the run.

use super::root;
use crate::nn::{Mode, Network};
use crate::objective::{Batch, Input, Judge, Objective, Part, Players, Seen};
use crate::optim::Adam;
use crate::tape::{Tape, Var};

/// The widths `s` of the kernels.
const WIDTHS: [f64; 5] = [1.0, 2.0, 4.0, 8.0, 16.0];

/// The weight of the order.
const ORDER: f64 = 16.0;

/// The weight of each reconstruction.
const RECONSTRUCTION: f64 = 8.0;

/// No weight of the encoder becomes greater.
const BOUND: f64 = 0.01;

/// The GAN of a maximum mean discrepancy. `D` moves first, on latents of its own.
#[derive(Debug, Clone)]
pub struct Mmd {
    /// How often `D` moves before `G` does.
    pub critic_steps: u64,
}

impl Objective for Mmd {
    fn parts(&self, players: &Players, batch: &Batch) -> Vec<Part> {
        let (mut of_d, mut of_g) = (Tape::new(), Tape::new());
        let [encoder, decoder] = halves(players.discriminator);

        let t = &mut of_d;
        let z = batch.latents(t, Input::Latents);
        let y = batch.real(t);
        let x = players.generator.record(t, z, Mode::Train);
        let x = t.stop_gradient(x);
        let [f_y, f_x] = [y, x].map(|v| encoder.record(t, v, Mode::Train));
        let apart = discrepancy(t, f_y, f_x);
        let [real, generated] = [(y, f_y), (x, f_x)].map(|(v, code)| {
            let back = decoder.record(t, code, Mode::Train);
            mean_square(t, back, v)
        });
        let errors = t.add(real, generated);
        let errors = t.scale(errors, RECONSTRUCTION);
        let loss = t.sub(errors, apart);
        // D's weights are the encoder's, which are clipped, and then the decoder's.
        let gradients = players.gradients_d(t, loss);
        let weights = encoder.parameters();
        let (of_encoder, of_decoder) = gradients.split_at(weights.len());
        let clipping = Adam {
            bound: Some(BOUND),
            ..players.adam_d.clone()
        };
        clipping.record(t, &weights, of_encoder);
        let adam = players.adam_d;
        adam.record(t, &decoder.parameters(), of_decoder);
        t.output("loss_d", loss);

        let t = &mut of_g;
        let z = batch.latents(t, Input::OtherLatents);
        let y = batch.real(t);
        let x = players.generator.record(t, z, Mode::Train);
        let [f_y, f_x] = [y, x].map(|v| encoder.record(t, v, Mode::Train));
        let loss = discrepancy(t, f_y, f_x);
        players.descend_g(t, loss);
        t.output("loss_g", loss);

        let part = |name, tape, runs| Part { name, tape, runs };
        vec![
            part("discriminator", of_d, self.critic_steps),
            part("generator", of_g, 1),
        ]
    }

    /// The discrepancy of codes, and the mean squares of what reconstructions of real and of generated points miss.
    fn gauge(&self, t: &mut Tape, discriminator: &dyn Network, y: Var, x: Var) -> Vec<Var> {
        let [encoder, decoder] = halves(discriminator);
        let [f_y, f_x] = [y, x].map(|v| encoder.record(t, v, Mode::Sample));
        let square = mmd_squared(t, f_y, f_x);
        let positive = t.relu(square);
        let mmd = t.sqrt(positive);
        let errors = [(y, f_y), (x, f_x)].map(|(v, code)| {
            let back = decoder.record(t, code, Mode::Sample);
            mean_square(t, back, v)
        });
        vec![mmd, errors[0], errors[1]]
    }

    fn columns(&self) -> &'static [&'static str] {
        &["mmd", "error_real", "error_generated"]
    }

    fn measures(&self, seen: &Seen) -> Vec<f64> {
        seen.gauge.to_vec()
    }

    fn beta2(&self) -> f64 {
        0.99
    }

    fn judge(&self) -> Judge {
        Judge::Reconstruction
    }
}

/// The encoder and the decoder of `D`.
fn halves(discriminator: &dyn Network) -> [&dyn Network; 2] {
    let halves = discriminator.halves();
    halves.expect("MMD-GAN's D is an auto-encoder")
}

/// `√max(0, MMD²) − 16 order`, from the codes of real and of generated points, `[N, n]` each.
fn discrepancy(t: &mut Tape, f_y: Var, f_x: Var) -> Var {
    let square = mmd_squared(t, f_y, f_x);
    t.layer("discrepancy", |t| {
        let positive = t.relu(square);
        let mmd = root(t, positive);
        let [mean_y, mean_x] = [f_y, f_x].map(|f| {
            let sum = t.sum(f, 0..1);
            let rows = t.shape(f)[0];
            t.scale(sum, 1.0 / rows as f64)
        });
        let above = t.sub(mean_x, mean_y);
        let above = t.relu(above);
        let order = t.mean_all(above);
        let order = t.scale(order, ORDER);
        t.sub(mmd, order)
    })
}

/// `MMD²` of the rows of `a` and of `b`, `[N, n]` and `[M, n]`, one number.
pub fn mmd_squared(t: &mut Tape, a: Var, b: Var) -> Var {
    t.layer("mmd", |t| {
        let [of_a, of_b, between] = [(a, a), (b, b), (a, b)].map(|(a, b)| mean_kernel(t, a, b));
        let own = t.add(of_a, of_b);
        let between = t.scale(between, 2.0);
        t.sub(own, between)
    })
}

/// `mean k(a_i, b_j) − k(a, a)` over all pairs of rows. `MMD²` does not notice the constant; but codes of a clipped encoder are
/// small, all kernels nearly `k(a, a)`, and in 32 bits what they differ by would be lost beside it. Below 0 the function ELU
/// is `eˣ − 1`, without that loss.
fn mean_kernel(t: &mut Tape, a: Var, b: Var) -> Var {
    let distances = squared_distances(t, a, b);
    let kernels = WIDTHS.map(|s| {
        let exponent = t.scale(distances, -0.5 / (s * s));
        t.elu(exponent)
    });
    let sum = kernels.into_iter().reduce(|sum, k| t.add(sum, k));
    t.mean_all(sum.expect("a width"))
}

/// `‖a_i − b_j‖² = ‖a_i‖² + ‖b_j‖² − 2 a_i · b_j`, `[N, M]`. Where points are near this cancels, and may fall below 0; but no
/// kernel here is narrower than 1, and none sees what is lost.
fn squared_distances(t: &mut Tape, a: Var, b: Var) -> Var {
    let (rows, columns) = (t.shape(a)[0], t.shape(b)[0]);
    let [of_a, of_b] = [(a, [rows, 1]), (b, [1, columns])].map(|(points, shape)| {
        let square = t.square(points);
        let sum = t.sum(square, 1..2);
        let sum = t.reshape(sum, shape);
        t.broadcast(sum, [rows, columns])
    });
    let own = t.add(of_a, of_b);
    let product = t.matmul(a, false, b, true);
    let product = t.scale(product, 2.0);
    let distances = t.sub(own, product);
    t.relu(distances)
}

/// `mean (a − b)²` over all numbers.
fn mean_square(t: &mut Tape, a: Var, b: Var) -> Var {
    t.layer("error", |t| {
        let miss = t.sub(a, b);
        let square = t.square(miss);
        t.mean_all(square)
    })
}
