//! Named tensors in one file, in the `safetensors` format that PyTorch, NumPy, JAX and others read.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors};

use super::atomic::write_atomically;
use super::{Error, Result, Shape, Tensor};

/// Numbers that are written at a time.
const PART: usize = 1 << 14;

/// Named tensors plus free text, as stored in one `.safetensors` file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TensorFile {
    /// The tensors, by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Facts about them, by name (the format's `__metadata__`).
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

    /// Reads a file of `f32` tensors.
    ///
    /// # Errors
    /// If the file is missing, truncated, not safetensors, or holds another element type.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
        Self::parse(&bytes).map_err(|why| {
            Error::failure(format!(
                "{} is not a complete safetensors file ({why}); use another file",
                path.display()
            ))
        })
    }

    /// Decodes the bytes of a file; the error says what is wrong with them.
    ///
    /// # Errors
    /// As [`TensorFile::read`].
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(format!("tensor {name} is {:?}, not F32", view.dtype()));
            }
            let numbers = view.data().as_chunks::<4>().0.iter();
            let numbers = numbers.map(|&x| f32::from_le_bytes(x)).collect();
            let tensor = Tensor::new(view.shape(), numbers).map_err(|e| e.to_string())?;
            tensors.insert(name, tensor);
        }
        let metadata: HashMap<String, String> = header.metadata().clone().unwrap_or_default();
        Ok(Self {
            tensors,
            metadata: metadata.into_iter().collect(),
        })
    }
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
    let mut header: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
    header.insert("__metadata__", metadata.clone().into_iter().collect());
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
        let mut bytes = Vec::with_capacity(4 * PART);
        for part in tensors.iter().flat_map(|(.., data)| data.chunks(PART)) {
            bytes.clear();
            bytes.extend(part.iter().flat_map(|x| x.to_le_bytes()));
            w.write_all(&bytes)?;
        }
        Ok(())
    })
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
            message.contains("not a complete safetensors file"),
            "{message}"
        );
    }
}
