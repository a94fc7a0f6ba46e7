//! The layers of Inception-v3, as a table (Szegedy et al. 2016, section 6; names are those of torchvision).
//!
//! A block's branches all see the block's input, and their channels stand side by side in its output:
//!
//! | block | side | channels | branches |
//! |---|---|---|---|
//! | the stem | 299 → 35 | 3 → 192 | one: five convolutions, two max pools |
//! | `Mixed_5b`, `c`, `d` | 35 | → 256, 288, 288 | 1x1; 5x5; two 3x3; an average |
//! | `Mixed_6a` | 35 → 17 | → 768 | 3x3; two 3x3; the maximum |
//! | `Mixed_6b` to `e` | 17 | 768 | 1x1; 7x7 as 1x7 and 7x1; two such; an average |
//! | `Mixed_7a` | 17 → 8 | → 1280 | 3x3; 7x7 and 3x3; the maximum |
//! | `Mixed_7b`, `c` | 8 | → 2048 | 1x1; 3x3 as 1x3 beside 3x1; such behind a 3x3; an average, or the maximum |

use super::Graph;
use crate::nn::{Activation, Conv2d, Init};
use crate::tape::Window;

/// The side of all pools.
pub(super) const POOL: [usize; 2] = [3, 3];

/// 3 x 3 with stride 2: half the side, rounded down, or one less.
pub(super) const HALVE: Window = Window {
    stride: [2, 2],
    padding: [0, 0],
};

/// 3 x 3, the side stays.
pub(super) const STAY: Window = Window {
    stride: [1, 1],
    padding: [1, 1],
};

/// The side shrinks by what a filter needs.
const SHRINK: Window = Window {
    stride: [1, 1],
    padding: [0, 0],
};

/// A part with a name. In the stem that is a convolution or a pool, later on a fork.
pub(super) struct Block {
    /// What PyTorch calls it.
    pub name: &'static str,
    /// One after the other.
    pub parts: Vec<Part>,
}

/// A part of the network.
pub(super) enum Part {
    /// A convolution, its batch norm and ReLU.
    Convolve(Unit),
    /// An average of 3 x 3, then a convolution of 1 x 1, its batch norm and ReLU.
    AverageAndConvolve(Unit),
    /// The maximum of 3 x 3.
    MaxPool(Window),
    /// Branches of the same input; their channels are joined.
    Fork(Vec<Vec<Part>>),
}

/// What PyTorch's `BasicConv2d` is: a convolution, its batch norm and ReLU.
pub(super) struct Unit {
    /// What PyTorch calls it within its block; nothing where it is the block.
    name: &'static str,
    outputs: usize,
    kernel: [usize; 2],
    window: Window,
}

impl Unit {
    /// The convolution with its norm folded in, in a block of this name, for so many channels, of a network `thin` times
    /// thinner than the published one.
    pub fn layer(&self, block: &str, inputs: usize, thin: usize) -> Conv2d {
        let name = match self.name {
            "" => block.into(),
            name => format!("{block}.{name}"),
        };
        let fan = (inputs * self.kernel[0] * self.kernel[1]) as f64;
        Conv2d {
            name,
            inputs,
            outputs: self.outputs / thin,
            kernel: self.kernel,
            window: self.window,
            weight: Init::scaled(Activation::Relu.gain(), fan),
            bias: Some(Init::Constant(0.0)),
        }
    }
}

impl Block {
    /// Calls `visit` with every convolution, in order, and returns the channels of the block's output.
    pub fn visit(&self, inputs: usize, thin: usize, visit: &mut dyn FnMut(Conv2d)) -> usize {
        self.visit_parts(&self.parts, inputs, thin, visit)
    }

    fn visit_parts(
        &self,
        parts: &[Part],
        inputs: usize,
        thin: usize,
        visit: &mut dyn FnMut(Conv2d),
    ) -> usize {
        parts.iter().fold(inputs, |inputs, part| match part {
            Part::Convolve(unit) | Part::AverageAndConvolve(unit) => {
                let layer = unit.layer(self.name, inputs, thin);
                let outputs = layer.outputs;
                visit(layer);
                outputs
            }
            Part::MaxPool(_) => inputs,
            Part::Fork(branches) => {
                let outputs = branches.iter();
                let outputs = outputs.map(|b| self.visit_parts(b, inputs, thin, visit));
                outputs.sum()
            }
        })
    }
}

fn moving(name: &'static str, outputs: usize, kernel: [usize; 2], window: Window) -> Part {
    Part::Convolve(Unit {
        name,
        outputs,
        kernel,
        window,
    })
}

/// A convolution that keeps the side.
fn conv(name: &'static str, outputs: usize, kernel: [usize; 2]) -> Part {
    let padding = kernel.map(|n| n / 2);
    let stride = [1, 1];
    moving(name, outputs, kernel, Window { stride, padding })
}

/// A convolution of 3 x 3 that halves the side.
fn half(name: &'static str, outputs: usize) -> Part {
    moving(name, outputs, [3, 3], HALVE)
}

