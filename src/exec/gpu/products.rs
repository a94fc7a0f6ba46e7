//! Matrix products and convolutions as launches of `kernels/gemm.wgsl`.

use super::epilogue::Place;
use super::launch::{Kernel, grid};
use super::lower::{GEMM, Lowering, Shader};
use super::tile::{Cut, Engine, cut};
use super::values::{Format, SMALL};
use super::view::Class;
use crate::exec::Precision;
use crate::tape::convolution::Convolution;
use crate::tape::plan::kernel::{Contract, Matmul, Reduction};
use crate::tape::plan::{Contraction, SlotId, SlotKind};

const CONVOLUTION: &str = include_str!("../../../kernels/convolution.wgsl");
const CORES: &str = include_str!("../../../kernels/gemm_cores.wgsl");
const CORES_EMULATED: &str = include_str!("../../../kernels/cores_emulated.wgsl");
const CONVOLUTION_FILTER: &str = include_str!("../../../kernels/convolution_filter.wgsl");

/// A product of `[rows, terms]` and `[terms, columns]` whose factors are looked up by a kernel's own functions.
pub(super) struct Product<'a> {
    pub name: &'static str,
    /// Files whose items replace those of `gemm.wgsl`.
    pub files: &'a [&'a str],
    pub operands: [SlotId; 2],
    pub rows: usize,
    pub columns: usize,
    pub terms: usize,
    /// Elements of the whole result.
    pub count: usize,
    /// Whether neighbouring threads copy neighbouring terms of the left, and of the right factor.
    pub along_terms: [bool; 2],
    pub overrides: &'a [(&'static str, f64)],
}

impl Shader for Matmul {
    fn launch(&self, lowering: &mut Lowering<'_>) {
        let (Self { ta, tb, .. }, [m, k, n]) = (*self, self.size);
        lowering.products(&[Product {
            name: "gemm",
            files: &[],
            operands: [self.a, self.b],
            rows: m,
            columns: n,
            terms: k,
            count: m * n,
            along_terms: [!ta, tb],
            overrides: &[
                ("A_TRANSPOSED", f64::from(u8::from(ta))),
                ("B_TRANSPOSED", f64::from(u8::from(tb))),
            ],
        }]);
    }

    fn reads_halves(&self) -> bool {
        true
    }
}

impl Shader for Contract {
    fn launch(&self, lowering: &mut Lowering<'_>) {
        let (what, c, operands) = (self.what, &self.sizes, [self.b, self.a]);
        match what {
            Contraction::Answer => {
                lowering.classes(&[Class::of_answers(c)], what, operands, c);
            }
            Contraction::Picture => {
                let [down, across] = c.window.stride;
                let classes = (0..down * across).map(|i| [i / across, i % across]);
                let classes: Vec<Class> = classes.map(|i| Class::of_pictures(c, i)).collect();
                lowering.classes(&classes, what, operands, c);
            }
            Contraction::Filter => lowering.filter(operands, c),
        }
    }

    fn reads_halves(&self) -> bool {
        true
    }

    fn adds_up(&self) -> bool {
        self.what == Contraction::Filter
    }
}

