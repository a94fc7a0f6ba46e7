//! Learning in motion: small scatter plots, one after the other, as a GIF that repeats for ever.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, Rgb, RgbImage, buffer::ConvertBuffer};

use super::axes::{Axes, Dot};
use super::canvas::{Align, Canvas, SMALL};
use super::palette::{GENERATED, INK, REAL, WHITE, mix};
use crate::numbers::atomic::write_atomically;
use crate::numbers::{Error, Result};

/// One frame, 360 x 360 pixels: `real` points faint, `generated` points on top, and a `caption` such as
/// "step 12 000".
///
/// It shows \[−`window`, `window`\]² without ticks; points outside it or not finite are left out.
pub fn frame(real: &[[f32; 2]], generated: &[[f32; 2]], window: f32, caption: &str) -> RgbImage {
    let mut canvas = Canvas::new(360, 360);
    let axes = Axes {
        left: 16,
        top: 26,
        side: 328,
        window,
    };
    let dot = |color| Dot {
        radius: 1.3,
        color,
        alpha: 1.0,
    };
    // Opaque colours on white: overlaps make no new shades, which keeps the GIF small.
    axes.dots(&mut canvas, real, dot(mix(WHITE, REAL, 0.3)));
    axes.dots(&mut canvas, generated, dot(GENERATED));
    axes.border(&mut canvas);
    canvas.text([17, 5], Align::Left, SMALL, INK, caption);
    canvas.into_image()
}

/// Writes `frames` to `path` as a GIF that repeats for ever, each frame shown for `delay_ms` milliseconds
/// (kept in steps of 10; many viewers slow down anything below 20).
///
/// Colours are rounded to 16 levels per channel, with which a [`frame`] has fewer than the 256 colours a GIF
/// allows. A frame that still has more, of photographs say, is shown in the 256 that suit it best.
///
/// # Errors
/// If there are no frames, if they differ in size or exceed 65 535 pixels in one direction, or if `path`
/// cannot be written.
pub fn write_gif(path: &Path, frames: &[RgbImage], delay_ms: u32) -> Result<()> {
    let Some(first) = frames.first() else {
        return Err(Error::usage("an animation needs at least one frame"));
    };
    if let Some(other) = frames.iter().find(|f| f.dimensions() != first.dimensions()) {
        return Err(Error::usage(format!(
            "the frames of an animation must have one size, not {:?} and {:?}",
            first.dimensions(),
            other.dimensions()
        )));
    }
    let bytes = encode(frames, delay_ms)
        .map_err(|e| Error::failure(format!("cannot encode {}: {e}", path.display())))?;
    write_atomically(path, |w| w.write_all(&bytes))
}

fn encode(frames: &[RgbImage], delay_ms: u32) -> image::ImageResult<Vec<u8>> {
    let delay = Delay::from_saturating_duration(Duration::from_millis(delay_ms.into()));
    let mut bytes = Vec::new();
    // The speed is that of choosing 256 colours: 10 looks like 1, the best, in a tenth of its time.
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
    encoder.set_repeat(Repeat::Infinite)?;
    for frame in frames {
        let mut rounded = frame.clone();
        for Rgb(channels) in rounded.pixels_mut() {
            // 255 = 15 * 17, so black and white stay what they are.
            *channels = channels.map(|v| ((u16::from(v) + 8) / 17 * 17) as u8);
        }
        let colors: HashSet<_> = rounded.pixels().collect();
        let frame = if colors.len() <= 256 { &rounded } else { frame };
        encoder.encode_frame(Frame::from_parts(frame.convert(), 0, 0, delay))?;
    }
    drop(encoder);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::AnimationDecoder;
    use image::codecs::gif::GifDecoder;

    #[test]
    fn generated_points_lie_on_top_of_real_ones() {
        let image = frame(&[[0.0; 2], [5.0, 5.0]], &[[0.0; 2]], 10.0, "step 1");
        assert_eq!(image.dimensions(), (360, 360));
        assert_eq!(*image.get_pixel(180, 190), GENERATED);
        assert_eq!(*image.get_pixel(180 + 82, 190 - 82), mix(WHITE, REAL, 0.3));
        let empty = frame(&[], &[], 10.0, "");
        assert_eq!(
            empty,
            frame(&[[f32::NAN; 2]], &[[0.0, f32::INFINITY]], 10.0, "")
        );
    }

    #[test]
    fn the_gif_holds_every_frame_its_delay_and_loops() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gif");
        let frames: Vec<_> = (0..3)
            .map(|i| frame(&[[1.0, 1.0]], &[[i as f32, 0.0]], 10.0, "x"))
            .collect();
        write_gif(&path, &frames, 120).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.windows(14).any(|w| w == b"NETSCAPE2.0\x03\x01\x00"));
        let decoder = GifDecoder::new(std::io::Cursor::new(&bytes)).unwrap();
        let decoded = decoder.into_frames().collect_frames().unwrap();
        assert_eq!(decoded.len(), 3);
        for (decoded, original) in decoded.iter().zip(&frames) {
            assert_eq!(decoded.delay().numer_denom_ms(), (120, 1));
            for (a, b) in decoded.buffer().pixels().zip(original.pixels()) {
                assert!((0..3).all(|i| a.0[i].abs_diff(b.0[i]) <= 8));
            }
        }
    }

    #[test]
    fn photographs_keep_their_gradients() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gif");
        let frame = RgbImage::from_fn(64, 64, |x, y| Rgb([4 * x as u8, 4 * y as u8, 128]));
        write_gif(&path, std::slice::from_ref(&frame), 100).unwrap();
        let decoded = image::open(&path).unwrap().into_rgb8();
        let pixels = decoded.pixels().zip(frame.pixels());
        let apart = pixels.map(|(a, b)| (0..3).map(|i| a.0[i].abs_diff(b.0[i])).max());
        assert!(apart.max().unwrap().unwrap() <= 20);
    }

    #[test]
    fn no_frames_and_mixed_sizes_are_refused() {
        let path = Path::new("never-written.gif");
        assert!(write_gif(path, &[], 100).is_err());
        let mixed = [RgbImage::new(3, 3), RgbImage::new(3, 4)];
        let message = write_gif(path, &mixed, 100).unwrap_err().to_string();
        assert!(message.contains("one size"), "{message}");
    }
}
