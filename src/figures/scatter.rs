//! Real and generated points side by side, as in the paper's Figure 4.

use image::RgbImage;
use image::imageops::{self, FilterType};

use super::Panel;
use super::axes::{Axes, Dot};
use super::canvas::Canvas;
use super::palette::WHITE;

/// Two scatter plots with the same axes, `real` on the left and `generated` on the right: 1200 x 620 pixels, see
/// [`panels`].
pub fn scatter(
    real: &[[f32; 2]],
    generated: &[[f32; 2]],
    window: f32,
    titles: [&str; 2],
) -> RgbImage {
    panels(&Panel::pair(real, generated, titles), window)
}

/// A scatter plot for each of `panels`, from left to right, with the same axes: 620 pixels high, and 590 wide each.
///
/// All show \[−`window`, `window`\]² in data units; points outside it are left out.
pub fn panels(panels: &[Panel], window: f32) -> RgbImage {
    let mut canvas = Canvas::new(20 + 590 * panels.len() as u32, 620);
    for (i, panel) in (0..).zip(panels) {
        let axes = Axes {
            left: 60 + 590 * i,
            top: 56,
            side: 520,
            window,
        };
        let dot = Dot {
            radius: 1.6,
            color: panel.color,
            alpha: opacity(panel.points.len()),
        };
        axes.dots(&mut canvas, panel.points, dot);
        axes.frame(&mut canvas);
        axes.title(&mut canvas, panel.color, panel.title);
    }
    canvas.into_image()
}

/// [`panels`] below each other, at half their size: 310 pixels for each row.
pub fn rows(rows: &[Vec<Panel>], window: f32) -> RgbImage {
    let rows: Vec<RgbImage> = rows.iter().map(|row| panels(row, window)).collect();
    let width = rows.iter().map(|row| row.width() / 2).max();
    let mut whole = RgbImage::from_pixel(width.unwrap_or(0), 310 * rows.len() as u32, WHITE);
    for (i, row) in (0..).zip(&rows) {
        let half = imageops::resize(row, row.width() / 2, 310, FilterType::Triangle);
        imageops::replace(&mut whole, &half, 0, 310 * i);
    }
    whole
}

/// The more points there are, the more they overlap, and the fainter each of them has to be for the densest
/// places to keep their structure: from 0.85 for few points down to 0.12.
fn opacity(points: usize) -> f32 {
    (35.0 / (points as f32).sqrt()).clamp(0.12, 0.85)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_point_lands_in_its_panel_only() {
        let image = scatter(&[[0.0, 0.0]], &[], 10.0, ["", ""]);
        assert_eq!(image.dimensions(), (1200, 620));
        assert_ne!(*image.get_pixel(60 + 260, 56 + 260), WHITE);
        assert_eq!(*image.get_pixel(650 + 260, 56 + 260), WHITE);
    }

    #[test]
    fn rows_lie_below_each_other() {
        let [none, one] =
            [&[][..], &[[0.0, 0.0]]].map(|points| Panel::pair(points, points, ["", ""]));
        let image = rows(&[none.to_vec(), one.to_vec()], 10.0);
        assert_eq!(image.dimensions(), (600, 620));
        let [x, y] = [30 + 130, 28 + 130];
        assert_eq!(*image.get_pixel(x, y), WHITE);
        assert_ne!(*image.get_pixel(x, 310 + y), WHITE);
        assert_eq!(rows(&[], 10.0).dimensions(), (0, 0));
    }

    #[test]
    fn no_points_and_no_numbers_are_no_problem() {
        let empty = scatter(&[], &[], 25.0, ["a", "b"]);
        let nan = [[f32::NAN, 0.0], [f32::INFINITY, 1.0], [1e30, 0.0]];
        assert_eq!(empty, scatter(&nan, &nan, 25.0, ["a", "b"]));
    }
}
