//! A picture that is cut off is never filled up, and what comes after its end changes nothing, in every format.

use std::io::Write;

use coulomb_gan::data::Crop;
use coulomb_gan::data::decode::picture;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::codecs::gif::GifEncoder;
use image::{ExtendedColorType, Frame, ImageEncoder, ImageFormat};

use crate::place::{encode, varied};

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(vec![], Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A PNG of 9 x 7 grey pixels in Adam7's seven passes, as `image` cannot write it.
fn interlaced_png() -> Vec<u8> {
    let chunk = |kind: &[u8], body: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(body);
        let length = (body.len() as u32).to_be_bytes();
        [&length, kind, body, &crc.sum().to_be_bytes()].concat()
    };
    let passes = [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
    ];
    let mut raw = vec![];
    for [left, top, across, down] in passes {
        for y in (top..7).step_by(down) {
            raw.push(0); // no filter
            raw.extend((left..9).step_by(across).map(|x| (25 * x + 3 * y) as u8));
        }
    }
    let header = [0, 0, 0, 9, 0, 0, 0, 7, 8, 0, 0, 0, 1];
    let chunks = [
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &zlib(&raw)),
        chunk(b"IEND", b""),
    ];
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunks.concat()].concat()
}

/// A progressive JPEG of 6 x 6 flat blocks: one scan for the high bits of their levels, one for the last bit.
fn progressive_jpeg() -> Vec<u8> {
    let segment = |marker: u8, body: &[u8]| {
        let length = (body.len() as u16 + 2).to_be_bytes();
        [&[0xff, marker], &length[..], body].concat()
    };
    let scan = |bits: String| {
        let padded = bits.clone() + &"1".repeat((8 - bits.len() % 8) % 8);
        let bytes = padded.as_bytes().chunks(8);
        let byte = |bits: &[u8]| bits.iter().fold(0, |n: u8, &bit| n << 1 | (bit - b'0'));
        let stuffed = |byte| {
            if byte == 0xff {
                vec![0xff, 0]
            } else {
                vec![byte]
            }
        };
        bytes.map(byte).flat_map(stuffed).collect::<Vec<u8>>()
    };
    let levels: Vec<i32> = (0..36).map(|i| (i * 37) % 200 - 100).collect();
    let (mut high, mut low, mut last) = (String::new(), String::new(), 0);
    for level in levels {
        let (value, before) = (level >> 1, last);
        last = value;
        let difference = value - before;
        let size = (32 - difference.unsigned_abs().leading_zeros()) as usize;
        // Twelve sizes with codes of four bits; a negative number is its complement.
        let code = if difference < 0 {
            difference + (1 << size) - 1
        } else {
            difference
        };
        high += &format!("{size:04b}");
        if size > 0 {
            high += &format!("{code:0size$b}");
        }
        low += &format!("{}", level & 1);
    }
    let sizes: Vec<u8> = (0..12).collect();
    let counts = [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    [
        vec![0xff, 0xd8],
        segment(0xdb, &[&[0][..], &[8; 64]].concat()),
        segment(0xc2, &[8, 0, 48, 0, 48, 1, 1, 0x11, 0]),
        segment(0xc4, &[&[0][..], &counts, &sizes].concat()),
        segment(0xda, &[1, 1, 0, 0, 0, 0x01]),
        scan(high),
        segment(0xda, &[1, 1, 0, 0, 0, 0x10]),
        scan(low),
        vec![0xff, 0xd9],
    ]
    .concat()
}

/// A JPEG with a whole one in a segment of it, as cameras store previews.
fn jpeg_with_preview() -> Vec<u8> {
    let main = encode(&varied(16, 16), ImageFormat::Jpeg);
    let preview = encode(&varied(4, 4), ImageFormat::Jpeg);
    let length = (preview.len() as u16 + 2).to_be_bytes();
    [&main[..2], &[0xff, 0xe1], &length, &preview, &main[2..]].concat()
}

fn animation() -> Vec<u8> {
    let mut bytes = vec![];
    let mut encoder = GifEncoder::new(&mut bytes);
    for side in [9, 8] {
        let picture = varied(side, side).to_rgba8();
        encoder.encode_frame(Frame::new(picture)).unwrap();
    }
    drop(encoder);
    bytes
}

/// A TIFF of 8 x 8 grey pixels in two strips, packed as `compression` says.
fn tiff(compression: u16, strips: [&[u8]; 2], directory_first: bool) -> Vec<u8> {
    let length = 2 + 12 * 9 + 4 + 16;
    let data = strips.concat();
    let (directory, start) = match directory_first {
        true => (8, 8 + length),
        false => (8 + data.len() as u32, 8),
    };
    let arrays = directory + 2 + 12 * 9 + 4;
    let entries: [[u32; 4]; 9] = [
        [256, 4, 1, 8],
        [257, 4, 1, 8],
        [258, 3, 1, 8],
        [259, 3, 1, u32::from(compression)],
        [262, 3, 1, 1],
        [273, 4, 2, arrays],
        [277, 3, 1, 1],
        [278, 4, 1, 4],
        [279, 4, 2, arrays + 8],
    ];
    let mut ifd = 9u16.to_le_bytes().to_vec();
    for [tag, kind, count, value] in entries {
        ifd.extend((tag as u16).to_le_bytes());
        ifd.extend((kind as u16).to_le_bytes());
        ifd.extend(count.to_le_bytes());
        ifd.extend(value.to_le_bytes());
    }
    ifd.extend([0; 4]);
    let lengths = strips.map(|strip| strip.len() as u32);
    for number in [start, start + lengths[0], lengths[0], lengths[1]] {
        ifd.extend(number.to_le_bytes());
    }
    let head = [b"II*\0", &directory.to_le_bytes()[..]].concat();
    match directory_first {
        true => [head, ifd, data].concat(),
        false => [head, data, ifd].concat(),
    }
}

fn tiffs() -> Vec<(&'static str, Vec<u8>)> {
    let rows: Vec<u8> = (0..64).map(|i| i * 3).collect();
    let halves = [&rows[..32], &rows[32..]];
    let zipped = halves.map(zlib);
    // Runs of literal bytes, each after its length less one.
    let packed = halves.map(|half| [&[31], half].concat());
    let jpeg = |rows: &[u8]| {
        let mut bytes = vec![];
        let encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
        encoder
            .write_image(rows, 8, 4, ExtendedColorType::L8)
            .unwrap();
        bytes
    };
    let jpegs = halves.map(jpeg);
    let borrowed = |strips: &'_ [Vec<u8>; 2]| strips.clone();
    let mut all = vec![];
    for first in [true, false] {
        all.push(("TIFF", tiff(1, halves, first)));
        for (name, compression, strips) in [
            ("TIFF, deflate", 8, borrowed(&zipped)),
            ("TIFF, PackBits", 32773, borrowed(&packed)),
            ("TIFF, JPEG", 7, borrowed(&jpegs)),
        ] {
            all.push((name, tiff(compression, [&strips[0], &strips[1]], first)));
        }
    }
    all
}

/// A BMP of 4 x 2 pixels with two colours: run lengths, or one bit per pixel.
fn bmp(compression: u8, bits: u8, data: &[u8]) -> Vec<u8> {
    let size = 14 + 40 + 8 + data.len() as u32;
    let mut bytes = b"BM".to_vec();
    for number in [size, 0, 62, 40, 4, 2, 1 | u32::from(bits) << 16] {
        bytes.extend(number.to_le_bytes());
    }
    for number in [u32::from(compression), data.len() as u32, 0, 0, 2, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([10, 20, 30, 0, 200, 150, 100, 0]);
    bytes.extend(data);
    bytes
}

/// Good files of all formats and most of their kinds.
fn good() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("interlaced PNG", interlaced_png()),
        ("progressive JPEG", progressive_jpeg()),
        ("JPEG with a preview", jpeg_with_preview()),
        ("animation", animation()),
        ("BMP, 1 bit", bmp(0, 1, &[0x50, 0, 0, 0, 0xa0, 0, 0, 0])),
        (
            "BMP, run lengths",
            bmp(1, 8, &[4, 1, 0, 0, 2, 0, 2, 1, 0, 1]),
        ),
        ("PBM", b"P1\n4 2\n0 1 1 0\n1 0 0 1\n".to_vec()),
        (
            "PGM",
            b"P2 # grey\n4 2 255\n1 22 133 244\n250 99 8 255\n".to_vec(),
        ),
        ("PPM", b"P3\n2 1\n255\n1 22 133\n244 250 199\n".to_vec()),
        ("PBM, binary", b"P4\n4 2\n\x50\xa0".to_vec()),
        ("PGM, binary", b"P5 2 2 255\n\x01\x20\xa0\xf0".to_vec()),
        (
            "PPM, 16 bits",
            b"P6 1 1 65535\n\x01\x20\xa0\xf0\xff\xff".to_vec(),
        ),
    ];
    all.extend(tiffs());
    for format in [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Pnm,
    ] {
        let name = format.extensions_str()[0];
        all.push((name, encode(&varied(12, 10), format)));
        all.push((
            name,
            encode(
                &varied(12, 10).to_rgba8().into(),
                match format {
                    ImageFormat::Jpeg | ImageFormat::Pnm => ImageFormat::Png,
                    other => other,
                },
            ),
        ));
    }
    all
}

