//! Factors whose rows lie side by side, so that a register holds a number of each of them.

use std::ops::Range;

use crate::exec::cpu::lanes::Lanes;
use crate::exec::cpu::rearrange::transpose_rows;

/// Pictures, answers or filters as the factor of a product: planes, one for each term of each row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factor {
    pub rows: usize,
    /// Terms of each place.
    pub depth: usize,
    /// From one row, and from one term, to the next.
    row: usize,
    term: usize,
    /// Height and width of a plane.
    plane: [usize; 2],
}

impl Factor {
    /// The rows of `[rows, depth, height, width]`.
    pub fn rows([rows, depth, height, width]: [usize; 4]) -> Self {
        Self {
            rows,
            depth,
            row: depth * height * width,
            term: height * width,
            plane: [height, width],
        }
    }

    /// The columns of it: rows are what was the depth.
    pub fn columns([depth, rows, height, width]: [usize; 4]) -> Self {
        Self {
            rows,
            depth,
            row: height * width,
            term: rows * height * width,
            plane: [height, width],
        }
    }

    /// Places of a plane.
    pub fn places(&self) -> usize {
        self.plane[0] * self.plane[1]
    }

    /// From one packed place to the one below, to the one at its right, and from term to term, in panels of `width`
    /// rows and so many terms.
    pub fn steps(&self, terms: usize, width: usize) -> [usize; 3] {
        [self.plane[1] * terms * width, terms * width, width]
    }

    /// Numbers of a panel of `width` rows and so many terms.
    pub fn panel(&self, terms: usize, width: usize) -> usize {
        self.places() * terms * width
    }

    /// Packs rows into panels of `width` each: place after place, and for each place term after term, the numbers of all
    /// rows side by side. In the last panel those that do not exist are left out.
    #[inline(always)]
    pub fn pack<L: Lanes>(
        &self,
        source: &[f32],
        rows: Range<usize>,
        terms: Range<usize>,
        out: &mut [f32],
        width: usize,
    ) {
        let panels = out.chunks_exact_mut(self.panel(terms.len(), width));
        for (first, panel) in rows.clone().step_by(width).zip(panels) {
            let size = [width.min(rows.end - first), self.places()];
            for (i, term) in terms.clone().enumerate() {
                let planes = &source[first * self.row + term * self.term..];
                let out = &mut panel[i * width..];
                transpose_rows::<L>(planes, self.row, size, out, terms.len() * width);
            }
        }
    }
}
