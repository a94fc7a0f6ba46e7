//! Copies of a few channels in which neighbouring positions find their pixels side by side.

use std::ops::Range;

use crate::exec::cpu::lanes::Lanes;
use crate::exec::view::View;

/// Positions that are worked on together: some rows of some pictures. Several pictures only with all rows.
#[derive(Debug, Clone)]
pub(super) struct Positions {
    pub pictures: Range<usize>,
    pub rows: Range<usize>,
    /// Positions in a row.
    pub row: usize,
}

impl Positions {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.pictures.len() * self.rows.len() * self.row
    }

    /// Cuts `pictures` of the view into blocks of about `most` positions.
    pub fn blocks(view: &View, pictures: Range<usize>, most: usize) -> impl Iterator<Item = Self> {
        let [rows, row] = view.positions;
        // Rows of no positions are no rows.
        let rows = rows * row.min(1);
        let many = (most / (rows * row).max(1)).max(1);
        let few = if rows * row > most {
            (most / row).max(1)
        } else {
            rows.max(1)
        };
        pictures.clone().step_by(many).flat_map(move |first| {
            let pictures = first..pictures.end.min(first + many);
            (0..rows).step_by(few).map(move |start| Self {
                pictures: pictures.clone(),
                rows: start..rows.min(start + few),
                row,
            })
        })
    }

    /// The most positions and pictures that a block of [`Positions::blocks`] has, and the most rows of one
    /// picture.
    pub fn most(view: &View, pictures: usize, most: usize) -> [usize; 3] {
        // No block is larger than the first.
        let first = Self::blocks(view, 0..pictures, most).next();
        first.map_or([0; 3], |b| [b.count(), b.pictures.len(), b.rows.len()])
    }
}

/// Neighbouring positions of one row: where their pixels start in a plane of the stage for tap 0, where they
/// go, and how many they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    from: usize,
    to: usize,
    len: usize,
}

/// The layout of a stage: channel by channel, picture by picture, phase by phase, a plane of pixels.
///
/// Phase `[a, b]` has the pixels `origin + i · step + a`: tap `k` is in phase `k mod step`, `k / step` behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage<'v> {
    view: &'v View,
    phases: [usize; 2],
    /// Height and width of a plane.
    plane: [usize; 2],
    pictures: usize,
}

impl<'v> Stage<'v> {
    /// The stage for `rows` rows of each of `pictures` pictures.
    pub fn new(view: &'v View, pictures: usize, rows: usize) -> Self {
        let reach = |axis: usize| view.taps[axis].saturating_sub(1) / view.step[axis];
        Self {
            view,
            phases: [0, 1].map(|axis| view.step[axis].min(view.taps[axis])),
            plane: [rows + reach(0), view.positions[1] + reach(1)],
            pictures,
        }
    }

    /// Numbers for one channel of all pictures.
    pub fn channel(&self) -> usize {
        self.pictures * self.picture()
    }

    fn picture(&self) -> usize {
        self.phases[0] * self.phases[1] * self.plane[0] * self.plane[1]
    }

    /// Where tap `[k, l]` of a channel starts.
    fn tap(&self, [k, l]: [usize; 2]) -> usize {
        let [down, across] = self.view.step;
        let phase = k % down * self.phases[1] + l % across;
        (phase * self.plane[0] + k / down) * self.plane[1] + l / across
    }

    /// The rows of positions, each cut where a multiple of `width` positions is full. Positions are numbered in
    /// order; number `q` goes to place `q / width · panel + q mod width`.
    pub fn runs(&self, positions: &Positions, width: usize, panel: usize, runs: &mut Vec<Run>) {
        runs.clear();
        let mut number = 0;
        for picture in 0..positions.pictures.len() {
            for row in 0..positions.rows.len() {
                let from = picture * self.picture() + row * self.plane[1];
                let mut done = 0;
                while done < positions.row {
                    let len = (positions.row - done).min(width - number % width);
                    runs.push(Run {
                        from: from + done,
                        to: number / width * panel + number % width,
                        len,
                    });
                    done += len;
                    number += len;
                }
            }
        }
    }

    /// Fills the planes of `channels` (of `depth`) of the pictures of `positions`.
    #[inline(always)]
    pub fn fill(
        &self,
        source: &[f32],
        depth: usize,
        channels: Range<usize>,
        positions: &Positions,
        stage: &mut [f32],
    ) {
        let [height, width] = self.view.size;
        let mut planes = stage.chunks_exact_mut(self.picture());
        for channel in channels {
            for picture in positions.pictures.clone() {
                let source = &source[(picture * depth + channel) * height * width..];
                let plane = planes
                    .next()
                    .expect("room for every picture of every channel");
                self.fill_picture(&source[..height * width], positions.rows.start, plane);
            }
        }
    }

