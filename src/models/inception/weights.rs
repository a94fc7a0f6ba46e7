//! Weights as people have them: a safetensors file with PyTorch's names.
//!
//! ```text
//! Mixed_5b.branch1x1.conv.weight                      the filters, [outputs, inputs, K, L]
//! Mixed_5b.branch1x1.bn.weight, .bias                 γ (1 in Keras' graph, where it may be left out) and β
//! Mixed_5b.branch1x1.bn.running_mean, .running_var    μ and σ²
//! fc.weight                                           the classes, of which only their number is looked at
//! ```
//!
//! Names and shapes of different networks are the same, and features of the wrong one would look like features. So a file
//! has to say which it is: by the 1008 classes that the FID's network alone has, or by `graph` in its metadata.

use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::{Graph, Inception};
use crate::exec::Store;
use crate::nn::{Conv2d, Network};
use crate::numbers::hash::sha256;
use crate::numbers::tensor_file::TensorFile;
use crate::numbers::words::escaped;
use crate::numbers::{Error, Result, Shape, Tensor};

/// What the network's batch norms add to a variance.
const EPSILON: f64 = 1e-3;

/// Classes of the FID's network.
const CLASSES: usize = 1008;

/// What the file is called in the user's folder for caches.
const FILE: &str = "inception.safetensors";

/// Turns PyTorch's own files into files that say nothing but numbers.
const CONVERT: &str = "python3 -c \"import torch, safetensors.torch as s; \
    s.save_file({k: v.contiguous() for k, v in torch.load('IN.pth', map_location='cpu', weights_only=True).items()}, \
    'OUT.safetensors')\"";

/// Where the file is: at the place `named`, or else in the user's folder for caches as `coulomb-gan/inception.safetensors`.
///
/// # Errors
/// If nothing is named and there is no such file; the message says where it could be, and how to make it.
pub fn find(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path.into());
    }
    let strategy = etcetera::choose_base_strategy().map_err(|_| {
        Error::usage("there is no home folder to find Inception's weights in; name their file")
    })?;
    let path = strategy.cache_dir().join("coulomb-gan").join(FILE);
    match path.is_file() {
        true => Ok(path),
        false => Err(Error::usage(format!(
            "there are no weights of Inception at {}; name their file, or make it: download \
             pt_inception-2015-12-05-6726825d.pth from pytorch-fid's releases, then {CONVERT}",
            path.display()
        ))),
    }
}

/// The weights of a network, norms folded in, and what they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// The network that they belong to.
    pub network: Inception,
    /// The SHA-256 of the file, in hexadecimal: part of every score that comes of it.
    pub sha256: String,
    /// By the names of [`Inception::parameters`], in their order.
    tensors: Vec<(String, Tensor)>,
}

impl Weights {
    /// Reads a file of the published network.
    ///
    /// # Errors
    /// If it cannot be read, is no safetensors file, does not say that it is one of the [`Graph`]s, or lacks a tensor or has
    /// one of another shape, not finite, or with a negative variance. The message says what to do.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|e| Error::io("read", path, &e))?;
        Self::parse(&bytes, 1).map_err(|why| Error::failure(format!("{} {why}", path.display())))
    }

    /// Decodes the bytes of a file of a network so many times thinner than the published one; the error is what to say of
    /// the file.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn parse(bytes: &[u8], thin: usize) -> std::result::Result<Self, String> {
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0x80, 2]) {
            return Err(format!(
                "is a file of PyTorch's (.pth), which is a program as much as data; convert it with {CONVERT}"
            ));
        }
        let wanted = |name: &str| !name.ends_with("num_batches_tracked");
        let file = TensorFile::parse_some(bytes, wanted)
            .map_err(|why| format!("{why}; download or convert it again"))?;
        let network = Inception {
            graph: graph(&file)?,
            thin,
        };
        let mut file = Source { file, network };
        let layers = network.convolutions();
        let folded: std::result::Result<Vec<_>, String> =
            layers.iter().map(|layer| file.fold(layer)).collect();
        Ok(Self {
            network,
            sha256: sha256(bytes),
            tensors: folded?.into_iter().flatten().collect(),
        })
    }

    /// Puts them into `store`, where [`Inception::record`] finds them.
    pub fn insert_into(&self, store: &mut Store) {
        for (name, tensor) in &self.tensors {
            store.insert(name, tensor);
        }
    }
}

