//! Colours that stay apart for colour-blind readers and in greyscale print.
//!
//! One meaning per colour in every picture: blue is real (positive charge), orange is generated (negative
//! charge). Both come from Okabe and Ito's palette.

use image::Rgb;

/// Real data.
pub const REAL: Rgb<u8> = Rgb([0, 114, 178]);
/// Generated samples.
pub const GENERATED: Rgb<u8> = Rgb([213, 94, 0]);
/// Text.
pub const INK: Rgb<u8> = Rgb([48, 52, 58]);
/// Field arrows: legible over any background, but quieter than the points.
pub const ARROW: Rgb<u8> = Rgb([84, 88, 96]);
/// Frames and ticks, which should be found but not noticed.
pub const FRAME: Rgb<u8> = Rgb([150, 154, 160]);
/// The paper.
pub const WHITE: Rgb<u8> = Rgb([255, 255, 255]);

/// From dark violet (nothing) over blue and green to yellow (most), each step lighter than the one before.
const SEQUENTIAL: [Rgb<u8>; 6] = [
    Rgb([30, 20, 62]),
    Rgb([52, 56, 128]),
    Rgb([36, 106, 148]),
    Rgb([28, 156, 140]),
    Rgb([126, 204, 92]),
    Rgb([252, 234, 92]),
];

/// From orange (negative) over nearly white (zero) to blue (positive), pale enough for points to stand out.
const DIVERGING: [Rgb<u8>; 5] = [
    Rgb([222, 140, 74]),
    Rgb([243, 203, 163]),
    Rgb([249, 248, 246]),
    Rgb([173, 208, 232]),
    Rgb([98, 168, 214]),
];

/// `t` clamped to \[0, 1\], with NaN counting as 0 (`f32::clamp` would keep it).
pub fn unit(t: f32) -> f32 {
    if t > 0.0 { t.min(1.0) } else { 0.0 }
}

/// The colour a share `t` of the way from `a` to `b`, channel by channel; `t` is clamped to \[0, 1\] and NaN
/// counts as 0.
pub fn mix(a: Rgb<u8>, b: Rgb<u8>, t: f32) -> Rgb<u8> {
    let t = unit(t);
    Rgb(std::array::from_fn(|i| {
        let (a, b) = (f32::from(a.0[i]), f32::from(b.0[i]));
        (a + (b - a) * t).round() as u8
    }))
}

/// The colour of an amount `t` between none (0) and most (1), lighter for more; clamped, NaN counts as none.
pub fn sequential(t: f32) -> Rgb<u8> {
    along(&SEQUENTIAL, t)
}

/// The colour of a signed amount `t`: −1 is orange, 0 neutral, +1 blue; clamped, NaN is neutral.
pub fn diverging(t: f32) -> Rgb<u8> {
    along(&DIVERGING, if t.is_nan() { 0.5 } else { t / 2.0 + 0.5 })
}

/// The colour at `t` in \[0, 1\] along equally spaced anchors.
fn along(anchors: &[Rgb<u8>], t: f32) -> Rgb<u8> {
    let last = anchors.len() - 1;
    let place = unit(t) * last as f32;
    let index = (place as usize).min(last - 1);
    mix(anchors[index], anchors[index + 1], place - index as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of an sRGB colour (Rec. 709 weights on linear light), 0 to 1.
    fn luminance(color: Rgb<u8>) -> f32 {
        let linear = color.0.map(|v| (f32::from(v) / 255.0).powf(2.2));
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn more_is_lighter() {
        let steps: Vec<f32> = (0..=100)
            .map(|i| luminance(sequential(i as f32 / 100.0)))
            .collect();
        assert!(steps.is_sorted() && steps[0] < 0.02 && steps[100] > 0.7);
    }

    #[test]
    fn zero_is_lightest_and_the_ends_weigh_the_same() {
        let left: Vec<f32> = (-50..=0)
            .map(|i| luminance(diverging(i as f32 / 50.0)))
            .collect();
        let right: Vec<f32> = (0..=50)
            .map(|i| luminance(diverging(i as f32 / 50.0)))
            .collect();
        assert!(left.is_sorted() && right.is_sorted_by(|a, b| a >= b));
        assert!((left[0] - right[50]).abs() < 0.05);
        assert_eq!(diverging(f32::NAN), diverging(0.0));
        assert_eq!(diverging(f32::INFINITY), DIVERGING[4]);
        assert_eq!(sequential(f32::NAN), SEQUENTIAL[0]);
    }
}
