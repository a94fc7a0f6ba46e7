//! Named tensors that live between runs: parameters, optimiser moments, averages.

use std::collections::BTreeMap;

use super::buffer::Buffer;
use crate::numbers::{Result, Shape, Tensor};

/// Tensors by name. Programs read and update them in place; a checkpoint is this, written to a file.
#[derive(Debug, Default, Clone)]
pub struct Store {
    by_name: BTreeMap<String, usize>,
    entries: Vec<(Shape, Buffer)>,
}

impl Store {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `tensor` under `name`, replacing what was there.
    pub fn insert(&mut self, name: &str, tensor: &Tensor) {
        let entry = (tensor.shape().clone(), Buffer::from_slice(tensor.data()));
        match self.by_name.get(name) {
            Some(&i) => self.entries[i] = entry,
            None => {
                self.by_name.insert(name.into(), self.entries.len());
                self.entries.push(entry);
            }
        }
    }

    /// A copy of the tensor called `name`.
    pub fn get(&self, name: &str) -> Option<Tensor> {
        let (shape, values) = &self.entries[self.index(name)?];
        let tensor: Result<Tensor> = Tensor::new(shape, values.to_vec());
        tensor.ok()
    }

    /// All tensors, sorted by name, where they are.
    pub fn views(&self) -> impl Iterator<Item = (&str, &Shape, &[f32])> {
        let entries = self.by_name.iter();
        entries.map(|(name, &i)| (name.as_str(), &self.entries[i].0, &self.entries[i].1[..]))
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        let mut all = self.entries.iter().flat_map(|(_, values)| values.iter());
        all.all(|x| x.is_finite())
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn shape(&self, index: usize) -> &Shape {
        &self.entries[index].0
    }

    pub(super) fn values(&self, index: usize) -> &Buffer {
        &self.entries[index].1
    }

    pub(super) fn values_mut(&mut self, index: usize) -> &mut Buffer {
        &mut self.entries[index].1
    }
}
