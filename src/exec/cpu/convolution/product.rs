//! Answers and pictures: filters times gathered positions.

use std::ops::Range;

use super::stage::{Positions, Stage, split_runs};
use super::{Block, CHUNKS, COLUMNS, Left, Need, PANEL, ROWS, Scratch, TERMS};
use crate::exec::cpu::cut::{Chunk, Cut};
use crate::exec::cpu::lanes::{Kernel, Lanes};
use crate::exec::view::Class;
use crate::tape::convolution::Convolution;
use crate::tape::plan::Contraction;

/// More rows than this are cut into blocks: their sums must stay in the second-level cache.
const MOST_ROWS: usize = 87 * ROWS;

/// Fewer rows than this would not repay the gathering of their right factor.
const LEAST_ROWS: usize = 16 * ROWS;

/// More packed filters than this fit no cache: each chunk reads its share from memory.
const CACHED: usize = 4 << 20;

/// The product that makes answers, or pictures.
#[derive(Debug, Clone, Copy)]
pub(in crate::exec::cpu) struct Product {
    what: Contraction,
    c: Convolution,
}

impl Product {
    pub fn new(what: Contraction, c: &Convolution) -> Self {
        Self { what, c: *c }
    }

    /// Channels of the result.
    fn rows(&self) -> usize {
        match self.what {
            Contraction::Picture => self.c.channels,
            _ => self.c.filters,
        }
    }

    /// Channels of the source.
    fn depth(&self) -> usize {
        match self.what {
            Contraction::Picture => self.c.filters,
            _ => self.c.channels,
        }
    }

    /// Height and width of the result.
    fn size(&self) -> [usize; 2] {
        match self.what {
            Contraction::Picture => self.c.picture,
            _ => self.c.answer,
        }
    }

    fn classes(&self) -> impl Iterator<Item = Class> {
        let (what, c) = (self.what, self.c);
        let [down, across] = match what {
            Contraction::Picture => c.window.stride,
            _ => [1; 2],
        };
        (0..down * across).map(move |i| match what {
            Contraction::Picture => Class::of_pictures(&c, [i / across, i % across]),
            _ => Class::of_answers(&c),
        })
    }

    fn groups(&self) -> usize {
        self.rows().div_ceil(ROWS)
    }

    /// Terms of a sum of `class`.
    fn terms(&self, class: &Class) -> usize {
        self.depth() * class.view.tap_count()
    }

    /// Source channels that are gathered together.
    fn depth_block(&self, class: &Class) -> usize {
        (TERMS / class.view.tap_count().max(1)).clamp(1, self.depth().max(1))
    }

    /// Numbers of the packed filters for a group of rows: one class after the other.
    fn group(&self) -> usize {
        let terms: usize = self.classes().map(|class| self.terms(&class)).sum();
        terms * ROWS
    }

    /// Room for the packed filters.
    pub fn packed(&self) -> usize {
        self.group() * self.groups()
    }

    /// A part is a group of rows.
    pub fn packing_parts(&self) -> usize {
        self.groups()
    }

    /// Where part `i` lies.
    pub fn packing_part(&self, i: usize) -> Range<usize> {
        i * self.group()..(i + 1) * self.group()
    }

    pub fn cut(&self) -> Cut {
        let positions = self.classes().map(|class| class.view.position_count());
        let positions = positions.max().unwrap_or(0).max(1);
        let batch = self.c.batch.max(1);
        let pictures = (COLUMNS / positions).clamp(1, batch);
        // Every chunk reads its filters once. If they come from memory, few pictures are rather cut into blocks of
        // rows than into chunks of fewer pictures.
        let wanted = match self.packed() > CACHED {
            true => CHUNKS.div_ceil(batch.div_ceil(pictures)),
            false => 1,
        };
        let most = self.rows().div_ceil(MOST_ROWS);
        let blocks = wanted.min(self.rows() / LEAST_ROWS).max(most).max(1);
        Cut {
            outer: self.c.batch,
            outer_block: pictures.min(batch.div_ceil(CHUNKS.div_ceil(blocks))),
            inner: self.rows(),
            inner_block: self.groups().div_ceil(blocks).max(1) * ROWS,
            unit: self.size().iter().product(),
        }
    }

    pub fn need(&self, lanes: usize) -> Need {
        let cut = self.cut();
        let width = PANEL * lanes;
        let mut need = Need::default();
        for class in self.classes() {
            let [columns, pictures, rows] = Positions::most(&class.view, cut.outer_block, COLUMNS);
            let depth = self.depth_block(&class);
            let stage = Stage::new(&class.view, pictures, rows);
            let padded = columns.next_multiple_of(width);
            need = need.max(Need {
                stage: depth * stage.channel() + lanes,
                gathered: depth * class.view.tap_count() * padded + lanes,
                sums: cut.inner_block * padded,
                runs: pictures * rows * (class.view.positions[1].div_ceil(width) + 1),
            });
        }
        need
    }
}

/// Packs one part of the filters: class after class, term after term, the numbers of a group of rows side by side.
pub(in crate::exec::cpu) struct PackFilters<'a> {
    pub product: Product,
    pub w: &'a [f32],
    pub part: usize,
    /// Room for exactly this part.
    pub out: &'a mut [f32],
}

