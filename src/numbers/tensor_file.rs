//! Named tensors in one file, in the `safetensors` format that PyTorch, NumPy, JAX and others read.
//!
//! The metadata of files that are written here also hold a checksum of all numbers, with which a file is compared when it is
//! read: a disk that returns other bytes than it was given does not say so.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crc32fast::Hasher;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;

use super::atomic::write_atomically;
use super::words::escaped;
use super::{Error, Result, Shape, Tensor};

/// Numbers that are written at a time.
const PART: usize = 1 << 14;

/// The key of the checksum in a file's metadata: the CRC-32 of the numbers' bytes, and how many bytes those are.
const CHECKSUM: &str = "crc32";

/// Bytes of a header beyond which it is not read; the library's own limit.
const LONGEST_HEADER: u64 = 100_000_000;

/// Named tensors plus free text, as stored in one `.safetensors` file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TensorFile {
    /// The tensors, by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Facts about them, by name (the format's `__metadata__`, without the checksum).
    pub metadata: BTreeMap<String, String>,
}

impl TensorFile {
    /// Writes the file, atomically. Equal contents give equal bytes.
    ///
    /// # Errors
    /// If `path` cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let tensors = self.tensors.iter();
        let tensors = tensors.map(|(name, t)| (name.as_str(), t.shape(), t.data()));
        write(path, &tensors.collect::<Vec<_>>(), &self.metadata)
    }

    /// Reads a file of tensors. Those of other floats, as programs that shrink files write them, become `f32`.
    ///
    /// # Errors
    /// If the file is missing, truncated, not safetensors, other than it was written, or holds elements that are not floats
    /// of 16, 32 or 64 bits, or numbers beyond `f32`.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|e| Error::io("read", path, &e))?;
        Self::parse(&bytes).map_err(|why| Error::failure(format!("{} {why}", path.display())))
    }

    /// Decodes the bytes of a file; the error is what to say of the file.
    ///
    /// # Errors
    /// As [`TensorFile::read`].
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        Self::parse_some(bytes, |_| true)
    }

    /// Decodes the tensors whose names are `wanted`; others may hold what they like.
    ///
    /// # Errors
    /// As [`TensorFile::read`].
    pub fn parse_some(
        bytes: &[u8],
        wanted: impl Fn(&str) -> bool,
    ) -> std::result::Result<Self, String> {
        let (length, header) = SafeTensors::read_metadata(bytes).map_err(incomplete)?;
        let file = SafeTensors::deserialize(bytes).map_err(incomplete)?;
        let mut metadata: BTreeMap<String, String> = header
            .metadata()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect();
        if let Some(written) = metadata.remove(CHECKSUM) {
            compare(&written, &bytes[8 + length..])?;
        }
        let mut tensors = BTreeMap::new();
        let all = file.tensors().into_iter();
        for (name, view) in all.filter(|(name, _)| wanted(name)) {
            let numbers = numbers(&view).map_err(|why| {
                let name = escaped(&name);
                format!("is a complete safetensors file, but its tensor {name} {why}")
            })?;
            let tensor = Tensor::new(view.shape(), numbers).map_err(incomplete)?;
            tensors.insert(name, tensor);
        }
        Ok(Self { tensors, metadata })
    }
}

/// Compares the checksum that was `written` with that of the `numbers`. If those are more or fewer bytes, somebody has made
/// the file of one of ours, with other floats or some of the tensors, and has kept what it said of that one.
fn compare(written: &str, numbers: &[u8]) -> std::result::Result<(), String> {
    let (_, size) = written.split_once(' ').unwrap_or_default();
    if size.parse() != Ok(numbers.len()) {
        return Ok(());
    }
    let found = checked(crc32fast::hash(numbers), numbers.len());
    match written == found {
        true => Ok(()),
        false => {
            Err("is damaged: its numbers are not those that were written, by their checksum".into())
        }
    }
}

/// A checksum of so many bytes as it stands in the metadata.
fn checked(checksum: u32, bytes: usize) -> String {
    format!("{checksum:08x} {bytes}")
}

/// What to say of a damaged file.
fn incomplete(why: impl ToString) -> String {
    let why = why.to_string();
    format!("is not a complete safetensors file ({})", escaped(&why))
}

