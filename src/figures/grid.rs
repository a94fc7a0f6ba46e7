//! Small pictures in rows and columns, and several such sheets beside each other.

use image::{Rgb, RgbImage};

use super::canvas::{Align, Canvas, SMALL};
use super::palette::INK;
use crate::data::pictures::to_u8;

/// Pixels between neighbouring pictures.
const GAP: u32 = 2;

/// Pixels between neighbouring sheets, and around them.
const MARGIN: u32 = 12;

/// Pixels above a sheet for its caption.
const CAPTION: u32 = 24;

/// Pictures smaller than this are enlarged by a whole factor, up to this size.
const VISIBLE: usize = 64;

/// Lays pictures out in rows of `columns`, with thin gaps; the last row may be incomplete.
///
/// `pictures` are numbers in \[−1, 1\], shape `[N, 3, side, side]`; what lies outside is clamped, as a generator
/// may overshoot. Pictures of less than 64 pixels a side are enlarged by a whole factor.
///
/// # Panics
/// If `side` or `columns` is 0.
pub fn grid(pictures: &[f32], side: usize, columns: usize) -> RgbImage {
    let pictures = pictures.chunks_exact(3 * side * side);
    let rows = pictures.len().div_ceil(columns).max(1);
    let zoom = (VISIBLE / side).max(1) as u32;
    let cell = zoom * side as u32 + GAP;
    let mut canvas = Canvas::new(columns as u32 * cell - GAP, rows as u32 * cell - GAP);
    for (i, numbers) in pictures.enumerate() {
        let [left, top] = [i % columns, i / columns].map(|place| place as u32 * cell);
        for (x, y, &pixel) in picture(numbers, side).enumerate_pixels() {
            let corner = [left + zoom * x, top + zoom * y];
            canvas.fill(corner, [zoom, zoom], pixel);
        }
    }
    canvas.into_image()
}

/// One picture in its own size, from numbers in \[−1, 1\], shape `[3, side, side]`, clamped as in [`grid`].
///
/// # Panics
/// If there are fewer numbers.
pub fn picture(numbers: &[f32], side: usize) -> RgbImage {
    RgbImage::from_fn(side as u32, side as u32, |x, y| {
        let channel = |c: usize| numbers[(c * side + y as usize) * side + x as usize];
        Rgb([0, 1, 2].map(|c| to_u8(channel(c))))
    })
}

/// Sheets from left to right, each with its caption above.
pub fn captioned(sheets: &[(&str, &RgbImage)]) -> RgbImage {
    let width: u32 = sheets.iter().map(|(_, s)| s.width() + MARGIN).sum();
    let height = sheets.iter().map(|(_, s)| s.height()).max().unwrap_or(0);
    let mut canvas = Canvas::new(width + MARGIN, height + CAPTION + MARGIN);
    let mut left = MARGIN;
    for (caption, sheet) in sheets {
        canvas.text([left.into(), 4], Align::Left, SMALL, INK, caption);
        for (x, y, &pixel) in sheet.enumerate_pixels() {
            canvas.fill([left + x, CAPTION + y], [1, 1], pixel);
        }
        left += sheet.width() + MARGIN;
    }
    canvas.into_image()
}

/// The size of the part of [`captioned`] that shows the first of two equal sheets, margins included.
pub fn first_of_two([width, height]: [u32; 2]) -> [u32; 2] {
    [(width + MARGIN) / 2, height]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::palette::WHITE;

    /// A picture of one colour.
    fn plain(side: usize, color: [f32; 3]) -> Vec<f32> {
        color.iter().flat_map(|&c| vec![c; side * side]).collect()
    }

    #[test]
    fn pictures_lie_row_by_row_enlarged_and_apart() {
        let red = plain(32, [1.0, -1.0, -1.0]);
        let grey = plain(32, [0.0; 3]);
        let mut blue = plain(32, [-1.0, -1.0, 1.0]);
        blue[0] = 1.0; // its first pixel is magenta
        let sheet = grid(&[red, grey, blue].concat(), 32, 2);
        assert_eq!(sheet.dimensions(), (64 + 2 + 64, 64 + 2 + 64));
        let at = |x, y| sheet.get_pixel(x, y).0;
        assert_eq!(at(0, 0), [255, 0, 0]);
        assert_eq!(at(63, 63), [255, 0, 0]);
        assert_eq!(at(64, 0), WHITE.0);
        assert_eq!(at(66, 0), [128; 3]);
        assert_eq!((at(0, 66), at(1, 67)), ([255, 0, 255], [255, 0, 255]));
        assert_eq!(at(2, 66), [0, 0, 255]);
        assert_eq!(at(66, 66), WHITE.0);
    }

    #[test]
    fn rows_and_columns_of_a_picture_stay_what_they_are() {
        let mut picture = plain(128, [-1.0; 3]);
        picture[3 * 128 + 5] = 1.0; // red at row 3, column 5
        let sheet = grid(&picture, 128, 1);
        assert_eq!(sheet.dimensions(), (128, 128));
        assert_eq!(sheet.get_pixel(5, 3).0, [255, 0, 0]);
        assert_eq!(sheet.get_pixel(3, 5).0, [0, 0, 0]);
    }

    #[test]
    fn overshooting_and_undefined_numbers_are_clamped() {
        let sheet = grid(&plain(1, [7.0, -7.0, f32::NAN]), 1, 1);
        assert_eq!(sheet.get_pixel(63, 63).0, [255, 0, 0]);
        assert!(grid(&[], 64, 3).pixels().all(|&p| p == WHITE));
    }

    #[test]
    fn captions_stand_above_their_sheets() {
        let black = RgbImage::new(100, 50);
        let image = captioned(&[("real", &black), ("generated", &black)]);
        assert_eq!(image.dimensions(), (100 + 100 + 36, 50 + 36));
        let black = |x: u32, y: u32| image.get_pixel(x, y).0 == [0; 3];
        assert_eq!((0..236).filter(|&x| black(x, 24)).count(), 200);
        assert_eq!((0..236).filter(|&x| black(x, 23)).count(), 0);
        // The caption of the second one begins at its left edge.
        let inked = |x: u32| (4..20).any(|y| image.get_pixel(x, y).0 != [255; 3]);
        assert!((124..132).any(inked) && !(60..124).any(inked));
    }
}
