//! Files of a data set that are not used, and how the user learns of them: a few in a sentence, all in a file.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::names::counted;
use crate::numbers::atomic::write_atomically;
use crate::numbers::words::escaped;

/// So many files are named in a sentence.
const NAMED: usize = 5;

/// A file of the data set that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Where it is; the entry's key takes the place of a file's name in an LMDB, its name in an archive.
    pub path: PathBuf,
    /// A few words that go on from the name, such as "it is empty".
    pub why: String,
    /// Whether the system refused to give it. That may pass, so it must not be remembered as a damaged picture.
    pub unreadable: bool,
}

impl Skipped {
    /// Names that are no Unicode get substitutes, because JSON could not hold them.
    pub(super) fn new(path: &Path, why: String) -> Self {
        Self {
            path: PathBuf::from(path.to_string_lossy().into_owned()),
            why,
            unreadable: false,
        }
    }

    /// A file or folder that cannot be read because of `error`.
    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self {
            unreadable: true,
            ..Self::new(path, format!("it cannot be read: {error}"))
        }
    }
}

/// The first of `skipped`, whose paths start from `root`, and how many more there are.
pub(super) fn first_words(skipped: &[Skipped], root: &Path) -> Option<String> {
    let first = skipped.first()?;
    let more = match skipped.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let path = root.join(&first.path);
    Some(format!("left out: {}: {}{more}", path.display(), first.why))
}

/// What is said of `skipped`: a sentence about those that the system does not give, and one about the others.
///
/// Where they are many, `list` becomes a file that names them all; if it cannot be written, the sentences do.
pub(super) fn sentences(skipped: &[Skipped], list: &Path) -> Vec<String> {
    let full = |one: &Skipped| format!("{}: {}", one.path.display(), one.why);
    let line = |one| format!("{}\n", escaped(&full(one)));
    let is_listed = skipped.len() > NAMED && {
        let text: String = skipped.iter().map(line).collect();
        write_atomically(list, |file| file.write_all(text.as_bytes())).is_ok()
    };
    let most = if is_listed { NAMED } else { skipped.len() };
    let named = |some: &[&Skipped], words: fn(&Skipped) -> String, comma: &str| {
        let named: Vec<String> = some.iter().take(most).map(|one| words(one)).collect();
        let more = match some.len().saturating_sub(most) {
            0 => String::new(),
            more => format!("{comma}and {more} more, which {} names", list.display()),
        };
        named.join(comma) + &more
    };
    let (unreadable, unusable): (Vec<_>, Vec<_>) = skipped.iter().partition(|one| one.unreadable);
    let mut sentences = vec![];
    if !unreadable.is_empty() {
        sentences.push(format!(
            "left out because {} cannot be read: {}; check the permissions",
            if unreadable.len() == 1 { "it" } else { "they" },
            named(&unreadable, |one| one.path.display().to_string(), ", ")
        ));
    }
    if !unusable.is_empty() {
        sentences.push(format!(
            "{} skipped, as there is no usable picture in {}: {}",
            counted(unusable.len(), "file"),
            if unusable.len() == 1 { "it" } else { "them" },
            named(&unusable, full, "; ")
        ));
    }
    sentences
}
