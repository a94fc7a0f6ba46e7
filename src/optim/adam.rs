//! Adam (Kingma & Ba 2015), recorded as ordinary operations.
//!
//! With gradient `g` at step `n = 1, 2, …`:
//!
//! ```text
//! m ← β₁ m + (1 − β₁) g
//! v ← β₂ v + (1 − β₂) g²
//! w ← w − rate · m / (√v · correction + ε)        rate = lr / (1 − β₁ⁿ),  correction = 1 / √(1 − β₂ⁿ)
//! ```
//!
//! The two numbers that change from step to step are inputs, so that the tape is recorded once. The planner
//! makes one pass over memory of all this, hung onto the matrix product that yields `g`.

use crate::exec::{Program, Store};
use crate::nn::Parameter;
use crate::numbers::Tensor;
use crate::tape::{Tape, Var};

/// Adam for the parameters of one network.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    /// Prefix of its moments in the store (`adam.g` gives `adam.g.m.…`) and of its two inputs.
    pub name: String,
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of the squared gradient.
    pub beta2: f64,
    /// Keeps the quotient finite.
    pub epsilon: f64,
    /// λ of the L2 term (λ/2) ‖w‖², whose gradient λ w is added to `g` (not decoupled as in AdamW).
    pub weight_decay: f64,
    /// Weights beyond ± this number are brought back to it after each update, if there is one.
    pub bound: Option<f64>,
}

impl Adam {
    /// Adam with β₂ = 0.999 and ε = 1e-8, the usual ones, and no bound.
    pub fn new(name: &str, beta1: f64, weight_decay: f64) -> Self {
        Self {
            name: name.into(),
            beta1,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay,
            bound: None,
        }
    }

    /// The name of a moment: `adam.g.m.0.weight` for `m` of `generator.0.weight`.
    fn moment(&self, which: &str, parameter: &Parameter) -> String {
        let (_network, rest) = parameter
            .name
            .split_once('.')
            .unwrap_or(("", &parameter.name));
        format!("{}.{which}.{rest}", self.name)
    }

    /// The names of the two numbers that every update is handed: rate and correction.
    pub fn inputs(&self) -> [String; 2] {
        ["rate", "correction"].map(|which| format!("{}.{which}", self.name))
    }

    /// Puts zero moments for `parameters` into `store`.
    pub fn initialise(&self, parameters: &[Parameter], store: &mut Store) {
        for parameter in parameters {
            for which in ["m", "v"] {
                let zeros = Tensor::zeros(&parameter.shape);
                store.insert(&self.moment(which, parameter), &zeros);
            }
        }
    }

    /// Records one update of `parameters` with their `gradients`; returns the new values.
    pub fn record(&self, t: &mut Tape, parameters: &[Parameter], gradients: &[Var]) -> Vec<Var> {
        t.layer(&self.name, |t| {
            let [rate, correction] = self.inputs().map(|name| t.input(&name, [1]));
            std::iter::zip(parameters, gradients)
                .map(|(parameter, &g)| self.update(t, parameter, g, rate, correction))
                .collect()
        })
    }

    fn update(&self, t: &mut Tape, p: &Parameter, g: Var, rate: Var, correction: Var) -> Var {
        let w = p.record(t);
        let m = t.state(&self.moment("m", p), &p.shape);
        let v = t.state(&self.moment("v", p), &p.shape);
        let g = if p.decays && self.weight_decay > 0.0 {
            let pull = t.scale(w, self.weight_decay);
            t.add(g, pull)
        } else {
            g
        };
        let new_m = mix(t, m, g, self.beta1);
        let g_squared = t.square(g);
        let new_v = mix(t, v, g_squared, self.beta2);
        let correction = t.broadcast(correction, &p.shape);
        let root = t.sqrt(new_v);
        let root = t.mul(root, correction);
        let denominator = t.affine(root, 1.0, self.epsilon);
        let direction = t.div(new_m, denominator);
        let rate = t.broadcast(rate, &p.shape);
        let change = t.mul(rate, direction);
        let new_w = t.sub(w, change);
        let new_w = match self.bound {
            Some(bound) => t.clamp(new_w, -bound, bound),
            None => new_w,
        };
        t.assign(m, new_m);
        t.assign(v, new_v);
        t.assign(w, new_w);
        new_w
    }

    /// Hands in the two numbers of update `n` (from 1) at learning rate `lr`.
    pub fn write(&self, program: &mut Program, n: u64, lr: f64) {
        let decayed = |beta: f64| 1.0 - beta.powf(n as f64);
        let rate = lr / decayed(self.beta1);
        let correction = 1.0 / decayed(self.beta2).sqrt();
        for (name, number) in self.inputs().iter().zip([rate, correction]) {
            program.write(name, &[number as f32]);
        }
    }
}

/// `β old + (1 − β) new`.
pub(super) fn mix(t: &mut Tape, old: Var, new: Var, beta: f64) -> Var {
    let old = t.scale(old, beta);
    let new = t.scale(new, 1.0 - beta);
    t.add(old, new)
}
