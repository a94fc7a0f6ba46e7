//! lib
pub mod coulomb;
pub mod data;
pub mod exec;
pub mod figures;
pub mod metrics;
pub mod nn;
pub mod numbers;
pub mod optim;
pub mod tape;
pub mod train;
