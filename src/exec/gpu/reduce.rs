//! Sums and maxima along an axis, as launches.

use super::epilogue::Place;
use super::launch::{Kernel, grid};
use super::lower::{Lowering, Shader};
use super::values::Format;
use crate::tape::plan::kernel::{Reduce, Reduction};

const ROWS: &str = include_str!("../../../kernels/reduce_rows.wgsl");
const COLUMNS: &str = include_str!("../../../kernels/reduce_columns.wgsl");
const LARGEST: &str = include_str!("../../../kernels/reduce_max.wgsl");

impl Shader for Reduce {
    fn launch(&self, lowering: &mut Lowering<'_>) {
        let [outer, reduced, inner] = self.size;
        let place = Place::Slot(self.x);
        let segments = segments(outer * inner, reduced);
        if segments == 1 {
            lowering.reduce(self.how, place, self.size, 1);
            return;
        }
        lowering.reduce(self.how, place, self.size, segments);
        let parts = [outer, segments, inner];
        lowering.reduce(self.how, Place::Between(0), parts, 1);
    }

    fn reads_halves(&self) -> bool {
        true
    }

    fn adds_up(&self) -> bool {
        true
    }
}

impl Lowering<'_> {
    /// Reduces `segments` equal parts of each row or column; one part makes the step's result, several pass on theirs.
    pub(super) fn reduce(
        &mut self,
        how: Reduction,
        x: Place,
        [outer, reduced, inner]: [usize; 3],
        segments: usize,
    ) {
        let count = outer * segments * inner;
        if count == 0 {
            return;
        }
        let segment = reduced.div_ceil(segments);
        let format = match x {
            Place::Slot(slot) => self.step_values().formats.read(slot),
            Place::Between(_) | Place::HalfCopy(_) => Format::Single,
        };
        let rows = [outer, reduced, segments, segment].map(|n| n as u32);
        let columns = [outer, reduced, inner, segments, segment].map(|n| n as u32);
        let (reducing, group) = (self.reducing_group(), self.group());
        let along_rows = inner == 1;
        let file = if along_rows { ROWS } else { COLUMNS };
        let files: &[&str] = match how {
            Reduction::Sum => &[file],
            Reduction::Max => &[file, LARGEST],
        };
        let kernel = Kernel {
            name: match (how, along_rows) {
                (Reduction::Sum, true) => "sum_rows",
                (Reduction::Sum, false) => "sum_columns",
                (Reduction::Max, true) => "max_rows",
                (Reduction::Max, false) => "max_columns",
            },
            files,
            formats: &[("Number", format)],
            constants: &[],
            overrides: &[("GROUP", if along_rows { reducing } else { group } as f64)],
            operands: &[x],
            sizes: if along_rows { &rows } else { &columns },
            grid: grid(if along_rows {
                count
            } else {
                count.div_ceil(group)
            }),
        };
        if segments > 1 {
            let between = self.between(0, count);
            self.pass_on(&kernel, between);
        } else {
            self.finish(&kernel);
        }
    }
}

/// Into how many segments `count` rows of `reduced` numbers are cut, so that there is work for many threads.
fn segments(count: usize, reduced: usize) -> usize {
    if reduced < 256 || count >= 16_384 {
        return 1;
    }
    let wanted = 16_384_usize.div_ceil(count.max(1));
    wanted.min(reduced.div_ceil(64)).clamp(1, 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_long_rows_are_cut() {
        assert_eq!(segments(100_000, 1 << 20), 1);
        assert_eq!(segments(1, 100), 1);
        assert_eq!(segments(1, 1 << 20), 256);
        assert_eq!(segments(64, 128 * 1024), 256);
    }
}
