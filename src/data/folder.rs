//! The files of a data set in a tree of folders: found in a fixed order, read with care.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::cache::Found;
use super::decode::{self, Crop};
use super::foreign;
use super::identity::File;
use super::names::{self, LeftOut, Named};
use super::skipped::Skipped;
use super::{cifar, lsun, own};
use crate::numbers::{Error, Result};

/// Larger files are skipped: no picture within the limit on pixels is this big.
pub(super) const MOST_BYTES: u64 = 512 << 20;

/// What is in a tree of folders.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The pictures, sorted by path.
    pub files: Vec<File>,
    /// Folders and files that the system does not open.
    pub skipped: Vec<Skipped>,
    /// What else there is.
    pub left_out: LeftOut,
    /// Folders that hold files of a published data set, by their names.
    pub sets: BTreeSet<PathBuf>,
}

/// Whether the folder is one of a run of this program. Others' projects have such files too, but not such contents.
pub(super) fn is_run(folder: &Path) -> bool {
    let config = || fs::read_to_string(folder.join("config.toml"));
    let is_ours = |text: String| text.lines().any(|line| line.starts_with("preset = "));
    folder.join("checkpoints").is_dir() && config().is_ok_and(is_ours)
}

/// The pictures in `root` and its subfolders by their names, and by their first bytes where those say nothing.
///
/// Hidden files and folders, those of the system, and runs of this program are left out. Links are followed, but
/// every folder is entered only once, so a loop of links ends.
///
/// # Errors
/// If `root` itself cannot be read.
pub(super) fn list(root: &Path) -> Result<Listing> {
    let mut listing = Listing::default();
    let mut entered = HashSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let full = root.join(&folder);
        let is_root = folder.as_os_str().is_empty();
        let mut entries = match enter(&full, &mut entered) {
            Ok(entries) => entries,
            Err(e) if is_root => return Err(Error::io("read the folder", &full, &e)),
            Err(e) => {
                listing.skipped.push(Skipped::unreadable(&folder, &e));
                continue;
            }
        };
        let has = |name: &str| entries.iter().any(|entry| entry == name);
        if !is_root && has("config.toml") && has("checkpoints") && is_run(&full) {
            listing.left_out.runs.push(folder);
            continue;
        }
        entries.sort(); // which of two links to one folder is entered must not depend on the disk
        for name in entries {
            let is_hidden = names::is_hidden(&name.to_string_lossy());
            let path = folder.join(name);
            if is_hidden {
                listing.left_out.hidden.add(&path);
                continue;
            }
            // One question to the system per file, for there may be millions.
            let metadata = fs::metadata(root.join(&path)).ok();
            if metadata.as_ref().is_some_and(Metadata::is_dir) {
                folders.push(path);
            } else {
                listing.add(root, path, metadata.as_ref());
            }
        }
    }
    listing.files.sort();
    Ok(listing)
}

/// The names in a folder; none if it has been entered before.
fn enter(
    folder: &Path,
    entered: &mut HashSet<PathBuf>,
) -> std::io::Result<Vec<std::ffi::OsString>> {
    if !entered.insert(folder.canonicalize()?) {
        return Ok(vec![]);
    }
    let entries = fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.file_name())).collect()
}

impl Listing {
    /// Adds a file, or a link to nowhere, to where it belongs.
    fn add(&mut self, root: &Path, path: PathBuf, metadata: Option<&Metadata>) {
        if !metadata.is_none_or(Metadata::is_file) {
            return self.left_out.special.add(&path);
        }
        let is_picture = match names::named(&path) {
            Named::Picture => true,
            Named::Meant(extension) => return self.left_out.meant(extension, &path),
            Named::Nothing => match start(&root.join(&path)) {
                Ok(start) => foreign::format(&start).is_some(),
                Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                    return self.skipped.push(Skipped::unreadable(&path, &e));
                }
                Err(_) => false,
            },
            Named::Other => false,
        };
        if is_picture {
            return self.files.push(File::new(path, metadata));
        }
        if cifar::Version::of(&path).is_some() || path.ends_with(lsun::FILE) {
            self.sets.extend(path.parent().map(Path::to_path_buf));
        }
        self.left_out.other(path);
    }
}

/// The first bytes of a file.
pub(super) fn start(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut start = vec![];
    let file = fs::File::open(path)?;
    file.take(foreign::START as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Whether this program has drawn all pictures among `files`: then they are what the user means, and no part of
/// something else. Damaged files may be among them.
pub(super) fn are_own(root: &Path, files: &[File]) -> bool {
    let mut is_any = false;
    let fits = |file: &File| {
        let start = start(&root.join(&file.path)).unwrap_or_default();
        let is_own = own::is_own(&start);
        is_any |= is_own;
        is_own || foreign::format(&start).is_none()
    };
    files.iter().all(fits) && is_any
}

/// Reads and decodes `root`/`file`, or says why there is no picture in it. Of those that this program has drawn there
/// is none, unless `own` says otherwise.
pub(super) fn picture(root: &Path, file: &File, side: usize, crop: Crop, own: bool) -> Found {
    let skip = |why| Found::Skipped(Skipped::new(&file.path, why));
    if file.size > MOST_BYTES {
        return skip(format!(
            "it has {} MB; {} are the limit",
            file.size >> 20,
            MOST_BYTES >> 20
        ));
    }
    let full = root.join(&file.path);
    match fs::read(&full) {
        Ok(encoded) if !own && own::is_own(&encoded) => Found::Own(file.path.clone()),
        Ok(encoded) => decode::picture(&encoded, side, crop).map_or_else(skip, Found::Picture),
        Err(e)
            if e.kind() != ErrorKind::PermissionDenied && full.is_symlink() && !full.exists() =>
        {
            skip("it is a link to nowhere".into())
        }
        Err(e) => Found::Skipped(Skipped::unreadable(&file.path, &e)),
    }
}
