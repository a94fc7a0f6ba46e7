//! Sets are decoded once, into a file that is then mapped into memory at every start.
//!
//! The file holds the pictures one after the other, then a checksum of each, then the facts about them as JSON, then
//! the length of the JSON, a checksum of all between the pictures and it, and a mark. The facts come last because only
//! the end of decoding tells how many pictures there are; so the file is written from front to back, whatever its size,
//! while memory holds only a few pictures. Each picture is compared with its checksum whenever it is taken.
//!
//! A file is named after a key over everything that decides what is in it, so a changed set gets a new file. One
//! that has not been used for 60 days is deleted; anybody may delete any of them before.

#![expect(unsafe_code, reason = "files are mapped into memory")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use etcetera::BaseStrategy;
use memmap2::Mmap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::names::{self, LeftOut};
use super::pictures::{Pictures, checksum, picture_bytes};
use super::skipped::Skipped;
use crate::numbers::atomic::{sweep, write_atomically};
use crate::numbers::hash::Fnv1a;
use crate::numbers::{Error, Result, words};

/// The last bytes of every cache file.
const MARK: [u8; 8] = *b"coulombP";

/// To be raised when the layout of the file changes, or the pixels that the same files give.
pub(super) const VERSION: u32 = 3;

/// Decoded pictures that wait in memory to be written: about so many bytes, but not too few for the threads.
const BATCH_BYTES: usize = 32 << 20;

/// Items that a thread decodes, about, before it is said how many are done: of large pictures a batch takes long.
const PIECE: usize = 16;

/// Cache files that were not used for so long are deleted.
const KEPT: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// What became of one item of a data set.
pub(super) enum Found {
    /// A picture, decoded.
    Picture(Vec<u8>),
    /// No picture.
    Skipped(Skipped),
    /// A picture that this program has drawn.
    Own(PathBuf),
    /// What was found beside the pictures, where only reading them all tells it.
    LeftOut(LeftOut),
}

/// What a cache file holds.
pub(super) struct Cached {
    pub pictures: Pictures,
    pub skipped: Vec<Skipped>,
    pub left_out: LeftOut,
    /// A hash over all pictures in their order.
    pub content: u64,
    /// Length of the file.
    pub bytes: u64,
}

/// What stands at the end of a cache file.
#[derive(Serialize, Deserialize)]
struct Facts {
    version: u32,
    key: u64,
    side: usize,
    count: usize,
    content: u64,
    skipped: Vec<Skipped>,
    left_out: LeftOut,
}

/// Where one set is cached, and how to know that the file is the right one.
pub(super) struct Cache {
    pub path: PathBuf,
    /// The set's own folder.
    root: PathBuf,
    /// The set itself: that folder or an archive in it.
    pub set: PathBuf,
    key: u64,
    side: usize,
    /// What lies beside the pictures, in sentences: why there may be none.
    pub beside: Vec<String>,
}

impl Cache {
    /// The place for the set `name` in the folder `root`, with this `key`, in `folder`, or in `coulomb-gan` in the
    /// user's folder for caches. `name` is empty if the set is the folder.
    ///
    /// # Errors
    /// If there is no folder named and the user has none.
    pub(super) fn new(
        folder: Option<&Path>,
        root: &Path,
        name: &Path,
        key: u64,
        side: usize,
    ) -> Result<Self> {
        let folder = match folder {
            Some(folder) => folder.to_path_buf(),
            None => etcetera::choose_base_strategy()
                .map_err(|_| Error::usage("there is no home folder to keep decoded pictures in; name a folder with --cache DIR"))?
                .cache_dir()
                .join("coulomb-gan"),
        };
        let set = match name.as_os_str().is_empty() {
            true => root.to_path_buf(),
            false => root.join(name),
        };
        Ok(Self {
            path: folder.join(format!("{key:016x}.pictures")),
            root: root.to_path_buf(),
            set,
            key,
            side,
            beside: vec![],
        })
    }