/// The elements of a tensor of any floats.
fn numbers(view: &TensorView) -> std::result::Result<Vec<f32>, String> {
    let (twos, fours) = (
        view.data().as_chunks::<2>().0,
        view.data().as_chunks::<4>().0,
    );
    let eights = view.data().as_chunks::<8>().0.iter();
    match view.dtype() {
        Dtype::F32 => Ok(fours.iter().map(|&x| f32::from_le_bytes(x)).collect()),
        Dtype::F16 => Ok(twos
            .iter()
            .map(|&x| f16::from_le_bytes(x).to_f32())
            .collect()),
        Dtype::BF16 => Ok(twos
            .iter()
            .map(|&x| bf16::from_le_bytes(x).to_f32())
            .collect()),
        Dtype::F64 => eights.map(|&x| narrow(f64::from_le_bytes(x))).collect(),
        other => Err(format!("is {other:?}, not F32, F16, BF16 or F64")),
    }
}

/// `x` as an `f32`; the error is what to say of its tensor if it is too large for one.
pub(super) fn narrow(x: f64) -> std::result::Result<f32, String> {
    let narrow = x as f32;
    if x.is_finite() && narrow.is_infinite() {
        return Err(format!("holds {x:e}, which is beyond 32-bit floats"));
    }
    Ok(narrow)
}

/// What a header says beside its tensors.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Option<BTreeMap<String, String>>,
}

/// The metadata of a file, from its header alone: it may be truncated behind that.
///
/// # Errors
/// If the file is missing, or its header truncated or not that of a safetensors file.
pub fn read_metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    let failed = |e: &io::Error| Error::io("read", path, e);
    let damaged = |why: &str| Error::failure(format!("{} {}", path.display(), incomplete(why)));
    let mut file = File::open(path).map_err(|e| failed(&e))?;
    // Reading up to a limit allocates no more than the file holds, whatever its length says.
    let mut part = |limit: u64| {
        let mut bytes = Vec::new();
        let read = file.by_ref().take(limit).read_to_end(&mut bytes);
        read.map_err(|e| failed(&e)).map(|_| bytes)
    };
    let length: std::result::Result<[u8; 8], _> = part(8)?.try_into();
    let length = u64::from_le_bytes(length.map_err(|_| damaged("header too small"))?);
    if length > LONGEST_HEADER {
        return Err(damaged("header too large"));
    }
    let header = part(length)?;
    if header.len() as u64 != length {
        return Err(damaged("header cut off"));
    }
    let header: serde_json::Result<Header> = serde_json::from_slice(&header);
    let header = header.map_err(|e| damaged(&e.to_string()))?;
    let mut metadata = header.metadata.unwrap_or_default();
    metadata.remove(CHECKSUM);
    Ok(metadata)
}

/// Writes tensors, sorted by name, straight from where they are: a checkpoint of large networks is never copied in
/// memory. The library's own writer also takes metadata as a hash map, whose order changes from run to run, and
/// equal checkpoints must be equal bytes.
///
/// # Errors
/// If `path` cannot be written.
pub fn write(
    path: &Path,
    tensors: &[(&str, &Shape, &[f32])],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let mut checksum = Hasher::new();
    parts(tensors, |part| {
        checksum.update(part);
        Ok(())
    })
    .map_err(|e| Error::io("write", path, &e))?;
    let mut metadata = metadata.clone();
    let size = tensors.iter().map(|(.., data)| size_of_val(*data)).sum();
    metadata.insert(CHECKSUM.into(), checked(checksum.finalize(), size));
    let mut header: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
    header.insert("__metadata__", metadata.into_iter().collect());
    let mut end = 0;
    for (name, shape, data) in tensors {
        let start = end;
        end += size_of_val(*data);
        let about = serde_json::json!({
            "dtype": "F32", "shape": shape.to_vec(), "data_offsets": [start, end]
        });
        header.insert(name, about);
    }
    let mut header = serde_json::to_vec(&header).expect("a map of JSON values is JSON");
    header.resize(header.len().next_multiple_of(8), b' ');
    write_atomically(path, |w| {
        w.write_all(&(header.len() as u64).to_le_bytes())?;
        w.write_all(&header)?;
        parts(tensors, |part| w.write_all(part))
    })
}

