//! Numbers and names on command lines: one sentence that names the flag, whatever was typed.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, IntoDeserializer};

use super::words::escaped;
use super::{Error, Result};

/// The value of `--flag` as a whole number from `least` to `most`, which must fit `T`. Besides `1000000` it may be
/// written `1_000_000`, `1e6`, `1M` (or `k` for thousands, `G` for billions), `2.5e5` or `1.5M`.
///
/// # Errors
/// If it is not such a number, or outside.
pub fn whole<T: TryFrom<u64>>(flag: &str, text: &str, least: u64, most: u64) -> Result<T> {
    let number = exact(text);
    let within = number.filter(|n| (least..=most).contains(n));
    within.and_then(|n| T::try_from(n).ok()).ok_or_else(|| {
        // Whoever typed a number knows how, and no example may be outside itself.
        let examples = match number {
            None if most >= 1_000_000 => ", such as 5000, 100k or 1e6",
            _ => "",
        };
        outside(
            flag,
            least,
            most,
            &format!("{examples}, not {}", typed(text)),
        )
    })
}

/// Whether the number of `--flag`, wherever it comes from, is from `least` to `most`.
///
/// # Errors
/// If it is not, in the words of [`whole`].
pub fn within(flag: &str, number: u64, least: u64, most: u64) -> Result<()> {
    match (least..=most).contains(&number) {
        true => Ok(()),
        false => Err(outside(flag, least, most, &format!(", not {number}"))),
    }
}

fn outside(flag: &str, least: u64, most: u64, rest: &str) -> Error {
    Error::usage(format!(
        "--{flag} must be a whole number from {least} to {most}{rest}"
    ))
}

/// The value of `--flag` as any whole number that fits `T`, for flags that have no other limits.
///
/// # Errors
/// If it is not one.
pub fn unsigned<T: TryFrom<u64>>(flag: &str, text: &str) -> Result<T> {
    let mut limits = (0..u64::BITS).map(|bits| u64::MAX >> bits);
    let most = limits.find(|&n| T::try_from(n).is_ok());
    whole(flag, text, 0, most.unwrap_or(0))
}

/// The value of `--flag` as a finite number; its range is checked elsewhere.
///
/// # Errors
/// If it is not one.
pub fn number(flag: &str, text: &str) -> Result<f64> {
    let number = text.parse().ok().filter(|x: &f64| x.is_finite());
    number.ok_or_else(|| {
        let text = typed(text);
        Error::usage(format!(
            "--{flag} must be a number, such as 0.0001 or 1e-4, not {text}"
        ))
    })
}

/// The value that `--flag` calls by a name, such as `none` or `batch`.
///
/// # Errors
/// If there is none of that name; the sentence lists those there are.
pub fn choice<T: DeserializeOwned>(flag: &str, name: &str) -> Result<T> {
    let named: StrDeserializer<Unknown> = name.into_deserializer();
    T::deserialize(named).map_err(|Unknown(known)| {
        let known = match known {
            [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => known.concat(),
        };
        Error::usage(format!("there is no --{flag} {}; use {known}", typed(name)))
    })
}

/// The names that there are, where another was typed.
#[derive(Debug)]
struct Unknown(&'static [&'static str]);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "none of {:?}", self.0)
    }
}

impl std::error::Error for Unknown {}

impl de::Error for Unknown {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self(known)
    }
}

/// The number that `text` writes, if it is whole, computed without rounding.
fn exact(text: &str) -> Option<u64> {
    let (mantissa, mut exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => match text.as_bytes().last()? {
            b'k' | b'K' => (&text[..text.len() - 1], 3),
            b'm' | b'M' => (&text[..text.len() - 1], 6),
            b'g' | b'G' => (&text[..text.len() - 1], 9),
            _ => (text, 0),
        },
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((integer, fraction)) => (integer, fraction),
        None => (mantissa, "0"),
    };
    let digits = |part: &str| {
        let mut groups = part.split('_');
        groups.all(|g| !g.is_empty() && g.bytes().all(|b| b.is_ascii_digit()))
    };
    if !digits(integer) || !digits(fraction) {
        return None;
    }
    // As many zeros as possible go from the mantissa to the exponent: what is whole has none below the point left.
    let mantissa = format!("{integer}{fraction}").replace('_', "");
    let point = fraction.bytes().filter(u8::is_ascii_digit).count();
    let short = mantissa.trim_end_matches('0');
    if short.is_empty() {
        return Some(0);
    }
    let zeros = mantissa.len() - short.len();
    exponent = exponent.checked_add(i32::try_from(zeros).ok()?)?;
    exponent = exponent.checked_sub(i32::try_from(point).ok()?)?;
    let scale = 10u64.checked_pow(exponent.try_into().ok()?)?;
    short.parse::<u64>().ok()?.checked_mul(scale)
}

