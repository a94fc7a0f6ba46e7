//! The pictures that a run learns from: found, and known again when it goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use super::PictureTask;
use crate::data::{self, Opened, Pictures, coloured_shapes};
use crate::numbers::hash::Fnv1a;
use crate::numbers::{Error, Result};
use crate::train::watch::Hear;

/// Pictures behind the fingerprint of shapes, and of the data sets of earlier versions.
const FINGERPRINTED: usize = 64;

/// Fewer pictures than this are said to be few.
const FEW: usize = 256;

/// How often a waiting person hears how far decoding is.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// The pictures that `c` names, of a run of `preset`, or the shapes that `seed` makes. A new run's are noted in `c`; a
/// run that goes on must find the ones it knows.
pub fn open(c: &mut PictureTask, preset: &str, seed: u64, hear: &mut dyn Hear) -> Result<Pictures> {
    check_named(c, preset)?;
    let (pictures, content) = match &c.data {
        None => (coloured_shapes::pictures(seed, c.side, c.count), None),
        Some(path) => {
            let opened = decode(path, c, hear)?;
            (opened.pictures, Some(opened.content))
        }
    };
    let count = pictures.len();
    if count < 2 {
        return Err(Error::failure(format!(
            "there is only 1 usable picture in {}; a set needs two at least, and hundreds to learn from",
            c.data
                .as_deref()
                .unwrap_or(Path::new("the shapes"))
                .display()
        )));
    }
    note_or_compare(c, &pictures, content)?;
    if count < FEW {
        hear.warn(&format!(
            "{count} pictures are few: Fréchet distances to them say little, and D may learn them by heart"
        ));
    }
    Ok(pictures)
}

/// Whether somebody has said where the pictures are.
pub fn check_named(c: &PictureTask, preset: &str) -> Result<()> {
    if c.data
        .as_ref()
        .is_some_and(|path| path.as_os_str().is_empty())
    {
        return Err(Error::usage(format!(
            "--preset {preset} learns from pictures: say where they are with --data PATH, or try --preset shapes, \
             which needs none"
        )));
    }
    Ok(())
}

/// Opens the data set at `path`, and says what was found there.
fn decode(path: &Path, c: &PictureTask, hear: &mut dyn Hear) -> Result<Opened> {
    let options = data::Options {
        side: c.side,
        crop: c.crop,
        cache: c.cache.as_deref(),
    };
    hear.say(&format!("looking at {}", path.display()));
    let mut last_said = Instant::now();
    let opened = data::open(path, &options, &mut |done, total| {
        if last_said.elapsed() >= SAY_EVERY {
            last_said = Instant::now();
            hear.say(&match total {
                0 => format!("decoded {done} pictures"),
                _ => format!("decoded {done} of {total} pictures"),
            });
        }
    })?;
    hear.say(&opened.from);
    for beside in &opened.beside {
        hear.say(beside);
    }
    for note in &opened.notes {
        hear.warn(note);
    }
    Ok(opened)
}

/// Notes the data set of a new run in `c`, or compares it with the one noted there. `content` is a hash of all pictures,
/// where they come from files.
fn note_or_compare(c: &mut PictureTask, pictures: &Pictures, content: Option<u64>) -> Result<()> {
    // Runs of earlier versions have noted a few pictures only.
    let whole = content.map(|content| format!("all:{content:016x}"));
    let is_whole = c.fingerprint.is_empty() || c.fingerprint.starts_with("all:");
    let fingerprint = match whole {
        Some(whole) if is_whole => whole,
        _ => fingerprint_of_a_few(pictures)?,
    };
    let found = (pictures.len(), fingerprint);
    if c.fingerprint.is_empty() {
        (c.count, c.fingerprint) = found;
        return Ok(());
    }
    if found == (c.count, c.fingerprint.clone()) {
        return Ok(());
    }
    let place = c
        .data
        .as_deref()
        .map_or("the shapes".into(), Path::to_string_lossy);
    let why = match found.0 == c.count {
        true => format!("other pictures in {place} than the {} of this run", c.count),
        false => format!(
            "{} pictures in {place} where this run has {}",
            found.0, c.count
        ),
    };
    Err(Error::failure(format!(
        "there are {why}; say with --data where its pictures are now, or, to train on with others, add --new-data to \
         `train --resume`"
    )))
}

/// A hash over a few pictures from all over the set.
fn fingerprint_of_a_few(pictures: &Pictures) -> Result<String> {
    let count = pictures.len().min(FINGERPRINTED);
    let mut hash = Fnv1a::default();
    for i in 0..count {
        hash.add(pictures.bytes(spread(i, count, pictures))?);
    }
    Ok(format!("{:016x}", hash.value()))
}

/// The `i`-th of `count` pictures that are spread evenly over the set: folders are often sorted by kind.
pub fn spread(i: usize, count: usize, pictures: &Pictures) -> usize {
    (i as u64 * pictures.len() as u64 / count as u64) as usize
}
