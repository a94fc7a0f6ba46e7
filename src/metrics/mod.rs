//! Floor 5: how good are the samples? Numbers computed from samples alone, without gradients or devices.

pub mod modes;
pub mod shapes;

pub use modes::ModeReport;
pub use shapes::ShapesReport;
