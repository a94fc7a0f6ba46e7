//! What minibatches are drawn from.

use crate::numbers::Result;

/// Points that stand ready, each of the same size.
pub trait Dataset: Send + Sync {
    /// How many points there are.
    fn count(&self) -> usize;

    /// Numbers of a point.
    fn numbers(&self) -> usize;

    /// Writes point `i` to `out`, in the units in which networks see it.
    ///
    /// # Errors
    /// If the point can be had no more, for what holds it is damaged.
    ///
    /// # Panics
    /// If there is no point `i`, or `out` has another length than a point.
    fn write(&self, i: usize, out: &mut [f32]) -> Result<()>;
}
