//! The boundary-equilibrium GAN (Berthelot, Schumm & Metz 2017).
//!
//! `D` is an auto-encoder, and what it says of a point is how badly it gives it back. It learns to give back real points
//! well, and generated ones badly; `G` makes points that it gives back well:
//!
//! ```text
//! L(v) = mean |D(v) − v|
//! L_D  = L(y) − k L(x)
//! L_G  = L(x)
//! k    ← clip(k + λ (γ L(y) − L(x)), 0, 1)        k = 0 at first,  γ = 0.5,  λ = 0.001
//! ```
//!
//! The number `k` is a controller that keeps the two in balance: where `G` is ahead, `L(x) < γ L(y)`, `D` minds generated
//! points more. At the balance generated points come back better than real ones by the factor γ; a smaller γ leaves `D` to
//! the real points, and samples become alike. Balance and reconstruction together tell how far a training is,
//!
//! ```text
//! M = L(y) + |γ L(y) − L(x)|
//! ```
//!
//! Points of the plane are given back well by an auto-encoder wherever they lie, unless its code has one number only; `G` then
//! hears of nothing but the centre of what comes back best, and shrinks to a point there.
//!
//! As published `G` and `D` have latents of their own; but `k` follows the generated points that `D` has learnt from, in
//! place of those that `G` learns from next, which saves a pass of both networks. The networks are those of the run rather
//! than BEGAN's, which have neither norms nor a tanh at the end, and latents are normal rather than uniform.

use crate::nn::{Init, Mode, Network, Parameter};
use crate::objective::{Batch, Input, Judge, Objective, Part, Players, Seen};
use crate::tape::{Tape, Var};

/// γ, the ratio of `L(x)` to `L(y)` that is aimed for.
const GAMMA: f64 = 0.5;

/// λ, the rate at which `k` learns.
const RATE_OF_K: f64 = 0.001;

/// The boundary-equilibrium GAN. `D` moves first, and `k` with it.
#[derive(Debug, Clone)]
pub struct Began;

impl Objective for Began {
    fn parts(&self, players: &Players, batch: &Batch) -> Vec<Part> {
        let (mut of_d, mut of_g) = (Tape::new(), Tape::new());
        let d = players.discriminator;

        let t = &mut of_d;
        let z = batch.latents(t, Input::Latents);
        let y = batch.real(t);
        let x = players.generator.record(t, z, Mode::Train);
        let x = t.stop_gradient(x);
        let [real, generated] = [y, x].map(|v| error(t, d, v, Mode::Train));
        let k = k().record(t);
        let (loss, next) = t.layer("balance", |t| {
            let taken = t.mul(k, generated);
            let loss = t.sub(real, taken);
            let missed = missed_balance(t, real, generated);
            let change = t.scale(missed, RATE_OF_K);
            let next = t.add(k, change);
            (loss, t.clamp(next, 0.0, 1.0))
        });
        players.descend_d(t, loss);
        t.assign(k, next);
        t.output("loss_d", loss);

        let t = &mut of_g;
        let z = batch.latents(t, Input::OtherLatents);
        let x = players.generator.record(t, z, Mode::Train);
        let loss = error(t, d, x, Mode::Train);
        players.descend_g(t, loss);
        t.output("loss_g", loss);

        let part = |name, tape| Part {
            name,
            tape,
            runs: 1,
        };
        vec![part("discriminator", of_d), part("generator", of_g)]
    }

    /// `k`, and the measure of convergence `M`.
    fn gauge(&self, t: &mut Tape, discriminator: &dyn Network, y: Var, x: Var) -> Vec<Var> {
        let [real, generated] = [y, x].map(|v| error(t, discriminator, v, Mode::Sample));
        let missed = missed_balance(t, real, generated);
        let missed = t.abs(missed);
        vec![k().record(t), t.add(real, missed)]
    }

    fn columns(&self) -> &'static [&'static str] {
        &["k", "convergence"]
    }

    fn measures(&self, seen: &Seen) -> Vec<f64> {
        seen.gauge.to_vec()
    }

    fn judge(&self) -> Judge {
        Judge::Reconstruction
    }

    fn states(&self) -> Vec<Parameter> {
        vec![k()]
    }
}

/// The controller's state.
fn k() -> Parameter {
    Parameter {
        name: "began.k".into(),
        shape: [1].into(),
        init: Init::Constant(0.0),
        decays: false,
    }
}

/// `L(v) = mean |D(v) − v|`.
fn error(t: &mut Tape, d: &dyn Network, v: Var, mode: Mode) -> Var {
    let back = d.record(t, v, mode);
    t.layer("error", |t| {
        let miss = t.sub(back, v);
        let size = t.abs(miss);
        t.mean_all(size)
    })
}

/// `γ L(y) − L(x)`.
fn missed_balance(t: &mut Tape, real: Var, generated: Var) -> Var {
    let share = t.scale(real, GAMMA);
    t.sub(share, generated)
}
