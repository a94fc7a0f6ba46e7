//! From a path to pictures, whatever kind of data set is there.

use std::path::Path;

use super::cache::{Cache, Cached, Found, VERSION};
use super::decode::Crop;
use super::identity::{self, File};
use super::pictures::Pictures;
use super::recognise::{Kind, Set, recognise};
use super::skipped::{self, Skipped, first_words};
use super::{archive, cifar, folder, lsun, names};
use crate::numbers::{Error, Result, words};

/// Pictures with more pixels on a side than this are not for the networks here.
const MOST_SIDE: usize = 1024;

/// How to make a data set's pictures alike.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Width and height in pixels, 1 to 1024.
    pub side: usize,
    /// The part of a picture to use. CIFAR-10's are square and never cropped.
    pub crop: Crop,
    /// Folder for decoded pictures; `None` for `coulomb-gan` in `$XDG_CACHE_HOME` or `~/.cache` (on Windows, in
    /// the local application data).
    pub cache: Option<&'a Path>,
}

/// A data set, ready for use.
#[derive(Debug)]
pub struct Opened {
    /// The pictures, in the order of their paths.
    pub pictures: Pictures,
    /// What is not among them.
    pub skipped: Vec<Skipped>,
    /// What the user should know because it changes the result, each a sentence of one line: kinds of files that
    /// are left out, files that are skipped, an archive that is cut off, missing parts.
    pub notes: Vec<String>,
    /// What else there is, which nobody will miss, each a sentence of one line.
    pub beside: Vec<String>,
    /// Where they come from, e.g. "50000 pictures of DIR (decoded into FILE, 154 MB)".
    pub from: String,
    /// A hash over all pictures in their order: other pictures have another one.
    pub content: u64,
}

/// Opens the data set at `path`:
///
/// - a folder tree of pictures, whose formats are those of [`decode::picture`](super::decode::picture);
/// - a zip or tar archive of such pictures, or a folder that holds one and no pictures;
/// - CIFAR-10 in its binary or Python version: its folder, one above, or one file of it;
/// - an LSUN database (with the feature `lmdb`): its folder or one above.
///
/// What this program has made is no data: runs, and pictures that bear its [mark](super::own) if they lie among others.
///
/// The first time, everything is decoded and written to a cache, which `progress` hears about: things done, and
/// things in all, or 0 if nobody knows. After that a cache is found again as long as place, names, sizes and
/// times of the files, a look into some of them, side and crop are the same. Caches that were not used for 60 days
/// are deleted.
///
/// # Errors
/// If there is nothing usable at `path`, or the cache cannot be written. A picture that is damaged or cannot be
/// read is no error; it is in [`Opened::skipped`].
pub fn open(
    path: &Path,
    options: &Options,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Opened> {
    let Options { side, crop, cache } = *options;
    if !(1..=MOST_SIDE).contains(&side) {
        return Err(Error::usage(format!(
            "pictures can have 1 to {MOST_SIDE} pixels on a side, not {side}"
        )));
    }
    let set = recognise(path)?;
    let purpose = format!("{VERSION} {:?} {side} {crop:?}", set.kind);
    let key = identity::key(&purpose, &set.root, &set.files);
    let mut cache = Cache::new(cache, &set.root, set.name(), key, side)?;
    cache.beside = set.left_out.notes(&set.root);
    cache.beside.extend(first_words(&set.skipped, &set.root));
    let cached = match cache.read() {
        Some(found) => found,
        None => build(&set, options, &cache, progress)?,
    };
    let mut notes = notes(&set, &cached);
    notes.extend(cache.housekeeping());
    let skipped = set.skipped.into_iter().chain(cached.skipped);
    let skipped = skipped.map(|one| Skipped {
        path: set.root.join(&one.path),
        ..one
    });
    let skipped: Vec<Skipped> = skipped.collect();
    notes.extend(skipped::sentences(&skipped, &cache.list()));
    let beside = [&set.left_out, &cached.left_out].map(|left_out| left_out.beside(&set.root));
    let from = format!(
        "{} of {} (decoded into {}, {})",
        names::counted(cached.pictures.len(), "picture"),
        cache.set.display(),
        cache.path.display(),
        words::bytes(cached.bytes)
    );
    Ok(Opened {
        pictures: cached.pictures,
        skipped,
        notes,
        beside: beside.into_iter().flatten().collect(),
        from,
        content: cached.content,
    })
}

/// Decodes the set into its cache.
fn build(
    set: &Set,
    options: &Options,
    cache: &Cache,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Cached> {
    let Options { side, crop, .. } = *options;
    let Set { root, files, .. } = set;
    match set.kind {
        Kind::Cifar(version) => {
            let read = |file: &File| cifar::read(&root.join(&file.path), version);
            let bytes = files.iter().map(read).collect::<Result<Vec<_>>>()?;
            let pictures = bytes.iter().map(|bytes| cifar::pictures(bytes, version));
            let pictures: Vec<_> = pictures.flatten().flatten().collect();
            let decode = |picture: &&_| Ok(Found::Picture(cifar::picture(picture, side)));
            cache.build(batches(&pictures, cache), pictures.len(), decode, progress)
        }
        Kind::Lsun => lsun::build(root, side, crop, cache, progress),
        Kind::Archive(kind) => {
            archive::build(kind, [root, set.name()], side, crop, cache, progress)
        }
        Kind::Folder => {
            let decode = |file: &File| Ok(folder::picture(root, file, side, crop, set.is_own));
            cache.build(batches(files, cache), files.len(), decode, progress)
        }
    }
}

/// `items` in pieces as long as the cache wants them.
fn batches<'a, T>(items: &'a [T], cache: &Cache) -> impl Iterator<Item = Vec<&'a T>> {
    items
        .chunks(cache.batch())
        .map(|batch| batch.iter().collect())
}

/// What the user should know about the set, because it is not what it might be.
fn notes(set: &Set, cached: &Cached) -> Vec<String> {
    let mut notes = vec![];
    let count = cached.pictures.len();
    if let (Kind::Cifar(version), true) = (set.kind, set.files.len() > 1) {
        let is_missing = |name: &String| !set.files.iter().any(|file| file.path == Path::new(name));
        let missing: Vec<String> = version.batches().into_iter().filter(is_missing).collect();
        if !missing.is_empty() {
            notes.push(format!(
                "{} {} missing in {}: {count} of {} pictures",
                names::listed(&missing, "and"),
                if missing.len() == 1 { "is" } else { "are" },
                set.root.display(),
                5 * cifar::BATCH
            ));
        }
    }
    if let Some(why) = &cached.left_out.cut_off {
        notes.push(format!(
            "{} is cut off or damaged after {} ({why}); download it again for the rest",
            set.root.join(set.name()).display(),
            names::counted(count, "picture")
        ));
    }
    if set.is_own {
        notes.push(format!(
            "all pictures in {} are samples or figures that this program has drawn itself",
            set.root.display()
        ));
    }
    notes.extend(set.left_out.notes(&set.root));
    notes.extend(cached.left_out.notes(&set.root));
    notes
}
