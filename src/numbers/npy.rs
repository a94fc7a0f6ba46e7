//! NumPy's `.npy` format: arrays of any plain numbers are read, `f32` in row-major order is written.
//!
//! Layout: `\x93NUMPY`, a version such as `1 0`, a header length (of 16 bits in version 1, of 32 bits after it), a
//! Python dict literal padded with spaces so that the data starts at a multiple of 64 bytes, a newline, the numbers.

use std::io::Write;
use std::path::Path;

use half::f16;

use super::atomic::write_atomically;
pub use super::npy_header::Parsed;
use super::npy_header::{MAGIC, Order, header, split};
use super::tensor_file::narrow;
use super::words::escaped;
use super::{Error, Result, Shape, Tensor};

/// What every reader knows, and so what is written.
const VERSION: [u8; 2] = [1, 0];

/// NumPy has no arrays of more axes.
const MOST_AXES: usize = 64;

/// Writes `tensor` to `path`, atomically; `numpy.load(path)` reads it.
///
/// # Errors
/// If `path` cannot be written.
pub fn write(path: &Path, tensor: &Tensor) -> Result<()> {
    write_atomically(path, |w| write_to(w, tensor))
}

/// The bytes of the file that [`write()`] writes.
pub fn bytes(tensor: &Tensor) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128 + 4 * tensor.data().len());
    write_to(&mut bytes, tensor).expect("memory can be written");
    bytes
}

/// The bytes of a file of `f64` in row-major order.
pub fn bytes_f64(shape: &Shape, numbers: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128 + size_of_val(numbers));
    write_header(&mut bytes, "<f8", shape).expect("memory can be written");
    bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    bytes
}

fn write_to(w: &mut dyn Write, tensor: &Tensor) -> std::io::Result<()> {
    write_header(w, "<f4", tensor.shape())?;
    for x in tensor.data() {
        w.write_all(&x.to_le_bytes())?;
    }
    Ok(())
}

/// What stands before numbers of NumPy's type `kind`.
fn write_header(w: &mut dyn Write, kind: &str, shape: &Shape) -> std::io::Result<()> {
    let axes: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!(
        "{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}",
        axes.trim_end()
    );
    let unpadded = MAGIC.len() + VERSION.len() + 2 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    w.write_all(MAGIC)?;
    w.write_all(&VERSION)?;
    w.write_all(&(header.len() as u16).to_le_bytes())?;
    w.write_all(header.as_bytes())
}

/// Reads an array of plain numbers as `f32`: floats, integers or booleans, of either byte order, row-major or
/// column-major (NumPy's `fortran_order`).
///
/// # Errors
/// If the file is missing, not `.npy`, of another length than its header says, or holds anything but plain numbers,
/// or a number beyond `f32`.
pub fn read(path: &Path) -> Result<Tensor> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    parse(&bytes).map_err(|why| Error::failure(format!("cannot use {}: {why}", path.display())))
}

/// Decodes the bytes of a file; the error says what is wrong with them, and how to save the array instead.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8]) -> Parsed<Tensor> {
    let advice = "save it with numpy.save(path, numpy.ascontiguousarray(array, dtype='float32'))";
    let (shape, numbers) = decode(bytes, narrow).map_err(|why| format!("{why}; {advice}"))?;
    Tensor::new(shape, numbers).map_err(|e| e.to_string())
}

/// Decodes the bytes of a file as shape and `f64` in row-major order, exactly but for integers beyond 2⁵³; the error says
/// what is wrong with them.
///
/// # Errors
/// As [`read`], except that no number is too large.
pub fn parse_f64(bytes: &[u8]) -> Parsed<(Shape, Vec<f64>)> {
    decode(bytes, Ok)
}

