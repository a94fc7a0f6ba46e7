//! Where the real and the generated points lie, and how densely: the 2-D histograms of the paper's Figure 5.

use image::RgbImage;

use super::Panel;
use super::axes::{Axes, ColorBar};
use super::canvas::Canvas;
use super::palette::sequential;

/// Histogram cells along each axis.
const BINS: u32 = 70;
/// Width of a histogram cell in pixels.
const CELL: u32 = 7;

/// Two 2-D histograms with the same axes and one colour scale, `real` on the left and `generated` on the right: 1200 x 620
/// pixels, see [`panels`].
pub fn density(
    real: &[[f32; 2]],
    generated: &[[f32; 2]],
    window: f32,
    titles: [&str; 2],
) -> RgbImage {
    panels(&Panel::pair(real, generated, titles), window)
}

/// A 2-D histogram for each of `panels`, from left to right, with the same axes and one colour scale: 620 pixels high, and
/// 550 wide each.
///
/// All show \[−`window`, `window`\]² in 70 x 70 cells. The colour is the estimated probability density: the
/// share of all points in a cell divided by the cell's area, in 1 / (data unit)²; so sets of different sizes
/// can be compared. The scale ends at the highest density of the first panel that has points, the *real* ones as a rule: a
/// collapsed generator saturates it instead of fading the truth to nothing. Points that are not finite count as points of
/// the set, but are in no cell.
pub fn panels(panels: &[Panel], window: f32) -> RgbImage {
    let count = panels.len() as u32;
    let mut canvas = Canvas::new(100 + 550 * count, 620);
    let histograms: Vec<_> = panels
        .iter()
        .map(|panel| histogram(panel.points, window))
        .collect();
    let peaks = histograms
        .iter()
        .map(|cells| cells.iter().copied().fold(0.0, f32::max));
    let peak = peaks.into_iter().find(|peak| *peak > 0.0).unwrap_or(0.0);
    let top = 70;
    for (i, (panel, histogram)) in (0..).zip(panels.iter().zip(&histograms)) {
        let axes = Axes {
            left: 56 + 550 * i,
            top,
            side: BINS * CELL,
            window,
        };
        for (cell, &value) in (0u32..).zip(histogram) {
            let corner = [axes.left + cell % BINS * CELL, top + cell / BINS * CELL];
            canvas.fill(corner, [CELL; 2], sequential(value / peak));
        }
        axes.frame(&mut canvas);
        axes.title(&mut canvas, panel.color, panel.title);
    }
    let bar = ColorBar {
        corner: [16 + 550 * count, top],
        height: BINS * CELL,
        range: [0.0, peak],
        label: "density",
    };
    bar.draw(&mut canvas, sequential);
    canvas.into_image()
}

/// The density per cell, row-major from the upper left.
fn histogram(points: &[[f32; 2]], window: f32) -> Vec<f32> {
    let cells = Axes {
        left: 0,
        top: 0,
        side: BINS,
        window,
    };
    let width = 2.0 * window / BINS as f32;
    let weight = 1.0 / (points.len() as f32 * width * width);
    let mut counts = vec![0u32; (BINS * BINS) as usize];
    for place in points.iter().filter_map(|&point| cells.pixel(point)) {
        // A point on the right or lower border belongs to the last cell.
        let [column, row] = place.map(|v| (v as u32).min(BINS - 1));
        counts[(row * BINS + column) as usize] += 1;
    }
    let density = |count: u32| {
        if count == 0 {
            0.0
        } else {
            count as f32 * weight
        }
    };
    counts.into_iter().map(density).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_is_a_density() {
        let points: Vec<[f32; 2]> = (0..1000)
            .map(|i| [(i % 10) as f32 - 5.0, (i / 100) as f32 - 5.0])
            .collect();
        let area = (20.0 / BINS as f32).powi(2);
        let total: f32 = histogram(&points, 10.0).iter().map(|d| d * area).sum();
        assert!((total - 1.0).abs() < 1e-4, "{total}");
        let corner = histogram(&[[10.0, -10.0], [f32::NAN, 0.0]], 10.0);
        assert!((corner[(BINS * BINS - 1) as usize] * area - 0.5).abs() < 1e-5);
    }

    #[test]
    fn one_point_lights_one_cell_of_its_panel() {
        let image = density(&[[0.1, 0.1]], &[], 10.0, ["a", "b"]);
        assert_eq!(image.dimensions(), (1200, 620));
        let middle = BINS * CELL / 2;
        assert_eq!(
            *image.get_pixel(56 + middle + 2, 70 + middle - 3),
            sequential(1.0)
        );
        assert_eq!(
            *image.get_pixel(56 + middle + 2, 70 + middle + 2),
            sequential(0.0)
        );
        assert_eq!(
            *image.get_pixel(606 + middle + 2, 70 + middle - 3),
            sequential(0.0)
        );
    }

    #[test]
    fn no_points_and_no_numbers_are_no_problem() {
        let empty = density(&[], &[], 25.0, ["a", "b"]);
        let nan = [[f32::NAN, 0.0], [f32::INFINITY, 1.0]];
        assert_eq!(empty, density(&nan, &nan, 25.0, ["a", "b"]));
        density(&[[0.0; 2]], &[], f32::NAN, ["a", "b"]);
    }
}
