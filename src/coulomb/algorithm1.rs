//! Algorithm 1 as one recorded step.
//!
//! One forward pass of `G`, one of `D`; both losses; both gradients at the *old* weights; both Adam updates.
//! Losses are means as in Eqs. (9) and (10), where the listing of Algorithm 1 sums: with Adam only its ε and
//! the weight decay notice the factor.
//!
//! Without a ball both losses differentiate D at the same points. Their adjoints are then row by row multiples of
//! each other, and unless a batch norm makes rows meet, one backward sweep serves both: one of the seven passes through
//! a hidden layer of D is saved.

use super::potential::{Charges, potential, rows};
use crate::nn::{Mode, Network};
use crate::optim::{Adam, average};
use crate::tape::{Tape, Var};

/// The players and their learning rules.
pub struct Algorithm1<'a> {
    /// `G`, from latents `z` to points.
    pub generator: &'a dyn Network,
    /// `D`, from points to one number, the potential that it has learnt.
    pub discriminator: &'a dyn Network,
    /// Adam for `G`.
    pub adam_g: &'a Adam,
    /// Adam for `D`.
    pub adam_d: &'a Adam,
    /// The exponent `d` of the Plummer kernel.
    pub d: u32,
    /// `D` learns `scale · Φ̂`: the unit of charge is ours to choose. With 25 modes `Φ` is of the order of 1/25
    /// at most, far below what a fresh network puts out; a larger unit gives both the same size. Equations
    /// and equilibria are the same; the losses are reported in the units of `Φ`.
    pub scale: f64,
    /// Whether `D` learns at points moved by the Gaussian ball of Eq. (9) rather than at the samples.
    pub ball: bool,
    /// Gradients are computed times this number and divided by it before Adam sees them: 1, or where they are stored in
    /// half precision a power of two that keeps them off its smallest numbers. The result is the same otherwise.
    pub loss_scale: f64,
    /// β of the running average of `G`'s weights, if one is kept.
    pub average: Option<f64>,
}

impl Algorithm1<'_> {
    /// Records a step on minibatches of `batch` latents of `z_dim` numbers and `batch` real points of the shape
    /// `point`: `G` maps `[batch, z_dim]` to `[batch, point...]`, and `D` that to `[batch, 1]`. As charges, points
    /// are rows of as many numbers as they have.
    ///
    /// Inputs: `z`, `y`, `epsilon`, those of the two [`Adam`]s, and with a ball the noise `ball_x`, `ball_y`.
    /// Outputs: `loss_d`, `loss_g`.
    pub fn record(&self, t: &mut Tape, batch: usize, z_dim: usize, point: &[usize]) {
        let z = t.input("z", [batch, z_dim]);
        let y = t.input("y", [&[batch], point].concat());
        let epsilon = t.input("epsilon", [1]);
        let x = self.generator.record(t, z, Mode::Train);
        let charges = Charges {
            d: self.d,
            epsilon,
            y: rows(t, y),
            x: rows(t, x),
        };

        // The discriminator learns the potential of this minibatch where its points are, Eq. (9), ...
        let (a_x, a_y) = self.evaluation_points(t, x, y);
        let a_x = t.stop_gradient(a_x);
        let d_y = self.discriminator.record(t, a_y, Mode::Train);
        let (phi_x, phi_y) = t.layer("potential", |t| {
            let (a_x, a_y) = (rows(t, a_x), rows(t, a_y));
            (potential(t, &charges, a_x), potential(t, &charges, a_y))
        });
        // ... and the generator climbs what the discriminator has learnt, Eq. (10). Without a ball both look at
        // the same D(x): the gradient for D's weights stops at x anyway, that for G's goes through it.
        let d_x = self.discriminator.record(t, x, Mode::Train);
        let d_ax = if self.ball {
            self.discriminator.record(t, a_x, Mode::Train)
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

        let (w, theta) = (self.discriminator.parameters(), self.generator.parameters());
        let w_vars: Vec<Var> = w.iter().map(|p| p.record(t)).collect();
        let theta_vars: Vec<Var> = theta.iter().map(|p| p.record(t)).collect();
        let (dw, dtheta) = if !self.ball && t.rows_stay_apart(d_x, x) {
            // Both losses look at D(x): one sweep through D serves both. Where D's value weighs the same at all
            // points, it gives the force on them, which G's gradient goes on from, Eq. (10).
            let [at_x, at_y] = [at_x, at_y].map(|loss| t.scale(loss, self.loss_scale));
            let error = t.grad(at_x, &[d_x])[0];
            let (force, at_x) = t.grad_by_rows(d_x, error, x, &w_vars);
            let at_y = t.grad(at_y, &w_vars);
            let dw = at_x.into_iter().zip(at_y).map(|(x, y)| t.add(x, y));
            let dw: Vec<Var> = dw.collect();
            let force = t.stop_gradient(force);
            let work = t.mul(force, x);
            let loss_g = t.scale(work, -0.5 * self.loss_scale / batch as f64);
            (dw, t.grad_of_sum(loss_g, &theta_vars))
        } else {
            let [loss_d, loss_g] = [loss_d, loss_g].map(|loss| t.scale(loss, self.loss_scale));
            (t.grad(loss_d, &w_vars), t.grad(loss_g, &theta_vars))
        };
        let mut unscaled = |gradients: Vec<Var>| -> Vec<Var> {
            let gradients = gradients.into_iter();
            gradients
                .map(|g| t.scale(g, 1.0 / self.loss_scale))
                .collect()
        };
        let (dw, dtheta) = (unscaled(dw), unscaled(dtheta));
        self.adam_d.record(t, &w, &dw);
        let new_theta = self.adam_g.record(t, &theta, &dtheta);
        if let Some(beta) = self.average {
            // The averaged generator samples with averaged statistics, one step late: an average of a
            // thousand steps does not notice.
            let buffers = self.generator.buffers();
            let mut values = new_theta;
            values.extend(buffers.iter().map(|b| b.record(t)));
            average::record(t, &[theta, buffers].concat(), &values, beta);
        }

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
        let noise_x = t.input("ball_x", &shape);
        let noise_y = t.input("ball_y", &shape);
        (t.add(x, noise_x), t.add(y, noise_y))
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
