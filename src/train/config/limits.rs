//! From where to where whole numbers may go: what flags and `config.toml` are held against, and what is said then.

use crate::numbers::{Result, written};

/// The least and the greatest number that `--flag` may be.
fn limits(flag: &str) -> (u64, u64) {
    match flag {
        "steps" | "decay-steps" | "checkpoint-every" | "sample-every" => (1, 1_000_000_000),
        // No steps apart, as in files of earlier versions, is for the program to choose.
        "keep" | "keep-every" => (0, 1_000_000_000),
        "patience" => (1, 1_000_000),
        "batch-size" => (1, 65_536),
        "z-dim" | "width" => (1, 4096),
        "critic-steps" => (1, 100),
        "kernel-dim" => (1, 16),
        _ => (0, u64::MAX),
    }
}

/// The value of `--flag` of a run, as [`written::whole`].
///
/// # Errors
/// If it is no whole number, or one outside of what the run can have.
pub fn whole<T: TryFrom<u64>>(flag: &str, text: &str) -> Result<T> {
    let (least, most) = limits(flag);
    written::whole(flag, text, least, most)
}

/// Holds the number of `--flag` against its limits.
///
/// # Errors
/// If it is outside.
pub(in crate::train) fn check(flag: &str, value: u64) -> Result<()> {
    let (least, most) = limits(flag);
    written::within(flag, value, least, most)
}
