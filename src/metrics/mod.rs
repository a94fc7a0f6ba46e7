//! Floor 5: how good are the samples? Numbers computed from samples alone, without gradients or devices.

pub mod modes;

pub use modes::ModeReport;
