//! What stands for the GPU executor in a program that was built without the feature `gpu`: there is no device, so nothing
//! that needs one can ever be called.

use std::convert::Infallible;

use super::{Counts, Precision, Store};
use crate::numbers::{Error, Result};
use crate::tape::Tape;

/// A device that could be opened; there is none.
#[derive(Debug)]
pub struct Candidate(Infallible);

/// An open device; there is none.
#[derive(Debug, Clone)]
pub struct Device(Infallible);

/// A program on a device; there is none.
#[derive(Debug)]
pub struct Program(Infallible);

/// A tensor on a device; there is none.
#[derive(Debug)]
pub(super) struct Resident(Infallible);

/// No device.
pub fn list() -> Vec<Candidate> {
    vec![]
}

/// Says why there is none.
///
/// # Errors
/// Always.
pub fn choose(_: Vec<Candidate>, _: Option<&str>) -> Result<Candidate> {
    Err(Error::usage(
        "this program was built without --features gpu; build it with, or use --backend cpu",
    ))
}

/// Says that there are no kernels.
///
/// # Errors
/// Always.
pub fn explain(_: &Tape, _: Precision) -> Result<String> {
    Err(Error::usage(
        "--wgsl shows the kernels of a program with --features gpu, which this one was built without; build it with",
    ))
}

/// One line for each of `descriptions`: none.
pub fn listing(descriptions: &[String]) -> Vec<String> {
    descriptions.to_vec()
}

impl Candidate {
    /// Never called.
    pub fn describe(&self) -> String {
        match self.0 {}
    }
}

impl Device {
    /// Never called.
    ///
    /// # Errors
    /// Never.
    pub fn open(candidate: Candidate, _: Precision) -> Result<Self> {
        match candidate.0 {}
    }

    /// Never called.
    pub fn describe(&self) -> String {
        match self.0 {}
    }

    /// Never called.
    pub fn counts(&self) -> Counts {
        match self.0 {}
    }
}

impl Program {
    pub(super) fn new(device: &Device, _: &Tape, _: &Store) -> Result<Self> {
        match device.0 {}
    }

    pub(super) fn input(&mut self, _: &str) -> &mut [f32] {
        match self.0 {}
    }

    pub(super) fn run(&mut self, _: &mut Store) -> Result<()> {
        match self.0 {}
    }

    pub(super) fn profile(&mut self, _: &mut Store, _: usize) -> Result<Vec<Vec<f64>>> {
        match self.0 {}
    }

    pub(super) fn wait(&self) -> Result<()> {
        match self.0 {}
    }

    pub(super) fn take_scalars(&mut self, _: bool) -> Result<Option<Vec<f32>>> {
        match self.0 {}
    }

    pub(super) fn output(&self, _: &str) -> Result<&[f32]> {
        match self.0 {}
    }
}

impl Resident {
    pub fn download(&self) -> Result<Vec<f32>> {
        match self.0 {}
    }
}
