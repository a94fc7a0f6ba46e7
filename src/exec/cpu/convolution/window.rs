//! Which terms an element of a contraction is the sum of.
//!
//! Along each axis a pixel `h`, an answer `i` and a tap `k` meet where
//!
//! ```text
//! h = i · s + k − p
//! ```
//!
//! Each contraction keeps one of the three and sums over the other two. For a given one, the others that exist are a
//! range, in steps: taps that would meet padding are simply not in it, nor are those that a stride leaps over.

use crate::tape::convolution::Convolution;

/// The pairs along one axis that an element sums over: `count` places in the left factor, each with one in the right.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Window {
    pub count: usize,
    /// The first pair.
    pub left: usize,
    pub right: usize,
    /// From one pair to the next.
    pub left_step: isize,
    pub right_step: isize,
}

/// The sizes along one axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    picture: usize,
    answer: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl Axis {
    /// Height and width.
    pub fn both(c: &Convolution) -> [Self; 2] {
        [0, 1].map(|axis| Self {
            picture: c.picture[axis],
            answer: c.answer[axis],
            kernel: c.kernel[axis],
            stride: c.window.stride[axis],
            padding: c.window.padding[axis],
        })
    }

    /// Pixels and taps of answer `i`.
    pub fn of_answer(&self, i: usize) -> Window {
        // Pixel h is tap h + p − at.
        let at = i * self.stride;
        let first = self.padding.saturating_sub(at);
        let end = (self.picture + self.padding).saturating_sub(at);
        range(first, end.min(self.kernel), |first| Window {
            left: at + first - self.padding,
            right: first,
            left_step: 1,
            right_step: 1,
            ..Window::default()
        })
    }

    /// Answers and taps of pixel `h`.
    pub fn of_pixel(&self, h: usize) -> Window {
        // Answer i meets it with tap at − i · s.
        let at = h + self.padding;
        let first = (at + 1).saturating_sub(self.kernel).div_ceil(self.stride);
        let end = at / self.stride + 1;
        range(first, end.min(self.answer), |first| Window {
            left: first,
            right: at - first * self.stride,
            left_step: 1,
            right_step: -(self.stride as isize),
            ..Window::default()
        })
    }

    /// Pixels and answers of tap `k`.
    pub fn of_tap(&self, k: usize) -> Window {
        let first = self.padding.saturating_sub(k).div_ceil(self.stride);
        let end = (self.picture + self.padding)
            .saturating_sub(k)
            .div_ceil(self.stride);
        range(first, end.min(self.answer), |first| Window {
            left: first * self.stride + k - self.padding,
            right: first,
            left_step: self.stride as isize,
            right_step: 1,
            ..Window::default()
        })
    }
}

/// A window for each of `first..end`, if there are any.
fn range(first: usize, end: usize, window: impl Fn(usize) -> Window) -> Window {
    match end.saturating_sub(first) {
        0 => Window::default(),
        count => Window {
            count,
            ..window(first)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pairs of a window.
    fn pairs(window: Window) -> Vec<(isize, isize)> {
        let place = |first: usize, step: isize, i: usize| first as isize + i as isize * step;
        let pairs = (0..window.count).map(|i| {
            (
                place(window.left, window.left_step, i),
                place(window.right, window.right_step, i),
            )
        });
        pairs.collect()
    }

    #[test]
    fn windows_hold_exactly_the_pairs_that_meet() {
        for [picture, kernel, stride, padding] in sizes() {
            let axis = Axis {
                picture,
                answer: (picture + 2 * padding - kernel) / stride + 1,
                kernel,
                stride,
                padding,
            };
            let meet =
                |h: isize, i: isize, k: isize| h == i * stride as isize + k - padding as isize;
            let all = |left: usize, right: usize, meet: &dyn Fn(isize, isize) -> bool| {
                let pairs =
                    (0..left as isize).flat_map(move |l| (0..right as isize).map(move |r| (l, r)));
                pairs.filter(|&(l, r)| meet(l, r)).collect::<Vec<_>>()
            };
            for i in 0..axis.answer {
                let expected = all(picture, kernel, &|h, k| meet(h, i as isize, k));
                assert_eq!(pairs(axis.of_answer(i)), expected, "{axis:?} answer {i}");
            }
            for h in 0..picture {
                let expected = all(axis.answer, kernel, &|i, k| meet(h as isize, i, k));
                assert_eq!(pairs(axis.of_pixel(h)), expected, "{axis:?} pixel {h}");
            }
            for k in 0..kernel {
                let expected = all(picture, axis.answer, &|h, i| meet(h, i, k as isize));
                assert_eq!(pairs(axis.of_tap(k)), expected, "{axis:?} tap {k}");
            }
        }
    }

    /// Pictures, kernels, strides and paddings that fit, some with answers or pixels that meet nothing.
    fn sizes() -> impl Iterator<Item = [usize; 4]> {
        let three = (1..7).flat_map(|p| (1..6).flat_map(move |k| (1..5).map(move |s| [p, k, s])));
        let all = three.flat_map(|[p, k, s]| (0..6).map(move |padding| [p, k, s, padding]));
        all.filter(|[picture, kernel, _, padding]| picture + 2 * padding >= *kernel)
    }
}