/// The graph that a file says it is of.
fn graph(file: &TensorFile) -> std::result::Result<Graph, String> {
    if let Some(name) = file.metadata.get("graph") {
        let named = Graph::ALL.into_iter().find(|graph| graph.name() == name);
        return named.ok_or_else(|| {
            let name = escaped(name);
            format!("is of the graph {name} by its metadata; fid and keras are known")
        });
    }
    match file.tensors.get("fc.weight").map(|fc| fc.shape()[..].first()) {
        Some(Some(&CLASSES)) => Ok(Graph::Fid),
        Some(Some(&1000)) => Err(
            "is torchvision's Inception of 1000 classes, whose features are not the FID's; take the \
             FID's weights, pt_inception-2015-12-05"
                .into(),
        ),
        Some(_) => Err(format!(
            "has a layer fc.weight of other than {CLASSES} classes, so it is not the FID's network; if it \
             is one of Keras' graph, say so by the metadata graph=keras"
        )),
        None => Err(format!(
            "does not say which network it is: it has neither fc.weight, of {CLASSES} classes as the \
             FID's, nor the metadata graph=fid or graph=keras; convert it again from \
             pt_inception-2015-12-05, keeping all tensors"
        )),
    }
}

/// The tensors of a file, each taken once.
struct Source {
    file: TensorFile,
    network: Inception,
}

impl Source {
    /// The filters and the bias of a layer, with its norm.
    fn fold(&mut self, layer: &Conv2d) -> std::result::Result<[(String, Tensor); 2], String> {
        let parameters = layer.parameters();
        let name = |what: &str| format!("{}.{what}", layer.name);
        let mut filters = self.take(&name("conv.weight"), &parameters[0].shape)?;
        let channels = &parameters[1].shape;
        let norm = |source: &mut Self, what: &str| {
            let tensor = source.take(&name(what), channels)?;
            Ok::<_, String>(tensor.data().iter().map(|&x| f64::from(x)).collect())
        };
        let gamma = name("bn.weight");
        let gamma: Vec<f64> =
            if self.network.graph == Graph::Keras && !self.file.tensors.contains_key(&gamma) {
                vec![1.0; layer.outputs]
            } else {
                norm(self, "bn.weight")?
            };
        let beta: Vec<f64> = norm(self, "bn.bias")?;
        let mean: Vec<f64> = norm(self, "bn.running_mean")?;
        let variance: Vec<f64> = norm(self, "bn.running_var")?;
        if let Some(negative) = variance.iter().find(|&&v| v < 0.0) {
            let name = name("bn.running_var");
            return Err(format!(
                "has a variance of {negative} in {name}; download or convert it again"
            ));
        }
        let mut bias = Tensor::zeros(channels);
        let size = filters.data().len() / layer.outputs;
        for (c, filter) in filters.data_mut().chunks_mut(size).enumerate() {
            let factor = gamma[c] / (variance[c] + EPSILON).sqrt();
            for w in filter {
                *w = (f64::from(*w) * factor) as f32;
            }
            bias.data_mut()[c] = (beta[c] - factor * mean[c]) as f32;
        }
        let mut all = filters.data().iter().chain(bias.data());
        if !all.all(|x| x.is_finite()) {
            let name = &layer.name;
            return Err(format!(
                "has numbers in {name} whose products are beyond 32-bit floats; download or convert it again"
            ));
        }
        let [weight, b] = [0, 1].map(|i| parameters[i].name.clone());
        Ok([(weight, filters), (b, bias)])
    }

    /// The tensor of this name and shape.
    fn take(&mut self, name: &str, shape: &Shape) -> std::result::Result<Tensor, String> {
        let tensor = self.file.tensors.remove(name).ok_or_else(|| {
            format!(
                "lacks {name}; it is no Inception network with PyTorch's names, or not all of it: \
                 convert pt_inception-2015-12-05, not a part of it"
            )
        })?;
        if tensor.shape() != shape {
            return Err(format!(
                "has {name} of {} where {shape} is needed; it is another network",
                tensor.shape()
            ));
        }
        match tensor.data().iter().all(|x| x.is_finite()) {
            true => Ok(tensor),
            false => Err(format!(
                "has numbers in {name} that are not finite; download or convert it again"
            )),
        }
    }
}
