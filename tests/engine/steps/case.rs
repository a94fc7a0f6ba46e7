//! What `make_steps.py` describes, and what it makes: runs, the numbers that they are handed, and what PyTorch computed.

use std::collections::BTreeMap;

use crate::pytorch::numbers;
use coulomb_gan::models::dcgan::Norm;
use coulomb_gan::numbers::Shape;
use coulomb_gan::train::Config;
use coulomb_gan::train::method::Method;
use coulomb_gan::train::presets::preset;
use coulomb_gan::train::tasks::TaskConfig;
use coulomb_gan::train::tasks::pictures::Activations;
use serde::Deserialize;

/// Tensors by name.
pub type Tensors = BTreeMap<String, Vec<f64>>;

/// A training, as the script describes it.
#[derive(Deserialize)]
pub struct Case {
    objective: Method,
    /// `mlp` or `dcgan`.
    network: String,
    norm: Norm,
    activation: Activations,
    /// Ten, or as many as 32 bits can follow.
    pub rounds: u64,
    width: usize,
    batch: usize,
    /// The largest size of initial weights, and of real points.
    spread: f64,
    reach: f64,
    ball: f64,
    epsilon: f64,
    scale: f64,
    /// Where BEGAN's `k` starts: half-way, as generated points would hardly count in ten rounds from 0.
    k: f64,
    /// Of `G` and `D`.
    pub rates: [f64; 2],
    betas: [f64; 2],
    weight_decay: f64,
    critic_steps: u64,
    /// Whether tensors are stored in full.
    full: bool,
    /// One for every run of a part, in the order of the runs.
    pub updates: Vec<Update>,
}

/// What PyTorch computed in one run; tensors as [`Case::evidence`] has them.
#[derive(Deserialize)]
pub struct Update {
    pub losses: BTreeMap<String, f64>,
    pub gradients: Tensors,
    pub states: Tensors,
}

/// All that the script wrote.
pub fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../fixtures/steps.json"))
        .expect("what make_steps.py wrote")
}

impl Case {
    pub fn name(&self) -> String {
        let norm = match self.norm {
            Norm::None => "",
            Norm::Batch => " with batch norms",
            Norm::Layer => " with layer norms",
        };
        format!("{} on {}{norm}", self.objective.name(), self.network)
    }

    /// The run: a preset with networks of this kind, made small. What the script has and a run has no setting for, as the
    /// constants of an objective or Adam's β₂, is left to the program, and shows in what it computes.
    pub fn config(&self) -> Config {
        let name = match self.network.as_str() {
            "mlp" => "mixture",
            "dcgan" => "shapes",
            other => panic!("{other} is no network"),
        };
        let mut config = Config {
            objective: self.objective,
            critic_steps: self.critic_steps,
            batch_size: self.batch,
            z_dim: 3,
            width: self.width,
            kernel_dim: 3,
            beta1: self.betas[0],
            weight_decay: self.weight_decay,
            potential_scale: self.scale,
            ball: self.ball,
            average: 0.0,
            ..preset(name).expect("a preset")
        };
        if let TaskConfig::Pictures(task) = &mut config.task {
            (task.side, task.norm, task.activation) = (16, self.norm, self.activation);
        }
        config.validate().expect("a run");
        config
    }

    /// What a state starts from.
    pub fn start(&self, name: &str, shape: &Shape) -> Vec<f64> {
        if name.starts_with("adam.") {
            return vec![0.0; shape.count()];
        }
        if name == "began.k" {
            return vec![self.k];
        }
        let of_norm = shape.len() == 1 && name.ends_with("weight");
        let around = f64::from(of_norm || name.ends_with("running_var"));
        let numbers = numbers(name, shape.count()).into_iter();
        numbers.map(|x| around + self.spread * x).collect()
    }

    /// What run number `run` of a part is handed as `name`.
    pub fn input(&self, name: &str, run: u64, count: usize) -> Vec<f64> {
        let [shift, scale] = match name {
            "z" | "z_other" => [0.0, 1.0],
            "y" => [0.0, self.reach],
            "epsilon" => [self.epsilon, self.epsilon / 4.0],
            "ball_x" | "ball_y" => [0.0, self.ball],
            "shares" => [0.5, 0.5],
            other => panic!("{other} is no input of a fixture"),
        };
        let numbers = numbers(&format!("{name} {run}"), count).into_iter();
        numbers.map(|x| shift + scale * x).collect()
    }

    /// What the script stores of a tensor: all of it, or three sums with factors and the root of the sum of squares.
    pub fn evidence(&self, name: &str, tensor: Vec<f64>) -> Vec<f64> {
        if self.full {
            return tensor;
        }
        let dot = |a: &[f64]| -> f64 { a.iter().zip(&tensor).map(|(a, b)| a * b).sum() };
        let sum = |i| dot(&numbers(&format!("factors {i} {name}"), tensor.len()));
        vec![sum(0), sum(1), sum(2), dot(&tensor).sqrt()]
    }
}
