//! Pictures of few channels: every answer is multiplied with all taps, and the products are spread.
//!
//! Three channels, the colours of a picture, would leave most lanes empty. But each answer meets all taps of all
//! channels, and these 75 rows times the answers of a picture, which are read where they lie, are a dense product over
//! the filters. Its results are then added to the pixels that their taps meet ("col2im"): one addition for as many
//! multiply-adds as there are filters.
//!
//! They are added up in padded planes, one for each phase of a stride: with pixel `h = t · s + a − p`, tap `k` of
//! answer `i` meets phase `a = k mod s` at `t = i + k / s`, so that neighbouring answers meet neighbours. At the end
//! the phases of a plane are laced into a picture.

use super::{Need, Scratch};
use crate::exec::cpu::cut::Cut;
use crate::exec::cpu::gemm::{Gemm, Right, Rows};
use crate::exec::cpu::lanes::{Kernel, Lanes};
use crate::exec::cpu::work::Work;
use crate::tape::convolution::Convolution;

/// Pictures of more channels than this fill the lanes well enough.
const FEW_CHANNELS: usize = 8;

/// Products of the channels that are worked on together, about: they stay in the second-level cache.
const PRODUCTS: usize = 128 << 10;

/// Fewer filters than this do not repay the additions.
const LEAST_FILTERS: usize = 16;

/// Whether this suits the sizes: answers must be whole registers, as they are read in place.
pub(super) fn suits(c: &Convolution, lanes: usize) -> bool {
    c.channels <= FEW_CHANNELS && c.filters >= LEAST_FILTERS && c.positions().is_multiple_of(lanes)
}

/// Products of a channel.
fn products(c: &Convolution) -> usize {
    c.kernel[0] * c.kernel[1] * c.positions()
}

/// A chunk is some channels of a picture.
pub(super) fn cut(c: &Convolution) -> Cut {
    Cut {
        outer: c.batch,
        outer_block: 1,
        inner: c.channels,
        inner_block: (PRODUCTS / products(c)).clamp(1, c.channels),
        unit: c.picture.iter().product(),
    }
}

pub(super) fn need(c: &Convolution) -> Need {
    let channels = cut(c).inner_block;
    Need {
        sums: channels * products(c),
        planes: channels * Phases::new(c).channel(),
        ..Need::default()
    }
}

/// The planes of a channel, phase by phase.
struct Phases {
    /// Phases along each axis.
    count: [usize; 2],
    /// Height and width of a plane.
    size: [usize; 2],
}

impl Phases {
    fn new(c: &Convolution) -> Self {
        let stride = c.window.stride;
        let reach = |axis: usize| c.kernel[axis].saturating_sub(1) / stride[axis];
        // Pixels that no tap meets need their places too.
        let pixels =
            |axis: usize| (c.picture[axis] + c.window.padding[axis]).div_ceil(stride[axis]);
        Self {
            count: stride,
            size: [0, 1].map(|axis| (c.answer[axis] + reach(axis)).max(pixels(axis))),
        }
    }

    fn channel(&self) -> usize {
        self.count[0] * self.count[1] * self.size[0] * self.size[1]
    }

    /// Where line `t` of phase `[a, b]` starts.
    fn line(&self, [a, b]: [usize; 2], t: usize) -> usize {
        ((a * self.count[1] + b) * self.size[0] + t) * self.size[1]
    }
}

/// Computes the pictures of a chunk.
pub(super) struct Scatter<'a, 'w> {
    pub c: Convolution,
    /// All answers.
    pub y: &'a [f32],
    /// All filters.
    pub w: &'a [f32],
    pub scratch: &'a mut Scratch,
    /// The chunk.
    pub work: &'a mut Work<'w>,
}

impl Kernel for Scatter<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (c, chunk) = (self.c, self.work.chunk);
        let (channels, taps) = (chunk.inner.clone(), c.kernel[0] * c.kernel[1]);
        let gemm = Gemm::new(true, false, [c.filter(), c.filters, c.positions()]);
        for picture in chunk.outer.clone() {
            let y = c.filters * c.positions();
            let Scratch { sums, planes, .. } = &mut *self.scratch;
            let sums = &mut sums[..channels.len() * products(&c)];
            Rows {
                gemm,
                right: Right::InPlace,
                a: self.w,
                b: &self.y[picture * y..][..y],
                rows: channels.start * taps..channels.end * taps,
                out: sums,
            }
            .run::<L>();
            let planes = &mut planes[..channels.len() * Phases::new(&c).channel()];
            planes.fill(0.0);
            spread::<L>(&c, sums, planes);
            lace(&c, planes, self.work.piece(picture));
        }
    }
}

/// Adds the products, a line for each tap of each channel, to the planes.
#[inline(always)]
fn spread<L: Lanes>(c: &Convolution, products: &[f32], planes: &mut [f32]) {
    let (phases, row) = (Phases::new(c), c.answer[1]);
    let [down, across] = c.window.stride;
    let mut lines = products.chunks_exact(c.positions());
    for planes in planes.chunks_exact_mut(phases.channel()) {
        for k in 0..c.kernel[0] {
            for l in 0..c.kernel[1] {
                let products = lines.next().expect("a line for every tap of every channel");
                let start = phases.line([k % down, l % across], k / down) + l / across;
                for (i, products) in products.chunks_exact(row).enumerate() {
                    add::<L>(&mut planes[start + i * phases.size[1]..][..row], products);
                }
            }
        }
    }
}

#[inline(always)]
fn add<L: Lanes>(out: &mut [f32], x: &[f32]) {
    let (mut out, mut x) = (out.chunks_exact_mut(L::N), x.chunks_exact(L::N));
    for (out, x) in (&mut out).zip(&mut x) {
        L::load(out).add(L::load(x)).store(out);
    }
    for (out, x) in out.into_remainder().iter_mut().zip(x.remainder()) {
        *out += x;
    }
}

/// Laces the phases into the pixels of a picture.
#[inline(always)]
fn lace(c: &Convolution, planes: &[f32], out: &mut [f32]) {
    let (phases, [height, width]) = (Phases::new(c), c.picture);
    let ([down, across], [above, left]) = (c.window.stride, c.window.padding);
    let pixels = out.chunks_exact_mut(height * width);
    for (planes, pixels) in planes.chunks_exact(phases.channel()).zip(pixels) {
        for (h, pixels) in pixels.chunks_exact_mut(width).enumerate() {
            for first in 0..across.min(width) {
                let (h, w) = (h + above, first + left);
                let start = phases.line([h % down, w % across], h / down) + w / across;
                let places = pixels[first..].iter_mut().step_by(across);
                places
                    .zip(&planes[start..])
                    .for_each(|(pixel, sum)| *pixel = *sum);
            }
        }
    }
}
