//! Whole numbers on command lines: one sentence that names the flag, whatever was typed.

use crate::numbers::{Error, Result};

/// The value of `--flag` as an unsigned number from `least` to `most`.
///
/// # Errors
/// If it is outside.
pub fn whole<T: TryFrom<i64>>(flag: &str, value: i64, least: i64, most: i64) -> Result<T> {
    let number = T::try_from(value)
        .ok()
        .filter(|_| (least..=most).contains(&value));
    number.ok_or_else(|| {
        Error::usage(format!(
            "--{flag} must be from {least} to {most}, not {value}"
        ))
    })
}
