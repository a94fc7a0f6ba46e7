//! The files of a data set: found in a fixed order, described so that a change is noticed, read with care.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::cache::Skipped;
use super::decode::{self, Crop};
use crate::numbers::{Error, Result};

/// Larger files are skipped: no picture within the limit on pixels is this big.
const MOST_BYTES: u64 = 512 << 20;

/// One file of a data set, and what tells whether it is still the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct File {
    /// Path from the data set's folder.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds from 1970 to the last change.
    pub modified: u128,
}

impl File {
    /// The file `path` as `metadata` describes it. A link to nowhere has none; it is skipped when it is read.
    pub(super) fn new(path: PathBuf, metadata: Option<&Metadata>) -> Self {
        let modified = metadata.and_then(|m| m.modified().ok());
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok();
        Self {
            path,
            size: metadata.map_or(0, Metadata::len),
            modified: modified.and_then(since).map_or(0, |d| d.as_nanos()),
        }
    }
}

/// The PNG, JPEG, WebP and GIF files in `root` and its subfolders by their extensions, sorted by path.
///
/// Hidden files and folders are left out. Links are followed, but every folder is entered only once, so a loop
/// of links ends.
///
/// # Errors
/// If a folder cannot be read, or there is no such file.
pub(super) fn list(root: &Path) -> Result<Vec<File>> {
    let mut pictures = vec![];
    let mut others = 0;
    let mut entered = HashSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let full = root.join(&folder);
        let failed = |e: std::io::Error| Error::io("read the folder", &full, &e);
        if !entered.insert(full.canonicalize().map_err(failed)?) {
            continue;
        }
        let mut names = vec![];
        for entry in fs::read_dir(&full).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name());
        }
        names.sort(); // which of two links to one folder is entered must not depend on the disk
        for name in names {
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let path = folder.join(name);
            // One question to the system per file, for there may be millions.
            let metadata = fs::metadata(root.join(&path)).ok();
            if metadata.as_ref().is_some_and(Metadata::is_dir) {
                folders.push(path);
            } else if is_picture(&path) && metadata.as_ref().is_none_or(Metadata::is_file) {
                pictures.push(File::new(path, metadata.as_ref()));
            } else {
                others += 1;
            }
        }
    }
    if pictures.is_empty() {
        return Err(Error::failure(format!(
            "no PNG, JPEG, WebP or GIF among {others} files in {}",
            root.display()
        )));
    }
    pictures.sort();
    Ok(pictures)
}

/// Whether the extension is one of a picture, in small or capital letters.
fn is_picture(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let known = ["png", "jpg", "jpeg", "webp", "gif"];
    extension.is_some_and(|e| known.contains(&e.as_str()))
}

/// Reads and decodes `root`/`file`; the inner result says why a picture is left out.
///
/// # Errors
/// If the file is there but cannot be read. That may pass, so it must not be remembered as a damaged picture.
pub(super) fn picture(
    root: &Path,
    file: &File,
    side: usize,
    crop: Crop,
) -> Result<std::result::Result<Vec<u8>, Skipped>> {
    let skip = |why| Ok(Err(Skipped::new(&file.path, why)));
    if file.size > MOST_BYTES {
        return skip(format!(
            "it has {} MB; {} are the limit",
            file.size >> 20,
            MOST_BYTES >> 20
        ));
    }
    let full = root.join(&file.path);
    match fs::read(&full) {
        Ok(encoded) => decode::picture(&encoded, side, crop).map_or_else(skip, |x| Ok(Ok(x))),
        Err(_) if !full.exists() => skip("it is a link to nowhere".into()),
        Err(e) => Err(Error::io("read", &full, &e)),
    }
}
