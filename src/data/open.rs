//! From a path to pictures, whatever kind of data set is there.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::{Cache, Skipped};
use super::decode::Crop;
use super::folder::{self, File};
use super::pictures::Pictures;
use super::{cifar, lsun};
use crate::numbers::{Error, Result};

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
    /// Where they come from, e.g. "50000 pictures of DIR (cache FILE)".
    pub from: String,
}

/// A data set that was recognised; paths are relative to `root`.
struct Set {
    kind: Kind,
    root: PathBuf,
    files: Vec<File>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Cifar,
    Lsun,
    Folder,
}

/// Opens the data set at `path`: a folder tree of PNG, JPEG, WebP and GIF files; the folder of CIFAR-10's binary
/// version or one file of it; or the folder of an LSUN database (with the feature `lmdb`).
///
/// The first time, everything is decoded and written to a cache, which `progress` hears about: things done, and
/// things in all. After that a cache is found again as long as names, sizes and times of the files, side
/// and crop are the same. Caches of earlier states are not deleted.
///
/// # Errors
/// If there is nothing usable at `path`, a file cannot be read, or the cache cannot be written. A damaged picture
/// is no error; it is in [`Opened::skipped`].
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
    let Set { kind, root, files } = recognise(path)?;
    let cache = Cache::new(cache, &root, &format!("{kind:?}"), &files, side, crop)?;
    let (pictures, mut skipped) = match cache.read() {
        Some(found) => found,
        None => match kind {
            Kind::Cifar => {
                let read = |file: &File| cifar::read(&root.join(&file.path));
                let bytes = files.iter().map(read).collect::<Result<Vec<_>>>()?;
                let records: Vec<&cifar::Record> =
                    bytes.iter().flat_map(|b| b.as_chunks().0).collect();
                let decode = |record| Ok(Ok(cifar::picture(record, side)));
                let total = records.len();
                cache.build(records.into_iter(), total, decode, progress)?
            }
            Kind::Lsun => lsun::build(&root, side, crop, &cache, progress)?,
            Kind::Folder => {
                let decode = |file| folder::picture(&root, file, side, crop);
                cache.build(files.iter(), files.len(), decode, progress)?
            }
        },
    };
    for one in &mut skipped {
        one.path = root.join(&one.path);
    }
    let from = format!(
        "{} pictures of {} (cache {})",
        pictures.len(),
        path.display(),
        cache.path.display()
    );
    Ok(Opened {
        pictures,
        skipped,
        from,
    })
}

/// Finds out what is at `path`.
fn recognise(path: &Path) -> Result<Set> {
    let metadata = fs::metadata(path).map_err(|e| Error::io("open", path, &e))?;
    let set = |kind, root: &Path, names: Vec<PathBuf>| {
        let file = |name: PathBuf| {
            let metadata = fs::metadata(root.join(&name)).ok();
            File::new(name, metadata.as_ref())
        };
        Set {
            kind,
            root: root.to_path_buf(),
            files: names.into_iter().map(file).collect(),
        }
    };
    if !metadata.is_dir() {
        return match (path.extension(), path.parent(), path.file_name()) {
            (Some(extension), Some(root), Some(name)) if extension == "bin" => {
                Ok(set(Kind::Cifar, root, vec![name.into()]))
            }
            _ => Err(Error::failure(format!(
                "{} is a file; give the folder that the pictures are in (unpack an archive first)",
                path.display()
            ))),
        };
    }
    for folder in [path, &path.join("cifar-10-batches-bin")] {
        let names = cifar::batches(folder);
        if !names.is_empty() {
            return Ok(set(Kind::Cifar, folder, names));
        }
    }
    if path.join("data_batch_1").is_file() {
        return Err(Error::failure(format!(
            "{} is CIFAR-10's Python version; use its binary version, with data_batch_1.bin",
            path.display()
        )));
    }
    if path.join(lsun::FILE).is_file() {
        return Ok(set(Kind::Lsun, path, vec![lsun::FILE.into()]));
    }
    Ok(Set {
        kind: Kind::Folder,
        root: path.to_path_buf(),
        files: folder::list(path)?,
    })
}
