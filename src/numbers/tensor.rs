//! A tensor on the host: what files hold, and what goes into and comes out of a store.

use super::{Error, Result, Shape};

/// Row-major `f32` numbers with a shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Vec<f32>,
}

impl Tensor {
    /// Wraps `data` in row-major order.
    ///
    /// # Errors
    /// If the number of elements is not the product of `shape`.
    pub fn new(shape: impl Into<Shape>, data: Vec<f32>) -> Result<Self> {
        let shape = shape.into();
        if shape.count() != data.len() {
            return Err(Error::failure(format!(
                "a tensor of shape {shape} needs {} numbers, not {}",
                shape.count(),
                data.len()
            )));
        }
        Ok(Self { shape, data })
    }

    /// A tensor of zeros.
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let data = vec![0.0; shape.count()];
        Self { shape, data }
    }

    /// The size along each axis.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The elements in row-major order.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The elements in row-major order, for writing.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }
}
