//! What is at a path: which kind of data set, in which files.

use std::fs;
use std::path::{Path, PathBuf};

use super::archive;
use super::cifar::Version;
use super::folder;
use super::foreign;
use super::identity::File;
use super::lsun;
use super::names::{self, LeftOut};
use super::skipped::{Skipped, first_words};
use crate::numbers::words::quoted;
use crate::numbers::{Error, Result};

/// How the pictures of a data set are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Cifar(Version),
    Lsun,
    Archive(archive::Kind),
    Folder,
}

/// A data set that was recognised.
#[derive(Debug)]
pub(super) struct Set {
    pub kind: Kind,
    /// The folder of the files.
    pub root: PathBuf,
    /// What is read, relative to `root`.
    pub files: Vec<File>,
    /// Files and folders that cannot be read.
    pub skipped: Vec<Skipped>,
    /// What else there is.
    pub left_out: LeftOut,
    /// Whether this program has drawn all the pictures, so that they are meant.
    pub is_own: bool,
}

impl Set {
    fn new(kind: Kind, root: &Path, names: impl IntoIterator<Item = PathBuf>) -> Self {
        let file = |name: PathBuf| {
            let metadata = fs::metadata(root.join(&name)).ok();
            File::new(name, metadata.as_ref())
        };
        Self {
            kind,
            root: root.to_path_buf(),
            files: names.into_iter().map(file).collect(),
            skipped: vec![],
            left_out: LeftOut::default(),
            is_own: false,
        }
    }

    /// The set of one file.
    fn file(kind: Kind, path: &Path) -> Self {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        let name = path.file_name().map(PathBuf::from);
        Self::new(kind, parent.unwrap_or(Path::new(".")), name)
    }

    /// The name of the set in its folder; empty if it is the folder.
    pub(super) fn name(&self) -> &Path {
        match (self.kind, self.files.as_slice()) {
            (Kind::Archive(_), [archive]) => &archive.path,
            _ => Path::new(""),
        }
    }
}

/// Finds out what is at `path`: a data set, one in a folder below it, or something else to say a sentence about.
pub(super) fn recognise(path: &Path) -> Result<Set> {
    let metadata = fs::metadata(path).map_err(|e| Error::io("open", path, &e))?;
    let whole = path.canonicalize();
    let place = whole.as_deref().unwrap_or(path);
    let run = place.ancestors().find(|folder| folder::is_run(folder));
    if let Some(run) = run.filter(|run| *run != place) {
        return Err(Error::usage(format!(
            "{} lies in {}, a run of this program, so it is what the run has made, no data set; give the folder of the \
             pictures with --data",
            path.display(),
            run.display()
        )));
    }
    if metadata.is_file() {
        return in_file(path);
    }
    if !metadata.is_dir() {
        return Err(Error::failure(format!(
            "cannot use {} as a data set: it is no file, but a FIFO, a socket or a device; give the folder of the \
             pictures with --data",
            path.display()
        )));
    }
    if run.is_some() {
        return Err(Error::usage(format!(
            "{} is a run of this program, no data set; give the folder of the pictures with --data, or go on with \
             the run with --resume {}",
            path.display(),
            quoted(path)
        )));
    }
    for version in [Version::Binary, Version::Python] {
        for folder in [path, &path.join(version.folder())] {
            let names = version.batches().map(PathBuf::from);
            let there: Vec<PathBuf> = names
                .into_iter()
                .filter(|n| folder.join(n).is_file())
                .collect();
            if !there.is_empty() {
                return Ok(Set::new(Kind::Cifar(version), folder, there));
            }
        }
    }
    match databases(path).as_slice() {
        [] => in_folder(path),
        [one] => Ok(Set::new(Kind::Lsun, one, [lsun::FILE.into()])),
        several => Err(which(path, "LMDB databases", several)),
    }
}

/// Several sets of which one has to be chosen.
fn which(path: &Path, what: &str, several: &[PathBuf]) -> Error {
    let name = |one: &PathBuf| {
        let name = one.strip_prefix(path).unwrap_or(one);
        name.to_string_lossy().into_owned()
    };
    let names: Vec<String> = several.iter().take(10).map(name).collect();
    let example = several.first().map_or(path, PathBuf::as_path);
    Error::failure(format!(
        "there are {} {what} in {} ({}); give one of them, such as --data {}",
        several.len(),
        path.display(),
        names::listed(&names, "and"),
        quoted(example)
    ))
}