impl Lowering<'_> {
    /// Answers, or pictures: one product for each class of positions.
    fn classes(
        &mut self,
        classes: &[Class],
        what: Contraction,
        operands: [SlotId; 2],
        c: &Convolution,
    ) {
        let taps = c.kernel[0] * c.kernel[1];
        let per_channel = (c.channels * taps, taps);
        let (rows, channels, out, (row, channel)) = match what {
            Contraction::Answer => (c.filters, c.channels, c.answer, per_channel),
            _ => (c.channels, c.filters, c.picture, (taps, c.channels * taps)),
        };
        let overrides: Vec<_> = classes
            .iter()
            .map(|class| {
                let Class { view, .. } = class;
                let axis = |names: [&'static str; 2], values: [f64; 2]| {
                    [(names[0], values[0]), (names[1], values[1])]
                };
                let size = |values: [usize; 2]| values.map(|n| n as f64);
                let signed = |values: [isize; 2]| values.map(|n| n as f64);
                let scalars = [
                    ("CHANNELS", channels as f64),
                    ("FILTER_ROW", row as f64),
                    ("FILTER_CHANNEL", channel as f64),
                    ("KERNEL_X", c.kernel[1] as f64),
                ];
                let axes = [
                    axis(["SOURCE_Y", "SOURCE_X"], size(view.size)),
                    axis(["ORIGIN_Y", "ORIGIN_X"], signed(view.origin)),
                    axis(["STEP_Y", "STEP_X"], size(view.step)),
                    // A class without taps has no terms, but numbers are divided by the number of its taps.
                    axis(["TAPS_Y", "TAPS_X"], size(view.taps.map(|n| n.max(1)))),
                    axis(["POSITIONS_Y", "POSITIONS_X"], size(view.positions)),
                    axis(["FIRST_TAP_Y", "FIRST_TAP_X"], size(class.first_tap)),
                    axis(["TAP_STEP_Y", "TAP_STEP_X"], signed(class.tap_step)),
                    axis(["OUT_Y", "OUT_X"], size(out)),
                    axis(["FIRST_Y", "FIRST_X"], size(class.first)),
                    axis(["OUT_STEP_Y", "OUT_STEP_X"], size(class.out_step)),
                ];
                [&scalars[..], &axes.concat()].concat()
            })
            .collect();
        let products: Vec<Product<'_>> = std::iter::zip(classes, &overrides)
            .map(|(class, overrides)| Product {
                name: if what == Contraction::Answer {
                    "conv2d"
                } else {
                    "conv2d_input_grad"
                },
                files: &[CONVOLUTION],
                operands,
                rows,
                columns: c.batch * class.view.position_count(),
                terms: channels * class.view.tap_count(),
                count: c.batch * rows * out[0] * out[1],
                along_terms: [true, false],
                overrides,
            })
            .collect();
        self.products(&products);
    }

    fn filter(&mut self, operands: [SlotId; 2], c: &Convolution) {
        let sizes = [
            ("CHANNELS", c.channels),
            ("SOURCE_Y", c.picture[0]),
            ("SOURCE_X", c.picture[1]),
            ("ANSWER_Y", c.answer[0]),
            ("ANSWER_X", c.answer[1]),
            ("KERNEL_Y", c.kernel[0]),
            ("KERNEL_X", c.kernel[1]),
            ("STRIDE_Y", c.window.stride[0]),
            ("STRIDE_X", c.window.stride[1]),
            ("PADDING_Y", c.window.padding[0]),
            ("PADDING_X", c.window.padding[1]),
        ];
        self.products(&[Product {
            name: "conv2d_weight_grad",
            files: &[CONVOLUTION_FILTER],
            operands,
            rows: c.filters,
            columns: c.filter(),
            terms: c.batch * c.positions(),
            count: c.filters * c.filter(),
            along_terms: [true, true],
            overrides: &sizes.map(|(name, n)| (name, n as f64)),
        }]);
    }

    /// Products that fill different places of one result: in one go, or each in several parts that are added up.
    fn products(&mut self, products: &[Product<'_>]) {
        let engine = self.engine;
        let cuts = products
            .iter()
            .map(|p| cut(p.rows, p.columns, p.terms, engine));
        let cuts: Vec<Cut> = cuts.collect();
        // All places of a result have as many parts, even if some of them are empty.
        let parts = cuts.iter().map(|cut| cut.parts).max().unwrap_or(1);
        let count = products.first().map_or(0, |p| p.count);
        for (product, cut) in products.iter().zip(cuts) {
            self.product(product, cut, parts);
        }
        if parts > 1 {
            self.reduce(Reduction::Sum, Place::Between(0), [1, parts, count], 1);
        }
    }

    /// Where a factor is read, and its format: large weights as copies, where activations are halves.
    fn factor(&mut self, slot: SlotId) -> (Place, Format) {
        let slots = &self.plan.slots;
        let state = matches!(slots[slot].kind, SlotKind::State(_));
        if self.precision == Precision::Half && state && slots[slot].count > SMALL {
            return (self.half_copy(slot), Format::Half);
        }
        (Place::Slot(slot), self.step_values().formats.read(slot))
    }

    fn product(&mut self, p: &Product<'_>, cut: Cut, parts: usize) {
        let Cut {
            tile, part_terms, ..
        } = cut;
        let [down, across] = tile.count(p.rows, p.columns);
        if down * across == 0 {
            return;
        }
        let [(a, left), (b, right)] = p.operands.map(|slot| self.factor(slot));
        let flag = |flag: bool| f64::from(u8::from(flag));
        let common = [
            ("A_ALONG_TERMS", flag(p.along_terms[0])),
            ("B_ALONG_TERMS", flag(p.along_terms[1])),
        ];
        let threads = [
            ("HIGH", f64::from(tile.high)),
            ("WIDE", f64::from(tile.wide)),
        ];
        let registers = [("A4", tile.a4), ("B4", tile.b4)];
        let subgroups = [("CORES_HIGH", tile.high), ("CORES_WIDE", tile.wide)];
        let (files, constants, own): (&[&str], _, &[(&str, f64)]) = match cut.cores {
            true if self.engine == Engine::EmulatedCores => {
                (&[GEMM, CORES, CORES_EMULATED], &subgroups, &[])
            }
            true => (&[GEMM, CORES], &subgroups, &[]),
            false => (&[GEMM], &registers, &threads),
        };
        let mut tiles = grid(down * across);
        tiles[2] = parts as u32;
        let sizes = [
            p.rows,
            p.columns,
            p.terms,
            part_terms,
            p.count,
            down,
            down * across,
        ];
        let kernel = Kernel {
            name: p.name,
            files: &[files, p.files].concat(),
            formats: &[("Left", left), ("Right", right)],
            constants,
            overrides: &[own, &common, p.overrides].concat(),
            operands: &[a, b],
            sizes: &sizes.map(|n| n as u32),
            grid: tiles,
        };
        if parts > 1 {
            let between = self.between(0, parts * p.count);
            self.pass_on(&kernel, between);
        } else {
            self.finish(&kernel);
        }
    }
}