fn pixels(bytes: &[u8]) -> Result<Vec<u8>, String> {
    picture(bytes, 6, Crop::Center)
}

#[test]
fn a_cut_file_is_refused_or_gives_the_pixels_of_the_whole() {
    for (name, bytes) in good() {
        let whole = pixels(&bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(whole.iter().any(|x| *x != whole[0]), "{name} is flat");
        for cut in 0..bytes.len() {
            if let Ok(rest) = pixels(&bytes[..cut]) {
                assert_eq!(rest, whole, "{name} cut at {cut} of {}", bytes.len());
            }
        }
        assert!(
            pixels(&bytes[..bytes.len() / 2]).is_err() || name == "animation",
            "{name}"
        );
    }
}

#[test]
fn what_follows_a_picture_changes_nothing() {
    let jpeg = encode(&varied(40, 30), ImageFormat::Jpeg);
    let film = [b"\0\0\0\x18ftypmp42\0\0\0\0", &[0xff, 0xda, 7, 0xff][..]].concat();
    let noise: Vec<u8> = (0..3000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let tails: [&[u8]; 9] = [
        b"\n",
        &[0; 600],
        b"\xff\xda",
        b"\xff\xd9",
        b"\xff\xd8\xff\xda\0\x02",
        &jpeg,
        &jpeg[..jpeg.len() / 2],
        &film,
        &noise,
    ];
    for (name, bytes) in good() {
        let whole = pixels(&bytes);
        for tail in tails {
            let longer = [&bytes, tail].concat();
            assert_eq!(pixels(&longer), whole, "{name} and {} bytes", tail.len());
        }
    }
}

#[test]
fn a_cut_jpeg_with_another_file_behind_it_stays_cut() {
    let jpeg = encode(&varied(60, 50), ImageFormat::Jpeg);
    let other = encode(&varied(8, 8), ImageFormat::Jpeg);
    let start = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xda])
        .unwrap();
    for cut in (start + 20..jpeg.len() - 2).step_by(5) {
        // A cut between FF and its 0 makes another marker of the next byte.
        let why = pixels(&[&jpeg[..cut], &other].concat());
        assert!(why.is_err(), "cut at {cut}");
        assert!(pixels(&[&jpeg[..cut], &[0; 4096][..]].concat()).is_err());
    }
}

#[test]
fn a_jpeg_cut_within_a_header_does_not_go_on_in_the_next_file() {
    let jpeg = progressive_jpeg();
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc2]);
    for cut in frame.unwrap() + 4..jpeg.len() - 1 {
        let why = pixels(&[&jpeg[..cut], &jpeg[..]].concat());
        assert!(why.is_err(), "cut at {cut}");
    }
}

#[test]
fn markers_may_be_filled_up() {
    let jpeg = encode(&varied(16, 16), ImageFormat::Jpeg);
    let start = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xdb])
        .unwrap();
    let filled = [&jpeg[..start], &[0xff; 3], &jpeg[start..]].concat();
    assert_eq!(pixels(&filled), pixels(&jpeg));
}
