//! lib
pub mod exec;
pub mod numbers;
pub mod tape;
