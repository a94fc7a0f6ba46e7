//! The driver's compiled kernels, kept between runs of the program: compiling them anew can take many seconds.

#![expect(unsafe_code, reason = "the driver is handed bytes from a file")]

use std::path::PathBuf;

use etcetera::BaseStrategy;
use wgpu::{AdapterInfo, Features, PipelineCache, PipelineCacheDescriptor};

use crate::numbers::atomic::write_atomically;

/// A driver's cache and the file that it comes from.
#[derive(Debug)]
pub(super) struct PipelinesOnDisk {
    cache: PipelineCache,
    path: PathBuf,
}

impl PipelinesOnDisk {
    /// The cache of the adapter that `info` describes; none where drivers have none, or there is no cache folder.
    pub fn open(device: &wgpu::Device, info: &AdapterInfo) -> Option<Self> {
        if !device.features().contains(Features::PIPELINE_CACHE) {
            return None;
        }
        let folder = etcetera::choose_base_strategy()
            .ok()?
            .cache_dir()
            .join("coulomb-gan");
        let path = folder.join(wgpu::util::pipeline_cache_key(info)?);
        let data = std::fs::read(&path).ok();
        // SAFETY: the bytes were written by `save`, in a folder of the user's own, from what the driver gave; wgpu
        // checks their header, and with `fallback` ignores what another driver or version wrote.
        let cache = unsafe {
            device.create_pipeline_cache(&PipelineCacheDescriptor {
                label: None,
                data: data.as_deref(),
                fallback: true,
            })
        };
        Some(Self { cache, path })
    }

    /// The driver's handle.
    pub fn cache(&self) -> &PipelineCache {
        &self.cache
    }

    /// Writes what the driver has compiled. A cache that cannot be written costs only time, so failures are silent.
    pub fn save(&self) {
        let Some(data) = self.cache.get_data() else {
            return;
        };
        if std::fs::read(&self.path).is_ok_and(|old| old == data) {
            return;
        }
        if let Some(folder) = self.path.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let _ = write_atomically(&self.path, |file| file.write_all(&data));
    }
}