/// Hands over the bytes of all numbers as a file has them, a part at a time.
fn parts(
    tensors: &[(&str, &Shape, &[f32])],
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(4 * PART);
    for part in tensors.iter().flat_map(|(.., data)| data.chunks(PART)) {
        bytes.clear();
        bytes.extend(part.iter().flat_map(|x| x.to_le_bytes()));
        take(&bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> TensorFile {
        let mut file = TensorFile::default();
        let data = vec![1.0, -2.5, f32::MIN_POSITIVE, 0.1, 5.0, 6.0];
        let weight = Tensor::new([2, 3], data).unwrap();
        file.tensors.insert("generator.0.weight".into(), weight);
        file.tensors.insert("empty".into(), Tensor::zeros([0]));
        file.metadata.insert("preset".into(), "a \"b\"\n".into());
        file.metadata.insert("step".into(), "12".into());
        file
    }

    #[test]
    fn round_trip_keeps_every_bit_and_equal_contents_give_equal_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        example().write(&a).unwrap();
        example().write(&b).unwrap();
        assert_eq!(TensorFile::read(&a).unwrap(), example());
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        TensorFile::default().write(&a).unwrap();
        assert_eq!(TensorFile::read(&a).unwrap(), TensorFile::default());
    }

    #[test]
    fn truncated_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        example().write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for cut in 0..bytes.len() {
            assert!(TensorFile::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = TensorFile::read(&path).unwrap_err().to_string();
        assert!(
            message.contains("a is not a complete safetensors file (invalid header length)"),
            "{message}"
        );
    }

    #[test]
    fn changed_numbers_are_noticed_and_files_without_a_checksum_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        example().write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for at in header..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            let message = TensorFile::parse(&bytes).unwrap_err();
            assert!(message.starts_with("is damaged: its numbers"), "{message}");
        }
        // As earlier versions, and other programs, write them.
        let mut earlier = bytes.clone();
        let at = bytes.windows(5).position(|w| w == b"crc32").unwrap();
        earlier[at..at + 5].copy_from_slice(b"notes");
        earlier[header] ^= 0x10;
        assert!(TensorFile::parse(&earlier).is_ok());
        // Made of a larger one, by a program that copies what was said of that.
        let mut part = bytes.clone();
        let at = bytes.windows(3).position(|w| w == b" 24").unwrap();
        part[at..at + 3].copy_from_slice(b" 96");
        part[header] ^= 0x10;
        assert!(TensorFile::parse(&part).is_ok());
    }

    /// A file of one tensor `x` of this type and shape.
    fn one(kind: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
        let about = serde_json::json!({
            "x": {"dtype": kind, "shape": shape, "data_offsets": [0, data.len()]}
        });
        let header = about.to_string();
        let length = (header.len() as u64).to_le_bytes();
        [&length, header.as_bytes(), data].concat()
    }

    #[test]
    fn other_floats_are_read_and_other_types_are_named() {
        let halves = [1.5f32, -0.25].map(|x| f16::from_f32(x).to_le_bytes());
        let brains = [1.5f32, -0.25].map(|x| bf16::from_f32(x).to_le_bytes());
        let doubles = [1.5f64, -0.25].map(f64::to_le_bytes);
        for (kind, data) in [
            ("F16", halves.as_flattened()),
            ("BF16", brains.as_flattened()),
            ("F64", doubles.as_flattened()),
        ] {
            let file = TensorFile::parse(&one(kind, &[2, 1], data)).unwrap();
            let wanted = Tensor::new([2, 1], vec![1.5, -0.25]).unwrap();
            assert_eq!(file.tensors["x"], wanted, "{kind}");
        }
        for (kind, data, words) in [
            ("I64", [0; 8], "its tensor x is I64, not F32, F16"),
            ("F64", 1e300f64.to_le_bytes(), "its tensor x holds 1e300"),
        ] {
            let message = TensorFile::parse(&one(kind, &[1], &data)).unwrap_err();
            let start = "is a complete safetensors file, but ";
            assert_eq!(message.find(words), Some(start.len()), "{message}");
            let none = TensorFile::parse_some(&one(kind, &[1], &data), |name| name != "x");
            assert!(none.unwrap().tensors.is_empty());
        }
        let infinite = one("F64", &[1], &f64::INFINITY.to_le_bytes());
        assert_eq!(
            TensorFile::parse(&infinite).unwrap().tensors["x"].data(),
            [f32::INFINITY]
        );
    }

    #[test]
    fn metadata_are_read_from_the_header_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        example().write(&path).unwrap();
        assert_eq!(read_metadata(&path).unwrap(), example().metadata);
        let bytes = std::fs::read(&path).unwrap();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for cut in 0..=header {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(read_metadata(&path).is_ok(), cut == header, "cut at {cut}");
        }
        std::fs::write(&path, one("I64", &[0], &[])).unwrap();
        assert!(read_metadata(&path).unwrap().is_empty());
        std::fs::write(&path, [0xff; 64]).unwrap();
        let message = read_metadata(&path).unwrap_err().to_string();
        assert!(message.ends_with("a complete safetensors file (header too large)"));
    }
}
