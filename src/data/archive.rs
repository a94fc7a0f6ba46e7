//! Pictures in a zip or tar archive, read in place.
//!
//! One thread unpacks while all others decode. Nothing is written, so names in the archive can do no harm; and no
//! size that it declares is believed: what an entry unpacks to is read up to a limit.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::{SyncSender, sync_channel};

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use super::cache::{Cache, Cached, Found, Skipped};
use super::decode::{self, Crop};
use super::folder::{self, MOST_BYTES};
use super::names::{LeftOut, Named, is_hidden, named};
use super::{cifar, foreign, lsun};
use crate::numbers::{Error, Result};

/// Unpacked files that wait in memory to be decoded: about so many bytes, and at most so many files.
const BATCH_BYTES: usize = 32 << 20;
const BATCH_FILES: usize = 512;

/// What a tar archive says between two files, names above all, is refused beyond so many bytes.
const MOST_BETWEEN: u64 = 1 << 20;

/// How the files are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each by itself, with a directory at the end of the archive.
    Zip,
    /// One after the other.
    Tar,
    /// The same, compressed as a whole.
    TarGz,
}

impl Kind {
    /// The kind that the file's first bytes tell, if it is one.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let start = folder::start(path).ok()?;
        let is_tar = start.get(257..262) == Some(b"ustar")
            || path
                .extension()
                .is_some_and(|e| e.eq_ignore_ascii_case("tar"));
        if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
            Some(Self::Zip)
        } else if start.starts_with(b"\x1f\x8b") {
            Some(Self::TarGz)
        } else {
            is_tar.then_some(Self::Tar)
        }
    }
}

/// Decodes all pictures of the archive `root`/`name` into `cache`, in the order of the archive.
///
/// # Errors
/// If it cannot be opened, or none of its entries is a picture.
pub(super) fn build(
    kind: Kind,
    [root, name]: [&Path; 2],
    side: usize,
    crop: Crop,
    cache: &Cache,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Cached> {
    let path = root.join(name);
    let file = File::open(&path).map_err(|e| Error::io("read", &path, &e))?;
    let file = BufReader::with_capacity(1 << 16, file);
    let refused = |why: String| {
        Error::failure(format!(
            "cannot read the archive {}: {why}; download it again",
            path.display()
        ))
    };
    let (sender, receiver) = sync_channel(1);
    let sink = Sink::new(sender, name);
    let decode = |item: Item| match item {
        Item::Bytes(path, bytes) => Ok(match decode::picture(&bytes, side, crop) {
            Ok(picture) => Found::Picture(picture),
            Err(why) => Found::Skipped(Skipped::new(&path, why)),
        }),
        Item::Skipped(skipped) => Ok(Found::Skipped(skipped)),
        Item::LeftOut(left_out) => Ok(Found::LeftOut(left_out)),
        Item::SetInside(folder) => Err(packed(&path, kind, &folder)),
    };
    let mut total = 0;
    let unpack: Box<dyn FnOnce() + Send + '_> = match kind {
        Kind::Zip => {
            // The directory is at the end, so this fails for an archive that is cut off.
            let mut zip = ZipArchive::new(file).map_err(|e| {
                refused(format!(
                    "there is no directory of its files at its end ({e})"
                ))
            })?;
            total = (0..zip.len())
                .filter(|&i| {
                    zip_name(&zip, i).is_some_and(|n| named(Path::new(&n)) == Named::Picture)
                })
                .count();
            Box::new(move || sink.finish_with(|sink| unzip(&mut zip, sink)))
        }
        Kind::Tar => Box::new(move || sink.finish_with(|sink| untar(file, sink))),
        Kind::TarGz => {
            Box::new(move || sink.finish_with(|sink| untar(MultiGzDecoder::new(file), sink)))
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(unpack);
        cache.build(receiver.into_iter(), total, decode, progress)
    })
}

/// A known data set in an archive has to be unpacked; this says how.
fn packed(path: &Path, kind: Kind, folder: &Path) -> Error {
    let into = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let (command, into) = match kind {
        Kind::Zip => (format!("unzip {} -d", path.display()), into),
        Kind::Tar => (format!("tar -xf {} -C", path.display()), into),
        Kind::TarGz => (format!("tar -xzf {} -C", path.display()), into),
    };
    Error::failure(format!(
        "{} holds a data set that is not read in place: unpack it with `{command} {}` and give --data {}",
        path.display(),
        into.display(),
        into.join(folder).display()
    ))
}

/// What goes from the thread that unpacks to those that decode.
enum Item {
    /// A file's path in the archive, after the archive's name, and its contents.
    Bytes(PathBuf, Vec<u8>),
    Skipped(Skipped),
    /// The last item.
    LeftOut(LeftOut),
    /// The archive is one of CIFAR-10 or LSUN, in this folder.
    SetInside(PathBuf),
}

/// Why unpacking ends early.
enum Stop {
    /// Nobody listens any more.
    Alone,
    /// The rest of the archive is missing or damaged.
    CutOff(io::Error),
}

/// Sorts entries by their names, and hands them over in batches.
struct Sink<'a> {
    sender: SyncSender<Vec<Item>>,
    /// Of the archive.
    name: &'a Path,
    batch: Vec<Item>,
    bytes: usize,
    left_out: LeftOut,
}

