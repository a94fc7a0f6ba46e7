//! Floor 0: shapes, tensors on the host, random streams, errors, and files that are never half-written.
//!
//! Nothing here knows about differentiation or devices.

pub mod atomic;
pub mod error;
pub mod hash;
pub mod npy;
pub mod rng;
pub mod shape;
pub mod tensor;
pub mod tensor_file;

pub use error::{Error, Result};
pub use shape::Shape;
pub use tensor::Tensor;
