//! Convolutional layers, down and up.

use super::{Init, Mode, Network, Parameter};
use crate::tape::{Tape, Var, Window};

/// `y = x * w + b`, as PyTorch's `nn.Conv2d`: pictures `[N, inputs, H, W]` to `[N, outputs, I, J]` with
/// `I = ⌊(H + 2p − K) / s⌋ + 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2d {
    /// The name of the layer; its parameters are `name.weight`, `[outputs, inputs, K, L]`, and `name.bias`,
    /// `[outputs]`.
    pub name: String,
    /// Channels of `x`.
    pub inputs: usize,
    /// Channels of `y`.
    pub outputs: usize,
    /// Height and width of the filters, `[K, L]`.
    pub kernel: [usize; 2],
    /// Stride and padding.
    pub window: Window,
    /// How the weight starts.
    pub weight: Init,
    /// How the bias starts, if there is one.
    pub bias: Option<Init>,
}

impl Network for Conv2d {
    fn parameters(&self) -> Vec<Parameter> {
        let shape = [self.outputs, self.inputs, self.kernel[0], self.kernel[1]];
        let bias = (self.outputs, self.bias);
        Parameter::weight_and_bias(&self.name, &shape, self.weight, bias)
    }

    fn record(&self, t: &mut Tape, x: Var, _mode: Mode) -> Var {
        t.layer(&self.name, |t| {
            let parameters = self.parameters();
            let weight = parameters[0].record(t);
            let y = t.conv2d(x, weight, self.window);
            add_bias(t, y, parameters.get(1))
        })
    }
}

/// The transposed convolution, as PyTorch's `nn.ConvTranspose2d`: pictures `[N, inputs, I, J]` to
/// `[N, outputs, H, W]` with `H = (I − 1) s − 2p + K + output padding`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvTranspose2d {
    /// The name of the layer; its parameters are `name.weight`, `[inputs, outputs, K, L]`, and `name.bias`,
    /// `[outputs]`.
    pub name: String,
    /// Channels of `x`.
    pub inputs: usize,
    /// Channels of `y`.
    pub outputs: usize,
    /// Height and width of the filters, `[K, L]`.
    pub kernel: [usize; 2],
    /// Stride and padding of the convolution that this is the transpose of.
    pub window: Window,
    /// Which of the picture sizes with as many positions is meant: 0 to stride − 1, along height and width.
    pub output_padding: [usize; 2],
    /// How the weight starts.
    pub weight: Init,
    /// How the bias starts, if there is one.
    pub bias: Option<Init>,
}

impl Network for ConvTranspose2d {
    fn parameters(&self) -> Vec<Parameter> {
        let shape = [self.inputs, self.outputs, self.kernel[0], self.kernel[1]];
        let bias = (self.outputs, self.bias);
        Parameter::weight_and_bias(&self.name, &shape, self.weight, bias)
    }

    /// # Panics
    /// If padding leaves nothing of the picture.
    fn record(&self, t: &mut Tape, x: Var, _mode: Mode) -> Var {
        t.layer(&self.name, |t| {
            let parameters = self.parameters();
            let weight = parameters[0].record(t);
            let Window { stride, padding } = self.window;
            let size = |axis: usize| {
                let positions = t.shape(x)[2 + axis] - 1;
                positions * stride[axis] + self.kernel[axis] + self.output_padding[axis]
                    - 2 * padding[axis]
            };
            let picture = [size(0), size(1)];
            let y = t.conv2d_input_grad(x, weight, self.window, picture);
            add_bias(t, y, parameters.get(1))
        })
    }
}

/// `y[n, c, h, w] + bias[c]`.
fn add_bias(t: &mut Tape, y: Var, bias: Option<&Parameter>) -> Var {
    let Some(bias) = bias else { return y };
    let bias = bias.record(t);
    let channels = t.shape(bias).count();
    let bias = t.reshape(bias, [channels, 1, 1]);
    let shape = t.shape(y).clone();
    let bias = t.broadcast(bias, shape);
    t.add(y, bias)
}
