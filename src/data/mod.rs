//! Floor 5: the data sets a Coulomb GAN learns from.

pub mod mixture;

pub use mixture::Mixture;
