//! Sets are decoded once, into a file that is then mapped into memory at every start.
//!
//! The file holds the pictures one after the other, then the facts about them as JSON, then the length of the
//! JSON and a mark. The facts come last because only the end of decoding tells how many pictures there are;
//! so the file is written from front to back, whatever its size, while memory holds only a few pictures.
//!
//! A file is named after a key over everything that decides what is in it. A changed set gets a new file; old
//! ones stay until somebody deletes them, at any time.

#![expect(unsafe_code, reason = "files are mapped into memory")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use memmap2::Mmap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::decode::Crop;
use super::folder::File;
use super::pictures::{Pictures, picture_bytes};
use crate::numbers::atomic::write_atomically;
use crate::numbers::hash::Fnv1a;
use crate::numbers::{Error, Result};

/// The last bytes of every cache file.
const MARK: [u8; 8] = *b"coulombP";

/// To be raised when the layout of the file changes, or the pixels that the same files give.
const VERSION: u32 = 1;

/// Decoded pictures that wait in memory to be written: about so many bytes, but not too few for the threads.
const CHUNK_BYTES: usize = 32 << 20;

/// A file of the data set that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Where it is; the entry's key takes the place of a file's name in an LMDB.
    pub path: PathBuf,
    /// A few words that go on from the name, such as "it is empty".
    pub why: String,
}

impl Skipped {
    /// Names that are no Unicode get substitutes, because JSON could not hold them.
    pub(super) fn new(path: &Path, why: String) -> Self {
        let path = PathBuf::from(path.to_string_lossy().into_owned());
        Self { path, why }
    }
}

/// What stands at the end of a cache file.
#[derive(Serialize, Deserialize)]
struct Facts {
    version: u32,
    key: u64,
    side: usize,
    count: usize,
    skipped: Vec<Skipped>,
}

/// Where one set is cached, and how to know that the file is the right one.
pub(super) struct Cache {
    pub path: PathBuf,
    /// The set's own folder.
    root: PathBuf,
    key: u64,
    side: usize,
}

impl Cache {
    /// The place for `files` in `root`, a set of this `kind`, in `folder`, or in `coulomb-gan` in the user's folder for
    /// caches.
    ///
    /// # Errors
    /// If there is no folder named and the user has none.
    pub(super) fn new(
        folder: Option<&Path>,
        root: &Path,
        kind: &str,
        files: &[File],
        side: usize,
        crop: Crop,
    ) -> Result<Self> {
        let folder = match folder {
            Some(folder) => folder.to_path_buf(),
            None => etcetera::choose_base_strategy()
                .map_err(|_| Error::usage("there is no home folder to keep decoded pictures in; name a folder with --cache DIR"))?
                .cache_dir()
                .join("coulomb-gan"),
        };
        let mut key = Fnv1a::default();
        key.add(format!("{VERSION} {kind} {side} {crop:?}").as_bytes());
        for file in files {
            // A zero byte ends the name, for no name contains one.
            key.add(file.path.to_string_lossy().as_bytes());
            key.add(&[0]);
            key.add(&file.size.to_le_bytes());
            key.add(&file.modified.to_le_bytes());
        }
        let key = key.value();
        let path = folder.join(format!("{key:016x}.pictures"));
        Ok(Self {
            path,
            root: root.to_path_buf(),
            key,
            side,
        })
    }

    /// The pictures, if the file is there, complete, and made from the very same set.
    ///
    /// Facts and length are checked, not the pixels: that would mean reading all of them at every start.
    pub(super) fn read(&self) -> Option<(Pictures, Vec<Skipped>)> {
        let file = fs::File::open(&self.path).ok()?;
        // SAFETY: a mapped file must not change. This program never writes into a finished cache file; it only
        // puts new ones in place of old ones, which leaves the mapped one as it is until the last map is gone.
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let (rest, mark) = map.split_last_chunk()?;
        let (rest, length) = rest.split_last_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (pixels, facts) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
        let facts: Facts = serde_json::from_slice(facts).ok()?;
        let is_mine = *mark == MARK
            && (facts.version, facts.key, facts.side) == (VERSION, self.key, self.side)
            && facts.count > 0
            && facts.count.checked_mul(picture_bytes(self.side)) == Some(pixels.len());
        is_mine.then(|| {
            let pictures = Pictures::mapped(facts.side, facts.count, map);
            (pictures, facts.skipped)
        })
    }

    /// Decodes all `items` on all threads and writes the file, pictures in the order of the items.
    ///
    /// `decode` gives the bytes of a picture or says why there is none; `progress` hears the items done, of
    /// `total`.
    ///
    /// # Errors
    /// If `decode` fails, no item is a picture, or the file cannot be written.
    pub(super) fn build<T: Send>(
        &self,
        mut items: impl Iterator<Item = T>,
        total: usize,
        decode: impl Fn(T) -> Result<std::result::Result<Vec<u8>, Skipped>> + Sync,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Pictures, Vec<Skipped>)> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|e| elsewhere(Error::io("create", folder, &e)))?;
        let mut facts = Facts {
            version: VERSION,
            key: self.key,
            side: self.side,
            count: 0,
            skipped: vec![],
        };
        let chunk = (CHUNK_BYTES / picture_bytes(self.side)).clamp(32, 1024);
        let mut done = 0;
        let mut failure = None;
        progress(0, total);
        let written = write_atomically(&self.path, |file| {
            let mut fail = |e| {
                failure = Some(e);
                io::Error::other("see the failure")
            };
            loop {
                let todo: Vec<T> = items.by_ref().take(chunk).collect();
                if todo.is_empty() {
                    break;
                }
                done += todo.len();
                let decoded: Vec<_> = todo.into_par_iter().map(&decode).collect();
                for one in decoded {
                    match one.map_err(&mut fail)? {
                        Ok(picture) => {
                            debug_assert_eq!(picture.len(), picture_bytes(self.side));
                            file.write_all(&picture)?;
                            facts.count += 1;
                        }
                        Err(skipped) => facts.skipped.push(skipped),
                    }
                }
                progress(done, total);
            }
            if facts.count == 0 {
                return Err(fail(self.nothing_left(&facts.skipped)));
            }
            let text = serde_json::to_vec(&facts)?;
            file.write_all(&text)?;
            file.write_all(&(text.len() as u64).to_le_bytes())?;
            file.write_all(&MARK)
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        written.map_err(elsewhere)?;
        self.read().ok_or_else(|| {
            Error::failure(format!(
                "{} changed while it was written; try again",
                self.path.display()
            ))
        })
    }

    fn nothing_left(&self, skipped: &[Skipped]) -> Error {
        let first = skipped.first().map_or(String::new(), |one| {
            format!(", the first: {}: {}", one.path.display(), one.why)
        });
        Error::failure(format!(
            "none of the {} pictures in {} can be used{first}",
            skipped.len(),
            self.root.display()
        ))
    }
}

/// The cache's folder is rarely the one that the user had in mind, so say how to choose it.
fn elsewhere(error: Error) -> Error {
    Error::failure(format!(
        "{error}; --cache DIR keeps decoded pictures elsewhere"
    ))
}
