//! The potential as a landscape and its forces on generated points as arrows: the paper's Figure 1.

use image::RgbImage;

use super::axes::{Axes, ColorBar, Dot};
use super::canvas::{Align, Canvas, LARGE, SMALL};
use super::palette::{ARROW, GENERATED, INK, REAL, WHITE, diverging};
use crate::numbers::{Error, Result};

const AXES: Axes = Axes {
    left: 60,
    top: 60,
    side: 720,
    window: 1.0,
};

/// The centres of the `n` x `n` equal cells of \[−`window`, `window`\]², row-major from the upper left: the
/// points at which the caller evaluates the potential or the field for [`field`].
pub fn grid_points(n: usize, window: f32) -> Vec<[f32; 2]> {
    let centre = |i: usize| window * ((2 * i + 1) as f32 / n as f32 - 1.0);
    (0..n * n)
        .map(|cell| [centre(cell % n), -centre(cell / n)])
        .collect()
}

/// The potential, the forces on generated points, and the charges behind both: 900 x 860 pixels.
///
/// `phi` holds Φ at [`grid_points`]`(n, window)` for some n, and `field` the vectors E = −∇Φ at the points of
/// a coarser grid (24 x 24 reads well). Blue background is positive potential, orange negative, and neutral is
/// exactly zero; the scale ends at the 99.5 % quantile of |Φ|, so that single peaks do not wash out the rest.
///
/// Arrows point along −E, because generated points carry negative charge: up the potential, towards real
/// points that lack generated ones, "the forces acting on the generator samples" of the paper's caption. Their
/// length is |E| / (|E| + median |E|) of a cell: it tells weak from strong near the median and saturates far
/// above it. `real` points are blue, `generated` points orange. What is not finite is left out.
///
/// # Errors
/// If `phi` or `field` does not fill a square grid.
pub fn field(
    window: f32,
    phi: &[f32],
    field: &[[f32; 2]],
    real: &[[f32; 2]],
    generated: &[[f32; 2]],
    title: &str,
) -> Result<RgbImage> {
    let phi_side = square_side(phi.len(), "potential values")?;
    let arrow_side = square_side(field.len(), "field vectors")?;
    let mut canvas = Canvas::new(900, 860);
    let axes = Axes { window, ..AXES };

    let scale = quantile(phi.iter().map(|v| v.abs()), 0.995);
    if phi_side > 0 {
        for y in 0..axes.side {
            for x in 0..axes.side {
                let value = interpolate(phi, phi_side, [x, y].map(|v| v as f32 + 0.5));
                canvas.fill(
                    [axes.left + x, axes.top + y],
                    [1, 1],
                    diverging(value / scale),
                );
            }
        }
    }
    draw_arrows(&mut canvas, &axes, field, arrow_side);
    for (points, color) in [(real, REAL), (generated, GENERATED)] {
        let dot = |radius, color| Dot {
            radius,
            color,
            alpha: 1.0,
        };
        // A white rim keeps points apart from a background of the same hue.
        axes.dots(&mut canvas, points, dot(4.2, WHITE));
        axes.dots(&mut canvas, points, dot(3.0, color));
    }
    axes.frame(&mut canvas);

    canvas.text([60, 28], Align::Left, LARGE, INK, title);
    let mut x = 60;
    for (name, color) in [("real", REAL), ("generated", GENERATED)] {
        canvas.disc([x as f32 + 5.0, 834.0], 4.0, color, 1.0);
        x += 16 + canvas.text([x + 16, 826], Align::Left, SMALL, color, name) + 28;
    }
    canvas.text(
        [x, 826],
        Align::Left,
        SMALL,
        INK,
        "arrows: force on generated points, -E = grad Phi",
    );
    let bar = ColorBar {
        corner: [802, axes.top],
        height: axes.side,
        range: [-scale, scale],
        label: "potential",
    };
    bar.draw(&mut canvas, |share| diverging(2.0 * share - 1.0));
    Ok(canvas.into_image())
}

/// One arrow along −E per cell, centred on the cell and at most 85 % of it long.
fn draw_arrows(canvas: &mut Canvas, axes: &Axes, field: &[[f32; 2]], side: usize) {
    let strength = |e: &[f32; 2]| e[0].hypot(e[1]);
    let median = quantile(field.iter().map(strength), 0.5);
    let longest = 0.85 * axes.side as f32 / side as f32;
    for (e, point) in field.iter().zip(grid_points(side, axes.window)) {
        let (size, Some(centre)) = (strength(e), axes.pixel(point)) else {
            continue;
        };
        let length = longest * size / (size + median);
        // Below two pixels (or for NaN) there is no direction to see.
        if length >= 2.0 {
            // Minus E, and y runs downwards on the canvas.
            let half = [-e[0], e[1]].map(|v| v / size * length / 2.0);
            let tail = [centre[0] - half[0], centre[1] - half[1]];
            let tip = [centre[0] + half[0], centre[1] + half[1]];
            canvas.arrow(tail, tip, 1.2, ARROW);
        }
    }
}

