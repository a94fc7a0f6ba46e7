//! How numbers and names are said to people: times, sizes, counts, and paths that can be pasted into a shell.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;

/// A time as one or two units: `45 s`, `3 min 20 s`, `2 h 05 min`, `3 days 4 h`, `483 days`, `2.3 years`.
pub fn duration(seconds: f64) -> String {
    const DAY: f64 = 86_400.0;
    if !seconds.is_finite() || seconds < 0.0 {
        return "an unknown time".into();
    }
    // Rounded before it is split, so that no part is ever 60; each unit ends where the next one begins.
    let rounded = |unit: f64| (seconds / unit).round() as u64;
    let (s, min, h, days) = (rounded(1.0), rounded(60.0), rounded(3600.0), rounded(DAY));
    if seconds < 1.0 {
        "less than a second".into()
    } else if s < 60 {
        format!("{s} s")
    } else if s < 3600 {
        format!("{} min {:02} s", s / 60, s % 60)
    } else if min < 24 * 60 {
        format!("{} h {:02} min", min / 60, min % 60)
    } else if h < 48 {
        format!("1 day {} h", h - 24)
    } else if h < 240 {
        format!("{} days {} h", h / 24, h % 24)
    } else if days < 730 {
        format!("{days} days")
    } else {
        match seconds / (365.25 * DAY) {
            years if years < 1000.0 => format!("{years:.1} years"),
            _ => "more than 1000 years".into(),
        }
    }
}

/// A size in decimal units, of two or three digits: `512 bytes`, `3.4 kB`, `154 MB`, `5.9 GB`, `1.2 TB`.
pub fn bytes(n: u64) -> String {
    if n < 1000 {
        return format!("{n} byte{}", if n == 1 { "" } else { "s" });
    }
    let mut size = n as f64 / 1e3;
    let mut units = ["kB", "MB", "GB", "TB", "PB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    // 999.5 would be said as 1000.
    while size >= 999.5 {
        let Some(larger) = units.next() else { break };
        (size, unit) = (size / 1e3, larger);
    }
    let digits = usize::from(size < 9.95);
    format!("{size:.digits$} {unit}")
}

/// A number in groups of three digits: `1 000 000`. Four digits stay together: `1024`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let (first, rest) = digits.split_at((digits.len() - 1) % 3 + 1);
    let groups = rest.as_bytes().chunks(3).map(String::from_utf8_lossy);
    groups.fold(first.to_owned(), |text, group| text + " " + &group)
}

/// A path as a shell takes it: bare if it may be, else in quotes. A dash in front would make it a flag, so `./` goes before
/// it.
pub fn quoted(path: &Path) -> String {
    let is_like_a_flag = path.as_os_str().as_encoded_bytes().starts_with(b"-");
    let front = match (is_like_a_flag, cfg!(unix)) {
        (false, _) => "",
        (true, true) => "./",
        (true, false) => ".\\",
    };
    in_quotes(front, path.as_os_str())
}

/// A word of a command line as a shell takes it.
pub fn word(word: &OsStr) -> String {
    in_quotes("", word)
}

/// `front` and `word` as a POSIX shell takes them.
#[cfg(unix)]
fn in_quotes(front: &str, word: &OsStr) -> String {
    use std::os::unix::ffi::OsStrExt;
    let bytes = word.as_bytes();
    let safe = |b: &u8| b.is_ascii_alphanumeric() || b"_./:@%+=,-".contains(b);
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(safe) && !text.is_empty() => format!("{front}{text}"),
        Ok(text) if !text.contains(hidden) => format!("'{front}{}'", text.replace('\'', r"'\''")),
        _ => format!("$'{front}{}'", ansi_c(bytes)),
    }
}

/// `front` and `word` as a shell of Windows takes them: in double quotes, if at all, which no file's name contains.
#[cfg(not(unix))]
fn in_quotes(front: &str, word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let safe = |c: char| c.is_ascii_alphanumeric() || "_./:@+=,-\\".contains(c);
    match escaped(&text) {
        text if text.chars().all(safe) && !text.is_empty() => format!("{front}{text}"),
        text => format!("\"{front}{text}\""),
    }
}