impl<'a> Sink<'a> {
    fn new(sender: SyncSender<Vec<Item>>, name: &'a Path) -> Self {
        Self {
            sender,
            name,
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
        if self.bytes >= BATCH_BYTES || self.batch.len() >= BATCH_FILES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> std::result::Result<(), Stop> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.sender.send(batch).map_err(|_| Stop::Alone)
    }

    /// Unpacks everything, then says what was left out.
    fn finish_with(mut self, unpack: impl FnOnce(&mut Self) -> std::result::Result<(), Stop>) {
        if let Err(Stop::CutOff(e)) = unpack(&mut self) {
            self.left_out.cut_off = Some(e.to_string());
        }
        let left_out = std::mem::take(&mut self.left_out);
        // If nobody listens, nobody wants to know.
        let _ = self
            .put(Item::LeftOut(left_out))
            .and_then(|()| self.flush());
    }

    /// Takes the entry `name`; what is in it is read only if it may be a picture.
    fn entry(&mut self, name: &str, body: &mut dyn Read) -> std::result::Result<(), Stop> {
        // Windows has written archives with the other slash.
        let name = name.replace('\\', "/");
        let normal = |part| match part {
            Component::Normal(part) => Some(part),
            _ => None,
        };
        let path: PathBuf = Path::new(&name).components().filter_map(normal).collect();
        if path.iter().any(|part| is_hidden(&part.to_string_lossy())) {
            return Ok(());
        }
        let full = self.name.join(&path);
        let skip = |why| Item::Skipped(Skipped::new(&full, why));
        let is_set = cifar::Version::of(&path).is_some() || path.ends_with(lsun::FILE);
        match named(&path) {
            _ if is_set => {
                let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
                self.put(Item::SetInside(folder))
            }
            Named::Meant(extension) => {
                self.left_out.meant(extension);
                Ok(())
            }
            Named::Other => {
                self.left_out.others += 1;
                Ok(())
            }
            kind => match contents(body) {
                Ok(Contents::Picture(bytes)) => self.put(Item::Bytes(full, bytes)),
                Ok(Contents::Foreign(_)) if kind == Named::Nothing => {
                    self.left_out.others += 1;
                    Ok(())
                }
                Ok(Contents::Foreign(why)) => self.put(skip(why)),
                Err(e) => Err(Stop::CutOff(e)),
            },
        }
    }
}

/// What is in an entry.
enum Contents {
    /// By the first bytes.
    Picture(Vec<u8>),
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
    body.take(MOST_BYTES - start).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == MOST_BYTES {
        let why = format!("it has {} MB or more", MOST_BYTES >> 20);
        return Ok(Contents::Foreign(why));
    }
    Ok(Contents::Picture(bytes))
}

fn zip_name(zip: &ZipArchive<BufReader<File>>, i: usize) -> Option<String> {
    Some(match zip.name_for_index(i)? {
        Ok(name) => name.into_owned(),
        Err(_) => format!("entry {i}"), // its name is no text; its first bytes will tell
    })
}

/// All files of a zip archive. Each stands for itself, so a damaged one is skipped.
fn unzip(zip: &mut ZipArchive<BufReader<File>>, sink: &mut Sink) -> std::result::Result<(), Stop> {
    for i in 0..zip.len() {
        let Some(name) = zip_name(zip, i) else {
            continue;
        };
        let result = match zip.by_index(i) {
            Ok(file) if !file.is_file() => continue,
            Ok(mut file) => match sink.entry(&name, &mut file) {
                Err(Stop::CutOff(e)) => Err(format!("it is damaged: {e}")),
                Err(Stop::Alone) => return Err(Stop::Alone),
                Ok(()) => Ok(()),
            },
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
                Err("it is encrypted; unpack the archive and give the folder".into())
            }
            Err(e) => Err(format!("it cannot be unpacked: {e}")),
        };
        let hidden = name.split(['/', '\\']).any(is_hidden);
        match result {
            Err(why) if !hidden && named(Path::new(&name)) == Named::Picture => {
                let skipped = Skipped::new(&sink.name.join(&name), why);
                sink.put(Item::Skipped(skipped))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// All files of a tar archive, up to where it is cut off or damaged: nobody knows where the next one would begin.
fn untar(reader: impl Read, sink: &mut Sink) -> std::result::Result<(), Stop> {
    let (left, ended) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let mut tar = tar::Archive::new(Metered {
        reader,
        left: Rc::clone(&left),
        ended: Rc::clone(&ended),
    });
    let mut entries = tar.entries().map_err(Stop::CutOff)?;
    loop {
        left.set(MOST_BETWEEN);
        let Some(entry) = entries.next() else {
            break;
        };
        left.set(u64::MAX);
        let mut entry = entry.map_err(Stop::CutOff)?;
        let is_file = entry.header().entry_type().is_file();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut body = Exact {
            left: entry.size(),
            reader: &mut entry,
        };
        if is_file {
            sink.entry(&name, &mut body)?;
        }
        io::copy(&mut body, &mut io::sink()).map_err(Stop::CutOff)?;
    }
    match ended.get() {
        true => Err(Stop::CutOff(io::Error::other("its end mark is missing"))),
        false => Ok(()),
    }
}

/// A reader that fails after so many bytes, and tells whether it has come to the end.
struct Metered<R> {
    reader: R,
    left: Rc<Cell<u64>>,
    ended: Rc<Cell<bool>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(out)?;
        self.ended.set(read == 0 && !out.is_empty());
        let left = self.left.get().checked_sub(read as u64);
        self.left.set(left.ok_or(io::ErrorKind::FileTooLarge)?);
        Ok(read)
    }
}

/// A reader that fails if it ends early. Of an archive that is cut off, the last entry just ends.
struct Exact<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(out)?;
        self.left = self.left.saturating_sub(read as u64);
        match read == 0 && !out.is_empty() && self.left > 0 {
            true => Err(io::ErrorKind::UnexpectedEof.into()),
            false => Ok(read),
        }
    }
}
