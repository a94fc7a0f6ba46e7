//! lib
pub mod data;
pub mod figures;
pub mod metrics;
pub mod numbers;
