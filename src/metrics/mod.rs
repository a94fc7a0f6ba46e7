//! Floor 5: how good are the samples? Numbers computed from samples alone, whatever network drew them.

pub mod coloured_shapes;
pub mod frechet;
pub mod modes;

pub use coloured_shapes::ColouredShapesReport;
pub use frechet::{Frechet, PictureJudge};
pub use modes::ModeReport;