/// Decodes the bytes of a file; `convert` makes what is wanted of a number.
fn decode<T: Copy + Default>(
    bytes: &[u8],
    convert: fn(f64) -> Parsed<T>,
) -> Parsed<(Shape, Vec<T>)> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Err("it is an .npz archive; take array = numpy.load(archive)['NAME']".into());
    }
    let (text, data) = split(bytes)?;
    let (kind, order, axes) = header(&text)?;
    let code = kind.strip_prefix(['<', '>', '=', '|']).unwrap_or(&kind);
    // Without a sign the order is the machine's, as with NumPy.
    let native = cfg!(target_endian = "big") && !kind.starts_with('<');
    let big_endian = kind.starts_with('>') || native;
    let (size, number) = element(code).ok_or_else(|| {
        let kind = escaped(&kind);
        format!("its elements, of NumPy's type {kind:.40}, are not plain numbers")
    })?;
    if axes.len() > MOST_AXES {
        return Err(format!(
            "it has {} axes, more than NumPy allows",
            axes.len()
        ));
    }
    let count = axes.iter().try_fold(size, |n, &axis| n.checked_mul(axis));
    if count != Some(data.len()) {
        return Err(format!(
            "its shape {axes:?} of {size}-byte elements does not fit its {} bytes of data",
            data.len()
        ));
    }
    let numbers = data.chunks_exact(size).map(|element| {
        let mut bits = [0; 8];
        bits[..size].copy_from_slice(element);
        if big_endian {
            bits[..size].reverse();
        }
        convert(number(u64::from_le_bytes(bits)))
    });
    let numbers = numbers.collect::<Parsed<Vec<T>>>();
    let numbers = numbers.map_err(|why| format!("it {why}"))?;
    let numbers = match order {
        Order::Row => numbers,
        Order::Column => row_major(&axes, &numbers),
    };
    Ok((Shape::from(axes), numbers))
}

/// How many bytes an element has, and what number its bits are.
type Element = (usize, fn(u64) -> f64);

/// The bytes of an element of NumPy's type `code`, and what number their bits are. An `f64` holds them all exactly,
/// but for integers that an `f32` could not hold exactly either.
fn element(code: &str) -> Option<Element> {
    Some(match code {
        "f2" => (2, |bits| f16::from_bits(bits as u16).to_f64()),
        "f4" => (4, |bits| f64::from(f32::from_bits(bits as u32))),
        "f8" => (8, f64::from_bits),
        "i1" => (1, |bits| f64::from(bits as i8)),
        "i2" => (2, |bits| f64::from(bits as i16)),
        "i4" => (4, |bits| f64::from(bits as i32)),
        "i8" => (8, |bits| bits as i64 as f64),
        "u1" | "u2" | "u4" | "u8" => (usize::from(code.as_bytes()[1] - b'0'), |bits| bits as f64),
        "b1" | "?" => (1, |bits| f64::from(bits != 0)),
        _ => return None,
    })
}

