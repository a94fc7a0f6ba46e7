//! What is unpacked, on its way to those that decode: entries are sorted by their names and handed over in batches.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::SyncSender;

use super::super::folder::MOST_BYTES;
use super::super::names::{LeftOut, Named, is_hidden, named};
use super::super::skipped::Skipped;
use super::super::{cifar, foreign, lsun, own};
use super::source::Failure;

/// Unpacked files that wait in memory to be decoded: about so many bytes.
const BATCH_BYTES: usize = 32 << 20;

/// What goes from the thread that unpacks to those that decode.
pub(super) enum Item {
    /// A file's path in the archive, after the archive's name, and its contents.
    Bytes(PathBuf, Vec<u8>),
    Skipped(Skipped),
    /// The last item.
    LeftOut(LeftOut),
    /// The archive is one of CIFAR-10 or LSUN, in this folder.
    SetInside(PathBuf),
    /// The file, not what is in it, could not be read to its end.
    Failed(io::Error),
    /// There is no archive in the file.
    NoTar,
}

/// Why unpacking ends early.
pub(super) enum Stop {
    /// Nobody listens any more.
    Alone,
    /// The rest of the archive is missing or damaged.
    CutOff(io::Error),
    /// Not even its start is that of one.
    NoTar,
}

/// Sorts entries by their names, and hands them over in batches.
pub(super) struct Sink<'a> {
    sender: SyncSender<Vec<Item>>,
    /// Of the archive.
    name: &'a Path,
    /// Folders of this program's runs, as far as they are known beforehand.
    pub(super) runs: Vec<PathBuf>,
    /// Files in a batch at most.
    most: usize,
    batch: Vec<Item>,
    bytes: usize,
    left_out: LeftOut,
}

impl<'a> Sink<'a> {
    /// Hands over at most `most` files at a time.
    pub(super) fn new(sender: SyncSender<Vec<Item>>, name: &'a Path, most: usize) -> Self {
        Self {
            sender,
            name,
            runs: vec![],
            most,
            batch: vec![],
            bytes: 0,
            left_out: LeftOut::default(),
        }
    }

    fn put(&mut self, item: Item) -> std::result::Result<(), Stop> {
        if let Item::Bytes(_, bytes) = &item {
            self.bytes += bytes.len();
        }
        self.batch.push(item);
        if self.bytes >= BATCH_BYTES || self.batch.len() >= self.most {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> std::result::Result<(), Stop> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.sender.send(batch).map_err(|_| Stop::Alone)
    }

    /// Unpacks everything, then says what was left out. `failure` is that of the file.
    pub(super) fn finish_with(
        mut self,
        failure: &Failure,
        unpack: impl FnOnce(&mut Self) -> std::result::Result<(), Stop>,
    ) {
        let result = unpack(&mut self);
        let mut left_out = std::mem::take(&mut self.left_out);
        let runs = std::mem::take(&mut self.runs).into_iter();
        left_out.runs = runs.map(|run| self.full(&run)).collect();
        let failed = failure.lock().ok().and_then(|mut first| first.take());
        let last = match (failed, result) {
            (Some(e), _) => Item::Failed(e),
            (None, Err(Stop::NoTar)) => Item::NoTar,
            (None, Err(Stop::CutOff(e))) => {
                left_out.cut_off = Some(e.to_string());
                Item::LeftOut(left_out)
            }
            (None, _) => Item::LeftOut(left_out),
        };
        // If nobody listens, nobody wants to know.
        let _ = self.put(last).and_then(|()| self.flush());
    }

    /// The path that an entry's name stands for, which does not lead out of the archive; none if nobody means it.
    fn path(&mut self, name: &str) -> Option<PathBuf> {
        // Windows has written archives with the other slash.
        let name = name.replace('\\', "/");
        let normal = |part| match part {
            Component::Normal(part) => Some(part),
            _ => None,
        };
        let path: PathBuf = Path::new(&name).components().filter_map(normal).collect();
        let is_hidden = path.iter().any(|part| is_hidden(&part.to_string_lossy()));
        if is_hidden {
            let full = self.full(&path);
            self.left_out.hidden.add(&full);
        }
        let is_in_run = self.runs.iter().any(|run| path.starts_with(run));
        (!is_hidden && !is_in_run).then_some(path)
    }

    /// A path in the archive with the archive's name before it, as Unicode: the cache keeps it as JSON.
    fn full(&self, path: &Path) -> PathBuf {
        let full = self.name.join(path);
        PathBuf::from(full.to_string_lossy().into_owned())
    }

    /// Takes the entry `name`; what is in it is read only if it may be a picture.
    pub(super) fn entry(
        &mut self,
        name: &str,
        body: &mut dyn Read,
    ) -> std::result::Result<(), Stop> {
        let Some(path) = self.path(name) else {
            return Ok(());
        };
        let full = self.full(&path);
        let skip = |why| Item::Skipped(Skipped::new(&full, why));
        let is_set = cifar::Version::of(&path).is_some() || path.ends_with(lsun::FILE);
        match named(&path) {
            _ if is_set => {
                let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
                self.put(Item::SetInside(folder))
            }
            Named::Meant(extension) => {
                self.left_out.meant(extension, &full);
                Ok(())
            }
            Named::Other => {
                self.left_out.other_in_archive(&full);
                Ok(())
            }
            kind => match contents(body) {
                Ok(Contents::Picture(bytes)) => self.put(Item::Bytes(full, bytes)),
                Ok(Contents::Own) => {
                    self.left_out.own.add(&full);
                    Ok(())
                }
                Ok(Contents::Foreign(_)) if kind == Named::Nothing => {
                    self.left_out.other_in_archive(&full);
                    Ok(())
                }
                Ok(Contents::Foreign(why)) => self.put(skip(why)),
                Err(e) => Err(Stop::CutOff(e)),
            },
        }
    }

    /// The entry `name` cannot be unpacked, for this reason.
    pub(super) fn unusable(&mut self, name: &str, why: String) -> std::result::Result<(), Stop> {
        let Some(path) = self.path(name) else {
            return Ok(());
        };
        let full = self.full(&path);
        match named(&path) {
            Named::Picture | Named::Nothing => {
                self.put(Item::Skipped(Skipped::new(&full, why)))?;
            }
            Named::Meant(extension) => self.left_out.meant(extension, &full),
            Named::Other => self.left_out.other_in_archive(&full),
        }
        Ok(())
    }

    /// The entry `name` is a link, or has holes: nothing that is read in place.
    pub(super) fn link(&mut self, name: &str) -> std::result::Result<(), Stop> {
        match named(Path::new(name)) {
            Named::Picture => self.unusable(
                name,
                "it is a link or has holes; unpack the archive and give the folder".into(),
            ),
            _ => Ok(()),
        }
    }
}

/// What is in an entry.
enum Contents {
    /// By the first bytes.
    Picture(Vec<u8>),
    /// One that this program has drawn.
    Own,
    /// And why it is none.
    Foreign(String),
}

fn contents(mut body: &mut dyn Read) -> io::Result<Contents> {
    let mut bytes = vec![];
    let start = foreign::START as u64;
    (&mut body).take(start).read_to_end(&mut bytes)?;
    if foreign::format(&bytes).is_none() {
        return Ok(Contents::Foreign(foreign::what(&bytes)));
    }
    if own::is_own(&bytes) {
        return Ok(Contents::Own);
    }
    body.take(MOST_BYTES - start).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == MOST_BYTES {
        let why = format!("it has {} MB or more", MOST_BYTES >> 20);
        return Ok(Contents::Foreign(why));
    }
    Ok(Contents::Picture(bytes))
}
