//! Potential, field and energy of finite sets of point charges, Eqs. (8) and (32)-(34).

use crate::tape::op;
use crate::tape::{Tape, Var};

/// The charges of one minibatch: real points are positive, `1/N_y` each, generated points negative, `−1/N_x`.
#[derive(Debug, Clone, Copy)]
pub struct Charges {
    /// The kernel's exponent `d`, Eq. (5).
    pub d: u32,
    /// The kernel's width `ε`, one number: a constant, or an input that shrinks in the course of training.
    pub epsilon: Var,
    /// Real points `y`, `[N_y, m]`.
    pub y: Var,
    /// Generated points `x`, `[N_x, m]`.
    pub x: Var,
}

impl Charges {
    /// The charges at `a`, as constants for every gradient: "it is important to only derive with respect to
    /// a, and not wrt. X, Y, even if it can happen that a ∈ X" (A.6). The primitives never hand a gradient to
    /// charges; the stopped gradients here say so on the tape.
    fn at(&self, t: &mut Tape, a: Var) -> op::Interaction {
        op::Interaction {
            d: self.d,
            epsilon: self.epsilon,
            a,
            y: t.stop_gradient(self.y),
            x: t.stop_gradient(self.x),
        }
    }
}

/// Points of any shape, `[N, ...]`, as rows `[N, m]`: what charges and the places they act on have to be.
pub fn rows(t: &mut Tape, points: Var) -> Var {
    let shape = t.shape(points);
    let (n, m) = (shape[0], shape[1..].iter().product());
    t.reshape(points, [n, m])
}

/// `Φ̂(a_i) = 1/N_y Σ_j k(a_i, y_j) − 1/N_x Σ_j k(a_i, x_j)`, Eqs. (8), (32), shape `[N]` for `a` of `[N, m]`.
/// Terms of a point with itself are included, as in the paper.
pub fn potential(t: &mut Tape, charges: &Charges, a: Var) -> Var {
    let charges = charges.at(t, a);
    t.potential(charges)
}

/// `Ê(a_i) = −∇Φ̂(a_i)`, Eq. (34), shape `[N, m]`. Generated points are negative charges: they are pushed
/// along `−Ê`, up the potential, towards real points that lack generated ones.
pub fn field(t: &mut Tape, charges: &Charges, a: Var) -> Var {
    let charges = charges.at(t, a);
    t.field(charges)
}

/// `F̂ = ½ (mean Φ̂(y) − mean Φ̂(x))`, Eq. (33), from the potentials at the charges themselves, shape `[1]`.
/// Never negative, and zero only where the two sets coincide.
pub fn energy(t: &mut Tape, phi_y: Var, phi_x: Var) -> Var {
    let (at_real, at_generated) = (t.mean_all(phi_y), t.mean_all(phi_x));
    let difference = t.sub(at_real, at_generated);
    t.scale(difference, 0.5)
}
