//! The Wasserstein GAN with a gradient penalty (Gulrajani et al. 2017).
//!
//! `D` is a critic: any function whose slope is 1, `‖∇D‖ = 1`. The largest `mean D(y) − mean D(x)` of such functions is the
//! distance that earth has to be moved from `p_x` to `p_y`. The slope is asked for at random points between a real and a
//! generated one, in the square of what it misses:
//!
//! ```text
//! x̂   = y + α (x − y),  α uniform in [0, 1] for each point
//! L_D = mean D(x) − mean D(y) + λ mean (‖∇D(x̂)‖ − 1)²
//! L_G = −mean D(x)
//! ```
//!
//! The penalty's gradient is a gradient of a gradient. Here that is nothing special: `∇D(x̂)` is recorded on the tape like
//! everything else, and differentiated again.

use super::{COLUMNS, mean_outputs, root};
use crate::nn::{Mode, Network};
use crate::objective::{Batch, Input, Objective, Part, Players, Seen};
use crate::tape::{Tape, Var};

/// The Wasserstein GAN. The critic moves first, on latents of its own.
#[derive(Debug, Clone)]
pub struct WganGp {
    /// λ, the weight of the penalty.
    pub penalty: f64,
    /// How often the critic moves before the generator does.
    pub critic_steps: u64,
}

impl WganGp {
    /// The critic's loss, one number, at minibatches of real points `y` and generated ones `x`, with a share `α` in
    /// `shares`, `[N]`, for each pair.
    pub fn loss_d(&self, t: &mut Tape, critic: &dyn Network, [y, x]: [Var; 2], shares: Var) -> Var {
        let d_y = critic.record(t, y, Mode::Train);
        let d_x = critic.record(t, x, Mode::Train);
        let between = t.layer("between", |t| {
            let shape = t.shape(y).clone();
            let mut column = vec![1; shape.len()];
            column[0] = shape[0];
            let share = t.reshape(shares, column);
            let share = t.broadcast(share, shape);
            let way = t.sub(x, y);
            let part = t.mul(share, way);
            t.add(y, part)
        });
        let d_between = critic.record(t, between, Mode::Train);
        // A point's D depends on no other point, so the gradient of the sum has each point's own in its rows.
        let slopes = t.grad_of_sum(d_between, &[between])[0];
        t.layer("loss", |t| {
            let square = t.square(slopes);
            let axes = t.shape(square).len();
            let square = t.sum(square, 1..axes);
            let norm = root(t, square);
            let excess = t.affine(norm, 1.0, -1.0);
            let square = t.square(excess);
            let penalty = t.mean_all(square);
            let penalty = t.scale(penalty, self.penalty);
            let [d_y, d_x] = [d_y, d_x].map(|d| t.mean_all(d));
            let distance = t.sub(d_x, d_y);
            t.add(distance, penalty)
        })
    }
}

impl Objective for WganGp {
    fn parts(&self, players: &Players, batch: &Batch) -> Vec<Part> {
        let (mut of_d, mut of_g) = (Tape::new(), Tape::new());

        let t = &mut of_d;
        let z = batch.latents(t, Input::Latents);
        let y = batch.real(t);
        let x = players.generator.record(t, z, Mode::Train);
        let x = t.stop_gradient(x);
        let shares = t.input(Input::Shares.name(), [batch.size]);
        let loss = self.loss_d(t, players.discriminator, [y, x], shares);
        players.descend_d(t, loss);
        t.output("loss_d", loss);

        let t = &mut of_g;
        let z = batch.latents(t, Input::OtherLatents);
        let x = players.generator.record(t, z, Mode::Train);
        let d_x = players.discriminator.record(t, x, Mode::Train);
        let mean = t.mean_all(d_x);
        let loss = t.scale(mean, -1.0);
        players.descend_g(t, loss);
        t.output("loss_g", loss);

        let part = |name, tape, runs| Part { name, tape, runs };
        vec![
            part("critic", of_d, self.critic_steps),
            part("generator", of_g, 1),
        ]
    }

    fn gauge(&self, t: &mut Tape, discriminator: &dyn Network, y: Var, x: Var) -> Vec<Var> {
        mean_outputs(t, discriminator, y, x)
    }

    fn columns(&self) -> &'static [&'static str] {
        COLUMNS
    }

    fn measures(&self, seen: &Seen) -> Vec<f64> {
        seen.gauge.to_vec()
    }

    fn beta2(&self) -> f64 {
        0.9
    }
}
