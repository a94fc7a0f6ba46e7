//! Floor 5: the data sets a Coulomb GAN learns from.
//!
//! [`mixture`] is points in the plane, [`coloured_shapes`] pictures that are drawn. From disk come pictures: [`open()`]
//! recognises what is at a path, decodes it once into a cache and maps that into memory; [`loader`] hands out the
//! minibatches of any [`Dataset`].

mod archive;
mod cache;
pub mod cifar;
pub mod coloured_shapes;
mod dataset;
pub mod decode;
mod folder;
mod foreign;
mod identity;
pub mod loader;
mod lsun;
pub mod mixture;
mod names;
pub mod open;
pub mod own;
pub mod pickle;
pub mod pictures;
mod recognise;
mod skipped;
mod whole;

pub use dataset::Dataset;
pub use decode::Crop;
pub use loader::Loader;
pub use mixture::Mixture;
pub use open::{Opened, Options, open};
pub use pictures::Pictures;
pub use skipped::Skipped;
