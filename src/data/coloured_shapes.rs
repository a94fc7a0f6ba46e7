//! Pictures of one coloured shape each: a data set that needs no download, and whose modes can be counted.
//!
//! A shape is a disc, square, triangle or cross in one of six colours, 24 equally likely modes, at a random place
//! and size on a dark or a light ground. Unlike with photographs, one can tell by looking at the pixels which
//! mode a generated picture belongs to, and whether to any: [`classify`] does so.

use rand::RngExt;

use super::pictures::{CHANNELS, Pictures, picture_bytes};
use crate::numbers::rng;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A circle, filled.
    Disc,
    /// A square that stands on a side.
    Square,
    /// An equilateral triangle that points up.
    Triangle,
    /// A plus sign with arms of equal length.
    Cross,
}

/// All forms.
pub const FORMS: [Form; 4] = [Form::Disc, Form::Square, Form::Triangle, Form::Cross];

/// Names and RGB bytes of the colours.
pub const COLOURS: [(&str, [u8; 3]); 6] = [
    ("red", [230, 40, 40]),
    ("green", [40, 190, 60]),
    ("blue", [50, 80, 230]),
    ("yellow", [240, 210, 40]),
    ("magenta", [210, 60, 210]),
    ("cyan", [50, 200, 220]),
];

/// Form times colour: the modes whose coverage counts.
pub const MODES: usize = FORMS.len() * COLOURS.len();

/// The grey levels of the grounds.
const GROUNDS: [u8; 2] = [25, 235];

/// Radii of the circles around the shapes, as shares of the side.
const RADII: [f32; 2] = [0.22, 0.36];

/// Between that circle and the picture's edge, as a share of the side.
const MARGIN: f32 = 0.04;

/// A picture counts as a shape if what it differs by from a perfect one is at most this share of what the shape
/// itself adds to the ground, both as sums of squares. A disc differs from the best square by about 0.2.
const TOLERANCE: f64 = 0.12;

/// Everything that decides a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factors {
    /// What is drawn.
    pub form: Form,
    /// Its colour, an index into [`COLOURS`].
    pub colour: usize,
    /// Whether the ground is light (grey level 235) or dark (25).
    pub light: bool,
    /// The middle, from the left and from the top, as shares of the side.
    pub middle: [f32; 2],
    /// Radius of the circle around the form, as a share of the side.
    pub radius: f32,
}

impl Factors {
    /// The factors of picture `i` of the data set that belongs to `seed`.
    pub fn draw(seed: u64, i: u64) -> Self {
        let rng = &mut rng::stream(seed, "shapes", i);
        let radius = rng.random_range(RADII[0]..RADII[1]);
        let mut place = || rng.random_range(radius + MARGIN..1.0 - radius - MARGIN);
        let middle = [place(), place()];
        Self {
            form: FORMS[rng::below(rng, FORMS.len())],
            colour: rng::below(rng, COLOURS.len()),
            light: rng::below(rng, 2) == 1,
            middle,
            radius,
        }
    }

    /// Number of the mode, form by form: 0 is a red disc, 6 a red square.
    pub fn mode(&self) -> usize {
        self.form as usize * COLOURS.len() + self.colour
    }

    /// The picture, \[3, side, side\], with smooth edges.
    pub fn render(&self, side: usize) -> Vec<u8> {
        let ground = f32::from(GROUNDS[usize::from(self.light)]);
        let cover = self.cover(side);
        let colour = COLOURS[self.colour].1;
        let blend = |c: u8| move |t: &f32| (ground + t * (f32::from(c) - ground)).round() as u8;
        let plane = |c: u8| cover.iter().map(blend(c));
        colour.into_iter().flat_map(plane).collect()
    }

    /// How much of each pixel the form covers, 0 to 1, row by row.
    fn cover(&self, side: usize) -> Vec<f32> {
        let r = self.radius;
        let pixels = (0..side * side).map(|i| [i % side, i / side]);
        pixels
            .map(|pixel| {
                let at = |axis: usize| (pixel[axis] as f32 + 0.5) / side as f32 - self.middle[axis];
                let outside = distance(self.form, at(0) / r, at(1) / r) * r * side as f32;
                (0.5 - outside).clamp(0.0, 1.0)
            })
            .collect()
    }
}

/// Half the length and half the width of a cross's arms, in its radius; the corners lie on the circle.
const ARM: [f32; 2] = [0.95, 0.31];

/// Distance from (x, y) to the edge of a form of radius 1, negative inside; exact near straight edges.
fn distance(form: Form, x: f32, y: f32) -> f32 {
    let beyond = |half_x: f32, half_y: f32| (x.abs() - half_x).max(y.abs() - half_y);
    match form {
        Form::Disc => x.hypot(y) - 1.0,
        Form::Square => beyond(0.5f32.sqrt(), 0.5f32.sqrt()),
        Form::Triangle => y.max(0.75f32.sqrt() * x.abs() - 0.5 * y) - 0.5,
        Form::Cross => beyond(ARM[0], ARM[1]).min(beyond(ARM[1], ARM[0])),
    }
}

