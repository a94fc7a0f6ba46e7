//! Floor 5: the networks of the paper's experiments, and the one that judges pictures, built from the layers of
//! [`crate::nn`].

pub mod auto_encoder;
pub mod dcgan;
pub mod inception;
pub mod mlp;

pub use auto_encoder::AutoEncoder;
pub use dcgan::Dcgan;
pub use inception::Inception;
pub use mlp::Mlp;
