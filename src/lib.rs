//! lib
pub mod data;
pub mod exec;
pub mod figures;
pub mod metrics;
pub mod numbers;
pub mod tape;