/// Brings numbers whose first axis runs fastest into the order in which the last one does.
fn row_major<T: Copy + Default>(axes: &[usize], numbers: &[T]) -> Vec<T> {
    let mut sorted = vec![T::default(); numbers.len()];
    for (from, &x) in numbers.iter().enumerate() {
        let (mut rest, mut to) = (from, 0);
        for &axis in axes {
            to = to * axis + rest % axis;
            rest /= axis;
        }
        sorted[to] = x;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of version 1 with this header.
    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &VERSION[..], &length, header.as_bytes(), data].concat()
    }

    fn array(kind: &str, order: &str, shape: &str, data: &[u8]) -> Parsed<Tensor> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}");
        parse(&file(&header, data))
    }

    #[test]
    fn round_trip_with_aligned_data() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        for shape in [vec![], vec![3], vec![2, 3], vec![0, 4]] {
            let count = Shape::from(shape.clone()).count();
            let data = (0..count).map(|i| i as f32 - 1.5).collect();
            let tensor = Tensor::new(shape, data).unwrap();
            write(&path, &tensor).unwrap();
            assert_eq!(read(&path).unwrap(), tensor);
            let length = std::fs::metadata(&path).unwrap().len() as usize;
            assert_eq!((length - 4 * count) % 64, 0);
        }
    }

    #[test]
    fn doubles_keep_every_bit() {
        let numbers = [0.1, -1e300, f64::MIN_POSITIVE, f64::INFINITY];
        let shape = Shape::from([2, 2]);
        let bytes = bytes_f64(&shape, &numbers);
        assert_eq!(parse_f64(&bytes).unwrap(), (shape, numbers.to_vec()));
        let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }";
        let columns = [0.5f32, 2.0].map(f32::to_le_bytes);
        let columns = parse_f64(&file(header, columns.as_flattened())).unwrap();
        assert_eq!(columns, (Shape::from([2, 1]), vec![0.5, 2.0]));
        assert_eq!(parse_f64(b"x").unwrap_err(), "it is not a .npy file");
    }

    #[test]
    fn every_plain_type_is_read_in_both_byte_orders() {
        let half = |x: f32| f16::from_f32(x).to_le_bytes().to_vec();
        for (code, bytes, number) in [
            ("f2", half(-1.5), -1.5),
            ("f4", 0.1f32.to_le_bytes().into(), 0.1),
            ("f8", 0.1f64.to_le_bytes().into(), 0.1),
            (
                "f8",
                f64::NEG_INFINITY.to_le_bytes().into(),
                f32::NEG_INFINITY,
            ),
            ("i1", vec![0xfe], -2.0),
            ("i2", (-300i16).to_le_bytes().into(), -300.0),
            ("i4", (-70_000i32).to_le_bytes().into(), -70_000.0),
            ("i8", i64::MIN.to_le_bytes().into(), i64::MIN as f32),
            ("u1", vec![200], 200.0),
            ("u2", 60_000u16.to_le_bytes().into(), 60_000.0),
            ("u4", (1u32 << 31).to_le_bytes().into(), 2_147_483_648.0),
            ("u8", u64::MAX.to_le_bytes().into(), u64::MAX as f32),
            ("b1", vec![1], 1.0),
        ] {
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            for (sign, bytes) in [("<", &bytes), (">", &reversed)] {
                let tensor = array(&format!("{sign}{code}"), "False", "(1,)", bytes).unwrap();
                assert_eq!(tensor.data(), [number], "{sign}{code}");
            }
            #[cfg(target_endian = "little")]
            for sign in ["=", "|", ""] {
                let tensor = array(&format!("{sign}{code}"), "False", "()", &bytes).unwrap();
                assert_eq!((tensor.shape().len(), tensor.data()), (0, &[number][..]));
            }
        }
    }

    #[test]
    fn headers_may_be_written_in_other_ways() {
        let wanted = Tensor::new([3, 2], (0..6).map(|i| i as f32).collect()).unwrap();
        let rows = [0, 1, 2, 3, 4, 5];
        for header in [
            "{'shape': (3, 2), 'fortran_order': False, 'descr': '|u1'}\n",
            "{ \"descr\" : '|u1' , 'fortran_order':False,'shape':(3L,2L,), }",
        ] {
            assert_eq!(parse(&file(header, &rows)).unwrap(), wanted, "{header}");
            for version in [2, 3] {
                let length = (header.len() as u32).to_le_bytes();
                let parts = [MAGIC, &[version, 0][..], &length, header.as_bytes(), &rows];
                assert_eq!(parse(&parts.concat()).unwrap(), wanted, "{version}");
            }
        }
        let columns = [0, 2, 4, 1, 3, 5];
        assert_eq!(array("|u1", "True", "(3, 2)", &columns).unwrap(), wanted);
        let deep = array("|u1", "True", "(2, 1, 2, 2)", &[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
        assert_eq!(deep.data(), [0.0, 4.0, 2.0, 6.0, 1.0, 5.0, 3.0, 7.0]);
        assert_eq!(
            array("<f8", "True", "(0, 7)", &[]).unwrap().shape()[..],
            [0, 7]
        );
    }

    #[test]
    fn broken_files_are_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        write(&path, &Tensor::zeros([4, 2])).unwrap();
        let good = std::fs::read(&path).unwrap();
        for cut in 0..good.len() {
            assert!(parse(&good[..cut]).is_err());
        }
        let huge = array("<f4", "False", "(4294967296, 4294967296, 0)", &[]);
        let axes = array("|u1", "False", &format!("({})", "1,".repeat(65)), &[0]);
        let version = [MAGIC, &[4, 0, 0, 0][..]].concat();
        for (answer, words) in [
            (
                huge,
                "4294967296, 0] of 4-byte elements does not fit its 0 bytes",
            ),
            (axes, "65 axes"),
            (
                array("<c8", "False", "()", &[0; 8]),
                "type <c8, are not plain numbers",
            ),
            (array("|O", "False", "()", &[0; 8]), "type |O"),
            (
                array("<U\x1b[2J", "False", "()", &[0; 8]),
                r"type <U\u{1b}[2J,",
            ),
            (
                array("<f4", "False", "(-1,)", &[]),
                "does not say type, order and shape",
            ),
            (
                array("<f4", "False", "(99999999999999999999,)", &[]),
                "does not say",
            ),
            (array("<f4", "Maybe", "(0,)", &[]), "does not say type"),
            (
                array("<f8", "False", "()", &1e300f64.to_le_bytes()),
                "holds 1e300",
            ),
            (
                parse(&file("{'descr': [('a', '<f4')]", &[])),
                "array['NAME']; save",
            ),
            (parse(b"PK\x03\x04"), "an .npz archive"),
            (parse(&version), "version 4"),
            (
                parse(b"a,b\n1,2\n"),
                "not a .npy file; save it with numpy.save(",
            ),
        ] {
            let message = answer.unwrap_err();
            assert!(message.contains(words), "{message}");
            assert!(message.ends_with("numpy.ascontiguousarray(array, dtype='float32'))"));
        }
    }
}