/// What was typed, to be shown.
pub fn typed(text: &str) -> String {
    match text {
        "" => "an empty text".into(),
        text => escaped(text).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_exact() {
        for (text, number) in [
            ("0", 0),
            ("0.0", 0),
            ("0e99", 0),
            ("007", 7),
            ("250", 250),
            ("1_000_000", 1_000_000),
            ("1e6", 1_000_000),
            ("1E+6", 1_000_000),
            ("2.5e5", 250_000),
            ("250.0", 250),
            ("2500e-1", 250),
            ("100k", 100_000),
            ("1.5M", 1_500_000),
            ("2g", 2_000_000_000),
            ("9007199254740993", (1 << 53) + 1),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551.615k", u64::MAX),
        ] {
            assert_eq!(unsigned("seed", text), Ok(number), "{text}");
        }
        let many = format!("1.{}", "0".repeat(100));
        assert_eq!(unsigned("seed", &many), Ok(1u32));
        assert_eq!(whole("threads", "1024", 1, 1024), Ok(1024usize));
    }

    #[test]
    fn everything_else_is_refused_in_one_sentence() {
        for text in [
            "",
            "abc",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.5",
            "1e-1",
            ".5k",
            "1.",
            "1._5k",
            "_1",
            "1_",
            "1__0",
            "k",
            "e6",
            "1e",
            "1e6k",
            "1kk",
            "0x10",
            "1,000",
            "nan",
            "inf",
            "1e20",
            "١",
            "18446744073709551616",
            "1e99999999999",
            "1.5é",
            "ſ",
        ] {
            let error = unsigned::<u64>("seed", text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let start = "--seed must be a whole number from 0 to 18446744073709551615";
            assert!(error.to_string().starts_with(start), "{error}");
        }
        for (text, most, wanted) in [
            (
                "abc",
                1_000_000_000,
                "1000000000, such as 5000, 100k or 1e6, not abc",
            ),
            ("0", 1_000_000_000, "1000000000, not 0"),
            ("abc", 1024, "1024, not abc"),
            ("", 1024, "1024, not an empty text"),
            ("\x1b", 1024, r"1024, not \u{1b}"),
        ] {
            let error = whole::<u32>("steps", text, 1, most).unwrap_err();
            let wanted = format!("--steps must be a whole number from 1 to {wanted}");
            assert_eq!(error.to_string(), wanted);
        }
        let error = unsigned::<u8>("small", "256").unwrap_err().to_string();
        assert_eq!(
            error,
            "--small must be a whole number from 0 to 255, not 256"
        );
    }

    #[test]
    fn names_choose_and_other_names_are_answered_with_all_of_them() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Norm {
            None,
            Batch,
            Layer,
        }
        assert_eq!(choice("norm", "batch"), Ok(Norm::Batch));
        for (name, shown) in [
            ("group", "group"),
            ("Batch", "Batch"),
            ("", "an empty text"),
        ] {
            let error = choice::<Norm>("norm", name).unwrap_err();
            let wanted = format!("there is no --norm {shown}; use none, batch or layer");
            assert_eq!((error.to_string(), error.exit_code()), (wanted, 2));
        }
    }

    #[test]
    fn numbers_are_finite() {
        for (text, x) in [("1e-4", 1e-4), ("-0.5", -0.5), ("3", 3.0)] {
            assert_eq!(number("lr-g", text), Ok(x));
        }
        for text in ["", "abc", "nan", "inf", "-infinity", "1e999", "0,5", "1k"] {
            let error = number("lr-g", text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(
                error
                    .to_string()
                    .starts_with("--lr-g must be a number, such as")
            );
        }
    }
}