/// The branch of an average.
fn average(outputs: usize) -> Vec<Part> {
    vec![Part::AverageAndConvolve(Unit {
        name: "branch_pool",
        outputs,
        kernel: [1, 1],
        window: SHRINK,
    })]
}

/// All of the network but the mean at its end.
pub(super) fn blocks(graph: Graph) -> Vec<Block> {
    let mut blocks: Vec<Block> = stem();
    let mut fork = |name, branches| {
        let parts = vec![Part::Fork(branches)];
        blocks.push(Block { name, parts });
    };
    for (name, pool) in [("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)] {
        fork(name, side_35(pool));
    }
    fork(
        "Mixed_6a",
        vec![
            vec![half("branch3x3", 384)],
            vec![
                conv("branch3x3dbl_1", 64, [1, 1]),
                conv("branch3x3dbl_2", 96, [3, 3]),
                half("branch3x3dbl_3", 96),
            ],
            vec![Part::MaxPool(HALVE)],
        ],
    );
    for (name, inner) in [
        ("Mixed_6b", 128),
        ("Mixed_6c", 160),
        ("Mixed_6d", 160),
        ("Mixed_6e", 192),
    ] {
        fork(name, side_17(inner));
    }
    fork(
        "Mixed_7a",
        vec![
            vec![conv("branch3x3_1", 192, [1, 1]), half("branch3x3_2", 320)],
            vec![
                conv("branch7x7x3_1", 192, [1, 1]),
                conv("branch7x7x3_2", 192, [1, 7]),
                conv("branch7x7x3_3", 192, [7, 1]),
                half("branch7x7x3_4", 192),
            ],
            vec![Part::MaxPool(HALVE)],
        ],
    );
    fork("Mixed_7b", side_8(average(192)));
    fork(
        "Mixed_7c",
        side_8(match graph {
            Graph::Keras => average(192),
            Graph::Fid => vec![Part::MaxPool(STAY), conv("branch_pool", 192, [1, 1])],
        }),
    );
    blocks
}

fn stem() -> Vec<Block> {
    let block = |name, part| Block {
        name,
        parts: vec![part],
    };
    vec![
        block("Conv2d_1a_3x3", half("", 32)),
        block("Conv2d_2a_3x3", moving("", 32, [3, 3], SHRINK)),
        block("Conv2d_2b_3x3", conv("", 64, [3, 3])),
        block("maxpool1", Part::MaxPool(HALVE)),
        block("Conv2d_3b_1x1", conv("", 80, [1, 1])),
        block("Conv2d_4a_3x3", moving("", 192, [3, 3], SHRINK)),
        block("maxpool2", Part::MaxPool(HALVE)),
    ]
}

/// torchvision's `InceptionA`.
fn side_35(pool: usize) -> Vec<Vec<Part>> {
    vec![
        vec![conv("branch1x1", 64, [1, 1])],
        vec![
            conv("branch5x5_1", 48, [1, 1]),
            conv("branch5x5_2", 64, [5, 5]),
        ],
        vec![
            conv("branch3x3dbl_1", 64, [1, 1]),
            conv("branch3x3dbl_2", 96, [3, 3]),
            conv("branch3x3dbl_3", 96, [3, 3]),
        ],
        average(pool),
    ]
}

/// torchvision's `InceptionC`.
fn side_17(inner: usize) -> Vec<Vec<Part>> {
    vec![
        vec![conv("branch1x1", 192, [1, 1])],
        vec![
            conv("branch7x7_1", inner, [1, 1]),
            conv("branch7x7_2", inner, [1, 7]),
            conv("branch7x7_3", 192, [7, 1]),
        ],
        vec![
            conv("branch7x7dbl_1", inner, [1, 1]),
            conv("branch7x7dbl_2", inner, [7, 1]),
            conv("branch7x7dbl_3", inner, [1, 7]),
            conv("branch7x7dbl_4", inner, [7, 1]),
            conv("branch7x7dbl_5", 192, [1, 7]),
        ],
        average(192),
    ]
}

/// torchvision's `InceptionE`, whose last branch differs.
fn side_8(pool: Vec<Part>) -> Vec<Vec<Part>> {
    let both = |[across, down]: [&'static str; 2]| {
        let branches = [(across, [1, 3]), (down, [3, 1])];
        let branches = branches.map(|(name, kernel)| vec![conv(name, 384, kernel)]);
        Part::Fork(branches.into())
    };
    vec![
        vec![conv("branch1x1", 320, [1, 1])],
        vec![
            conv("branch3x3_1", 384, [1, 1]),
            both(["branch3x3_2a", "branch3x3_2b"]),
        ],
        vec![
            conv("branch3x3dbl_1", 448, [1, 1]),
            conv("branch3x3dbl_2", 384, [3, 3]),
            both(["branch3x3dbl_3a", "branch3x3dbl_3b"]),
        ],
        pool,
    ]
}