/// What goes between `$'` and `'`: bytes that are not text, or not to be seen, in hexadecimal.
#[cfg(unix)]
fn ansi_c(bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!(r"\x{b:02x}")).collect();
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let piece: String = match c {
                '\'' | '\\' => format!("\\{c}"),
                c if hidden(c) => hex(c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => c.into(),
            };
            text += &piece;
        }
        text += &hex(chunk.invalid());
    }
    text
}

/// Text from a file or a command line, fit for a terminal: what would steer it is spelt out, as `\n`, `\t`, `\r` or
/// `\u{1b}`.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(hidden) {
        return text.into();
    }
    let spelt = text.chars().map(|c| match c {
        '\n' => r"\n".into(),
        '\t' => r"\t".into(),
        '\r' => r"\r".into(),
        c if hidden(c) => c.escape_unicode().to_string(),
        c => c.into(),
    });
    spelt.collect::<String>().into()
}

/// Whether `c` steers a terminal instead of being seen: a control character, or one that turns the direction of
/// writing, so that a name would read as another one.
fn hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let (minute, hour, day) = (60.0, 3600.0, 86_400.0);
        for (seconds, words) in [
            (f64::NAN, "an unknown time"),
            (f64::INFINITY, "an unknown time"),
            (-1.0, "an unknown time"),
            (0.99, "less than a second"),
            (1.0, "1 s"),
            (45.4, "45 s"),
            (59.6, "1 min 00 s"),
            (200.0, "3 min 20 s"),
            (hour - 0.4, "1 h 00 min"),
            (2.0 * hour + 5.0 * minute, "2 h 05 min"),
            (day - 1.0, "1 day 0 h"),
            (47.6 * hour, "2 days 0 h"),
            (76.0 * hour, "3 days 4 h"),
            (10.0 * day, "10 days"),
            (483.0 * day, "483 days"),
            (840.0 * day, "2.3 years"),
            (1e300, "more than 1000 years"),
        ] {
            assert_eq!(duration(seconds), words, "{seconds}");
        }
    }

    #[test]
    fn sizes_and_counts() {
        for (n, words) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (512, "512 bytes"),
            (1000, "1.0 kB"),
            (3_449, "3.4 kB"),
            (9_960, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (154_000_000, "154 MB"),
            (5_900_000_000, "5.9 GB"),
            (1_200_000_000_000, "1.2 TB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(bytes(n), words, "{n}");
        }
        for (n, words) in [
            (0, "0"),
            (1024, "1024"),
            (10_000, "10 000"),
            (200_000, "200 000"),
            (1_000_000, "1 000 000"),
            (u64::MAX, "18 446 744 073 709 551 615"),
        ] {
            assert_eq!(count(n), words);
        }
    }

    #[test]
    fn hidden_characters_are_spelt_out() {
        assert!(matches!(escaped("Zürich \\ 'x'"), Cow::Borrowed(_)));
        let text = "a\n\t\r\x1b[2J\x7f\u{9b}\u{202e}\u{2066}é";
        let wanted = r"a\n\t\r\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{2066}é";
        assert_eq!(escaped(text), wanted);
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_quoted_paths_back() {
        use std::os::unix::ffi::OsStrExt;
        for (name, words) in [
            (&b"runs/mixture-0001"[..], "runs/mixture-0001"),
            (b"", "''"),
            (b"my run", "'my run'"),
            (b"it's $HOME", r"'it'\''s $HOME'"),
            (b"~", "'~'"),
            (b"-rf", "./-rf"),
            (b"-r f", "'./-r f'"),
            (b"a\n'\\b", r"$'a\x0a\'\\b'"),
            (b"\xffa\xc3\xa9", "$'\\xffaé'"),
            (b"\xe2\x80\xaeexe", r"$'\xe2\x80\xaeexe'"),
        ] {
            assert_eq!(quoted(Path::new(OsStr::from_bytes(name))), words);
        }
        assert_eq!(word(OsStr::new("--steps")), "--steps");
        assert_eq!(word(OsStr::new("-r f")), "'-r f'");
    }
}
