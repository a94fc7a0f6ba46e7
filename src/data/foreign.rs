//! What a file is, told from its first bytes: a picture of a format that is read here, or something else.

use image::ImageFormat;

/// So many bytes at the start of a file are enough for [`format`] and [`what`].
pub(super) const START: usize = 512;

/// The formats that are read, for sentences.
pub(super) const FORMATS: &str = "PNG, JPEG, WebP, GIF, BMP, TIFF or PNM";

/// Starts of files that somebody might take for pictures, and what to do with them.
const KNOWN: [(&[u8], &str); 25] = [
    (
        b"version https://git-lfs",
        "it is a Git LFS pointer, not the picture; run git lfs pull in its repository",
    ),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\xff\x0a", JPEG_XL),
    (
        b"\0\0\0\x0cjP  \r\n\x87\n",
        "it is JPEG 2000 inside; convert it to JPEG or PNG",
    ),
    (
        b"\xff\x4f\xff\x51",
        "it is JPEG 2000 inside; convert it to JPEG or PNG",
    ),
    (
        b"8BPS",
        "it is a Photoshop file inside; export it as JPEG or PNG",
    ),
    (
        b"gimp xcf",
        "it is a GIMP file inside; export it as JPEG or PNG",
    ),
    (
        b"%PDF",
        "it is a PDF document; extract its pictures as JPEG or PNG",
    ),
    (b"%!PS", "it is a PostScript document; convert it to PNG"),
    (b"PK\x03\x04", "it is a zip archive inside; unpack it first"),
    (b"PK\x05\x06", "it is an empty zip archive"),
    (b"\x1f\x8b", "it is gzip-compressed; unpack it first"),
    (b"BZh", "it is bzip2-compressed; unpack it first"),
    (b"\xfd7zXZ", "it is xz-compressed; unpack it first"),
    (
        b"\x28\xb5\x2f\xfd",
        "it is zstd-compressed; unpack it first",
    ),
    (b"7z\xbc\xaf", "it is a 7z archive; unpack it first"),
    (b"Rar!", "it is a RAR archive; unpack it first"),
    (
        b"\x93NUMPY",
        "it is a NumPy array; save its pictures as PNG",
    ),
    (b"\x1a\x45\xdf\xa3", FILM),
    (b"II+\0", "it is BigTIFF inside; convert it to PNG"),
    (b"MM\0+", "it is BigTIFF inside; convert it to PNG"),
    (b"qoif", "it is QOI inside; convert it to PNG"),
    (b"DDS ", "it is DDS inside; convert it to PNG"),
    (
        b"\x76\x2f\x31\x01",
        "it is OpenEXR inside; convert it to PNG",
    ),
    (b"\0\0\x01\0", "it is an icon inside; convert it to PNG"),
];

const JPEG_XL: &str = "it is JPEG XL inside; convert it to JPEG or PNG";
const FILM: &str = "it is a film, not a picture; save its frames as JPEG or PNG";

/// The format that the first bytes promise, of those in [`FORMATS`].
///
/// BMP and PNM begin with two letters, as a text may; so a little more has to be right there.
pub(super) fn format(start: &[u8]) -> Option<ImageFormat> {
    let format = image::guess_format(start).ok()?;
    let is_one = match format {
        ImageFormat::Png
        | ImageFormat::Jpeg
        | ImageFormat::WebP
        | ImageFormat::Gif
        | ImageFormat::Tiff => true,
        // The length of the second header, which tells its version.
        ImageFormat::Bmp => {
            matches!(
                start.get(14..18),
                Some([12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])
            )
        }
        ImageFormat::Pnm => {
            let rest = start[2..].trim_ascii_start();
            let first = rest
                .first()
                .is_some_and(|b| b.is_ascii_digit() || b"#WHDM".contains(b));
            first && rest.len() < start.len() - 2
        }
        _ => false,
    };
    is_one.then_some(format)
}

/// What a file that is no picture is, and what to do: a few words that go on from its name.
pub(super) fn what(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(START)];
    let known = KNOWN.iter().find(|(magic, _)| start.starts_with(magic));
    let why = match known {
        _ if start.is_empty() => "it is empty; download or copy it again",
        _ if start.iter().all(|&byte| byte == 0) => {
            "there are only zeros in it; download or copy it again"
        }
        Some((_, why)) => *why,
        None if start.get(4..8) == Some(b"ftyp") => boxed(start),
        None if start.starts_with(b"RIFF") && start.get(8..12) == Some(b"AVI ") => FILM,
        None => text(start).unwrap_or("it is no picture; download or copy it again"),
    };
    why.into()
}

/// The kinds of files in ISO boxes, by their brands: the main one, a version, then those it is compatible with.
fn boxed(start: &[u8]) -> &'static str {
    let length = start[..4].iter().fold(0, |n, &b| n << 8 | usize::from(b));
    let brands = &start[8..length.clamp(8, start.len())];
    let has = |wanted: &[&[u8; 4]]| {
        let (brands, _) = brands.as_chunks::<4>();
        brands.iter().any(|brand| wanted.contains(&brand))
    };
    if has(&[b"avif", b"avis"]) {
        "it is AVIF inside; convert it to JPEG or PNG"
    } else if has(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1",
    ]) {
        "it is HEIC inside; convert it to JPEG or PNG"
    } else if has(&[b"crx "]) {
        "it is a camera's raw file inside; convert it to JPEG or PNG"
    } else {
        FILM
    }
}

/// What a text is; nothing, if it is none.
fn text(start: &[u8]) -> Option<&'static str> {
    let is_control = |b: &u8| b.is_ascii_control() && !b.is_ascii_whitespace();
    // The last letter may be cut.
    let is_text = match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(e) => e.error_len().is_none(),
    };
    let bytes = start
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(start)
        .trim_ascii_start();
    let lower = bytes.to_ascii_lowercase();
    let contains = |word: &[u8]| lower.windows(word.len()).any(|w| w == word);
    if bytes.starts_with(b"<") && contains(b"<svg") && !contains(b"<html") {
        Some("it is an SVG drawing; convert it to PNG")
    } else if bytes.starts_with(b"<") {
        Some("it is a web page, not a picture; download the picture itself")
    } else if !is_text || start.iter().any(is_control) {
        None
    } else if bytes.starts_with(b"{") || bytes.starts_with(b"[") {
        Some(
            "it is JSON, perhaps the answer of a server, not a picture; download the picture itself",
        )
    } else {
        Some("it is text, not a picture; download the picture itself")
    }
}
