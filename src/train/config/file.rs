//! `config.toml`: how a configuration is written and read, also one of an earlier version, and where two differ.

use std::path::Path;

use super::Config;
use crate::numbers::{Error, Result};
use crate::train::tasks;

/// How a seed is written, and read.
pub(super) mod seed {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(seed: &u64, to: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(*seed) {
            Ok(seed) => to.serialize_i64(seed),
            Err(_) => to.serialize_str(&seed.to_string()),
        }
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<u64, D::Error> {
        match Written::deserialize(from) {
            Ok(Written::Number(seed)) => Ok(seed),
            Ok(Written::Text(text)) if text.parse::<u64>().is_ok() => {
                text.parse().map_err(D::Error::custom)
            }
            _ => Err(D::Error::custom(
                "seed must be a whole number from 0 to 18446744073709551615",
            )),
        }
    }
}

/// Brings `config.toml` of an earlier version up to date: it had the number of each schedule among the others, and the
/// schedule was the one whose number was there.
fn upgrade_schedule(config: &mut toml::Table) {
    if config.contains_key("schedule") {
        return;
    }
    let lr_final = config
        .remove("lr_final")
        .map(|share| ("exponential", "lr_final", share));
    let patience = config
        .remove("plateau_patience")
        .map(|looks| ("plateau", "patience", looks));
    if let Some((kind, name, number)) = patience.or(lr_final) {
        let schedule = [("kind".into(), kind.into()), (name.into(), number)];
        config.insert("schedule".into(), toml::Table::from_iter(schedule).into());
    }
}

impl Config {
    /// The first value in which `other` differs, as `[flag, the value here, the value there]`.
    pub fn first_difference(&self, other: &Self) -> Option<[String; 3]> {
        let flat = |config: &Self| {
            let mut table = toml::Table::try_from(config).unwrap_or_default();
            if let Some(toml::Value::Table(task)) = table.remove("task") {
                table.extend(task);
            }
            if let Some(toml::Value::Table(mut schedule)) = table.remove("schedule") {
                let kind = schedule
                    .remove("kind")
                    .map(|kind| ("schedule".into(), kind));
                table.extend(kind.into_iter().chain(schedule));
            }
            table
        };
        let (own, others) = (flat(self), flat(other));
        // The numbers of one schedule mean nothing beside those of another.
        let schedule = String::from("schedule");
        let keys = std::iter::once(&schedule)
            .chain(own.keys())
            .chain(others.keys());
        let text = |value: Option<&toml::Value>| match value {
            None => "none".into(),
            Some(toml::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        for key in keys {
            let (own, other) = (own.get(key), others.get(key));
            if own != other {
                return Some([key.replace('_', "-"), text(own), text(other)]);
            }
        }
        None
    }

    /// The text of `config.toml`.
    ///
    /// # Errors
    /// Never for a configuration that passes [`Config::validate`].
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self)
            .map_err(|e| Error::failure(format!("cannot write the configuration as TOML: {e}")))
    }

    /// Reads `path` and validates it.
    ///
    /// # Errors
    /// If the file is missing, not TOML, has unknown or missing keys, or a value out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
        Self::parse(&text)
            .map_err(|e| Error::failure(format!("{} cannot be used: {e}", path.display())))
    }

    /// Parses the text of a `config.toml` and validates it.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |e: toml::de::Error| Error::failure(e.message().replace('\n', " "));
        let mut table: toml::Table = toml::from_str(text).map_err(refuse)?;
        tasks::upgrade(&mut table);
        upgrade_schedule(&mut table);
        let config: Self = table.try_into().map_err(refuse)?;
        config.validate()?;
        Ok(config)
    }
}
