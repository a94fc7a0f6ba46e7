//! The mark of pictures that this program has drawn, by which they are known when they lie among data: samples,
//! sheets of them and figures.
//!
//! It is the text "Software: coulomb-gan" right after the header of a PNG, where programs that show or copy the
//! picture leave it.

/// Where the first chunk after the header begins.
const AFTER_HEADER: usize = 33;

/// The chunk's kind and text.
const TEXT: &[u8] = b"tEXtSoftware\0coulomb-gan";

/// `png` with the mark.
pub fn marked(mut png: Vec<u8>) -> Vec<u8> {
    let length = (TEXT.len() - 4) as u32;
    let sum = crc32fast::hash(TEXT);
    let chunk = [&length.to_be_bytes(), TEXT, &sum.to_be_bytes()].concat();
    let at = AFTER_HEADER.min(png.len());
    png.splice(at..at, chunk);
    png
}

/// Whether the picture that begins with `start` has the mark.
pub(super) fn is_own(start: &[u8]) -> bool {
    let chunk = start.get(AFTER_HEADER + 4..);
    start.starts_with(b"\x89PNG") && chunk.is_some_and(|chunk| chunk.starts_with(TEXT))
}
