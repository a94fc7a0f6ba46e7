//! Files that are either the old ones or the new ones, never something in between.
//!
//! A file in the making is called `.writing-PROCESS-NUMBER` and is locked by whoever makes it. The lock ends with the
//! process, however that ends; so an unlocked one is litter, and [`sweep`] takes it away.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Error, Result};

/// How the names of files in the making begin.
const PREFIX: &str = ".writing-";

/// The files that this process has in the making.
static DRAFTS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Writes `path` so that a crash, a full disk or a power cut at any moment leaves either the complete old
/// file or the complete new one.
///
/// `write` fills a temporary file in the same folder; its bytes are forced to disk, it is renamed over
/// `path` (atomic on one file system), and the folder's entry is forced to disk too.
///
/// # Errors
/// One sentence naming `path` if the folder cannot be written or the disk is full.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let folder = folder_of(path);
    let attempt = || -> io::Result<()> {
        let mut draft = Draft::new(folder)?;
        let mut buffered = BufWriter::with_capacity(1 << 16, &draft.file);
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        draft.file.sync_all()?;
        fs::rename(&draft.path, path)?;
        draft.is_kept = true;
        sync_folder(folder)
    };
    attempt().map_err(|e| Error::io("write", path, &e))
}

/// Checks, without leaving anything behind, that a file called `path` could be written: to be asked before the work
/// whose result goes there.
///
/// # Errors
/// If its folder is not there or cannot be written, or `path` is a folder.
pub fn check_writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        let e = io::Error::from(io::ErrorKind::IsADirectory);
        return Err(Error::io("write", path, &e));
    }
    let draft = Draft::new(folder_of(path));
    draft.map_or_else(|e| Err(Error::io("write", path, &e)), |_| Ok(()))
}

/// Checks, without leaving anything behind, that files could be written into `folder`.
///
/// # Errors
/// If it is not there or cannot be written.
pub fn check_writable_folder(folder: &Path) -> Result<()> {
    let draft = Draft::new(folder);
    draft.map_or_else(|e| Err(Error::io("write into", folder, &e)), |_| Ok(()))
}

/// Removes from `folder` what interrupted writes have left: files, and folders, in the making that nobody holds a
/// lock on. What cannot be looked at or removed stays.
pub fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !is_draft(&entry.file_name()) {
            continue;
        }
        let path = entry.path();
        // Opened for writing, which some systems ask of whoever locks; a folder can only be read.
        let is_folder = path.is_dir();
        let opened = OpenOptions::new().read(true).write(!is_folder).open(&path);
        let Ok(file) = opened else { continue };
        // Held until it is gone, or its maker, who is about to lock it, would think it safe.
        if file.try_lock().is_ok() {
            let _ = match is_folder {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
        }
    }
}

/// Removes the files that this process has in the making, and lets it make no more, nor finish with an error about those:
/// for a program that ends in the middle of its work. Whoever tries waits for the end of the process.
pub fn abandon() {
    let drafts = drafts();
    for path in drafts.iter() {
        // What cannot be removed is swept away another time.
        let _ = fs::remove_file(path);
    }
    std::mem::forget(drafts);
}

fn drafts() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    DRAFTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a file or folder of this name is in the making, or was when its maker ended.
pub fn is_draft(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(PREFIX)
}

/// The folder that `path` is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Forces the entries of `folder` to disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows cannot open a folder as a file; there the rename itself is what we can get.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A name in `folder` for something in the making, unlike those of all other processes and threads of this machine.
pub(super) fn draft_name(folder: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{PREFIX}{}-{number}", std::process::id()))
}

/// Locks `file`, the thing in the making at `path`; false if somebody sweeps it away, or has done so, before that.
pub(super) fn is_safe(path: &Path, file: &File) -> bool {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => false,
        // Where locks are not to be had, nobody sweeps either.
        Err(TryLockError::Error(_)) => true,
        Ok(()) => path.exists(),
    }
}

/// A file in the making; removed unless it is kept.
struct Draft {
    path: PathBuf,
    file: File,
    is_kept: bool,
}

impl Draft {
    fn new(folder: &Path) -> io::Result<Self> {
        loop {
            let path = draft_name(folder);
            // Known from its first moment on.
            let mut drafts = drafts();
            let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
                // A process of that number, long gone or of another machine, has left it.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            drafts.insert(path.clone());
            drop(drafts);
            let draft = Self {
                path,
                file,
                is_kept: false,
            };
            if is_safe(&draft.path, &draft.file) {
                return Ok(draft);
            }
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let mut drafts = drafts();
        drafts.remove(&self.path);
        if !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        names
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_atomically(&path, |w| w.write_all(b"old")).unwrap();
        let error = write_atomically(&path, |w| {
            w.write_all(b"half of the new")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert!(error.to_string().contains("free some space"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn no_sentence_names_a_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("absent/file");
        for error in [
            write_atomically(&path, |_| Ok(())).unwrap_err(),
            check_writable(&path).unwrap_err(),
            check_writable(dir.path()).unwrap_err(),
        ] {
            assert!(!error.to_string().contains(PREFIX), "{error}");
        }
        check_writable(&dir.path().join("new")).unwrap();
        assert_eq!(names(dir.path()).len(), 0);
    }

    #[test]
    fn sweeping_takes_litter_and_nothing_that_is_in_the_making() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at(".writing-1-2"), "left by a crash").unwrap();
        fs::write(at(".writing-abcdef"), "of an earlier version").unwrap();
        fs::create_dir(at(".writing-3-4")).unwrap();
        fs::write(at(".writing-3-4/0000.png"), "x").unwrap();
        fs::write(at("writing-1"), "the user's").unwrap();
        let draft = Draft::new(dir.path()).unwrap();
        sweep(dir.path());
        let mut left = names(dir.path());
        left.sort();
        let own = draft.path.file_name().unwrap().to_str().unwrap();
        assert_eq!(left, [own, "writing-1"]);
        drop(draft);
        assert_eq!(names(dir.path()), ["writing-1"]);
    }

    #[cfg(unix)]
    #[test]
    fn files_are_as_readable_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        write_atomically(&a, |w| w.write_all(b"a")).unwrap();
        fs::write(&b, "b").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&a), mode(&b));
    }
}
