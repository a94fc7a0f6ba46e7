//! The entries of an archive, one after the other.

use std::cell::Cell;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::sink::{Sink, Stop};
use super::source::Source;

/// What a tar archive says between two files, names above all, is refused beyond so many bytes.
const MOST_BETWEEN: u64 = 1 << 20;

/// The names of all entries.
pub(super) fn zip_names(zip: &ZipArchive<Source>) -> Vec<String> {
    let name = |i| match zip.name_for_index(i) {
        Some(Ok(name)) => name.into_owned(),
        // It is no text; its first bytes will tell.
        _ => format!("entry {i}"),
    };
    (0..zip.len()).map(name).collect()
}

/// All files of a zip archive of `length` bytes. Each stands for itself, so a damaged one is skipped.
pub(super) fn unzip(
    zip: &mut ZipArchive<Source>,
    names: &[String],
    length: u64,
    sink: &mut Sink,
) -> std::result::Result<(), Stop> {
    sink.runs = runs(names);
    let mut unpacked = 0u64;
    for (i, name) in names.iter().enumerate() {
        let why = match zip.by_index(i) {
            Ok(file) if file.is_symlink() => {
                sink.link(name)?;
                continue;
            }
            Ok(file) if !file.is_file() => continue,
            Ok(file) if !is_known(file.compression()) => format!(
                "its compression, {}, is not supported; unpack the archive and give the folder, or zip it again with \
                 deflate",
                method_name(file.compression())
            ),
            Ok(mut file) => {
                // A few bytes that unpack to many may be named as often as somebody likes.
                unpacked = unpacked.saturating_add(file.compressed_size());
                if unpacked > length {
                    let e = io::Error::other("its files overlap each other");
                    return Err(Stop::CutOff(e));
                }
                match sink.entry(name, &mut file) {
                    Err(Stop::CutOff(e)) => format!("it is damaged: {e}"),
                    other => {
                        other?;
                        continue;
                    }
                }
            }
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
                "it is encrypted; unpack the archive and give the folder".into()
            }
            Err(e) => format!("it cannot be unpacked: {e}"),
        };
        sink.unusable(name, why)?;
    }
    Ok(())
}

/// Whether files that are packed so can be unpacked here.
fn is_known(method: CompressionMethod) -> bool {
    matches!(
        method,
        CompressionMethod::Stored | CompressionMethod::Deflated
    )
}

/// What people call a method that is not known here.
fn method_name(method: CompressionMethod) -> String {
    let name = match method {
        CompressionMethod::DEFLATE64 => "deflate64",
        CompressionMethod::BZIP2 => "bzip2",
        CompressionMethod::LZMA => "LZMA",
        CompressionMethod::ZSTD => "zstd",
        CompressionMethod::XZ => "xz",
        CompressionMethod::PPMD => "PPMd",
        other => return format!("{other:?}"),
    };
    name.into()
}

/// The folders of this program's runs among files of these names. (A tar archive has no list of them at its start, so
/// there they are not known before their pictures come.)
fn runs(names: &[String]) -> Vec<PathBuf> {
    let paths = || names.iter().map(Path::new);
    let configs = paths().filter(|path| path.ends_with("config.toml"));
    let folders = configs.filter_map(Path::parent);
    let is_run = |folder: &&Path| paths().any(|path| path.starts_with(folder.join("checkpoints")));
    folders.filter(is_run).map(Path::to_owned).collect()
}

/// All files of a tar archive, up to where it is cut off or damaged: nobody knows where the next one would begin.
pub(super) fn untar(reader: impl Read, sink: &mut Sink) -> std::result::Result<(), Stop> {
    let (left, ended) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let mut tar = tar::Archive::new(Metered {
        reader,
        left: Rc::clone(&left),
        ended: Rc::clone(&ended),
    });
    let mut entries = tar.entries().map_err(Stop::CutOff)?;
    let (mut unread, mut is_first) = (0, true);
    loop {
        left.set(MOST_BETWEEN.saturating_add(unread));
        let Some(entry) = entries.next() else {
            break;
        };
        left.set(u64::MAX);
        let mut entry = entry.map_err(|e| match is_first && e.kind() == io::ErrorKind::Other {
            true => Stop::NoTar,
            false => Stop::CutOff(e),
        })?;
        is_first = false;
        let kind = entry.header().entry_type();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !kind.is_file() {
            // What a sparse file claims to hold may be endless.
            if !kind.is_dir() {
                sink.link(&name)?;
            }
            unread = entry.header().entry_size().unwrap_or(0);
            continue;
        }
        let mut body = Exact {
            left: entry.size(),
            reader: &mut entry,
        };
        sink.entry(&name, &mut body)?;
        io::copy(&mut body, &mut io::sink()).map_err(Stop::CutOff)?;
        unread = 0;
    }
    if ended.get() {
        let e = io::Error::other("its end mark is missing");
        return Err(Stop::CutOff(e));
    }
    // What is compressed has a checksum at its end.
    left.set(u64::MAX);
    let mut rest = tar.into_inner().take(MOST_BETWEEN);
    io::copy(&mut rest, &mut io::sink()).map_err(Stop::CutOff)?;
    Ok(())
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
