//! Pictures of few channels, or of many answers: every answer is multiplied with all taps, and the products are spread.
//!
//! Three rows, the colours of a picture, would not repay the gathering of a right factor. But each answer meets all
//! taps of all channels, and these 75 rows times the answers of a picture, which are read where they lie, are a dense
//! product over the filters. Its results are then added to the pixels that their taps meet ("col2im"): one addition
//! for as many multiply-adds as there are filters.
//!
//! They are added up in padded planes, one for each phase of a stride: with pixel `h = t · s + a − p`, tap `k` of
//! answer `i` meets phase `a = k mod s` at `t = i + k / s`, so that neighbouring answers meet neighbours. At the end
//! the phases of a plane are laced into a picture.

use super::{Block, Left, Need, PANEL, Scratch};
use crate::exec::cpu::cut::{Chunk, Cut};
use crate::exec::cpu::lanes::{Kernel, Lanes};
use crate::tape::convolution::Convolution;

/// Pictures of fewer channels than this do not repay gathering; those of more do where a picture has few answers, ...
const FEW_CHANNELS: usize = 16;

/// ... fewer than this, or filters that fit no cache are read once for every picture.
const MANY_ANSWERS: usize = 64;
const CACHED: usize = 4 << 20;

/// Products of the channels that are worked on together, about: they stay in the second-level cache.
const PRODUCTS: usize = 128 << 10;

/// Fewer filters than this do not repay the additions.
const LEAST_FILTERS: usize = 16;

/// Answers of a picture that are worked on together, about.
const COLUMNS: usize = 256;

/// Whole rows of answers that are worked on together.
fn block(c: &Convolution) -> usize {
    let [rows, row] = c.answer;
    (COLUMNS / row.max(1)).clamp(1, rows.max(1))
}

/// Whether this suits the sizes: blocks must be whole registers, as answers are read in place.
pub(super) fn suits(c: &Convolution, lanes: usize) -> bool {
    let [rows, row] = c.answer;
    let many = c.positions() >= MANY_ANSWERS && c.filters * c.filter() <= CACHED;
    (c.channels < FEW_CHANNELS || many)
        && c.filters >= LEAST_FILTERS
        && rows.is_multiple_of(block(c))
        && (block(c) * row).is_multiple_of(lanes)
}

/// A chunk is some channels of a picture.
pub(super) fn cut(c: &Convolution) -> Cut {
    let products = c.kernel[0] * c.kernel[1] * block(c) * c.answer[1];
    let blocks = c.channels.div_ceil((PRODUCTS / products.max(1)).max(1));
    Cut {
        outer: c.batch,
        outer_block: 1,
        inner: c.channels,
        inner_block: c.channels.div_ceil(blocks.max(1)).max(1),
        unit: c.picture.iter().product(),
    }
}

pub(super) fn need(c: &Convolution, lanes: usize) -> Need {
    let columns = (block(c) * c.answer[1]).next_multiple_of(PANEL * lanes);
    Need {
        stage: cut(c).inner_block * Phases::new(c).channel(),
        sums: cut(c).inner_block * c.kernel[0] * c.kernel[1] * columns,
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
pub(in crate::exec::cpu) struct Scatter<'a, F> {
    pub c: Convolution,
    /// All answers.
    pub y: &'a [f32],
    /// All filters.
    pub w: &'a [f32],
    pub chunk: &'a Chunk,
    pub scratch: &'a mut Scratch,
    /// The chunk's piece of a picture of the result.
    pub piece: F,
}

impl<'a, F: FnMut(usize) -> &'a mut [f32]> Kernel for Scatter<'a, F> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let (c, width) = (self.c, PANEL * L::N);
        let [rows, row] = c.answer;
        let columns = block(&c) * row;
        let (channels, taps) = (self.chunk.inner.clone(), c.kernel[0] * c.kernel[1]);
        for picture in self.chunk.outer.clone() {
            let y = &self.y[picture * c.filters * c.positions()..][..c.filters * c.positions()];
            let Scratch { stage, sums, .. } = &mut *self.scratch;
            let planes = &mut stage[..channels.len() * Phases::new(&c).channel()];
            planes.fill(0.0);
            for first in (0..rows).step_by(block(&c)) {
                Block {
                    rows: channels.len() * taps,
                    columns,
                    k: c.filters,
                    a: &self.w[channels.start * taps..],
                    left: Left::Terms { term: c.filter() },
                    b: &y[first * row..],
                    panel: width,
                    b_step: c.positions(),
                    sums,
                    go_on: false,
                }
                .run::<L>();
                spread::<L>(&c, first, sums, columns.next_multiple_of(width), planes);
            }
            lace(&c, planes, (self.piece)(picture));
        }
    }
}

/// Adds the products of rows of answers from row `first` on, a line of `sums` for each tap of each channel, to the
/// planes.
#[inline(always)]
fn spread<L: Lanes>(c: &Convolution, first: usize, sums: &[f32], line: usize, planes: &mut [f32]) {
    let (phases, row) = (Phases::new(c), c.answer[1]);
    let [down, across] = c.window.stride;
    let mut lines = sums.chunks_exact(line);
    for planes in planes.chunks_exact_mut(phases.channel()) {
        for k in 0..c.kernel[0] {
            for l in 0..c.kernel[1] {
                let products = lines.next().expect("a line for every tap of every channel");
                let start = phases.line([k % down, l % across], first + k / down) + l / across;
                for (i, products) in products.chunks_exact(row).take(block(c)).enumerate() {
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
