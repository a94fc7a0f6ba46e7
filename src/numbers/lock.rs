//! A lock that lasts as long as the process that holds it, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::{Error, Result, words};

/// Held until it is dropped, or its process ends.
#[derive(Debug)]
pub struct Lock {
    /// The operating system releases the lock with it.
    file: File,
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Ours(Lock),
    /// Somebody else holds it: who, in words.
    Held(String),
    /// This file system has no locks.
    Impossible,
}

impl Lock {
    /// Takes the lock of the file `path`, which is made if need be and afterwards says who holds it.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn take(path: &Path) -> Result<Taken> {
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let mut file = options
                .open(path)
                .map_err(|e| Error::io("write", path, &e))?;
            return match file.try_lock() {
                // Whoever held it may have removed it in the meantime: then others lock another file of this name.
                Ok(()) if !is_at(path, &file) => continue,
                Ok(()) => {
                    // Only for people to read: the lock is what counts.
                    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| {
                        writeln!(file, "process {}{}", std::process::id(), on_host())
                    });
                    Ok(Taken::Ours(Self { file }))
                }
                Err(TryLockError::WouldBlock) => Ok(Taken::Held(holder(&mut file))),
                Err(TryLockError::Error(_)) => Ok(Taken::Impossible),
            };
        }
    }

    /// Whether it is still that of the file `path`, which somebody may have removed, moved or replaced.
    pub fn is_at(&self, path: &Path) -> bool {
        is_at(path, &self.file)
    }
}

/// Whether `file` is the one that lies at `path`.
#[cfg(unix)]
fn is_at(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |m: std::fs::Metadata| (m.dev(), m.ino());
    let [there, here] = [std::fs::metadata(path), file.metadata()].map(|m| m.map(place).ok());
    there == here
}

/// Whether `file` is the one that lies at `path`: on Windows nobody can remove what is open.
#[cfg(not(unix))]
fn is_at(_: &Path, _: &File) -> bool {
    true
}

/// Who holds the lock of `file`, as far as they have said.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let who = match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim(),
        _ => "another program",
    };
    let since = file.metadata().and_then(|m| m.modified()).ok();
    let since = since.and_then(|time| time.elapsed().ok());
    match since {
        Some(time) => format!("{who}, for {}", words::duration(time.as_secs_f64())),
        None => who.into(),
    }
}

/// ` on NAME`, the name of this machine, where it is to be had.
fn on_host() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname()
        .nodename()
        .to_str()
        .map(String::from)
        .ok();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").ok();
    name.map_or(String::new(), |name| format!(" on {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_hears_who_holds_it_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let Taken::Ours(lock) = Lock::take(&path).unwrap() else {
            panic!("nobody holds it");
        };
        let Taken::Held(who) = Lock::take(&path).unwrap() else {
            panic!("it is held");
        };
        let own = format!("process {}", std::process::id());
        assert!(who.starts_with(&own), "{who}");
        assert!(lock.is_at(&path));
        drop(lock);
        #[cfg(unix)]
        {
            // One that is locked after it was removed is nobody's.
            let gone = File::open(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            assert!(!is_at(&path, &gone));
        }
        assert!(matches!(Lock::take(&path).unwrap(), Taken::Ours(_)));
    }
}