/// The side of a square grid of `count` values.
fn square_side(count: usize, what: &str) -> Result<usize> {
    let side = count.isqrt();
    if side * side == count {
        Ok(side)
    } else {
        Err(Error::usage(format!(
            "{count} {what} do not fill a square grid; evaluate them at grid_points(n, window)"
        )))
    }
}

/// The value at a position in panel pixels, bilinear between cell centres and constant beyond the outermost.
fn interpolate(values: &[f32], side: usize, position: [f32; 2]) -> f32 {
    let last = side - 1;
    let cells = position.map(|p| {
        let place = (p / AXES.side as f32 * side as f32 - 0.5).clamp(0.0, last as f32);
        (
            place as usize,
            (place as usize + 1).min(last),
            place.fract(),
        )
    });
    let [(x0, x1, tx), (y0, y1, ty)] = cells;
    let row = |y: usize| values[y * side + x0] * (1.0 - tx) + values[y * side + x1] * tx;
    row(y0) * (1.0 - ty) + row(y1) * ty
}

/// The value below which a share `q` of the finite `values` lies; 0 if there are none.
fn quantile(values: impl Iterator<Item = f32>, q: f32) -> f32 {
    let mut values: Vec<f32> = values.filter(|v| v.is_finite()).collect();
    values.sort_by(f32::total_cmp);
    let index = (q * values.len() as f32) as usize;
    let last = values.len().saturating_sub(1);
    values.get(index.min(last)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_starts_at_the_upper_left() {
        let points = grid_points(2, 10.0);
        assert_eq!(points, [[-5.0, 5.0], [5.0, 5.0], [-5.0, -5.0], [5.0, -5.0]]);
        assert!(grid_points(0, 1.0).is_empty());
    }

    #[test]
    fn sign_and_place_of_the_potential_are_kept() {
        let phi: Vec<f32> = grid_points(40, 5.0).iter().map(|p| p[0].signum()).collect();
        let image = field(5.0, &phi, &[], &[], &[], "").unwrap();
        assert_eq!(image.dimensions(), (900, 860));
        let middle = 60 + 360;
        assert_eq!(*image.get_pixel(70, middle), diverging(-1.0));
        assert_eq!(*image.get_pixel(770, middle), diverging(1.0));
        let image = field(5.0, &[0.0; 9], &[], &[[0.0; 2]], &[[2.5, 2.5]], "").unwrap();
        assert_eq!(*image.get_pixel(200, 600), diverging(0.0));
        assert_eq!(*image.get_pixel(middle, middle), REAL);
        assert_eq!(*image.get_pixel(middle + 180, middle - 180), GENERATED);
    }

    #[test]
    fn arrows_point_against_the_field_whatever_its_strength() {
        let background = diverging(0.0);
        let inked = |e: [f32; 2]| {
            let image = field(5.0, &[0.0], &[e], &[], &[], "").unwrap();
            let at = |x: u32, y: u32| *image.get_pixel(x, y) != background;
            // The tip has barbs beside the shaft, the tail has none.
            let right = (414..426).any(|y| y != 419 && y != 420 && at(420 + 150, y));
            let up = (414..426).any(|x| x != 419 && x != 420 && at(x, 420 - 150));
            (right, up)
        };
        assert_eq!(inked([-1e-6, 0.0]), (true, false));
        assert_eq!(inked([0.0, -1e6]), (false, true));
        assert_eq!(inked([0.0, 0.0]), (false, false));
    }

    #[test]
    fn wrong_sizes_are_refused_and_nonsense_is_left_out() {
        assert!(field(5.0, &[0.0; 8], &[], &[], &[], "").is_err());
        assert!(field(5.0, &[], &[[0.0; 2]; 3], &[], &[], "").is_err());
        let nan = f32::NAN;
        let points = [[nan, 0.0], [f32::INFINITY, 0.0]];
        field(5.0, &[nan; 9], &[[nan; 2]; 4], &points, &points, "t").unwrap();
        field(nan, &[], &[], &[], &[], "").unwrap();
        field(5.0, &[nan, 1.0, f32::INFINITY, -1.0], &[], &[], &[], "").unwrap();
    }
}
