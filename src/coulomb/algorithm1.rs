//! Algorithm 1 as one recorded step.
//!
//! One forward pass of `G`, one of `D`; both losses; both gradients at the *old* weights; both Adam updates.
//! Losses are means as in Eqs. (9) and (10), where the listing of Algorithm 1 sums: with Adam only its ε and
//! the weight decay notice the factor.
//!
//! Without a ball both losses differentiate D at the same points. Their adjoints are then row by row multiples of
//! each other, and unless a batch norm makes rows meet, one backward sweep serves both: one of the seven passes through
//! a hidden layer of D is saved.

use super::potential::{Charges, energy, potential, rows};
use crate::nn::{Mode, Network};
use crate::objective::{Batch, Input, Objective, Part, Players, Seen};
use crate::tape::{Tape, Var};

/// The Coulomb GAN: `D` learns the potential of the minibatch, and `G` climbs it.
#[derive(Debug, Clone)]
pub struct Algorithm1 {
    /// The exponent `d` of the Plummer kernel.
    pub d: u32,
    /// `D` learns `scale · Φ̂`: the unit of charge is ours to choose. With 25 modes `Φ` is of the order of 1/25
    /// at most, far below what a fresh network puts out; a larger unit gives both the same size. Equations
    /// and equilibria are the same; the losses are reported in the units of `Φ`.
    pub scale: f64,
    /// Whether `D` learns at points moved by the Gaussian ball of Eq. (9) rather than at the samples.
    pub ball: bool,
}

impl Algorithm1 {
    /// Records a step on minibatches of real points and of latents: `G` maps `[N, z_dim]` to `[N, point...]`, and `D`
    /// that to `[N, 1]`. As charges, points are rows of as many numbers as they have. Outputs: `loss_d`, `loss_g`.
    pub fn record(&self, t: &mut Tape, players: &Players, batch: &Batch) {
        let (generator, discriminator) = (players.generator, players.discriminator);
        let z = batch.latents(t, Input::Latents);
        let y = batch.real(t);
        let epsilon = t.input(Input::Epsilon.name(), [1]);
        let x = generator.record(t, z, Mode::Train);
        let charges = Charges {
            d: self.d,
            epsilon,
            y: rows(t, y),
            x: rows(t, x),
        };

        // The discriminator learns the potential of this minibatch where its points are, Eq. (9), ...
        let (a_x, a_y) = self.evaluation_points(t, x, y);
        let a_x = t.stop_gradient(a_x);
        let d_y = discriminator.record(t, a_y, Mode::Train);
        let (phi_x, phi_y) = t.layer("potential", |t| {
            let (a_x, a_y) = (rows(t, a_x), rows(t, a_y));
            (potential(t, &charges, a_x), potential(t, &charges, a_y))
        });
        // ... and the generator climbs what the discriminator has learnt, Eq. (10). Without a ball both look at
        // the same D(x): the gradient for D's weights stops at x anyway, that for G's goes through it.
        let d_x = discriminator.record(t, x, Mode::Train);
        let d_ax = if self.ball {
            discriminator.record(t, a_x, Mode::Train)
        } else {
            d_x
        };
        let (loss_d, loss_g, at_x, at_y) = t.layer("losses", |t| {
            let at_x = half_mean_square(t, d_ax, phi_x, self.scale);
            let at_y = half_mean_square(t, d_y, phi_y, self.scale);
            let [at_x, at_y] = [at_x, at_y].map(|half| t.scale(half, 0.5));
            let mean = t.mean_all(d_x);
            (t.add(at_x, at_y), t.scale(mean, -0.5), at_x, at_y)
        });

        let (w, theta) = (players.w(t), players.theta(t));
        let loss_scale = players.loss_scale;
        let (dw, dtheta) = if !self.ball && t.rows_stay_apart(d_x, x) {
            // Both losses look at D(x): one sweep through D serves both. Where D's value weighs the same at all
            // points, it gives the force on them, which G's gradient goes on from, Eq. (10).
            let [at_x, at_y] = [at_x, at_y].map(|loss| t.scale(loss, loss_scale));
            let error = t.grad(at_x, &[d_x])[0];
            let (force, at_x) = t.grad_by_rows(d_x, error, x, &w);
            let at_y = t.grad(at_y, &w);
            let dw = at_x.into_iter().zip(at_y).map(|(x, y)| t.add(x, y));
            let dw: Vec<Var> = dw.collect();
            let force = t.stop_gradient(force);
            let work = t.mul(force, x);
            let loss_g = t.scale(work, -0.5 * loss_scale / batch.size as f64);
            (dw, t.grad_of_sum(loss_g, &theta))
        } else {
            let [loss_d, loss_g] = [loss_d, loss_g].map(|loss| t.scale(loss, loss_scale));
            (t.grad(loss_d, &w), t.grad(loss_g, &theta))
        };
        players.move_d(t, dw);
        players.move_g(t, dtheta);

        let loss_d = t.scale(loss_d, 1.0 / self.scale.powi(2));
        let loss_g = t.scale(loss_g, 1.0 / self.scale);
        t.output("loss_d", loss_d);
        t.output("loss_g", loss_g);
    }

