//! Convolutions: one trilinear form, three ways to contract it.
//!
//! Pictures `x` of `[N, C, H, W]`, filters `w` of `[O, C, K, L]` and answers `y` of `[N, O, I, J]` meet in
//!
//! ```text
//! T(x, w, y) = Σ  y[n, o, i, j] · w[o, c, k, l] · x[n, c, i·s + k − p, j·s + l − p]
//! ```
//!
//! summed over all indices for which the pixel of `x` exists; stride `s` and padding `p` are given for each
//! axis. The derivative of `T` with respect to one of the three is a function of the other two:
//!
//! | primitive | computes | usually called |
//! |---|---|---|
//! | [`Tape::conv2d`] | `∂T/∂y` from `x`, `w` | convolution |
//! | [`Tape::conv2d_input_grad`] | `∂T/∂x` from `y`, `w` | transposed convolution |
//! | [`Tape::conv2d_weight_grad`] | `∂T/∂w` from `x`, `y` | the gradient of the filters |
//!
//! `T` is linear in each of the three, so the gradient of each primitive is the other two
//! ([`super::grad`]): the family is closed, and gradients of gradients cost nothing extra.

use super::{Op, Tape, Var};

/// How filters move over pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Pixels from one position of a filter to the next, along height and width.
    pub stride: [usize; 2],
    /// Zeros around the picture, on each side, along height and width.
    pub padding: [usize; 2],
}

/// All sizes of one trilinear form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// Pictures, `N`.
    pub batch: usize,
    /// Channels of a picture, `C`.
    pub channels: usize,
    /// Height and width of a picture, `[H, W]`.
    pub picture: [usize; 2],
    /// Filters, `O`.
    pub filters: usize,
    /// Height and width of a filter, `[K, L]`.
    pub kernel: [usize; 2],
    /// Height and width of an answer, `[I, J]`.
    pub answer: [usize; 2],
    /// How filters move.
    pub window: Window,
}

impl Convolution {
    /// The sizes for pictures `[N, C, H, W]` and filters `[O, C, K, L]`; `None` where no filter fits.
    ///
    /// An axis of length `H` has `⌊(H + 2p − K) / s⌋ + 1` positions.
    pub fn new(x: [usize; 4], w: [usize; 4], window: Window) -> Option<Self> {
        let [batch, channels, height, width] = x;
        let [filters, depth, kernel_height, kernel_width] = w;
        let (picture, kernel) = ([height, width], [kernel_height, kernel_width]);
        let mut answer = [0; 2];
        for axis in 0..2 {
            let room = (picture[axis] + 2 * window.padding[axis]).checked_sub(kernel[axis])?;
            answer[axis] = room.checked_div(window.stride[axis])? + 1;
        }
        let some = depth > 0 && filters > 0 && kernel.iter().all(|&n| n > 0);
        (some && depth == channels).then_some(Self {
            batch,
            channels,
            picture,
            filters,
            kernel,
            answer,
            window,
        })
    }

    /// The shape of the pictures.
    pub fn x(&self) -> [usize; 4] {
        [self.batch, self.channels, self.picture[0], self.picture[1]]
    }

    /// The shape of the filters.
    pub fn w(&self) -> [usize; 4] {
        [self.filters, self.channels, self.kernel[0], self.kernel[1]]
    }

    /// The shape of the answers.
    pub fn y(&self) -> [usize; 4] {
        [self.batch, self.filters, self.answer[0], self.answer[1]]
    }

    /// Pixels of one channel of an answer, `I · J`.
    pub fn positions(&self) -> usize {
        self.answer[0] * self.answer[1]
    }

