//! What is compiled for a device: kernels and the layouts of what binds their arrays, each once.

#![expect(
    unsafe_code,
    reason = "shaders run without the checks that wgpu would add"
)]

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wgpu::{
    AdapterInfo, BindGroup, BindGroupEntry, BindGroupLayout, BindGroupLayoutEntry, ComputePipeline,
    PipelineLayout, ShaderRuntimeChecks, ShaderStages,
};

use super::device::Device;
use super::disk::PipelinesOnDisk;
use super::launch::Source;
use crate::numbers::Result;

/// Bytes of immediate data of every launch; one size for all, so that all layouts are of one family.
const IMMEDIATES: u32 = 64;

/// A kernel's text, and the names and bits of its overrides.
type SourceKey = (String, Vec<(String, u64)>);

/// Compiled kernels and their layouts.
#[derive(Debug)]
pub(super) struct Pipelines {
    /// For each list of arrays, by whether they are written, the layout of what binds them.
    layouts: Mutex<HashMap<Vec<bool>, (BindGroupLayout, PipelineLayout)>>,
    compiled: Mutex<HashMap<SourceKey, ComputePipeline>>,
    on_disk: Option<PipelinesOnDisk>,
}

impl Pipelines {
    /// Nothing compiled yet, but perhaps a driver's cache on disk.
    pub fn new(device: &wgpu::Device, info: &AdapterInfo) -> Self {
        Self {
            layouts: Mutex::default(),
            compiled: Mutex::default(),
            on_disk: PipelinesOnDisk::open(device, info),
        }
    }
}

impl Drop for Pipelines {
    fn drop(&mut self) {
        if let Some(on_disk) = &self.on_disk {
            on_disk.save();
        }
    }
}

/// The contents of a lock, also after a panic elsewhere: nothing here is ever left half-done.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device {
    /// The layouts for arrays of which each is written or not.
    fn layout(&self, writable: &[bool]) -> (BindGroupLayout, PipelineLayout) {
        let mut layouts = locked(&self.pipelines().layouts);
        let known = layouts.get(writable);
        if let Some(layouts) = known {
            return layouts.clone();
        }
        let entry = |(binding, &writable): (usize, &bool)| BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage {
                    read_only: !writable,
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let entries: Vec<_> = writable.iter().enumerate().map(entry).collect();
        let group = self
            .raw()
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: None,
                entries: &entries,
            });
        let pipeline = self
            .raw()
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: &[Some(&group)],
                immediate_size: IMMEDIATES,
            });
        layouts.insert(writable.to_vec(), (group.clone(), pipeline.clone()));
        (group, pipeline)
    }

    /// The compiled kernel of `source` for arrays of which each is written or not; compiled once.
    ///
    /// # Errors
    /// If the driver refuses it.
    pub(super) fn pipeline(&self, source: &Source, writable: &[bool]) -> Result<ComputePipeline> {
        let overrides = source.overrides.iter();
        let bits = overrides.map(|(name, x)| (name.clone(), x.to_bits()));
        let key = (source.text.clone(), bits.collect::<Vec<_>>());
        if let Some(pipeline) = locked(&self.pipelines().compiled).get(&key) {
            return Ok(pipeline.clone());
        }
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(source.name),
            source: wgpu::ShaderSource::Wgsl(source.text.as_str().into()),
        };
        let checks = match std::env::var_os("COULOMB_GPU_CHECKED") {
            Some(_) => ShaderRuntimeChecks::checked(),
            None => ShaderRuntimeChecks::unchecked(),
        };
        // SAFETY: the kernels keep the three promises that the checks would enforce. Every index is compared with its
        // array's size, which the host derives from the plan that also sized the buffers; every loop ends, as its
        // counter grows towards a bound that does not change; no divisor is zero, as sizes of empty arrays launch
        // nothing. CI runs every primitive and random fused tapes with the checks, too (COULOMB_GPU_CHECKED).
        let module = unsafe { self.raw().create_shader_module_trusted(descriptor, checks) };
        let constants: Vec<(&str, f64)> = source
            .overrides
            .iter()
            .map(|(name, x)| (name.as_str(), *x))
            .collect();
        let (_, layout) = self.layout(writable);
        let pipeline = self
            .raw()
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(source.name),
                layout: Some(&layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &constants,
                    zero_initialize_workgroup_memory: false,
                },
                cache: self
                    .pipelines()
                    .on_disk
                    .as_ref()
                    .map(PipelinesOnDisk::cache),
            });
        self.counters().pipelines.add(1);
        self.check()?;
        locked(&self.pipelines().compiled).insert(key, pipeline.clone());
        Ok(pipeline)
    }

    /// Binds arrays: parts of buffers, each written or not.
    pub(super) fn bind_group(&self, arrays: &[(wgpu::BufferBinding<'_>, bool)]) -> BindGroup {
        let writable: Vec<bool> = arrays.iter().map(|(_, writable)| *writable).collect();
        let (layout, _) = self.layout(&writable);
        let entries: Vec<BindGroupEntry<'_>> = (arrays.iter().enumerate())
            .map(|(binding, (array, _))| BindGroupEntry {
                binding: binding as u32,
                resource: wgpu::BindingResource::Buffer(array.clone()),
            })
            .collect();
        self.counters().bind_groups.add(1);
        self.raw().create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &entries,
        })
    }
}
