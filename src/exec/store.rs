//! Named tensors that live between runs: parameters, optimiser moments, averages.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::buffer::Buffer;
#[cfg(feature = "gpu")]
use super::gpu::Device;
use super::gpu::Resident;
use crate::numbers::{Error, Result, Shape, Tensor};

/// Tensors by name. Programs read and update them in place; a checkpoint is this, written to a file.
///
/// A program on a GPU keeps its tensors there. They come back when somebody looks, which is why looking can fail.
#[derive(Debug, Default)]
pub struct Store {
    by_name: BTreeMap<String, usize>,
    entries: Vec<Entry>,
}

/// A tensor: here, on a device, or on both. At least one of the two is there, and where both are, they are equal.
#[derive(Debug)]
struct Entry {
    shape: Shape,
    here: OnceLock<Buffer>,
    there: Option<Resident>,
}

impl Entry {
    fn new(tensor: &Tensor) -> Self {
        Self {
            shape: tensor.shape().clone(),
            here: Buffer::from_slice(tensor.data()).into(),
            there: None,
        }
    }

    fn values(&self) -> Result<&Buffer> {
        if self.here.get().is_none() {
            let there = self
                .there
                .as_ref()
                .map_or_else(|| Ok(vec![]), Resident::download);
            let _ = self.here.set(Buffer::from_slice(&there?));
        }
        let here = self.here.get();
        here.ok_or_else(|| Error::failure("a tensor was lost on its way from the GPU"))
    }
}

impl Store {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `tensor` under `name`, replacing what was there.
    pub fn insert(&mut self, name: &str, tensor: &Tensor) {
        let entry = Entry::new(tensor);
        match self.by_name.get(name) {
            Some(&i) => self.entries[i] = entry,
            None => {
                self.by_name.insert(name.into(), self.entries.len());
                self.entries.push(entry);
            }
        }
    }

    /// A copy of the tensor called `name`, if there is one.
    ///
    /// # Errors
    /// If it has to come from a GPU that has failed.
    pub fn get(&self, name: &str) -> Result<Option<Tensor>> {
        let Some(i) = self.index(name) else {
            return Ok(None);
        };
        let values = self.values(i)?.to_vec();
        Tensor::new(self.shape(i), values).map(Some)
    }

    /// A copy with all tensors here.
    ///
    /// # Errors
    /// If one has to come from a GPU that has failed.
    pub fn duplicate(&self) -> Result<Self> {
        let copy = |entry: &Entry| {
            Ok(Entry {
                shape: entry.shape.clone(),
                here: entry.values()?.clone().into(),
                there: None,
            })
        };
        Ok(Self {
            by_name: self.by_name.clone(),
            entries: self.entries.iter().map(copy).collect::<Result<_>>()?,
        })
    }

    /// All tensors, sorted by name, where they are.
    ///
    /// # Errors
    /// If one has to come from a GPU that has failed.
    pub fn views(&self) -> Result<Vec<(&str, &Shape, &[f32])>> {
        let mut views = vec![];
        for (name, &i) in &self.by_name {
            let entry = &self.entries[i];
            views.push((name.as_str(), &entry.shape, &entry.values()?[..]));
        }
        Ok(views)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The shape of the tensor called `name`, if there is one.
    pub fn shape_of(&self, name: &str) -> Option<&Shape> {
        self.index(name).map(|i| self.shape(i))
    }

    /// Whether every number is finite.
    ///
    /// # Errors
    /// If a tensor has to come from a GPU that has failed.
    pub fn is_finite(&self) -> Result<bool> {
        for entry in &self.entries {
            if !entry.values()?.iter().all(|x| x.is_finite()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn shape(&self, index: usize) -> &Shape {
        &self.entries[index].shape
    }

    pub(super) fn values(&self, index: usize) -> Result<&Buffer> {
        self.entries[index].values()
    }

    /// A tensor's numbers, to be changed here.
    pub(super) fn values_mut(&mut self, index: usize) -> Result<&mut Buffer> {
        let entry = &mut self.entries[index];
        entry.values()?;
        entry.there = None;
        let here = entry.here.get_mut();
        here.ok_or_else(|| Error::failure("a tensor was lost on its way from the GPU"))
    }

    /// A tensor's numbers on `device`.
    #[cfg(feature = "gpu")]
    pub(super) fn on_device(&mut self, index: usize, device: &Device) -> Result<&Resident> {
        let entry = &mut self.entries[index];
        if !entry
            .there
            .as_ref()
            .is_some_and(|there| there.is_on(device))
        {
            // What another device has changed comes here first.
            let there = Resident::upload(device, entry.values()?)?;
            entry.there = Some(there);
        }
        let there = entry.there.as_ref();
        there.ok_or_else(|| Error::failure("a tensor was lost on its way to the GPU"))
    }

    /// A program on a device has changed a tensor there.
    #[cfg(feature = "gpu")]
    pub(super) fn changed_on_device(&mut self, index: usize) {
        self.entries[index].here.take();
    }
}