    /// Numbers in one filter, `C · K · L`.
    pub fn filter(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// The pixel of `x` that tap `k` of a filter meets at position `i` along an axis; `None` in the padding.
    pub fn pixel(&self, axis: usize, i: usize, k: usize) -> Option<usize> {
        let Window { stride, padding } = self.window;
        let pixel = (i * stride[axis] + k).checked_sub(padding[axis])?;
        (pixel < self.picture[axis]).then_some(pixel)
    }
}

/// Convolutions.
impl Tape {
    /// `y[n, o, i, j] = Σ_ckl w[o, c, k, l] · x[n, c, i·s + k − p, j·s + l − p]`, as PyTorch's `conv2d`.
    #[track_caller]
    pub fn conv2d(&mut self, x: Var, w: Var, window: Window) -> Var {
        let sizes = (self.four("conv2d", x), self.four("conv2d", w));
        let Some(sizes) = Convolution::new(sizes.0, sizes.1, window) else {
            let why = format!("filters do not fit pictures with {window:?}");
            self.refuse("conv2d", &why, &[x, w])
        };
        self.push(Op::Conv2d { x, w, window }, sizes.y().into())
    }

    /// `x[n, c, h, w] = Σ_oij y[n, o, i, j] · w[o, c, k, l]` over all `i·s + k − p = h`, `j·s + l − p = w`, for
    /// pictures of the given `[H, W]`: the transposed convolution.
    ///
    /// PyTorch's `conv_transpose2d` has the same weights, `[in, out, K, L]`, and its output padding chooses
    /// between the `s` picture sizes that have as many positions: `H = (I − 1) s − 2p + K + output padding`.
    #[track_caller]
    pub fn conv2d_input_grad(
        &mut self,
        y: Var,
        w: Var,
        window: Window,
        picture: [usize; 2],
    ) -> Var {
        let op = "conv2d_input_grad";
        let ([n, ..], [_, c, ..]) = (self.four(op, y), self.four(op, w));
        let x = [n, c, picture[0], picture[1]];
        match Convolution::new(x, self.four(op, w), window) {
            Some(sizes) if self.four(op, y) == sizes.y() => {
                let op = Op::Conv2dInputGrad { y, w, window };
                self.push(op, x.into())
            }
            _ => {
                let why = format!("these are no answers to pictures of {x:?} with {window:?}");
                self.refuse(op, &why, &[y, w])
            }
        }
    }

    /// `w[o, c, k, l] = Σ_nij y[n, o, i, j] · x[n, c, i·s + k − p, j·s + l − p]` for filters of the given `[K, L]`.
    #[track_caller]
    pub fn conv2d_weight_grad(
        &mut self,
        x: Var,
        y: Var,
        window: Window,
        kernel: [usize; 2],
    ) -> Var {
        let op = "conv2d_weight_grad";
        let ([_, c, ..], [_, o, ..]) = (self.four(op, x), self.four(op, y));
        let w = [o, c, kernel[0], kernel[1]];
        match Convolution::new(self.four(op, x), w, window) {
            Some(sizes) if self.four(op, y) == sizes.y() => {
                let op = Op::Conv2dWeightGrad { x, y, window };
                self.push(op, w.into())
            }
            _ => {
                let why = format!("these are no answers of filters of {w:?} with {window:?}");
                self.refuse(op, &why, &[x, y])
            }
        }
    }

    /// The sizes of the convolution that made `v`, if one did.
    pub fn convolution(&self, v: Var) -> Option<Convolution> {
        let node = self.node(v);
        let shape = |v: Var| self.shape(v)[..].try_into().ok();
        let own = node.shape[..].try_into().ok();
        let (x, w, window) = match node.op {
            Op::Conv2d { x, w, window } => (shape(x), shape(w), window),
            Op::Conv2dInputGrad { w, window, .. } => (own, shape(w), window),
            Op::Conv2dWeightGrad { x, window, .. } => (shape(x), own, window),
            _ => return None,
        };
        Convolution::new(x?, w?, window)
    }

    #[track_caller]
    fn four(&self, op: &str, v: Var) -> [usize; 4] {
        let shape = self.shape(v)[..].try_into();
        shape.unwrap_or_else(|_| self.refuse(op, "four axes are needed", &[v]))
    }
}
