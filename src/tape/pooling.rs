//! Max pooling: a choice, and what is done with it. Average pooling: a quotient of two convolutions.
//!
//! Windows of `[K, L]` move over planes of `[H, W]` as filters do ([`super::convolution`]). Each window `i` of `x` has a
//! place `p(i)`, where `x` is largest: the first one in reading order, if there are several. Places in the padding are
//! never chosen. Two primitives use that choice:
//!
//! | primitive | computes | usually called |
//! |---|---|---|
//! | [`Tape::pool_pick`] | `y[i] = x[p(i)]` | max pooling, if `x` also makes the choice |
//! | [`Tape::pool_spread`] | `x[q] = Σ y[i]` over all `i` with `p(i) = q` | max unpooling, the gradient of max pooling |
//!
//! Both are linear in what they move, and each is the other's transpose, so each is the other's gradient: the family is
//! closed, as that of the convolutions is. The choice itself is piecewise constant and has no gradient.
//!
//! Averages need no primitive of their own: [`Tape::avg_pool2d`] has convolutions with ones add up pixels and count them.

use super::{Op, Tape, Var, Window};

/// All sizes of a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pooling {
    /// Planes: channels of all pictures, `N · C`.
    pub planes: usize,
    /// Height and width of a plane, `[H, W]`.
    pub picture: [usize; 2],
    /// Height and width of a window, `[K, L]`.
    pub kernel: [usize; 2],
    /// Windows along both axes, `[I, J]`.
    pub answer: [usize; 2],
    /// How windows move.
    pub window: Window,
}

impl Pooling {
    /// The sizes for pictures `[N, C, H, W]`; `None` where no window fits, or one could lie in the padding altogether.
    pub fn new(x: [usize; 4], kernel: [usize; 2], window: Window) -> Option<Self> {
        let [batch, channels, height, width] = x;
        let picture = [height, width];
        let mut answer = [0; 2];
        for axis in 0..2 {
            let room = (picture[axis] + 2 * window.padding[axis]).checked_sub(kernel[axis])?;
            answer[axis] = room.checked_div(window.stride[axis])? + 1;
            if window.padding[axis] >= kernel[axis] || picture[axis] == 0 {
                return None;
            }
        }
        Some(Self {
            planes: batch * channels,
            picture,
            kernel,
            answer,
            window,
        })
    }

    /// Pixels of a plane, `H · W`.
    pub fn pixels(&self) -> usize {
        self.picture[0] * self.picture[1]
    }

    /// Windows of a plane, `I · J`.
    pub fn positions(&self) -> usize {
        self.answer[0] * self.answer[1]
    }

    /// The pixels of window `i` along an axis, those in the padding left out; never none.
    pub fn pixels_of(&self, axis: usize, i: usize) -> std::ops::Range<usize> {
        let first = i * self.window.stride[axis];
        let padding = self.window.padding[axis];
        let end = (first + self.kernel[axis] - padding).min(self.picture[axis]);
        first.saturating_sub(padding)..end
    }

    /// The windows that hold pixel `h` along an axis.
    pub fn windows_of(&self, axis: usize, h: usize) -> std::ops::Range<usize> {
        let Window { stride, padding } = self.window;
        let place = h + padding[axis];
        let first = (place + 1).saturating_sub(self.kernel[axis]);
        first.div_ceil(stride[axis])..(place / stride[axis] + 1).min(self.answer[axis])
    }
}

/// Pooling.
impl Tape {
    /// The largest number in each window of `[K, L]` of `x`, `[N, C, H, W]`: `[N, C, I, J]`, as PyTorch's `max_pool2d`. Of
    /// equal numbers the first gets the gradient.
    ///
    /// # Panics
    /// If no window fits, or one could lie in the padding altogether.
    #[track_caller]
    pub fn max_pool2d(&mut self, x: Var, kernel: [usize; 2], window: Window) -> Var {
        self.pool_pick(x, x, kernel, window)
    }

