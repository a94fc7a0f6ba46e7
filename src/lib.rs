//! lib
pub mod numbers;
