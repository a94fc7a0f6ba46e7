//! A white sheet on which soft-edged discs, lines, arrows and words are drawn.
//!
//! Coordinates are pixels: pixel (i, j) covers the square from (i, j) to (i + 1, j + 1), x to the right and y
//! down. Whatever lies outside the sheet, or is not a number, leaves no trace.

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::palette::{WHITE, mix, unit};

/// Font of tick numbers and captions: 16 pixels high.
pub const SMALL: RasterHeight = RasterHeight::Size16;
/// Font of titles: 20 pixels high.
pub const LARGE: RasterHeight = RasterHeight::Size20;

/// Where the given corner of a text lies relative to the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// The text starts there.
    Left,
    /// The text is centred there.
    Centre,
    /// The text ends there.
    Right,
}

/// An RGB picture under construction.
#[derive(Debug, Clone)]
pub struct Canvas {
    image: RgbImage,
}

impl Canvas {
    /// A white sheet of `width` x `height` pixels.
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            image: RgbImage::from_pixel(width, height, WHITE),
        }
    }

    /// The finished picture.
    pub fn into_image(self) -> RgbImage {
        self.image
    }

    /// Lays `color` over pixel (x, y) with opacity `alpha` in \[0, 1\].
    pub fn blend(&mut self, x: i64, y: i64, color: Rgb<u8>, alpha: f32) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        if let Some(pixel) = self.image.get_pixel_mut_checked(x, y) {
            *pixel = mix(*pixel, color, alpha);
        }
    }

    /// Fills the rectangle of whole pixels with corner (`left`, `top`).
    pub fn fill(&mut self, [left, top]: [u32; 2], [width, height]: [u32; 2], color: Rgb<u8>) {
        for y in top..top.saturating_add(height).min(self.image.height()) {
            for x in left..left.saturating_add(width).min(self.image.width()) {
                self.image.put_pixel(x, y, color);
            }
        }
    }

    /// A filled disc with opacity `alpha`.
    pub fn disc(&mut self, centre: [f32; 2], radius: f32, color: Rgb<u8>, alpha: f32) {
        let low = centre.map(|c| c - radius - 1.0);
        let high = centre.map(|c| c + radius + 1.0);
        self.cover(low, high, color, alpha, |p| {
            let distance = (p[0] - centre[0]).hypot(p[1] - centre[1]);
            radius + 0.5 - distance
        });
    }

    /// A straight stroke of the given `width` with round ends.
    pub fn line(&mut self, from: [f32; 2], to: [f32; 2], width: f32, color: Rgb<u8>) {
        let reach = width / 2.0 + 1.0;
        let low = [0, 1].map(|i| from[i].min(to[i]) - reach);
        let high = [0, 1].map(|i| from[i].max(to[i]) + reach);
        let along = [to[0] - from[0], to[1] - from[1]];
        let squared = along[0] * along[0] + along[1] * along[1];
        self.cover(low, high, color, 1.0, |p| {
            let offset = [p[0] - from[0], p[1] - from[1]];
            // The nearest point of the stroke's axis; a stroke of no length is a dot.
            let t = (offset[0] * along[0] + offset[1] * along[1]) / squared;
            let t = unit(t);
            let distance = (offset[0] - t * along[0]).hypot(offset[1] - t * along[1]);
            width / 2.0 + 0.5 - distance
        });
    }

    /// An arrow with its tip at `to`; the head is at most 5 pixels long and shrinks with short arrows.
    pub fn arrow(&mut self, from: [f32; 2], to: [f32; 2], width: f32, color: Rgb<u8>) {
        let back = [from[0] - to[0], from[1] - to[1]];
        let length = back[0].hypot(back[1]);
        let head = (0.4 * length).min(5.0) / length;
        self.line(from, to, width, color);
        for side in [-0.6, 0.6] {
            let barb = [
                to[0] + head * (back[0] - side * back[1]),
                to[1] + head * (back[1] + side * back[0]),
            ];
            self.line(to, barb, width, color);
        }
    }

    /// Writes one line of text whose upper edge is at `y`, and returns its width in pixels.
    ///
    /// The font has the printable ASCII characters; a question mark stands in for any other.
    pub fn text(
        &mut self,
        [x, y]: [i64; 2],
        align: Align,
        size: RasterHeight,
        color: Rgb<u8>,
        text: &str,
    ) -> i64 {
        let advance = get_raster_width(FontWeight::Regular, size) as i64;
        let width = advance * text.chars().count() as i64;
        let mut left = match align {
            Align::Left => x,
            Align::Centre => x - width / 2,
            Align::Right => x - width,
        };
        for character in text.chars() {
            let raster = |c| get_raster(c, FontWeight::Regular, size);
            let glyph = raster(character).or_else(|| raster('?'));
            for (row, pixels) in glyph.iter().flat_map(|glyph| glyph.rows()).enumerate() {
                for (column, &ink) in pixels.iter().enumerate() {
                    let alpha = f32::from(ink) / 255.0;
                    self.blend(left + column as i64, y + row as i64, color, alpha);
                }
            }
            left += advance;
        }
        width
    }

    /// Blends `color` into the pixels between `low` and `high`, each by `alpha` times `coverage` of its
    /// centre clamped to \[0, 1\]: a ramp one pixel wide makes a soft edge.
    fn cover(
        &mut self,
        low: [f32; 2],
        high: [f32; 2],
        color: Rgb<u8>,
        alpha: f32,
        coverage: impl Fn([f32; 2]) -> f32,
    ) {
        // Clamped to the sheet first: shapes may be far away or huge. Casts turn NaN into 0.
        let limits = [self.image.width(), self.image.height()].map(|n| n as f32);
        let first = [0, 1].map(|i| low[i].floor().max(0.0) as i64);
        let end = [0, 1].map(|i| high[i].ceil().min(limits[i]) as i64);
        for y in first[1]..end[1] {
            for x in first[0]..end[0] {
                let share = coverage([x as f32 + 0.5, y as f32 + 0.5]);
                self.blend(x, y, color, alpha * unit(share));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::palette::{INK, REAL};

    #[test]
    fn a_disc_is_solid_inside_soft_at_the_edge_and_absent_outside() {
        let mut canvas = Canvas::new(21, 21);
        canvas.disc([10.5, 10.5], 4.0, REAL, 1.0);
        let image = canvas.into_image();
        assert_eq!(*image.get_pixel(10, 10), REAL);
        assert_eq!(*image.get_pixel(13, 10), REAL);
        assert_eq!(*image.get_pixel(14, 10), mix(WHITE, REAL, 0.5));
        assert_eq!(*image.get_pixel(15, 10), WHITE);
    }

    #[test]
    fn strokes_and_words_land_where_they_should() {
        let mut canvas = Canvas::new(100, 40);
        canvas.arrow([10.0, 5.5], [90.0, 5.5], 1.0, INK);
        assert_eq!(
            canvas.text([50, 15], Align::Centre, SMALL, INK, "ab"),
            2 * 7
        );
        let image = canvas.into_image();
        assert_eq!(*image.get_pixel(50, 5), INK);
        let inked = |x: u32| (15..31).any(|y| *image.get_pixel(x, y) != WHITE);
        assert!((43..50).any(inked) && (50..57).any(inked));
        assert!(!(0..43).any(inked) && !(57..100).any(inked));
    }

    #[test]
    fn nonsense_leaves_no_trace() {
        let mut canvas = Canvas::new(8, 8);
        for bad in [f32::NAN, f32::INFINITY, -f32::INFINITY, 1e30, -1e30] {
            canvas.disc([bad, 3.0], 2.0, INK, 1.0);
            canvas.disc([3.0, bad], 2.0, INK, 1.0);
            canvas.disc([20.0, 20.0], 2.0, INK, bad);
        }
        canvas.line([f32::NAN, 1.0], [3.0, 3.0], 1.0, INK);
        canvas.arrow([20.0, 20.0], [20.0, 20.0], 1.0, INK);
        canvas.text([i64::from(i32::MAX), -5], Align::Right, LARGE, INK, "far");
        canvas.fill([9, 0], [u32::MAX, 3], INK);
        let image = canvas.into_image();
        assert!(image.pixels().all(|&p| p == WHITE));
    }
}
