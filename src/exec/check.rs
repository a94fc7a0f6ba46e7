//! Finite differences: is the recorded gradient the derivative of the recorded function?

use super::reference::evaluate;
use crate::tape::{Op, Tape, Var};

/// The worst element of a gradient check.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// Which of the checked values, and which element of it.
    pub at: (usize, usize),
    /// The recorded gradient there.
    pub recorded: f64,
    /// The central difference there.
    pub difference: f64,
    /// `|recorded − difference| / (1 + |difference|)`.
    pub error: f64,
}

/// Compares `tape.grad(loss, wrt)` with central differences `(L(w + h) − L(w − h)) / 2h` in `f64` and returns
/// the worst element, or `None` if there is nothing to compare.
///
/// `wrt` must be inputs or states; `source` gives the numbers of each by name. The error of the central
/// difference is about `h² L''' / 6 + 1e-16 |L| / h`: `h = 1e-5` leaves about 1e-10 for tame functions.
///
/// ```
/// use coulomb_gan::{exec::check::check_gradient, tape::Tape};
/// let mut t = Tape::new();
/// let x = t.input("x", [4]);
/// let y = t.tanh(x);
/// let loss = t.sum_all(y);
/// let worst = check_gradient(&t, loss, &[x], 1e-5, &mut |_| vec![0.3, -1.0, 2.0, 0.0]);
/// assert!(worst.unwrap().error < 1e-9);
/// ```
///
/// # Panics
/// If `loss` is not one number or a `wrt` is not an input or state.
pub fn check_gradient(
    tape: &Tape,
    loss: Var,
    wrt: &[Var],
    h: f64,
    source: &mut dyn FnMut(&str) -> Vec<f64>,
) -> Option<Mismatch> {
    let mut extended = tape.clone();
    let gradients = extended.grad(loss, wrt);
    let recorded = evaluate(&extended, source);
    let mut worst: Option<Mismatch> = None;
    for (which, &w) in wrt.iter().enumerate() {
        let (Op::Input { name: target } | Op::State { name: target }) = &tape.node(w).op else {
            panic!(
                "a gradient check moves inputs and states, not {}",
                tape.node(w).op.name()
            );
        };
        for element in 0..tape.shape(w).count() {
            let mut loss_at = |shift: f64| {
                let values = evaluate(tape, &mut |name| {
                    let mut values = source(name);
                    if name == target {
                        values[element] += shift;
                    }
                    values
                });
                values[loss.0][0]
            };
            let difference = (loss_at(h) - loss_at(-h)) / (2.0 * h);
            let recorded = recorded[gradients[which].0][element];
            let error = (recorded - difference).abs() / (1.0 + difference.abs());
            // A NaN counts as the worst.
            if worst
                .as_ref()
                .is_none_or(|w| error > w.error || error.is_nan())
            {
                worst = Some(Mismatch {
                    at: (which, element),
                    recorded,
                    difference,
                    error,
                });
            }
        }
    }
    worst
}
