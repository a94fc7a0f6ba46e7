//! A running average of parameters: `w̄ ← β w̄ + (1 − β) w`, with weights that fade over about `1/(1−β)` steps.
//!
//! Training leaves the generator circling around its target; the average is nearer to it (Polyak & Juditsky
//! 1992). It takes no part in training.

use super::adam::mix;
use crate::exec::Store;
use crate::nn::Parameter;
use crate::numbers::Result;
use crate::tape::{Tape, Var};

/// Prefix of averaged parameters: `average.generator.0.weight`.
pub const PREFIX: &str = "average.";

/// Starts the averages at the current values of `parameters`.
///
/// # Errors
/// If these have to come from a GPU that has failed.
pub fn initialise(parameters: &[Parameter], store: &mut Store) -> Result<()> {
    for parameter in parameters {
        if let Some(value) = store.get(&parameter.name)? {
            store.insert(&format!("{PREFIX}{}", parameter.name), &value);
        }
    }
    Ok(())
}

/// Records one update of the averages towards `values`, the new values of `parameters`.
pub fn record(t: &mut Tape, parameters: &[Parameter], values: &[Var], beta: f64) {
    t.layer("average", |t| {
        for (parameter, &value) in parameters.iter().zip(values) {
            let average = t.state(&format!("{PREFIX}{}", parameter.name), &parameter.shape);
            let next = mix(t, average, value, beta);
            t.assign(average, next);
        }
    });
}
