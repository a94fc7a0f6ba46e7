//! LSUN as it is published: an LMDB database whose values are JPEG or WebP files.

use std::path::Path;

use super::cache::{Cache, Skipped};
use super::decode::Crop;
use super::pictures::Pictures;
use crate::numbers::{Error, Result};

/// The file of an LMDB database in its folder.
pub(super) const FILE: &str = "data.mdb";

/// # Errors
/// Always: the feature `lmdb` is not built in.
pub(super) fn build(
    root: &Path,
    _: usize,
    _: Crop,
    _: &Cache,
    _: &mut dyn FnMut(usize, usize),
) -> Result<(Pictures, Vec<Skipped>)> {
    Err(Error::usage(format!(
        "{} is an LMDB database; to read it, build with --features lmdb",
        root.display()
    )))
}
