//! Floor 3: what turns gradients into new parameters.

pub mod adam;
pub mod average;
pub mod schedule;

pub use adam::Adam;
