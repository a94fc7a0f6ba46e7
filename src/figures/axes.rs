//! A square panel that shows the data square \[−w, w\]², its ticks, and the colour bar beside it.

use image::Rgb;

use super::canvas::{Align, Canvas, LARGE, SMALL};
use super::palette::{FRAME, INK};

/// A square panel on a canvas: where it is and which part of the plane it shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axes {
    /// The panel's left edge, in pixels.
    pub left: u32,
    /// The panel's top edge, in pixels.
    pub top: u32,
    /// The panel's width and height, in pixels.
    pub side: u32,
    /// Half the width of the data square it shows: \[−window, window\]², y upwards.
    pub window: f32,
}

impl Axes {
    /// The canvas position of a data point, or `None` if it is outside the window or not finite.
    pub fn pixel(&self, [x, y]: [f32; 2]) -> Option<[f32; 2]> {
        let valid = self.window.is_finite() && self.window > 0.0;
        let inside = |v: f32| valid && v.abs() <= self.window;
        if !(inside(x) && inside(y)) {
            return None;
        }
        let at =
            |corner: u32, v: f32| corner as f32 + (v / self.window + 1.0) / 2.0 * self.side as f32;
        Some([at(self.left, x), at(self.top, -y)])
    }

    /// Draws every point of the window as a disc.
    pub fn dots(&self, canvas: &mut Canvas, points: &[[f32; 2]], dot: Dot) {
        for centre in points.iter().filter_map(|&point| self.pixel(point)) {
            canvas.disc(centre, dot.radius, dot.color, dot.alpha);
        }
    }

    /// Draws the panel's border.
    pub fn border(&self, canvas: &mut Canvas) {
        let [left, top] = [self.left, self.top].map(|v| v as f32 - 0.5);
        let [right, bottom] = [left, top].map(|v| v + self.side as f32 + 1.0);
        let corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
        for i in 0..4 {
            canvas.line(corners[i], corners[(i + 1) % 4], 1.0, FRAME);
        }
    }

    /// Draws the panel's border with ticks and numbers below and to the left of it.
    pub fn frame(&self, canvas: &mut Canvas) {
        self.border(canvas);
        let (left, bottom) = (self.left as f32, (self.top + self.side) as f32);
        for (value, label) in ticks(-self.window, self.window) {
            let Some([x, _]) = self.pixel([value, 0.0]) else {
                continue;
            };
            let Some([_, y]) = self.pixel([0.0, value]) else {
                continue;
            };
            let (column, row) = (x.floor() + 0.5, y.floor() + 0.5);
            canvas.line([column, bottom + 1.0], [column, bottom + 5.0], 1.0, FRAME);
            canvas.line([left - 5.0, row], [left - 1.0, row], 1.0, FRAME);
            let below = [x as i64, bottom as i64 + 7];
            canvas.text(below, Align::Centre, SMALL, INK, &label);
            let beside = [left as i64 - 9, y as i64 - 8];
            canvas.text(beside, Align::Right, SMALL, INK, &label);
        }
    }

    /// Writes a title above the panel, centred.
    pub fn title(&self, canvas: &mut Canvas, color: Rgb<u8>, title: &str) {
        let above = [self.left + self.side / 2, self.top.saturating_sub(30)].map(i64::from);
        canvas.text(above, Align::Centre, LARGE, color, title);
    }
}

/// How points are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    /// Radius in pixels.
    pub radius: f32,
    /// Fill colour.
    pub color: Rgb<u8>,
    /// Opacity, 0 to 1.
    pub alpha: f32,
}

/// A vertical scale that explains the colours of the picture to its left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColorBar<'a> {
    /// Left and upper edge in pixels.
    pub corner: [u32; 2],
    /// Height in pixels; the bar is 18 wide.
    pub height: u32,
    /// The values at its lower and upper end.
    pub range: [f32; 2],
    /// What the values are, written above it.
    pub label: &'a str,
}

