//! Floor 5: how good are the samples? Numbers computed from samples alone, whatever network drew them.
//!
//! | question | where |
//! |---|---|
//! | which modes of a toy distribution are reached? | [`modes`], [`coloured_shapes`] |
//! | how far is the distribution from the data? | [`frechet`], which is the FID on Inception's features, and [`kid`] |
//! | are samples like the data, and is all of the data among them? | [`manifold`]: precision, recall, density, coverage |
//! | is this picture in the training data, and which samples are alike? | [`neighbours`] |
//! | how many different pictures can be drawn? | [`birthday`] |

pub mod birthday;
mod blocks;
pub mod coloured_shapes;
pub mod frechet;
#[cfg(test)]
mod goldens;
pub mod kid;
pub mod manifold;
pub mod modes;
pub mod neighbours;

pub use blocks::Rows;
pub use coloured_shapes::ColouredShapesReport;
pub use frechet::{Frechet, PictureJudge};
pub use kid::Kid;
pub use manifold::Overlap;
pub use modes::ModeReport;
