//! The two players, and how a gradient moves them.

use crate::nn::Network;
use crate::optim::{Adam, average};
use crate::tape::{Tape, Var};

/// The two players and their learning rules.
pub struct Players<'a> {
    /// `G`, from latents `z` to points.
    pub generator: &'a dyn Network,
    /// `D`, from points to what the objective's [`Judge`](super::Judge) makes of them: one number each, be it a potential,
    /// logits, or what a critic says; or with an auto-encoder points again.
    pub discriminator: &'a dyn Network,
    /// Adam for `G`.
    pub adam_g: &'a Adam,
    /// Adam for `D`.
    pub adam_d: &'a Adam,
    /// Gradients are computed times this number and divided by it before Adam sees them: 1, or where they are stored in
    /// half precision a power of two that keeps them off its smallest numbers. The result is the same otherwise.
    pub loss_scale: f64,
    /// β of the running average of `G`'s weights, if one is kept.
    pub average: Option<f64>,
}

impl Players<'_> {
    /// `D`'s weights `w`, as values on `t`.
    pub fn w(&self, t: &mut Tape) -> Vec<Var> {
        let parameters = self.discriminator.parameters();
        parameters.iter().map(|p| p.record(t)).collect()
    }

    /// `G`'s weights `θ`, as values on `t`.
    pub fn theta(&self, t: &mut Tape) -> Vec<Var> {
        let parameters = self.generator.parameters();
        parameters.iter().map(|p| p.record(t)).collect()
    }

    /// Records the gradients of `loss`, one number, for each of `D`'s weights.
    pub fn gradients_d(&self, t: &mut Tape, loss: Var) -> Vec<Var> {
        let w = self.w(t);
        let loss = t.scale(loss, self.loss_scale);
        let gradients = t.grad(loss, &w);
        self.unscaled(t, gradients)
    }

    /// Records Adam's update of `D` down `loss`, one number.
    pub fn descend_d(&self, t: &mut Tape, loss: Var) {
        let gradients = self.gradients_d(t, loss);
        let parameters = self.discriminator.parameters();
        self.adam_d.record(t, &parameters, &gradients);
    }

    /// Records Adam's update of `G` down `loss`, one number, and of the running average.
    pub fn descend_g(&self, t: &mut Tape, loss: Var) {
        let theta = self.theta(t);
        let loss = t.scale(loss, self.loss_scale);
        let gradients = t.grad(loss, &theta);
        self.move_g(t, gradients);
    }

    /// Records Adam's update of `D`, from the gradients of its loss times [`Players::loss_scale`].
    pub fn move_d(&self, t: &mut Tape, gradients: Vec<Var>) {
        let gradients = self.unscaled(t, gradients);
        let parameters = self.discriminator.parameters();
        self.adam_d.record(t, &parameters, &gradients);
    }

    /// Records Adam's update of `G`, from the gradients of its loss times [`Players::loss_scale`], and of the running
    /// average.
    pub fn move_g(&self, t: &mut Tape, gradients: Vec<Var>) {
        let gradients = self.unscaled(t, gradients);
        let theta = self.generator.parameters();
        let mut values = self.adam_g.record(t, &theta, &gradients);
        if let Some(beta) = self.average {
            // The averaged generator samples with averaged statistics, one step late: an average of a
            // thousand steps does not notice.
            let buffers = self.generator.buffers();
            values.extend(buffers.iter().map(|b| b.record(t)));
            average::record(t, &[theta, buffers].concat(), &values, beta);
        }
    }

    fn unscaled(&self, t: &mut Tape, gradients: Vec<Var>) -> Vec<Var> {
        let unscale = 1.0 / self.loss_scale;
        gradients.into_iter().map(|g| t.scale(g, unscale)).collect()
    }
}
