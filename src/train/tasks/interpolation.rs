//! Walks between latents: what changes on the way shows whether a generator has learnt its pictures by heart.

use crate::numbers::{Result, Tensor, rng};

/// Latents on `rows` walks of `columns` steps each, `[rows · columns, z_dim]`: every walk leads from one draw of
/// normal latents to another, both included. Which ones depends on `seed` only.
///
/// The walks are spherical ([`slerp`]): a straight line would pass nearer to the origin than normal latents do.
///
/// # Errors
/// Never: the size always fits.
pub fn walks(seed: u64, rows: usize, columns: usize, z_dim: usize) -> Result<Tensor> {
    let rng = &mut rng::stream(seed, "interpolation", 0);
    let mut ends = vec![0.0; 2 * z_dim];
    let mut latents = Vec::with_capacity(rows * columns * z_dim);
    for _ in 0..rows {
        rng::fill_normal(rng, &mut ends);
        let (a, b) = ends.split_at(z_dim);
        for column in 0..columns {
            let way = column as f64 / (columns - 1).max(1) as f64;
            latents.extend(slerp(a, b, way));
        }
    }
    Tensor::new([rows * columns, z_dim], latents)
}

/// The point at `way` (0 to 1) of the arc from `a` to `b`, with `ω` the angle between them (Shoemake 1985):
///
/// ```text
/// sin((1 − way) ω) / sin ω · a + sin(way ω) / sin ω · b
/// ```
///
/// Where there is no such arc, as between opposite directions or from the origin, it is the straight line.
pub fn slerp(a: &[f32], b: &[f32], way: f64) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
        products.sum()
    };
    let angle = (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt())
        .clamp(-1.0, 1.0)
        .acos();
    let [from_a, from_b] = match angle.sin() > 1e-6 {
        true => [1.0 - way, way].map(|share| (share * angle).sin() / angle.sin()),
        false => [1.0 - way, way],
    };
    let mix = |(&a, &b): (&f32, &f32)| (from_a * f64::from(a) + from_b * f64::from(b)) as f32;
    a.iter().zip(b).map(mix).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arcs_start_end_and_keep_their_radius() {
        let (a, b) = ([3.0, 0.0, 0.0], [0.0, 0.0, 3.0]);
        assert_eq!(slerp(&a, &b, 0.0), a);
        for way in [0.25, 0.5, 0.75] {
            let p = slerp(&a, &b, way);
            assert!((p[0].hypot(p[2]) - 3.0).abs() < 1e-6 && p[1] == 0.0);
            let angle = f64::from(p[2].atan2(p[0]));
            assert!((angle - way * std::f64::consts::FRAC_PI_2).abs() < 1e-6);
        }
    }

    #[test]
    fn without_an_arc_the_way_is_straight() {
        assert_eq!(slerp(&[2.0], &[-4.0], 0.5), [-1.0]);
        assert_eq!(slerp(&[1.0, 1.0], &[3.0, 3.0], 0.5), [2.0, 2.0]);
        assert_eq!(slerp(&[0.0, 0.0], &[2.0, 0.0], 0.25), [0.5, 0.0]);
    }

    #[test]
    fn walks_have_their_ends_and_a_seed() {
        let latents = walks(1, 3, 5, 4).unwrap();
        assert_eq!(latents.shape()[..], [15, 4]);
        assert_eq!(latents, walks(1, 3, 5, 4).unwrap());
        assert_ne!(latents, walks(2, 3, 5, 4).unwrap());
        // Two columns are the ends themselves; one column is the start alone.
        let ends = walks(1, 3, 2, 4).unwrap();
        assert_eq!(latents.data()[..4], ends.data()[..4]);
        assert_eq!(latents.data()[16..20], ends.data()[4..8]);
        assert_eq!(walks(1, 1, 1, 4).unwrap().data(), &ends.data()[..4]);
    }
}