    /// The mean of each window of `[K, L]` of `x`, `[N, C, H, W]`: `[N, C, I, J]`, as PyTorch's `avg_pool2d` with
    /// `count_include_pad=False`: padding is no pixel, so a window at the border is the mean of fewer. With `1` for an
    /// array of ones, and each channel a picture,
    ///
    /// ```text
    /// y = conv(x, 1) / conv(1, 1)
    /// ```
    ///
    /// # Panics
    /// If no window fits, or one could lie in the padding altogether.
    #[track_caller]
    pub fn avg_pool2d(&mut self, x: Var, kernel: [usize; 2], window: Window) -> Var {
        let sizes = self.check_pooling("avg_pool2d", x, kernel, window);
        let ([height, width], [rows, columns]) = (sizes.picture, sizes.answer);
        let shape = [self.shape(x)[0], self.shape(x)[1], rows, columns];
        let ones = self.constant(1.0, [1, 1, kernel[0], kernel[1]]);
        let planes = self.reshape(x, [sizes.planes, 1, height, width]);
        let sums = self.conv2d(planes, ones, window);
        let pixels = self.constant(1.0, [1, 1, height, width]);
        let counts = self.conv2d(pixels, ones, window);
        let sums = self.reshape(sums, shape);
        let counts = self.broadcast(counts, shape);
        self.div(sums, counts)
    }

    /// `y[i] = x[p(i)]` where `by` is largest in window `i`; `by` and `x` are `[N, C, H, W]`, the result `[N, C, I, J]`.
    ///
    /// # Panics
    /// If shapes differ, no window fits, or one could lie in the padding altogether.
    #[track_caller]
    pub fn pool_pick(&mut self, by: Var, x: Var, kernel: [usize; 2], window: Window) -> Var {
        let sizes = self.check_pooling("pool_pick", by, kernel, window);
        if self.shape(by) != self.shape(x) {
            self.refuse("pool_pick", "shapes differ", &[by, x]);
        }
        let [n, c] = [0, 1].map(|axis| self.shape(by)[axis]);
        let op = Op::PoolPick {
            by,
            x,
            kernel,
            window,
        };
        self.push(op, [n, c, sizes.answer[0], sizes.answer[1]].into())
    }

    /// `x[q] = Σ y[i]` over the windows `i` in which `by`, `[N, C, H, W]`, is largest at `q`; `y` is `[N, C, I, J]`, the
    /// result has the shape of `by`.
    ///
    /// # Panics
    /// If shapes do not fit, no window fits, or one could lie in the padding altogether.
    #[track_caller]
    pub fn pool_spread(&mut self, by: Var, y: Var, kernel: [usize; 2], window: Window) -> Var {
        let sizes = self.check_pooling("pool_spread", by, kernel, window);
        let shape = self.shape(by).clone();
        let expected = [shape[0], shape[1], sizes.answer[0], sizes.answer[1]];
        if self.shape(y)[..] != expected {
            self.refuse("pool_spread", "these are no answers", &[by, y]);
        }
        let op = Op::PoolSpread {
            by,
            y,
            kernel,
            window,
        };
        self.push(op, shape)
    }

    /// The sizes of the pooling that made `v`, if one did.
    pub fn pooling(&self, v: Var) -> Option<Pooling> {
        let (Op::PoolPick {
            by, kernel, window, ..
        }
        | Op::PoolSpread {
            by, kernel, window, ..
        }) = self.node(v).op
        else {
            return None;
        };
        Pooling::new(self.shape(by)[..].try_into().ok()?, kernel, window)
    }

    #[track_caller]
    fn check_pooling(&self, op: &str, by: Var, kernel: [usize; 2], window: Window) -> Pooling {
        let shape = self.shape(by)[..].try_into();
        let sizes = shape
            .ok()
            .and_then(|shape| Pooling::new(shape, kernel, window));
        sizes.unwrap_or_else(|| {
            let why = format!("windows of {kernel:?} with {window:?} do not fit");
            self.refuse(op, &why, &[by])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_lies_in_the_windows_that_hold_it() {
        for (picture, kernel, stride, padding) in
            [(7, 3, 2, 1), (8, 2, 2, 0), (5, 4, 3, 3), (9, 1, 2, 0)]
        {
            let window = Window {
                stride: [stride; 2],
                padding: [padding; 2],
            };
            let sizes = Pooling::new([1, 1, picture, picture], [kernel; 2], window).unwrap();
            for i in 0..sizes.answer[0] {
                assert!(!sizes.pixels_of(0, i).is_empty());
                for h in 0..picture {
                    let held = sizes.pixels_of(0, i).contains(&h);
                    assert_eq!(
                        sizes.windows_of(0, h).contains(&i),
                        held,
                        "{sizes:?} {i} {h}"
                    );
                }
            }
        }
    }
}