/// Area of a form of radius 1.
fn area(form: Form) -> f64 {
    let [length, width] = ARM.map(f64::from);
    match form {
        Form::Disc => std::f64::consts::PI,
        Form::Square => 2.0,
        Form::Triangle => 0.75 * 3f64.sqrt(),
        Form::Cross => 4.0 * (2.0 * length * width - width * width),
    }
}

/// The data set of `count` pictures that belongs to `seed`; picture `i` is [`Factors::draw`]`(seed, i)`, whatever
/// the count.
///
/// # Panics
/// If `side` is 0. From 16 on, [`classify`] knows the shapes apart.
pub fn pictures(seed: u64, side: usize, count: usize) -> Pictures {
    let mut bytes = Vec::with_capacity(count * picture_bytes(side));
    for i in 0..count as u64 {
        bytes.extend(Factors::draw(seed, i).render(side));
    }
    Pictures::new(side, bytes).expect("side is above 0, and every picture is complete")
}

/// The factors of `picture`, \[3, side, side\] from −1 to 1, or `None` if it is no clean shape.
///
/// The ground is the border's median. The colour is the one whose mixtures with the ground come nearest to the
/// pixels; how much of it is in each pixel gives the area and the middle. Each form is then drawn there in the size
/// that has this area, and the one that differs least is taken, if it differs little enough.
///
/// # Panics
/// If `picture` has another length.
pub fn classify(picture: &[f32], side: usize) -> Option<Factors> {
    assert_eq!(picture.len(), picture_bytes(side), "numbers of one picture");
    let count = side * side;
    let level = |x: f32| 127.5 * (f64::from(x) + 1.0);
    let pixel = |i: usize| [0, 1, 2].map(|c| level(picture[c * count + i]));
    let pixels: Vec<[f64; CHANNELS]> = (0..count).map(pixel).collect();
    let is_border = |&i: &usize| {
        [i % side, i / side]
            .iter()
            .any(|&v| v == 0 || v == side - 1)
    };
    let grey = |i: usize| pixels[i].iter().sum::<f64>() / 3.0;
    let mut border: Vec<f64> = (0..count).filter(is_border).map(grey).collect();
    border.sort_by(f64::total_cmp);
    let light = *border.get(border.len() / 2)? > 130.0;
    let ground = f64::from(GROUNDS[usize::from(light)]);

    let lines = (0..COLOURS.len()).map(|colour| {
        let line = Line::new(ground, colour);
        let amounts: Vec<f64> = pixels.iter().map(|pixel| line.amount(pixel)).collect();
        let possible = amounts.iter().map(|a| a.clamp(0.0, 1.0));
        let misfit = line.misfit(&pixels, possible);
        (line, colour, amounts, misfit)
    });
    let (line, colour, amounts, _) = lines.min_by(|a, b| a.3.total_cmp(&b.3))?;
    // Not clamped, so that noise on the ground cancels instead of adding up to a larger shape.
    let total: f64 = amounts.iter().sum();
    let mean = |axis: fn(usize, usize) -> usize| {
        let moments = amounts.iter().enumerate();
        let sum: f64 = moments.map(|(i, a)| a * (axis(i, side) as f64 + 0.5)).sum();
        (sum / total / side as f64) as f32
    };
    let middle = [mean(|i, side| i % side), mean(|i, side| i / side)];
    let drawn = FORMS.map(|form| {
        let factors = Factors {
            form,
            colour,
            light,
            middle,
            radius: ((total / area(form)).sqrt() / side as f64) as f32,
        };
        let cover = factors.cover(side);
        (
            factors,
            line.misfit(&pixels, cover.into_iter().map(f64::from)),
        )
    });
    let (factors, misfit) = drawn.into_iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let is_clean = misfit <= TOLERANCE * total * line.contrast;
    let sizes = 0.8 * RADII[0]..1.2 * RADII[1];
    // NaN fails both.
    (is_clean && sizes.contains(&factors.radius)).then_some(factors)
}

/// The mixtures of a ground and a colour.
struct Line {
    ground: f64,
    towards: [f64; CHANNELS],
    /// Squared distance between colour and ground.
    contrast: f64,
}

impl Line {
    fn new(ground: f64, colour: usize) -> Self {
        let towards = COLOURS[colour].1.map(|c| f64::from(c) - ground);
        Self {
            ground,
            towards,
            contrast: towards.iter().map(|d| d * d).sum(),
        }
    }

    /// The share of the colour in the mixture nearest to `pixel`, from 0 to 1 for a real mixture.
    fn amount(&self, pixel: &[f64; CHANNELS]) -> f64 {
        let along = pixel.iter().zip(self.towards);
        along.map(|(p, d)| (p - self.ground) * d).sum::<f64>() / self.contrast
    }

