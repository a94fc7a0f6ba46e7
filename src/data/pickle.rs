//! The pixels in a batch of CIFAR-10's Python version, which is a pickle of a dictionary.
//!
//! A pickle is a program, and running it could do anything. So it is not run: its instructions are only walked
//! through, each skipped by its length, up to the byte string that is the array of pixels.

use super::cifar::PLANES;

/// The pixels in the pickle `bytes`: pictures of 3072 bytes, planar like [`cifar::Record`](super::cifar::Record)
/// without its label.
///
/// Protocols 2 to 5 are read, as Python 2 wrote the published files and as Python 3 writes them with NumPy.
///
/// # Errors
/// A few words if the pickle is cut off, or no byte string in it is a whole number of pictures.
pub fn pixels(bytes: &[u8]) -> Result<&[[u8; PLANES]], String> {
    if !bytes.starts_with(&[0x80]) {
        return Err("it is no pickle; download it again".into());
    }
    let mut at = 0;
    loop {
        let instruction = *bytes.get(at).ok_or(CUT_OFF)?;
        let rest = &bytes[at + 1..];
        let number = |size: usize| -> Result<usize, String> {
            let number = rest.get(..size).ok_or(CUT_OFF)?;
            Ok(number.iter().rfold(0, |n, &b| n << 8 | usize::from(b)))
        };
        let line = |rest: &[u8]| rest.iter().position(|&b| b == b'\n').map(|i| i + 1);
        // Bytes of a length, and how many follow it; or bytes of the arguments.
        let (length, body) = match instruction {
            b'.' => break,
            b'U' | b'C' | 0x8a | 0x8c => (1, number(1)?),
            b'T' | b'B' | b'X' | 0x8b => (4, number(4)?),
            0x8d | 0x8e | 0x96 => (8, number(8)?),
            b'K' | b'h' | b'q' | 0x80 | 0x82 => (1, 0),
            b'M' | 0x83 => (2, 0),
            b'J' | b'j' | b'r' | 0x84 => (4, 0),
            b'G' | 0x95 => (8, 0),
            b'I' | b'L' | b'F' | b'S' | b'V' | b'P' | b'g' | b'p' => {
                (line(rest).ok_or(CUT_OFF)?, 0)
            }
            b'c' | b'i' => {
                let first = line(rest).ok_or(CUT_OFF)?;
                (first + line(&rest[first..]).ok_or(CUT_OFF)?, 0)
            }
            b'('
            | b')'
            | b'0'
            | b'1'
            | b'2'
            | b'N'
            | b'Q'
            | b'R'
            | b'a'
            | b'b'
            | b'd'
            | b'e'
            | b'l'
            | b'o'
            | b's'
            | b't'
            | b'u'
            | b']'
            | b'}'
            | 0x81
            | 0x85..=0x89
            | 0x8f..=0x94
            | 0x97
            | 0x98 => (0, 0),
            _ => {
                return Err(format!(
                    "its byte {at} is no instruction of a pickle; download it again"
                ));
            }
        };
        let body = rest[length.min(rest.len())..].get(..body).ok_or(CUT_OFF)?;
        let is_bytes = matches!(instruction, b'U' | b'T' | b'C' | b'B' | 0x8e | 0x96);
        let (pictures, left) = body.as_chunks();
        if is_bytes && left.is_empty() && !pictures.is_empty() {
            return Ok(pictures);
        }
        at += 1 + length + body.len();
    }
    Err("there are no pictures of CIFAR-10 in it; use the binary version".into())
}

const CUT_OFF: &str = "it is cut off; download it again";
