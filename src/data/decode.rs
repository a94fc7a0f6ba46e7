//! From the bytes of a picture file to one square RGB picture.

use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, RgbImage};
use serde::{Deserialize, Serialize};

use super::foreign;
use super::whole::whole;

/// Pictures of more pixels are refused before memory is set aside for them.
const MOST_PIXELS: u64 = 64 << 20;

/// What is left of a picture before it is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// The largest square in the middle.
    Center,
    /// The middle 108 x 108 pixels of the aligned CelebA faces, which are 178 x 218: the usual crop for this
    /// data set, from column 35 and row 55 on. Pictures of any other size are skipped.
    CelebA,
}

/// Decodes the picture in `encoded` to `side` x `side` pixels, planar as in [`Pictures`](super::Pictures).
///
/// The format is told from the bytes: PNG, JPEG, WebP, GIF, BMP, TIFF or PNM. What comes after the picture in its
/// file does not matter, but a picture that is cut off is refused, for the decoders would fill it up. Grey becomes
/// RGB, 16 bits become 8, an animation's first frame stands for it, transparent parts lie on white, and a camera's
/// EXIF orientation is undone. Then comes the crop, and one resize with a triangle filter that widens when it shrinks
/// (antialiased bilinear), also upwards for pictures that are too small. A picture that already has `side` x `side`
/// pixels is taken as it is.
///
/// # Errors
/// A few words on what is wrong with the bytes. It never panics and sets aside at most about 2 GB.
pub fn picture(encoded: &[u8], side: usize, crop: Crop) -> Result<Vec<u8>, String> {
    let picture = decoded(encoded)?;
    let is_ready = |picture: &DynamicImage| {
        (picture.width() as usize, picture.height() as usize) == (side, side)
    };
    if is_ready(&picture) {
        return Ok(planar(&over_white(&picture)));
    }
    // Cropped first, so that the steps after it touch only the pixels that stay.
    let picture = cropped(&picture, crop)?;
    Ok(planar(&resized(over_white(&picture), side)))
}

/// Resizes `rgb` to `side` x `side` pixels, unless it has them.
pub(super) fn resized(rgb: RgbImage, side: usize) -> RgbImage {
    let wanted = side as u32;
    if rgb.dimensions() == (wanted, wanted) {
        return rgb;
    }
    imageops::resize(&rgb, wanted, wanted, FilterType::Triangle)
}

/// All reds, then all greens, then all blues.
pub(super) fn planar(rgb: &RgbImage) -> Vec<u8> {
    let channel = |c: usize| rgb.pixels().map(move |pixel| pixel.0[c]);
    (0..3).flat_map(channel).collect()
}

fn decoded(encoded: &[u8]) -> Result<DynamicImage, String> {
    let format = foreign::format(encoded).ok_or_else(|| foreign::what(encoded))?;
    let encoded = whole(format, encoded).ok_or("it is cut off; download or copy it again")?;
    let mut reader = ImageReader::with_format(Cursor::new(encoded), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(8 * MOST_PIXELS); // four channels of 16 bits
    reader.limits(limits);
    let damaged = |e| match e {
        ImageError::Unsupported(e) => {
            format!("this program cannot read this kind of picture ({e}); convert it to PNG")
        }
        ImageError::Limits(_) => "it takes too much memory; make it smaller".into(),
        e => format!("it is damaged: {e}"),
    };
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(format!(
            "it claims to have {width} x {height} pixels; {} million are the limit",
            MOST_PIXELS >> 20
        ));
    }
    // Broken EXIF data is no reason to lose the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn cropped(picture: &DynamicImage, crop: Crop) -> Result<DynamicImage, String> {
    let (width, height) = (picture.width(), picture.height());
    let side = match crop {
        Crop::Center => width.min(height),
        Crop::CelebA if (width, height) == (178, 218) => 108,
        Crop::CelebA => {
            return Err(format!(
                "it has {width} x {height} pixels, not the 178 x 218 that the CelebA crop is made for"
            ));
        }
    };
    if side == 0 {
        return Err("it has no pixels".into());
    }
    Ok(picture.crop_imm((width - side) / 2, (height - side) / 2, side, side))
}

/// 8-bit RGB, with what is transparent laid over white.
fn over_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let rgba = picture.to_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (out, pixel) in rgb.pixels_mut().zip(rgba.pixels()) {
        let [r, g, b, alpha] = pixel.0.map(u32::from);
        let blend = |colour: u32| ((colour * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        out.0 = [r, g, b].map(blend);
    }
    rgb
}
