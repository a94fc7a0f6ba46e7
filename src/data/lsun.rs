//! LSUN as it is published: an LMDB database whose values are JPEG or WebP files.
//!
//! LMDB maps the file and believes what is in it; so a file that is cut off is refused here, but one that is
//! damaged inside can crash the program.

#![cfg_attr(
    feature = "lmdb",
    expect(unsafe_code, reason = "LMDB maps a file into memory")
)]

use std::path::Path;

use super::cache::{Cache, Cached};
use super::decode::Crop;
use crate::numbers::{Error, Result};

/// The file of an LMDB database in its folder.
pub(super) const FILE: &str = "data.mdb";

/// Decodes all values of the database in `root` into `cache`, in the order of their keys.
///
/// # Errors
/// If the database is cut off or no LMDB, or none of its values is a picture.
#[cfg(feature = "lmdb")]
pub(super) fn build(
    root: &Path,
    side: usize,
    crop: Crop,
    cache: &Cache,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Cached> {
    use heed::types::Bytes;
    use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions};

    use super::cache::Found;
    use super::skipped::Skipped;

    let path = root.join(FILE);
    let refused = |why: String| {
        Error::failure(format!(
            "cannot read {} as an LMDB database: {why}; download it again",
            path.display()
        ))
    };
    let failed = |e: heed::Error| refused(e.to_string());
    let metadata = std::fs::metadata(&path).map_err(|e| Error::io("read", &path, &e))?;
    let mut options = EnvOpenOptions::new();
    // The least that LMDB takes; it maps as much as the file needs.
    options.map_size(1 << 20);
    // SAFETY: without a lock file, nobody else may write to the database meanwhile. A published data set is
    // not written to; and without this flag, one in a folder that is read-only could not be opened.
    unsafe { options.flags(EnvFlags::READ_ONLY | EnvFlags::NO_LOCK) };
    // SAFETY: the map stays valid while the file is unchanged, which is the same promise.
    let env = unsafe { options.open(root) }.map_err(failed)?;
    let page = u64::from(env.unnamed_database_stat().page_size);
    let needed = (env.info().last_page_number as u64 + 1).saturating_mul(page);
    if metadata.len() < needed {
        return Err(refused(format!(
            "it has {} bytes of {needed}",
            metadata.len()
        )));
    }
    let transaction = env.read_txn().map_err(failed)?;
    let database = env
        .open_databases_and_commit(transaction, |opener, transaction| {
            let database = opener.open_database::<Bytes, Bytes>(transaction, None)?;
            Ok(CommitOrAbort::<_, ()>::Commit(database))
        })
        .map_err(failed)?
        .commit()
        .flatten()
        .ok_or_else(|| refused("it has no main table".into()))?;
    let transaction = env.read_txn().map_err(failed)?;
    let total = database.len(&transaction).map_err(failed)? as usize;
    let entries = database.iter(&transaction).map_err(failed)?;
    let decode = |entry: heed::Result<(&[u8], &[u8])>| {
        let (key, value) = entry.map_err(failed)?;
        let key = Path::new(FILE).join(String::from_utf8_lossy(key).as_ref());
        Ok(match super::decode::picture(value, side, crop) {
            Ok(picture) => Found::Picture(picture),
            Err(why) => Found::Skipped(Skipped::new(&key, why)),
        })
    };
    // Counted, so that an error in the middle cannot come again and again.
    let mut entries = entries.take(total);
    let batches = std::iter::from_fn(|| {
        let batch: Vec<_> = entries.by_ref().take(cache.batch()).collect();
        (!batch.is_empty()).then_some(batch)
    });
    cache.build(batches, total, decode, progress)
}

/// # Errors
/// Always: the feature `lmdb` is not built in.
#[cfg(not(feature = "lmdb"))]
pub(super) fn build(
    root: &Path,
    _: usize,
    _: Crop,
    _: &Cache,
    _: &mut dyn FnMut(usize, usize),
) -> Result<Cached> {
    Err(Error::usage(format!(
        "{} is an LMDB database; to read it, build with --features lmdb",
        root.display()
    )))
}

#[cfg(all(test, feature = "lmdb"))]
mod tests {
    use super::super::{Opened, Options, open};
    use super::*;
    use heed::types::Bytes;
    use heed::{CommitOrAbort, EnvOpenOptions};

    /// A database of a WebP of level 10 under "a", nonsense under "b", a JPEG of level 30 under "c".
    fn write(root: &Path) {
        let encode = |level, format| {
            let picture = image::RgbImage::from_pixel(20, 30, image::Rgb([level; 3]));
            let mut bytes = std::io::Cursor::new(vec![]);
            picture.write_to(&mut bytes, format).unwrap();
            bytes.into_inner()
        };
        // SAFETY: the folder is the test's own.
        let env = unsafe { EnvOpenOptions::new().map_size(1 << 22).open(root) }.unwrap();
        let transaction = env.write_txn().unwrap();
        let database = env
            .create_databases_and_commit(transaction, |creator, transaction| {
                creator
                    .create_database::<Bytes, Bytes>(transaction, None)
                    .map(CommitOrAbort::<_, ()>::Commit)
            })
            .unwrap()
            .unwrap_commit();
        let mut transaction = env.write_txn().unwrap();
        let mut put = |key: &[u8], value: &[u8]| database.put(&mut transaction, key, value);
        put(b"c", &encode(30, image::ImageFormat::Jpeg)).unwrap();
        put(b"a", &encode(10, image::ImageFormat::WebP)).unwrap();
        put(b"b", b"nonsense").unwrap();
        transaction.commit().unwrap();
    }

    fn open_in(root: &Path) -> Result<Opened> {
        let cache = root.join("cache");
        let options = Options {
            side: 4,
            crop: Crop::Center,
            cache: Some(&cache),
        };
        open(root, &options, &mut |_, _| {})
    }

    #[test]
    fn values_are_pictures_in_the_order_of_keys() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        for _ in 0..2 {
            let opened = open_in(folder.path()).unwrap();
            assert_eq!(opened.pictures.len(), 2);
            assert!(opened.pictures.bytes(0).unwrap()[0].abs_diff(10) < 3);
            assert!(opened.pictures.bytes(1).unwrap()[0].abs_diff(30) < 3);
            assert_eq!(opened.skipped.len(), 1);
            assert_eq!(opened.skipped[0].path, folder.path().join("data.mdb/b"));
        }
    }

    #[test]
    fn files_that_are_cut_off_or_foreign_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        let file = folder.path().join(FILE);
        let good = std::fs::read(&file).unwrap();
        for bytes in [&good[..good.len() - 4096], &good[..100], &[], &[7; 9000]] {
            std::fs::write(&file, bytes).unwrap();
            let error = open_in(folder.path()).unwrap_err().to_string();
            assert!(error.contains("as an LMDB database"), "{error}");
        }
    }
}