    /// Where `D` learns: at the samples, or with the ball at a normal deviate around each.
    fn evaluation_points(&self, t: &mut Tape, x: Var, y: Var) -> (Var, Var) {
        if !self.ball {
            return (x, y);
        }
        let shape = t.shape(x).clone();
        let noise_x = t.input(Input::BallGenerated.name(), &shape);
        let noise_y = t.input(Input::BallReal.name(), &shape);
        (t.add(x, noise_x), t.add(y, noise_y))
    }
}

impl Objective for Algorithm1 {
    fn parts(&self, players: &Players, batch: &Batch) -> Vec<Part> {
        let mut tape = Tape::new();
        self.record(&mut tape, players, batch);
        let name = "step";
        vec![Part {
            name,
            tape,
            runs: 1,
        }]
    }

    /// How far the generator is from its goal: the mean potentials at real and generated points, the energy, Eq. (33), and
    /// the potential's standard deviation over the points of both kinds.
    fn gauge(&self, t: &mut Tape, _discriminator: &dyn Network, y: Var, x: Var) -> Vec<Var> {
        let charges = Charges {
            d: self.d,
            epsilon: t.input(Input::Epsilon.name(), [1]),
            y: rows(t, y),
            x: rows(t, x),
        };
        let phi_y = potential(t, &charges, charges.y);
        let phi_x = potential(t, &charges, charges.x);
        let energy = energy(t, phi_y, phi_x);
        let (real, generated) = (t.mean_all(phi_y), t.mean_all(phi_x));
        let spread = spread(t, [phi_y, phi_x], [real, generated]);
        vec![real, generated, energy, spread]
    }

    fn columns(&self) -> &'static [&'static str] {
        &["phi_real", "phi_generated", "energy", "epsilon", "d_error"]
    }

    /// The gauge; and `d_error`, how far the discriminator is from what it should have learnt: the root mean square of
    /// `D − Φ̂` over the steps since the line before, relative to the standard deviation of the potential `Φ̂` over real
    /// and generated points. At 1 it knows no more than a constant would.
    fn measures(&self, seen: &Seen) -> Vec<f64> {
        let [loss_d, _] = seen.losses;
        let (gauged, spread) = (&seen.gauge[..3], seen.gauge[3]);
        let d_error = (2.0 * loss_d).sqrt() / spread;
        [gauged, &[seen.epsilon, d_error]].concat()
    }
}

/// `½ mean (D(a) − scale · Φ̂(a))²`, with `Φ̂` a constant target.
fn half_mean_square(t: &mut Tape, d: Var, phi: Var, scale: f64) -> Var {
    let phi = t.stop_gradient(phi);
    let phi = t.scale(phi, scale);
    let count = t.shape(phi).count();
    let d = t.reshape(d, [count]);
    let error = t.sub(d, phi);
    let square = t.square(error);
    let mean = t.mean_all(square);
    t.scale(mean, 0.5)
}

/// The standard deviation of two sets of equally many numbers taken together, from their means.
fn spread(t: &mut Tape, sets: [Var; 2], means: [Var; 2]) -> Var {
    let sum = t.add(means[0], means[1]);
    let mean = t.scale(sum, 0.5);
    let [a, b] = sets.map(|set| {
        let shape = t.shape(set).clone();
        let mean = t.broadcast(mean, shape);
        let offset = t.sub(set, mean);
        let square = t.square(offset);
        t.mean_all(square)
    });
    let sum = t.add(a, b);
    let variance = t.scale(sum, 0.5);
    t.sqrt(variance)
}
