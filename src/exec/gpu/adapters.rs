//! Which graphics processors there are, and which one is taken.

use wgpu::{
    Adapter, AdapterInfo, Backends, DeviceType, Instance, InstanceDescriptor, InstanceFlags,
};

use crate::numbers::{Error, Result};

/// A graphics processor that could compute.
#[derive(Debug, Clone)]
pub struct Candidate {
    adapter: Adapter,
    info: AdapterInfo,
}

impl Candidate {
    /// Its name, as the driver gives it.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// One line for people: name, kind, interface, and its place on the PCI bus where that is known.
    pub fn describe(&self) -> String {
        let bus = match self.info.device_pci_bus_id.as_str() {
            "" => String::new(),
            bus => format!(", PCI {bus}"),
        };
        let kind = match self.info.device_type {
            DeviceType::DiscreteGpu => "discrete",
            DeviceType::IntegratedGpu => "integrated",
            DeviceType::VirtualGpu => "virtual",
            DeviceType::Cpu => "software",
            DeviceType::Other => "other",
        };
        format!("{} ({kind}, {}{bus})", self.info.name, self.info.backend)
    }

    /// What the driver says of it.
    pub(super) fn info(&self) -> &AdapterInfo {
        &self.info
    }

    /// The driver's handle.
    pub(super) fn adapter(&self) -> &Adapter {
        &self.adapter
    }
}

/// Discrete before integrated before virtual before software.
fn rank(kind: DeviceType) -> u32 {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// All graphics processors of this machine, the one that is taken by default first. `--device` counts in this order.
pub fn list() -> Vec<Candidate> {
    let instance = Instance::new(InstanceDescriptor {
        backends: Backends::VULKAN | Backends::METAL | Backends::DX12,
        flags: InstanceFlags::empty(),
        ..InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(Backends::all()));
    let mut candidates: Vec<Candidate> = (adapters.into_iter())
        .map(|adapter| Candidate {
            info: adapter.get_info(),
            adapter,
        })
        .collect();
    candidates.sort_by(|a, b| {
        let key = |c: &Candidate| (rank(c.info.device_type), c.info.device_pci_bus_id.clone());
        key(a).cmp(&key(b))
    });
    candidates
}

/// The candidate that `wanted` asks for: its number in the list, its PCI address, or a part of its name, capitals or not;
/// without a wish the first one.
///
/// # Errors
/// If there is none at all, or none that fits.
pub fn choose(candidates: Vec<Candidate>, wanted: Option<&str>) -> Result<Candidate> {
    let descriptions: Vec<String> = candidates.iter().map(Candidate::describe).collect();
    let fits = |at: usize, candidate: &Candidate| {
        let Some(wanted) = wanted.map(str::to_lowercase) else {
            return true;
        };
        match wanted.parse::<usize>() {
            Ok(number) if number < descriptions.len() => number == at,
            // A number beyond the list may be a part of a name, as 4090 is.
            _ => {
                let names = [
                    candidate.info.device_pci_bus_id.to_lowercase(),
                    candidate.name().to_lowercase(),
                ];
                !wanted.is_empty() && (names[0] == wanted || names[1].contains(&wanted))
            }
        }
    };
    let mut all = candidates.into_iter().enumerate();
    match all.find(|(at, candidate)| fits(*at, candidate)) {
        Some((_, candidate)) => Ok(candidate),
        None if descriptions.is_empty() => Err(Error::failure(
            "no graphics processor was found; install its Vulkan driver (the package mesa-vulkan-drivers on \
             Debian and Ubuntu has a software one too), or use --backend cpu",
        )),
        None => Err(Error::usage(format!(
            "there is no --device {}; choose a number or a part of a name from {}",
            wanted.unwrap_or_default(),
            listing(&descriptions).join(", ")
        ))),
    }
}

/// `0: NAME (...)` for each description.
pub fn listing(descriptions: &[String]) -> Vec<String> {
    let lines = descriptions.iter().enumerate();
    lines.map(|(at, text)| format!("{at}: {text}")).collect()
}
