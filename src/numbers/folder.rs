//! Many files that come into a folder together.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::atomic::{draft_name, is_safe, sync_folder};
use super::{Error, Result};

/// Files on their way into a folder. They are written beside each other out of sight, forced to disk once for all of
/// them, and moved to their places when [`Filling::finish`] is called; without it nothing has happened.
#[derive(Debug)]
pub struct Filling {
    folder: PathBuf,
    /// Whether the folder was made for this.
    is_new: bool,
    draft: PathBuf,
    /// Keeps the draft from being swept away.
    _lock: Option<File>,
    names: Vec<OsString>,
}

impl Filling {
    /// Begins to fill `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made or written.
    pub fn new(folder: &Path) -> Result<Self> {
        let failed = |e: io::Error| Error::io("write into", folder, &e);
        let is_new = !folder.is_dir();
        fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, &e))?;
        let draft = loop {
            let path = draft_name(folder);
            match fs::create_dir(&path) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(failed(e)),
            }
            match File::open(&path) {
                Ok(lock) if is_safe(&path, &lock) => break (path, Some(lock)),
                // Windows cannot open a folder as a file, and so cannot sweep it either.
                Err(_) if path.exists() => break (path, None),
                _ => {}
            }
        };
        Ok(Self {
            folder: folder.to_owned(),
            is_new,
            draft: draft.0,
            _lock: draft.1,
            names: vec![],
        })
    }

    /// Adds the file `name` with these bytes.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let written = fs::write(self.draft.join(name), bytes);
        written.map_err(|e| Error::io("write", &self.folder.join(name), &e))?;
        self.names.push(name.into());
        Ok(())
    }

    /// Puts all files in their places, over those of the same names.
    ///
    /// # Errors
    /// If one cannot be moved.
    pub fn finish(mut self) -> Result<()> {
        let failed = |e: io::Error| Error::io("write into", &self.folder, &e);
        sync_all(&self.draft).map_err(failed)?;
        for name in &self.names {
            let path = self.folder.join(name);
            fs::rename(self.draft.join(name), &path).map_err(|e| Error::io("write", &path, &e))?;
        }
        fs::remove_dir(&self.draft).map_err(failed)?;
        sync_folder(&self.folder).map_err(failed)?;
        self.is_new = false;
        Ok(())
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.draft);
        if self.is_new {
            // Only if there is nothing in it.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// Forces all files of `folder` to disk, with one request for its whole file system.
#[cfg(target_os = "linux")]
fn sync_all(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

/// Forces all files of `folder` to disk, one by one.
#[cfg(not(target_os = "linux"))]
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let file = File::options().write(true).open(entry?.path())?;
        file.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_appear_together_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        let mut filling = Filling::new(&folder).unwrap();
        filling.add("0.txt", b"zero").unwrap();
        assert!(!folder.join("0.txt").exists());
        drop(filling);
        assert!(!folder.exists());

        // A folder that was there stays, with what is in it.
        fs::create_dir_all(&folder).unwrap();
        drop(Filling::new(&folder).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::write(folder.join("own"), "x").unwrap();
        let mut filling = Filling::new(&folder).unwrap();
        filling.add("0.txt", b"zero").unwrap();
        filling.add("1.txt", b"one").unwrap();
        filling.finish().unwrap();
        assert_eq!(fs::read(folder.join("1.txt")).unwrap(), b"one");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    }

    #[test]
    fn what_is_being_filled_is_not_swept_away() {
        let dir = tempfile::tempdir().unwrap();
        let mut filling = Filling::new(dir.path()).unwrap();
        filling.add("0.txt", b"zero").unwrap();
        crate::numbers::atomic::sweep(dir.path());
        filling.finish().unwrap();
        assert_eq!(fs::read(dir.path().join("0.txt")).unwrap(), b"zero");
    }
}