    /// The sum of squared differences between `pixels` and mixtures with these `amounts`.
    fn misfit(&self, pixels: &[[f64; CHANNELS]], amounts: impl Iterator<Item = f64>) -> f64 {
        let square = |(pixel, amount): (&[f64; CHANNELS], f64)| {
            let channels = pixel.iter().zip(self.towards);
            let left = channels.map(|(p, d)| p - self.ground - amount * d);
            left.map(|x| x * x).sum::<f64>()
        };
        pixels.iter().zip(amounts).map(square).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;

    fn normalised(bytes: &[u8]) -> Vec<f32> {
        bytes.iter().map(|&b| f32::from(b) / 127.5 - 1.0).collect()
    }

    fn drawn(seed: u64, i: u64, side: usize) -> (Factors, Vec<f32>) {
        let factors = Factors::draw(seed, i);
        (factors, normalised(&factors.render(side)))
    }

    fn share(hits: usize, of: u64) -> f64 {
        hits as f64 / of as f64
    }

    #[test]
    fn clean_shapes_are_recognised_with_all_their_factors() {
        for side in [16, 17, 32, 64] {
            let right = (0..1000).filter(|&i| {
                let (truth, picture) = drawn(1, i, side);
                classify(&picture, side).is_some_and(|found| {
                    let off = |axis: usize| (found.middle[axis] - truth.middle[axis]).abs();
                    let near = off(0) < 0.02 && off(1) < 0.02;
                    let same_size = (found.radius / truth.radius - 1.0).abs() < 0.1;
                    (found.mode(), found.light) == (truth.mode(), truth.light) && near && same_size
                })
            });
            let right = share(right.count(), 1000);
            assert!(right >= 0.995, "side {side}: {right}");
        }
    }

    #[test]
    fn a_little_noise_does_not_matter() {
        let right = (0..500).filter(|&i| {
            let (truth, mut picture) = drawn(2, i, 32);
            let mut noise = vec![0.0; picture.len()];
            rng::fill_normal(&mut rng::stream(2, "noise", i), &mut noise);
            picture
                .iter_mut()
                .zip(noise)
                .for_each(|(x, n)| *x += 0.08 * n);
            classify(&picture, 32).is_some_and(|found| found.mode() == truth.mode())
        });
        let right = share(right.count(), 500);
        // Yellow and cyan differ little from the light ground; the smallest of them drown.
        assert!(right > 0.95, "{right}");
    }

    #[test]
    fn pictures_that_are_no_clean_shape_are_not_recognised() {
        let nothing = |picture: &[f32]| classify(picture, 32).is_none();
        for level in [
            -1.0,
            -0.8,
            0.0,
            0.84,
            1.0,
            f32::NAN,
            f32::INFINITY,
            f32::MAX,
        ] {
            assert!(nothing(&vec![level; 3072]), "{level}");
        }
        let uniform = |rng: &mut ChaCha8Rng| -> Vec<f32> {
            (0..3072).map(|_| rng.random_range(-1.0..1.0)).collect()
        };
        let mut taken = 0;
        for i in 0..500 {
            assert!(nothing(&uniform(&mut rng::stream(3, "noise", i))), "{i}");
            let (a, b) = (drawn(3, i, 32), drawn(4, i, 32));
            let blend: Vec<f32> = a.1.iter().zip(&b.1).map(|(x, y)| (x + y) / 2.0).collect();
            taken += usize::from(!nothing(&blend));
            let mut half = a.1.clone();
            half.iter_mut()
                .zip(&b.1)
                .enumerate()
                .for_each(|(j, (x, y))| {
                    if j % 32 < 16 {
                        *x = *y;
                    }
                });
            taken += usize::from(!nothing(&half));
        }
        // Two shapes of one colour in one place blend to a shape now and then.
        assert!(taken < 50, "{taken} of 1000 blends pass for shapes");
    }

    #[test]
    fn forms_have_the_area_that_they_are_said_to_have() {
        for form in FORMS {
            let factors = Factors {
                form,
                colour: 0,
                light: false,
                middle: [0.5, 0.5],
                radius: 0.4,
            };
            let covered: f32 = factors.cover(200).iter().sum();
            let covered = f64::from(covered) / (0.4 * 200.0f64).powi(2);
            assert!((covered / area(form) - 1.0).abs() < 0.005, "{form:?}");
        }
    }

    #[test]
    fn the_seed_decides_everything_and_all_modes_occur_alike() {
        let set = pictures(5, 8, 40);
        assert_eq!((set.len(), set.side()), (40, 8));
        assert_eq!(set.bytes(7).unwrap(), pictures(5, 8, 8).bytes(7).unwrap());
        assert_ne!(set.bytes(7).unwrap(), pictures(6, 8, 8).bytes(7).unwrap());
        assert!(pictures(5, 8, 0).is_empty());
        let mut counts = [0; MODES];
        (0..24_000).for_each(|i| counts[Factors::draw(5, i).mode()] += 1);
        assert!(counts.iter().all(|n| (850..1150).contains(n)), "{counts:?}");
    }
}
