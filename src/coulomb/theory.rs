//! Why it works, and where each of the paper's equations is.
//!
#![doc = include_str!("theory.md")]
