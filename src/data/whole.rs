//! Where a picture ends in its file, and whether it does.
//!
//! Decoders fill what is missing with grey and say nothing, or stop before they notice. And files go on after
//! their picture: phones append films, cameras previews. So the format's own structure is followed here, from
//! the start to the end of the picture, and only that part is decoded.
//!
//! What cannot be told is a JPEG in whose middle somebody has put a mark of its end: all its parts are in order, and only
//! decoding its data a second time, bit by bit, would tell that some are missing. Its lower part comes out grey.

use image::ImageFormat;

/// The part of `encoded` that is the picture, or `None` if its end is missing.
///
/// For formats that decoders read strictly, or from anywhere in the file, that is all of it.
pub(super) fn whole(format: ImageFormat, encoded: &[u8]) -> Option<&[u8]> {
    let end = match format {
        ImageFormat::Jpeg => jpeg(encoded)?,
        ImageFormat::Png => png(encoded)?,
        ImageFormat::WebP => 8 + little(encoded, 4, 4)?,
        ImageFormat::Gif => gif(encoded)?,
        ImageFormat::Tiff => tiff(encoded)?,
        ImageFormat::Pnm if encoded.starts_with(b"P2") => plain(encoded, 1)?,
        ImageFormat::Pnm if encoded.starts_with(b"P3") => plain(encoded, 3)?,
        _ => encoded.len(),
    };
    encoded.get(..end)
}

/// The number of `size` bytes at `at`, the last byte the highest.
fn little(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.get(..size)?;
    Some(bytes.iter().rfold(0, |n, &b| n << 8 | usize::from(b)))
}

/// The number of `size` bytes at `at`, the first byte the highest.
fn big(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.get(..size)?;
    Some(bytes.iter().fold(0, |n, &b| n << 8 | usize::from(b)))
}

/// After the first marker "end of image".
///
/// Segments are skipped by their lengths, for they may hold whole JPEGs of their own. In the compressed data
/// after a scan's header, FF is followed by 0 or by a restart marker, so any other marker ends it. A second start
/// of an image or of a frame belongs to another file, which the rest of this one has been lost to.
fn jpeg(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut frames) = (2, 0);
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match bytes.get(at + 1)? {
            0xff => at += 1,                      // fills up to the marker
            0x00 | 0x01 | 0xd0..=0xd7 => at += 2, // stand alone
            0xd8 => return None,
            0xd9 => return Some(at + 2),
            marker => {
                // Among the numbers of frames are those of tables, C4 and CC, and one that is reserved.
                let is_frame =
                    matches!(marker, 0xc0..=0xcf) && ![0xc4, 0xc8, 0xcc].contains(marker);
                frames += usize::from(is_frame);
                if frames > 1 {
                    return None;
                }
                at += 2 + big(bytes, at + 2, 2)?;
            }
        }
    }
}

/// After the chunk IEND.
fn png(bytes: &[u8]) -> Option<usize> {
    let mut at = 8;
    loop {
        let kind = bytes.get(at + 4..at + 8)?;
        at = at.checked_add(12)?.checked_add(big(bytes, at, 4)?)?;
        if kind == b"IEND" {
            return Some(at);
        }
    }
}

/// After the first frame, the only one that is used.
fn gif(bytes: &[u8]) -> Option<usize> {
    let table = |flags: u8| match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    };
    // Blocks of up to 255 bytes, each after its length; an empty one is the last.
    let after_blocks = |mut at: usize| loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    };
    let mut at = 13 + table(*bytes.get(10)?);
    while *bytes.get(at)? == 0x21 {
        at = after_blocks(at + 2)?;
    }
    let local = table(*bytes.get(at + 9)?);
    after_blocks(at + 11 + local)
}

/// All of the file, if all strips or tiles of the first picture lie in it.
fn tiff(bytes: &[u8]) -> Option<usize> {
    let number: fn(&[u8], usize, usize) -> Option<usize> = match bytes.starts_with(b"II") {
        true => little,
        false => big,
    };
    let directory = number(bytes, 4, 4)?;
    // Where the numbers of a tag lie, how many they are and the bytes of each: in its entry if there is room for them.
    let numbers = |tag: usize| -> Option<[usize; 3]> {
        for i in 0..number(bytes, directory, 2)? {
            let entry = directory + 2 + 12 * i;
            if number(bytes, entry, 2)? != tag {
                continue;
            }
            let size = match number(bytes, entry + 2, 2)? {
                3 => 2,
                _ => 4,
            };
            let count = number(bytes, entry + 4, 4)?;
            let length = count.checked_mul(size)?;
            let at = match length {
                0..=4 => entry + 8,
                _ => number(bytes, entry + 8, 4)?,
            };
            bytes.get(at..at.checked_add(length)?)?;
            return Some([at, count, size]);
        }
        Some([0; 3])
    };
    for [starts, lengths] in [[273, 279], [324, 325]] {
        let [
            [starts, count, size],
            [lengths, lengths_count, lengths_size],
        ] = [numbers(starts)?, numbers(lengths)?];
        for i in 0..count.min(lengths_count) {
            let start = number(bytes, starts + i * size, size)?;
            let length = number(bytes, lengths + i * lengths_size, lengths_size)?;
            bytes.get(start..start.checked_add(length)?)?;
        }
    }
    Some(bytes.len())
}

/// After the white space that follows the last number of a PNM file in plain text. Without it, nobody knows
/// whether the number ends there.
fn plain(bytes: &[u8], channels: usize) -> Option<usize> {
    let mut at = 2;
    let mut number = || -> Option<usize> {
        loop {
            match bytes.get(at)? {
                b'#' => at += bytes[at..].iter().position(|&byte| byte == b'\n')?,
                byte if is_space(*byte) => at += 1,
                _ => break,
            }
        }
        let length = bytes[at..].iter().position(|&byte| is_space(byte))?;
        let text = std::str::from_utf8(&bytes[at..at + length]).ok()?;
        at += length + 1;
        text.parse().ok()
    };
    let (width, height, _) = (number()?, number()?, number()?);
    for _ in 0..width.checked_mul(height)?.checked_mul(channels)? {
        number()?;
    }
    Some(at)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
