//! Floor 5: the networks of the paper's experiments, built from the layers of [`crate::nn`].

pub mod auto_encoder;
pub mod dcgan;
pub mod mlp;

pub use auto_encoder::AutoEncoder;
pub use dcgan::Dcgan;
pub use mlp::Mlp;