/// In the folder `path` are none of CIFAR-10's pictures but those to test with.
fn only_tests(path: &Path) -> Error {
    let version = match path.join(Version::Binary.test()).is_file() {
        true => Version::Binary,
        false => Version::Python,
    };
    Error::failure(format!(
        "there are only CIFAR-10's test pictures in {}, and {} are missing; download the set again, or, to learn from \
         the test pictures, give --data {}",
        path.display(),
        names::listed(&version.batches(), "and"),
        quoted(&path.join(version.test()))
    ))
}

/// The folder, if it is one of an LMDB database, or those in it that are.
fn databases(path: &Path) -> Vec<PathBuf> {
    let is_one = |folder: &PathBuf| folder.join(lsun::FILE).is_file();
    if is_one(&path.to_path_buf()) {
        return vec![path.to_path_buf()];
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    // Asked first, because it costs nothing, and there may be millions of files.
    let may_be = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| !kind.is_file());
    let folders = entries.filter(may_be).map(|entry| entry.path());
    let mut found: Vec<PathBuf> = folders.filter(is_one).collect();
    found.sort();
    found
}

/// A folder of pictures, or of one archive.
fn in_folder(path: &Path) -> Result<Set> {
    let listing = folder::list(path)?;
    if !listing.files.is_empty() {
        return Ok(Set {
            kind: Kind::Folder,
            is_own: folder::are_own(path, &listing.files),
            root: path.to_path_buf(),
            files: listing.files,
            skipped: listing.skipped,
            left_out: listing.left_out,
        });
    }
    let sets: Vec<PathBuf> = listing.sets.iter().map(|set| path.join(set)).collect();
    match sets.as_slice() {
        [] => {}
        // Only the test set is not recognised in its own folder.
        _ if listing.sets.contains(Path::new("")) => return Err(only_tests(path)),
        [one] => return recognise(one),
        several => return Err(which(path, "data sets", several)),
    }
    let mut left_out = listing.left_out;
    let archives = std::mem::take(&mut left_out.archives);
    match archives.as_slice() {
        [] => {
            let what = left_out.instead_of_pictures(path, path);
            let unreadable = first_words(&listing.skipped, path);
            let words: Vec<String> = [what].into_iter().chain(unreadable).collect();
            Err(Error::failure(words.join("; ")))
        }
        [one] => {
            let set = in_file(&path.join(one))?;
            Ok(Set {
                skipped: listing.skipped,
                left_out,
                // What is beside it is named from here, and so is the archive.
                ..Set::new(set.kind, path, [one.clone()])
            })
        }
        several => {
            let several: Vec<PathBuf> = several.iter().map(|a| path.join(a)).collect();
            Err(which(path, "archives and no pictures", &several))
        }
    }
}

/// A batch of CIFAR-10, a database or an archive.
fn in_file(path: &Path) -> Result<Set> {
    let name = path.file_name().unwrap_or_default();
    if path.extension().is_some_and(|e| e == "bin") {
        return Ok(Set::file(Kind::Cifar(Version::Binary), path));
    }
    if Version::of(path) == Some(Version::Python) {
        return Ok(Set::file(Kind::Cifar(Version::Python), path));
    }
    if name == lsun::FILE {
        return Ok(Set::file(Kind::Lsun, path));
    }
    if let Some(kind) = archive::Kind::of(path) {
        return Ok(Set::file(Kind::Archive(kind), path));
    }
    let start = folder::start(path).map_err(|e| Error::io("read", path, &e))?;
    let what = match foreign::format(&start) {
        Some(_) => "it is a single picture; give the folder that it is in".into(),
        None => foreign::what(&start),
    };
    Err(Error::failure(format!(
        "cannot use {} as a data set: {what}; --data takes a folder of pictures, a zip or tar archive of them, \
         CIFAR-10 or an LSUN database",
        path.display()
    )))
}
