//! Floor 6: pictures from plain arrays. Nothing here knows about tapes, networks or devices.
//!
//! Reading order: [`palette`] (what colours mean), [`canvas`] (pixels), [`axes`] (data to pixels), and then one
//! file per figure: [`scatter`] (the paper's Figure 4), [`density`] (Figure 5), [`field`] (Figure 1), [`grid`]
//! (generated pictures) and [`animation`].

pub mod animation;
pub mod axes;
pub mod canvas;
pub mod density;
pub mod field;
pub mod grid;
pub mod palette;
pub mod scatter;

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};

use crate::data::own;
use crate::numbers::atomic::write_atomically;
use crate::numbers::{Error, Result};

/// Points of one kind, shown in an axes of their own beside others.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// What stands above.
    pub title: &'a str,
    /// In data units; points that are not finite are left out.
    pub points: &'a [[f32; 2]],
    /// Of the title, and of the points where each is drawn.
    pub color: Rgb<u8>,
}

impl<'a> Panel<'a> {
    /// Real points and generated ones, under these titles.
    fn pair(real: &'a [[f32; 2]], generated: &'a [[f32; 2]], titles: [&'a str; 2]) -> [Self; 2] {
        let panel = |title, points, color| Self {
            title,
            points,
            color,
        };
        [
            panel(titles[0], real, palette::REAL),
            panel(titles[1], generated, palette::GENERATED),
        ]
    }
}

/// Half the side of the square that the mixture's pictures show: the outer modes end at about 24.
pub const WINDOW: f32 = 27.0;

/// Writes `image` to `path` as a PNG.
///
/// # Errors
/// If `path` cannot be written.
pub fn write_png(path: &Path, image: &RgbImage) -> Result<()> {
    let bytes = png(image)?;
    write_atomically(path, |w| w.write_all(&bytes))
}

/// The bytes of `image` as a PNG, with the mark by which it is never taken for data.
///
/// # Errors
/// If it is too large for the format.
pub fn png(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|e| Error::failure(format!("cannot encode a picture: {e}")))?;
    Ok(own::marked(bytes.into_inner()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_comes_back_bit_for_bit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        let image = RgbImage::from_fn(7, 5, |x, y| image::Rgb([x as u8, y as u8, 200]));
        write_png(&path, &image).unwrap();
        assert_eq!(image::open(&path).unwrap().into_rgb8(), image);
    }
}
