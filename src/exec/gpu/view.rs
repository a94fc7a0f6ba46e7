//! Which pixel a tap meets: one rule for convolutions and transposed convolutions.

use crate::tape::convolution::Convolution;

/// Position `i` and tap `k` meet pixel `origin + i · step + k` of the source, along each axis; pixels outside
/// are 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// Height and width of the source.
    pub size: [usize; 2],
    /// Pixels from one position to the next.
    pub step: [usize; 2],
    /// The pixel of position 0 and tap 0; negative in the padding.
    pub origin: [isize; 2],
    /// Taps along each axis; there may be none.
    pub taps: [usize; 2],
    /// Positions along each axis.
    pub positions: [usize; 2],
}

/// A dense product: a view of the source, the taps of the filters that belong to it, and where results go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Class {
    pub view: View,
    /// Tap `k` of the view is tap `first_tap ± k · tap_step` of the filter.
    pub first_tap: [usize; 2],
    pub tap_step: [isize; 2],
    /// Position `i` of the view is place `first + i · step` of the result.
    pub first: [usize; 2],
    pub out_step: [usize; 2],
}

impl View {
    /// How convolutions look at pictures.
    pub fn of_pictures(c: &Convolution) -> Self {
        Self {
            size: c.picture,
            step: c.window.stride,
            origin: c.window.padding.map(|p| -(p as isize)),
            taps: c.kernel,
            positions: c.answer,
        }
    }

    /// Taps of one channel.
    pub fn tap_count(&self) -> usize {
        self.taps[0] * self.taps[1]
    }

    /// Positions in one picture.
    pub fn position_count(&self) -> usize {
        self.positions[0] * self.positions[1]
    }
}

impl Class {
    /// The one class of a convolution.
    pub fn of_answers(c: &Convolution) -> Self {
        Self {
            view: View::of_pictures(c),
            first_tap: [0; 2],
            tap_step: [1; 2],
            first: [0; 2],
            out_step: [1; 2],
        }
    }

    /// Class `[a, b]` of a transposed convolution: the pixels `h` with `(h + p) mod s = a`, likewise `b`.
    ///
    /// With `h + p = t·s + a`, the taps that reach `h` are `k = a + u·s`, from position `i = t − u`. Counted from
    /// the last such tap backwards, the position grows with the tap, as a view wants it.
    pub fn of_pictures(c: &Convolution, class: [usize; 2]) -> Self {
        let mut out = Self {
            view: View {
                size: c.answer,
                step: [1; 2],
                origin: [0; 2],
                taps: [0; 2],
                positions: [0; 2],
            },
            first_tap: [0; 2],
            tap_step: [0; 2],
            first: [0; 2],
            out_step: c.window.stride,
        };
        for (axis, a) in class.into_iter().enumerate() {
            let (s, p) = (c.window.stride[axis], c.window.padding[axis]);
            let taps = c.kernel[axis].saturating_sub(a).div_ceil(s);
            let first = p.saturating_sub(a).div_ceil(s);
            let end = (c.picture[axis] + p).saturating_sub(a).div_ceil(s);
            out.view.taps[axis] = taps;
            out.view.positions[axis] = end.saturating_sub(first);
            out.view.origin[axis] = first as isize - taps as isize + 1;
            out.first_tap[axis] = a + s * taps.saturating_sub(1);
            out.tap_step[axis] = -(s as isize);
            out.first[axis] = (first * s + a).saturating_sub(p);
        }
        out
    }
}
