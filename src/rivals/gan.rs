//! The GAN of Goodfellow et al. (2014) with its non-saturating loss, as in DCGAN (Radford et al. 2016).
//!
//! `D(a)` are logits, and `σ(D(a))` is the probability that `a` is real. With `softplus s = ln(1 + eˢ)`:
//!
//! ```text
//! L_D = mean −ln σ(D(y)) + mean −ln (1 − σ(D(x))) = mean softplus(−D(y)) + mean softplus(D(x))
//! L_G = mean −ln σ(D(x))                          = mean softplus(−D(x))
//! ```
//!
//! For a fixed `G` the best `D` is `ln p_y / p_x`, and the game's value then is a Jensen-Shannon divergence. Nothing
//! draws generated points towards real ones that are far away: where `p_x` vanishes `G` has no gradient, which is how modes
//! are lost (A.1).

use super::{COLUMNS, mean_outputs};
use crate::nn::{Mode, Network};
use crate::objective::{Batch, Input, Objective, Part, Players, Seen};
use crate::tape::{Tape, Var};

/// The non-saturating GAN. `G` moves after `D`, on the same latents.
#[derive(Debug, Clone)]
pub struct Gan;

impl Objective for Gan {
    fn parts(&self, players: &Players, batch: &Batch) -> Vec<Part> {
        let (mut of_d, mut of_g) = (Tape::new(), Tape::new());

        let t = &mut of_d;
        let z = batch.latents(t, Input::Latents);
        let y = batch.real(t);
        let x = players.generator.record(t, z, Mode::Train);
        let x = t.stop_gradient(x);
        let (d_y, d_x) = logits(t, players, y, x);
        let loss = t.layer("loss", |t| {
            let real = mean_softplus(t, d_y, -1.0);
            let generated = mean_softplus(t, d_x, 1.0);
            t.add(real, generated)
        });
        players.descend_d(t, loss);
        t.output("loss_d", loss);

        let t = &mut of_g;
        let z = batch.latents(t, Input::Latents);
        let x = players.generator.record(t, z, Mode::Train);
        let d_x = players.discriminator.record(t, x, Mode::Train);
        let loss = t.layer("loss", |t| mean_softplus(t, d_x, -1.0));
        players.descend_g(t, loss);
        t.output("loss_g", loss);

        let part = |name, tape| Part {
            name,
            tape,
            runs: 1,
        };
        vec![part("discriminator", of_d), part("generator", of_g)]
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
}

/// `D` at real and at generated points.
fn logits(t: &mut Tape, players: &Players, y: Var, x: Var) -> (Var, Var) {
    let d = players.discriminator;
    (d.record(t, y, Mode::Train), d.record(t, x, Mode::Train))
}

/// `mean softplus(sign · d)`.
fn mean_softplus(t: &mut Tape, d: Var, sign: f64) -> Var {
    let s = t.scale(d, sign);
    let softplus = t.softplus(s);
    t.mean_all(softplus)
}
