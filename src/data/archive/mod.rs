//! Pictures in a zip or tar archive, read in place.
//!
//! One thread unpacks while all others decode. Nothing is written, so names in the archive can do no harm; and no
//! size that it declares is believed: what an entry unpacks to is read up to a limit.

mod sink;
mod source;
mod unpack;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use self::sink::{Item, Sink};
use self::unpack::{untar, unzip, zip_names};
use super::cache::{Cache, Cached, Found};
use super::decode::{self, Crop};
use super::folder;
use super::names::{Named, is_hidden, named};
use super::skipped::Skipped;
use crate::numbers::words::quoted;
use crate::numbers::{Error, Result};

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
    let unread = |e: &io::Error| Error::io("read", &path, e);
    let (file, failure) = source::open(&path).map_err(|e| unread(&e))?;
    let refused = |why: String| {
        Error::failure(format!(
            "cannot read the archive {}: {why}; download it again",
            path.display()
        ))
    };
    let (sender, receiver) = sync_channel(1);
    let sink = Sink::new(sender, name, cache.batch());
    let decode = |item: Item| match item {
        Item::Bytes(path, bytes) => Ok(match decode::picture(&bytes, side, crop) {
            Ok(picture) => Found::Picture(picture),
            Err(why) => Found::Skipped(Skipped::new(&path, why)),
        }),
        Item::Skipped(skipped) => Ok(Found::Skipped(skipped)),
        Item::LeftOut(left_out) => Ok(Found::LeftOut(left_out)),
        Item::SetInside(folder) => Err(packed(&path, kind, &folder)),
        Item::Failed(e) => Err(unread(&e)),
        Item::NoTar => Err(Error::failure(format!(
            "{} is no tar archive; unpack it and give the folder of its pictures with --data",
            path.display()
        ))),
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
            let length = fs::metadata(&path).map_or(0, |m| m.len());
            let names = zip_names(&zip);
            total = pictures(&names).unwrap_or(0);
            Box::new(move || {
                sink.finish_with(&failure, |sink| unzip(&mut zip, &names, length, sink))
            })
        }
        Kind::Tar => Box::new(move || sink.finish_with(&failure, |sink| untar(file, sink))),
        Kind::TarGz => Box::new(move || {
            sink.finish_with(&failure, |sink| untar(MultiGzDecoder::new(file), sink))
        }),
    };
    std::thread::scope(|scope| {
        scope.spawn(unpack);
        cache.build(until_the_end(receiver), total, decode, progress)
    })
}

/// What is received, and an error if that ends without its last item: whoever unpacks has broken down.
fn until_the_end(receiver: Receiver<Vec<Item>>) -> impl Iterator<Item = Vec<Item>> {
    let mut is_complete = false;
    std::iter::from_fn(move || match receiver.recv() {
        Ok(batch) => {
            is_complete = matches!(batch.last(), Some(Item::LeftOut(_)));
            Some(batch)
        }
        Err(_) if is_complete => None,
        Err(_) => {
            is_complete = true;
            let e = io::Error::other("unpacking it broke down, which is a fault in this program");
            Some(vec![Item::Failed(e)])
        }
    })
}

/// How many files of these names are pictures; none if only their contents can tell.
fn pictures(names: &[String]) -> Option<usize> {
    let mut count = 0;
    for name in names.iter().filter(|name| !name.ends_with(['/', '\\'])) {
        if name.split(['/', '\\']).any(is_hidden) {
            continue;
        }
        match named(Path::new(name)) {
            Named::Picture => count += 1,
            Named::Nothing => return None,
            _ => {}
        }
    }
    Some(count)
}

/// A known data set in an archive has to be unpacked; this says how.
fn packed(path: &Path, kind: Kind, folder: &Path) -> Error {
    let into = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let file = quoted(path);
    let command = match kind {
        Kind::Zip => format!("unzip {file} -d"),
        Kind::Tar => format!("tar -xf {file} -C"),
        Kind::TarGz => format!("tar -xzf {file} -C"),
    };
    Error::failure(format!(
        "{} holds a data set that is not read in place: unpack it with `{command} {}` and give --data {}",
        path.display(),
        quoted(into),
        quoted(&into.join(folder))
    ))
}