impl PackFilters<'_> {
    /// Walks through the filters in the order in which they lie in memory; a group of their rows stays in the
    /// second-level cache from class to class.
    pub fn run(self) {
        let product = self.product;
        let [kernel, length] = product.c.kernel;
        let first = self.part * ROWS;
        let rows = ROWS.min(product.rows() - first);
        if rows < ROWS {
            self.out.fill(0.0);
        }
        let mut rest = self.out;
        for class in product.classes() {
            let (out, others) = rest.split_at_mut(product.terms(&class) * ROWS);
            rest = others;
            let taps = class.view.tap_count().max(1);
            for (depth, out) in out.chunks_exact_mut(taps * ROWS).enumerate() {
                for lane in 0..rows {
                    let place = match product.what {
                        Contraction::Picture => depth * product.c.channels + first + lane,
                        _ => (first + lane) * product.c.channels + depth,
                    };
                    let w = &self.w[place * kernel * length..][..kernel * length];
                    let mut out = out[lane..].iter_mut().step_by(ROWS);
                    for k in 0..class.view.taps[0] {
                        for l in 0..class.view.taps[1] {
                            if let Some(out) = out.next() {
                                *out = w[class.filter_tap([k, l], length)];
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Computes a chunk of answers or pictures.
pub(in crate::exec::cpu) struct Products<'a, F> {
    pub product: Product,
    /// All of the source.
    pub source: &'a [f32],
    /// All packed filters.
    pub packed: &'a [f32],
    pub chunk: &'a Chunk,
    pub scratch: &'a mut Scratch,
    /// The chunk's piece of a picture of the result.
    pub piece: F,
}

impl<'a, F: FnMut(usize) -> &'a mut [f32]> Kernel for Products<'a, F> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let product = self.product;
        let group = product.group();
        let mut packed = &self.packed[self.chunk.inner.start / ROWS * group..];
        for class in product.classes() {
            for positions in Positions::blocks(&class.view, self.chunk.outer.clone(), COLUMNS) {
                self.sums::<L>(&class, &positions, packed, group);
                self.write::<L>(&class, &positions);
            }
            packed = &packed[product.terms(&class) * ROWS..];
        }
    }
}

impl<'a, F: FnMut(usize) -> &'a mut [f32]> Products<'a, F> {
    /// All sums of some positions; `packed` starts at the chunk's rows and has `group` numbers per group of them.
    #[inline(always)]
    fn sums<L: Lanes>(
        &mut self,
        class: &Class,
        positions: &Positions,
        packed: &[f32],
        group: usize,
    ) {
        let view = &class.view;
        let (product, rows) = (self.product, self.chunk.inner.len());
        let (columns, width) = (positions.count(), PANEL * L::N);
        let Scratch {
            stage: staged,
            gathered,
            sums,
            runs,
        } = &mut *self.scratch;
        if product.terms(class) == 0 {
            return sums[..rows * columns.next_multiple_of(width)].fill(0.0);
        }
        let stage = Stage::new(view, positions.pictures.len(), positions.rows.len());
        let block = product.depth_block(class);
        let panel = block * view.tap_count() * width;
        stage.runs(positions, width, panel, runs);
        for first in (0..product.depth()).step_by(block) {
            let depth = first..product.depth().min(first + block);
            stage.fill(
                self.source,
                product.depth(),
                depth.clone(),
                positions,
                staged,
            );
            let mut rest = &runs[..];
            let mut end = 0;
            while !rest.is_empty() {
                end += panel;
                let (runs, others) = split_runs(rest, end);
                rest = others;
                stage.gather_taps::<L>(depth.len(), staged, runs, width, gathered);
            }
            let before = first * view.tap_count();
            Block {
                rows,
                columns,
                k: depth.len() * view.tap_count(),
                a: &packed[before * ROWS..],
                left: Left::Groups { group },
                b: gathered,
                panel,
                b_step: width,
                sums,
                go_on: first > 0,
            }
            .run::<L>();
        }
    }

    /// Writes sums where they belong.
    #[inline(always)]
    fn write<L: Lanes>(&mut self, class: &Class, positions: &Positions) {
        let [height, width] = self.product.size();
        let stride = positions.count().next_multiple_of(PANEL * L::N);
        let (row, [first_row, first]) = (positions.row, class.first);
        let [down, across] = class.out_step;
        for (number, picture) in positions.pictures.clone().enumerate() {
            let piece = (self.piece)(picture);
            let place = number * positions.rows.len() * row;
            let planes = piece.chunks_exact_mut((height * width).max(1));
            for (sums, plane) in self.scratch.sums.chunks_exact(stride).zip(planes) {
                let sums = &sums[place..][..positions.rows.len() * row];
                for (i, sums) in positions.rows.clone().zip(sums.chunks_exact(row)) {
                    let line = &mut plane[(first_row + i * down) * width..][..width];
                    if across == 1 {
                        line[first..first + row].copy_from_slice(sums);
                    } else {
                        let places = line[first..].iter_mut().step_by(across);
                        places.zip(sums).for_each(|(out, sum)| *out = *sum);
                    }
                }
            }
        }
    }
}