impl ColorBar<'_> {
    /// Draws the bar; `color` is the colour of a share in \[0, 1\] of the way from bottom to top.
    pub fn draw(&self, canvas: &mut Canvas, color: impl Fn(f32) -> Rgb<u8>) {
        const WIDTH: u32 = 18;
        let [left, top] = self.corner;
        for row in 0..self.height {
            let share = 1.0 - (row as f32 + 0.5) / self.height as f32;
            canvas.fill([left, top + row], [WIDTH, 1], color(share));
        }
        let middle = [left + WIDTH / 2, top.saturating_sub(26)].map(i64::from);
        canvas.text(middle, Align::Centre, SMALL, INK, self.label);
        let right = (left + WIDTH) as f32;
        let [low, high] = self.range;
        for (value, label) in ticks(low, high) {
            let share = (value - low) / (high - low);
            let y = top as f32 + (1.0 - share) * self.height as f32;
            let row = y.floor() + 0.5;
            canvas.line([right + 1.0, row], [right + 5.0, row], 1.0, FRAME);
            let beside = [right as i64 + 9, y as i64 - 8];
            canvas.text(beside, Align::Left, SMALL, INK, &label);
        }
    }
}

/// Round values (1, 2 or 5 times a power of ten apart) between `low` and `high`, about five, with labels;
/// none if the range is empty or not finite.
fn ticks(low: f32, high: f32) -> Vec<(f32, String)> {
    let (low, high) = (f64::from(low), f64::from(high));
    let rough = (high - low) / 5.0;
    if !(rough > 0.0 && rough.is_finite()) {
        return Vec::new();
    }
    let exponent = rough.log10().floor();
    let power = 10f64.powf(exponent);
    let step = match rough / power {
        r if r < 1.5 => power,
        r if r < 3.5 => 2.0 * power,
        r if r < 7.5 => 5.0 * power,
        _ => 10.0 * power,
    };
    let decimals = (-step.log10().floor()).max(0.0);
    // Half a millionth of a step forgives rounding at the ends of the range.
    let slack = 1e-6;
    let first = (low / step - slack).ceil() as i64;
    let last = (high / step + slack).floor() as i64;
    (first..=last)
        .map(|i| {
            let value = i as f64 * step;
            let plain = i == 0 || (decimals <= 4.0 && step < 1e5);
            let label = match (i, plain) {
                (0, _) => "0".to_string(),
                (_, true) => format!("{value:.*}", decimals as usize),
                (_, false) => format!("{value:.0e}"),
            };
            (value as f32, label)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::palette::WHITE;

    const AXES: Axes = Axes {
        left: 30,
        top: 10,
        side: 100,
        window: 25.0,
    };

    fn labels(low: f32, high: f32) -> Vec<String> {
        ticks(low, high).into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn points_land_on_the_right_pixel() {
        assert_eq!(AXES.pixel([0.0, 0.0]), Some([80.0, 60.0]));
        assert_eq!(AXES.pixel([-25.0, 25.0]), Some([30.0, 10.0]));
        assert_eq!(AXES.pixel([12.5, -25.0]), Some([105.0, 110.0]));
        assert_eq!(AXES.pixel([25.1, 0.0]), None);
        assert_eq!(AXES.pixel([0.0, f32::NAN]), None);

        let mut canvas = Canvas::new(140, 120);
        let dot = Dot {
            radius: 2.0,
            color: INK,
            alpha: 1.0,
        };
        AXES.dots(&mut canvas, &[[12.75, 12.25], [f32::NAN, 0.0]], dot);
        let image = canvas.into_image();
        assert_eq!(*image.get_pixel(105, 35), INK);
        let inked = image.pixels().filter(|&&p| p != WHITE).count();
        assert!(inked < 30, "{inked} pixels for one disc");
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(labels(-25.0, 25.0), ["-20", "-10", "0", "10", "20"]);
        assert_eq!(
            labels(0.0, 0.0064),
            ["0", "0.001", "0.002", "0.003", "0.004", "0.005", "0.006"]
        );
        assert_eq!(
            labels(-0.3, 0.3),
            ["-0.3", "-0.2", "-0.1", "0", "0.1", "0.2", "0.3"]
        );
        assert_eq!(labels(0.0, 1e-6).last().unwrap(), "1e-6");
        assert_eq!(labels(-1e30, 1e30).len(), 5);
        assert!(labels(0.0, 0.0).is_empty() && labels(0.0, f32::INFINITY).is_empty());
        assert!(labels(f32::NAN, 1.0).is_empty() && labels(1.0, -1.0).is_empty());
        assert!(labels(-f32::MAX, f32::MAX).len() < 12);
    }

    #[test]
    fn strange_windows_draw_an_empty_frame() {
        for window in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let axes = Axes { window, ..AXES };
            assert_eq!(axes.pixel([0.0, 0.0]), None);
            axes.frame(&mut Canvas::new(140, 120));
        }
    }
}