    /// The file that names all files that are skipped, where they are many.
    pub(super) fn list(&self) -> PathBuf {
        list(&self.path)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// The pictures, if the file is there, complete, and made from the very same set; and if all that could not
    /// be read then still cannot.
    ///
    /// Facts and length are checked, not the pixels: that would mean reading all of them at every start. They are when
    /// they are taken, by [`Pictures`].
    pub(super) fn read(&self) -> Option<Cached> {
        let readable =
            |one: &Skipped| one.unreadable && fs::read(self.root.join(&one.path)).is_ok();
        let found = self.map()?;
        (!found.skipped.iter().any(readable)).then_some(found)
    }

    fn map(&self) -> Option<Cached> {
        let file = fs::File::open(&self.path).ok()?;
        // SAFETY: a mapped file must not change. This program never writes into a finished cache file; it only
        // puts new ones in place of old ones, which leaves the mapped one as it is until the last map is gone.
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let (rest, mark) = map.split_last_chunk()?;
        let (rest, sum) = rest.split_last_chunk()?;
        let (rest, length) = rest.split_last_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let facts = rest.get(rest.len().checked_sub(length)?..)?;
        let facts: Facts = serde_json::from_slice(facts).ok()?;
        let pixels = facts.count.checked_mul(picture_bytes(self.side))?;
        let after_pixels = rest.get(pixels..)?;
        let is_mine = *mark == MARK
            && (facts.version, facts.key, facts.side) == (VERSION, self.key, self.side)
            && facts.count > 0
            && after_pixels.len().checked_sub(length) == Some(facts.count * sum.len())
            && checksum(after_pixels) == *sum;
        is_mine.then(|| Cached {
            bytes: map.len() as u64,
            pictures: Pictures::mapped(facts.side, facts.count, map, self.path.clone()),
            skipped: facts.skipped,
            left_out: facts.left_out,
            content: facts.content,
        })
    }

    /// How many items are decoded at a time.
    pub(super) fn batch(&self) -> usize {
        (BATCH_BYTES / picture_bytes(self.side)).clamp(32, 1024)
    }

    /// Decodes all items on all threads and writes the file, pictures in the order of the items.
    ///
    /// The items come in batches, each of which is in memory as a whole. `decode` gives a picture or says why there
    /// is none; `progress` hears the items done, of `total`.
    ///
    /// # Errors
    /// If `decode` fails, no item is a picture, or the file cannot be written.
    pub(super) fn build<T: Send>(
        &self,
        batches: impl Iterator<Item = Vec<T>>,
        total: usize,
        decode: impl Fn(T) -> Result<Found> + Sync,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Cached> {
        let folder = self.folder();
        fs::create_dir_all(folder).map_err(|e| elsewhere(Error::io("create", folder, &e)))?;
        let mut facts = Facts {
            version: VERSION,
            key: self.key,
            side: self.side,
            count: 0,
            content: 0,
            skipped: vec![],
            left_out: LeftOut::default(),
        };
        let (mut content, mut after_pixels) = (Fnv1a::default(), vec![]);
        let mut failure = None;
        let most = PIECE * rayon::current_num_threads();
        progress(0, total);
        let written = write_atomically(&self.path, |file| {
            let mut fail = |e| {
                failure = Some(e);
                io::Error::other("see the failure")
            };
            for piece in batches.flat_map(|batch| pieces(batch, most)) {
                let decoded: Vec<_> = piece.into_par_iter().map(&decode).collect();
                for one in decoded {
                    match one.map_err(&mut fail)? {
                        Found::Picture(picture) => {
                            debug_assert_eq!(picture.len(), picture_bytes(self.side));
                            content.add(&picture);
                            after_pixels.extend(checksum(&picture));
                            file.write_all(&picture)?;
                            facts.count += 1;
                        }
                        Found::Skipped(skipped) => facts.skipped.push(skipped),
                        Found::Own(path) => facts.left_out.own.add(&path),
                        Found::LeftOut(left_out) => facts.left_out = left_out,
                    }
                }
                let own = facts.left_out.own.count;
                progress(facts.count + facts.skipped.len() + own, total);
            }
            if facts.count == 0 {
                return Err(fail(self.nothing_left(&facts)));
            }
            facts.content = content.value();
            let text = serde_json::to_vec(&facts)?;
            after_pixels.extend(&text);
            file.write_all(&after_pixels)?;
            file.write_all(&(text.len() as u64).to_le_bytes())?;
            file.write_all(&checksum(&after_pixels))?;
            file.write_all(&MARK)
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        written.map_err(elsewhere)?;
        self.map().ok_or_else(|| {
            Error::failure(format!(
                "{} changed while it was written; try again",
                self.path.display()
            ))
        })
    }

    fn nothing_left(&self, facts: &Facts) -> Error {
        let set = self.set.display();
        let Some(first) = facts.skipped.first() else {
            let what = facts.left_out.instead_of_pictures(&self.set, &self.root);
            return Error::failure([vec![what], self.beside.clone()].concat().join("; "));
        };
        let what = format!(
            "none of the {} pictures in {set} can be used, the first: {}: {}",
            facts.skipped.len(),
            first.path.display(),
            first.why
        );
        let cut_off = facts.left_out.cut_off.as_ref();
        let cut_off = cut_off.map(|why| format!("it is cut off or damaged after them ({why})"));
        let more = cut_off.into_iter().chain(facts.left_out.notes(&self.root));
        let more = more.chain(self.beside.iter().cloned());
        Error::failure(
            [what]
                .into_iter()
                .chain(more)
                .collect::<Vec<_>>()
                .join("; "),
        )
    }

    /// Notes that the file is used, and deletes those that have not been used for long: gives a sentence about it.
    ///
    /// Only what this program has made is touched. What cannot be deleted stays.
    pub(super) fn housekeeping(&self) -> Option<String> {
        sweep(self.folder());
        let now = SystemTime::now();
        let used = fs::File::options().write(true).open(&self.path);
        // In a cache that cannot be written, nothing gets old either.
        let _ = used.and_then(|file| file.set_modified(now));
        let (mut count, mut bytes) = (0, 0);
        for entry in fs::read_dir(self.folder()).ok()?.flatten() {
            let is_cache = entry.file_name().to_str().is_some_and(is_cache_name);
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let age = metadata
                .modified()
                .ok()
                .and_then(|m| now.duration_since(m).ok());
            let is_old = is_cache && metadata.is_file() && age.is_some_and(|age| age > KEPT);
            if is_old && entry.path() != self.path && fs::remove_file(entry.path()).is_ok() {
                let _ = fs::remove_file(list(&entry.path()));
                count += 1;
                bytes += metadata.len();
            }
        }
        (count > 0).then(|| {
            format!(
                "deleted {} of decoded pictures that had not been used for 60 days in {}: {}",
                names::counted(count, "file"),
                self.folder().display(),
                words::bytes(bytes)
            )
        })
    }
}

/// `batch` in pieces of at most so many.
fn pieces<T>(batch: Vec<T>, most: usize) -> impl Iterator<Item = Vec<T>> {
    let mut rest = batch.into_iter();
    std::iter::from_fn(move || {
        let piece: Vec<T> = rest.by_ref().take(most).collect();
        (!piece.is_empty()).then_some(piece)
    })
}

/// What lies beside the cache file `path`, where many files are skipped.
fn list(path: &Path) -> PathBuf {
    path.with_extension("skipped.txt")
}

/// Whether the file has a name as this program gives to caches.
fn is_cache_name(name: &str) -> bool {
    let key = name.strip_suffix(".pictures");
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    key.is_some_and(|key| key.len() == 16 && key.bytes().all(is_digit))
}

/// The cache's folder is rarely the one that the user had in mind, so say how to choose it.
fn elsewhere(error: Error) -> Error {
    Error::failure(format!(
        "{error}; --cache DIR keeps decoded pictures elsewhere"
    ))
}
