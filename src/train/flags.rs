//! Whole numbers on command lines: one sentence that names the flag, whatever was typed.

use crate::numbers::{Error, Result};

/// The value of `--flag` as an unsigned number from `least` to `most`.
///
/// # Errors
/// If it is outside.
pub fn whole<T: TryFrom<i64>>(flag: &str, value: i64, least: i64, most: i64) -> Result<T> {
    let within = (least..=most).contains(&value);
    let number = T::try_from(value).ok().filter(|_| within);
    number.ok_or_else(|| {
        Error::usage(format!(
            "--{flag} must be from {least} to {most}, not {value}"
        ))
    })
}

/// The value of `--flag` as an unsigned number; its range is checked elsewhere.
///
/// # Errors
/// If it is negative, or too large for any range.
pub fn unsigned<T: TryFrom<i64>>(flag: &str, value: i64) -> Result<T> {
    T::try_from(value).map_err(|_| {
        Error::usage(format!(
            "--{flag} must be a whole number that is not negative, not {value}"
        ))
    })
}
