//! What tells one state of a data set from another, without reading all of it.
//!
//! Names, sizes and times are not enough: archives and images of containers are made with equal times on purpose,
//! so two different sets can agree in all of them. So the place counts too, on Unix the time of the last change
//! of anything about a file, which nobody can set, and a look into some of the files.

use std::fs::{self, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::numbers::hash::Fnv1a;

/// Files that are looked into, spread over the set.
const LOOKED_INTO: usize = 64;

/// Bytes that are looked at, at the start, in the middle and at the end of each.
const LOOK: u64 = 4096;

/// The times of files go on at least this often: with every interrupt of a slow timer.
const TICK: Duration = Duration::from_millis(20);

/// One file of a data set, and what tells whether it is still the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct File {
    /// Path from the data set's folder.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds from 1970 to the last change of its contents.
    modified: u128,
    /// The same of anything about it, name and permissions included; 0 where the system does not tell.
    changed: i128,
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
            changed: metadata.map_or(0, changed),
        }
    }
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> i128 {
    use std::os::unix::fs::MetadataExt;
    i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> i128 {
    0
}

/// A hash over `purpose` and the state of `files` in `root`.
pub(super) fn key(purpose: &str, root: &Path, files: &[File]) -> u64 {
    let mut key = Fnv1a::default();
    // A zero byte ends a name, for no name contains one.
    let name = |key: &mut Fnv1a, name: &Path| {
        key.add(name.as_os_str().as_encoded_bytes());
        key.add(&[0]);
    };
    name(&mut key, Path::new(purpose));
    let place = root.canonicalize();
    name(&mut key, place.as_deref().unwrap_or(root));
    for file in files {
        name(&mut key, &file.path);
        key.add(&file.size.to_le_bytes());
        key.add(&file.modified.to_le_bytes());
        key.add(&file.changed.to_le_bytes());
    }
    wait_for_the_clock(files);
    let count = files.len().min(LOOKED_INTO);
    for i in 0..count {
        let file = &files[i * files.len() / count];
        // A file that cannot be read is skipped when its turn comes.
        let _ = look(&root.join(&file.path), file.size, &mut key);
    }
    key.value()
}

/// Waits until the clock that times changes of files has gone on since the last one of `files`: a change from here on
/// shows in their times.
fn wait_for_the_clock(files: &[File]) {
    let newest = files
        .iter()
        .map(|f| f.changed.max(f.modified as i128))
        .max();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let (Some(newest), Ok(now)) = (newest, now) else {
        return;
    };
    let age = (now.as_nanos() as i128).checked_sub(newest);
    let is_recent = |age: i128| (0..TICK.as_nanos() as i128).contains(&age);
    if age.is_some_and(is_recent) {
        thread::sleep(TICK);
    }
}

/// Adds the start, the middle and the end of the file to `key`.
fn look(path: &Path, size: u64, key: &mut Fnv1a) -> std::io::Result<()> {
    let mut file = fs::File::open(path)?;
    let last = size.saturating_sub(LOOK);
    for at in [0, last / 2, last] {
        let mut bytes = vec![];
        file.seek(SeekFrom::Start(at))?;
        (&mut file).take(LOOK).read_to_end(&mut bytes)?;
        key.add(&bytes);
    }
    Ok(())
}
