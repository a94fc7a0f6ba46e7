//! The parts of `kernels.rs`: what is measured, against which limits, how, and how it is shown.

pub mod gpu;
pub mod limits;
pub mod rows;
pub mod steps;
pub mod table;
pub mod timing;
