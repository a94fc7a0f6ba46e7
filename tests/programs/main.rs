//! The programs from end to end: as a user meets them, and the training loop behind them.

mod any_bytes;
#[cfg(unix)]
mod beginnings;
mod cli;
mod collapse;
#[cfg(unix)]
mod endings;
mod pictures;
#[path = "../process/mod.rs"]
mod process;
mod states;
mod train;
