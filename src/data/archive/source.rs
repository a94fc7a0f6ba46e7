//! The file of an archive. What the disk or the network fails to give is not what the archive lacks.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The first error of a [`Source`], once there is one.
pub(super) type Failure = Arc<Mutex<Option<io::Error>>>;

/// An archive's file, read in large pieces.
pub(super) type Source = BufReader<Watched<File>>;

/// A reader that remembers its first error.
pub(super) struct Watched<R> {
    reader: R,
    failure: Failure,
}

/// Opens the file.
pub(super) fn open(path: &Path) -> io::Result<(Source, Failure)> {
    let failure = Failure::default();
    let watched = Watched {
        reader: File::open(path)?,
        failure: Arc::clone(&failure),
    };
    Ok((BufReader::with_capacity(1 << 16, watched), failure))
}

impl<R> Watched<R> {
    fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|e| {
            if let (false, Ok(mut first)) =
                (e.kind() == ErrorKind::Interrupted, self.failure.lock())
            {
                first.get_or_insert_with(|| match e.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => e.kind().into(),
                });
            }
        })
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.read(out);
        self.watch(result)
    }
}

impl<R: Seek> Seek for Watched<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        // An archive may name any place, so an error here is its fault.
        self.reader.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that fails after its first bytes.
    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::TimedOut.into())
        }
    }

    #[test]
    fn the_first_error_is_remembered() {
        let failure = Failure::default();
        let mut reader = Watched {
            reader: (&b"some"[..]).chain(Failing),
            failure: Arc::clone(&failure),
        };
        let mut bytes = vec![];
        assert!(reader.read_to_end(&mut bytes).is_err());
        assert_eq!(bytes, b"some");
        let first = failure.lock().unwrap().take().unwrap();
        assert_eq!(first.kind(), ErrorKind::TimedOut);
    }
}
