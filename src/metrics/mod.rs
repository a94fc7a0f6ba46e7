//! Floor 5: how good are the samples? Numbers computed from samples alone, whatever network drew them.

pub mod frechet;
pub mod modes;
pub mod shapes;

pub use frechet::{Frechet, PictureJudge};
pub use modes::ModeReport;
pub use shapes::ShapesReport;
