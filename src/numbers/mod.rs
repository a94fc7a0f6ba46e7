//! Floor 0: shapes, tensors on the host, random streams, errors, words for people and from them, locks, and files that
//! are never half-written.
//!
//! Nothing here knows about differentiation or devices.

pub mod atomic;
pub mod error;
pub mod folder;
pub mod hash;
pub mod lock;
pub mod npy;
mod npy_header;
pub mod npz;
pub mod rng;
pub mod shape;
pub mod tensor;
pub mod tensor_file;
pub mod words;
pub mod written;

pub use error::{Error, Result};
pub use shape::Shape;
pub use tensor::Tensor;