    #[inline(always)]
    fn fill_picture(&self, source: &[f32], first_row: usize, out: &mut [f32]) {
        let [height, width] = self.view.size;
        let [down, across] = self.view.step;
        let [rows, row] = self.plane;
        let mut lines = out.chunks_exact_mut(row);
        for a in 0..self.phases[0] {
            for b in 0..self.phases[1] {
                // Places `start..end` of a line hold pixels, from pixel `first` on.
                let origin = self.view.origin[1] + b as isize;
                let start = ((-origin).max(0) as usize).div_ceil(across).min(row);
                let first = (origin + (start * across) as isize).max(0) as usize;
                let count = width.saturating_sub(first).div_ceil(across);
                let end = row.min(start + count);
                for i in 0..rows {
                    let line = lines.next().expect("a line for every row of every phase");
                    let down = ((first_row + i) * down + a) as isize;
                    let pixel = self.view.origin[0] + down;
                    if pixel < 0 || pixel as usize >= height {
                        line.fill(0.0);
                        continue;
                    }
                    let pixels = &source[pixel as usize * width..][..width];
                    line[..start].fill(0.0);
                    line[end..].fill(0.0);
                    if start < end {
                        copy(&pixels[first..], across, &mut line[start..end]);
                    }
                }
            }
        }
    }
}

/// Every `step`-th number of `x`.
#[inline(always)]
fn copy(x: &[f32], step: usize, out: &mut [f32]) {
    match step {
        1 => out.copy_from_slice(&x[..out.len()]),
        2 => {
            // A constant step makes a loop of shuffles.
            for (out, pair) in out.iter_mut().zip(x.chunks(2)) {
                *out = pair[0];
            }
        }
        _ => {
            for (out, x) in out.iter_mut().zip(x.iter().step_by(step)) {
                *out = *x;
            }
        }
    }
}

impl Stage<'_> {
    /// Gathers `runs` for every tap of so many channels, one row of `out` for each, `row` numbers apart.
    #[inline(always)]
    pub fn gather_taps<L: Lanes>(
        &self,
        channels: usize,
        stage: &[f32],
        runs: &[Run],
        row: usize,
        out: &mut [f32],
    ) {
        let first = runs.first().map_or(0, |run| run.len);
        let alike = match runs.iter().all(|run| run.len == first) {
            true => first,
            false => 0,
        };
        let mut start = 0;
        for channel in 0..channels {
            for k in 0..self.view.taps[0] {
                for l in 0..self.view.taps[1] {
                    let from = channel * self.channel() + self.tap([k, l]);
                    let (stage, out) = (&stage[from..], &mut out[start..]);
                    match alike {
                        4 => gather_alike::<4>(stage, runs, out),
                        8 => gather_alike::<8>(stage, runs, out),
                        16 => gather_alike::<16>(stage, runs, out),
                        _ => gather::<L>(stage, runs, out),
                    }
                    start += row;
                }
            }
        }
    }
}

/// Copies runs from `x` to `out`. Whole registers are copied: behind a run up to a register's numbers are spoilt,
/// so runs must be copied in the order of their places, and both arrays need a register of room at their ends.
#[inline(always)]
fn gather<L: Lanes>(x: &[f32], runs: &[Run], out: &mut [f32]) {
    for run in runs {
        let (x, out) = (&x[run.from..], &mut out[run.to..]);
        let mut done = 0;
        while done < run.len {
            L::load(&x[done..]).store(&mut out[done..]);
            done += L::N;
        }
    }
}

/// Copies runs that all have `LEN` numbers: the usual lengths, for which the compiler knows the best moves.
#[inline(always)]
fn gather_alike<const LEN: usize>(x: &[f32], runs: &[Run], out: &mut [f32]) {
    for run in runs {
        let x = x[run.from..].first_chunk::<LEN>();
        let out = out[run.to..].first_chunk_mut::<LEN>();
        if let (Some(x), Some(out)) = (x, out) {
            *out = *x;
        }
    }
}

/// The runs whose place is below `end`, and the others.
pub(super) fn split_runs(runs: &[Run], end: usize) -> (&[Run], &[Run]) {
    runs.split_at(runs.partition_point(|run| run.to < end))
}
