//! From bytes to one square picture: colours, crops, sizes.

use coulomb_gan::data::Crop;
use coulomb_gan::data::decode::picture;
use image::{DynamicImage, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};

use crate::place::{encode, grey, plain};

fn decoded(image: &DynamicImage, side: usize) -> Vec<u8> {
    picture(&encode(image, ImageFormat::Png), side, Crop::Center).unwrap()
}

#[test]
fn a_picture_of_the_right_size_is_taken_as_it_is_in_planes() {
    let image = RgbImage::from_fn(3, 3, |x, y| {
        let i = (3 * y + x) as u8;
        Rgb([i, 100 + i, 200 + i])
    });
    let bytes = decoded(&image.into(), 3);
    let planes: Vec<u8> = (0..9).chain(100..109).chain(200..209).collect();
    assert_eq!(bytes, planes);
}

#[test]
fn all_formats_and_their_colours_are_read() {
    let image = plain(20, 10, [200, 100, 50]);
    for format in [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Pnm,
    ] {
        let bytes = picture(&encode(&image, format), 5, Crop::Center).unwrap();
        for (plane, want) in bytes.chunks(25).zip([200u8, 100, 50]) {
            assert!(plane.iter().all(|x| x.abs_diff(want) <= 3), "{format:?}");
        }
    }
    let grey: image::GrayImage = image::ImageBuffer::from_pixel(4, 4, Luma([77u8]));
    assert_eq!(decoded(&grey.into(), 4), [77; 48]);
    let deep = image::ImageBuffer::from_pixel(4, 4, Rgb([0x1234u16, 0xffff, 0]));
    let deep = decoded(&DynamicImage::ImageRgb16(deep), 4);
    assert_eq!((deep[0], deep[16], deep[32]), (0x12, 255, 0));
}

#[test]
fn transparent_parts_lie_on_white() {
    let image = RgbaImage::from_fn(2, 1, |x, _| Rgba([0, 255, 0, [0, 128][x as usize]]));
    let image = DynamicImage::from(image).resize_exact(2, 2, image::imageops::Nearest);
    let bytes = decoded(&image, 2);
    assert_eq!(bytes[..4], [255, 127, 255, 127]);
    assert_eq!(bytes[4..8], [255; 4]);
    let grey = image::ImageBuffer::from_pixel(2, 2, LumaA([9u8, 0]));
    assert_eq!(decoded(&DynamicImage::ImageLumaA8(grey), 2), [255; 12]);
}

#[test]
fn the_centre_is_cropped_and_shrinking_does_not_alias() {
    // Red to the left and right of a square of one-pixel stripes: the red goes, the stripes become grey.
    let image = RgbImage::from_fn(96, 64, |x, _| match x {
        16..80 => Rgb([(x % 2) as u8 * 255; 3]),
        _ => Rgb([255, 0, 0]),
    });
    let bytes = decoded(&image.into(), 8);
    assert!(bytes.iter().all(|x| x.abs_diff(127) <= 8), "{bytes:?}");
}

#[test]
fn the_celeba_crop_is_the_middle_108_pixels_and_nothing_else() {
    let inside = |v: u32, from: u32| (from..from + 108).contains(&v);
    let image = RgbImage::from_fn(178, 218, |x, y| {
        Rgb([(inside(x, 35) && inside(y, 55)) as u8 * 255; 3])
    });
    let bytes = encode(&image.into(), ImageFormat::Png);
    let whole = picture(&bytes, 64, Crop::CelebA).unwrap();
    assert!(whole.iter().all(|&x| x == 255));
    let centre = picture(&bytes, 64, Crop::Center).unwrap();
    assert!(centre.contains(&0));
    let other = encode(&plain(218, 178, [0; 3]), ImageFormat::Png);
    let why = picture(&other, 64, Crop::CelebA).unwrap_err();
    assert!(why.contains("218 x 178"), "{why}");
    let ready = encode(&plain(64, 64, [5; 3]), ImageFormat::Png);
    assert_eq!(picture(&ready, 64, Crop::CelebA).unwrap(), [5; 3 * 64 * 64]);
}

#[test]
fn a_cameras_orientation_is_undone() {
    // A dark left half; EXIF orientation 6 asks to turn it clockwise, so the dark half comes on top.
    let image = RgbImage::from_fn(16, 16, |x, _| Rgb([if x < 8 { 0 } else { 255 }; 3]));
    let jpeg = encode(&image.into(), ImageFormat::Jpeg);
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let segment = [b"\xff\xe1\0", &[exif.len() as u8 + 2][..], exif].concat();
    let turned = [&jpeg[..2], &segment, &jpeg[2..]].concat();
    let bytes = picture(&turned, 16, Crop::Center).unwrap();
    assert!(bytes[..5 * 16].iter().all(|&x| x < 40), "{bytes:?}");
    assert!(bytes[11 * 16..256].iter().all(|&x| x > 215), "{bytes:?}");
}

#[test]
fn absurd_sizes_are_refused_before_memory_is_set_aside() {
    // The header of a PNG with 60 000 x 60 000 pixels and no data.
    let mut png = grey(0);
    for at in [16, 20] {
        png[at..at + 4].copy_from_slice(&60_000u32.to_be_bytes());
    }
    let crc = png[12..29].iter().fold(!0u32, |mut crc, &byte| {
        crc ^= u32::from(byte);
        (0..8).for_each(|_| crc = (crc >> 1) ^ ((crc & 1) * 0xedb8_8320));
        crc
    });
    png[29..33].copy_from_slice(&(!crc).to_be_bytes());
    let why = picture(&png, 8, Crop::Center).unwrap_err();
    assert!(why.contains("60000 x 60000 pixels; 64 million"), "{why}");
}
