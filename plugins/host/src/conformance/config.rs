//! Settings: the law that metrics and channels share.

use serde_json::Value;
use std::fs;

const N_INSTANCES: usize = 10_000;
/// What the process may grow by while making and ending 10,000 instances: less than the smallest block each.
const GROWTH_KIB_MAX: u64 = 256;
/// A process grows for other reasons, too; a leak grows every time.
const N_ROUNDS: usize = 4;

/// What is no configuration of anything.
const NEVER: [&str; 8] = ["{", "[]", "7", "\"text\"", "true", "{\"a\":}", "{} {}", "\u{0}"];

/// Something that is made from settings.
pub(super) struct Settings<'a> {
    /// The JSON Schema of the settings.
    pub(super) schema_json: &'a str,
    /// Settings that it takes.
    pub(super) good_json: &'a str,
    /// Makes an instance and ends it.
    pub(super) create: &'a dyn Fn(&str) -> Result<(), Unmade>,
}

/// Why there is no instance.
pub(super) enum Unmade {
    /// The settings are the reason, with a text for whoever wrote them.
    Config(String),
    /// Something else is.
    Otherwise(String),
}

impl Settings<'_> {
    pub(super) fn are_honest(&self) -> Result<(), String> {
        NEVER.iter().try_for_each(|config_json| self.is_refused(config_json))?;
        let schema: Value = serde_json::from_str(self.schema_json).map_err(|error| error.to_string())?;
        if schema["additionalProperties"] == Value::Bool(false) {
            self.is_refused(r#"{"no_such_setting": 1}"#)?;
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(wrong) = of_another_type(property) {
                let config = serde_json::json!({ name: wrong });
                self.is_refused(&config.to_string())?;
            }
        }
        if schema["required"].as_array().is_some_and(|required| !required.is_empty()) {
            self.is_refused("{}")?;
        }
        self.leaks_nothing()
    }

    fn is_refused(&self, config_json: &str) -> Result<(), String> {
        match (self.create)(config_json) {
            Err(Unmade::Config(text)) if !text.trim().is_empty() => Ok(()),
            Err(Unmade::Config(_)) => Err(format!("{config_json} is refused without a text")),
            Err(Unmade::Otherwise(error)) => {
                Err(format!("{config_json} is refused with another error: {error}"))
            }
            Ok(()) => Err(format!("{config_json} is accepted")),
        }
    }

    fn leaks_nothing(&self) -> Result<(), String> {
        let mut growth = u64::MAX;
        for _ in 0..N_ROUNDS {
            let before = resident_kib()?;
            for _ in 0..N_INSTANCES {
                (self.create)(self.good_json)
                    .map_err(|(Unmade::Config(text) | Unmade::Otherwise(text))| text)?;
            }
            growth = growth.min(resident_kib()?.saturating_sub(before));
            if growth <= GROWTH_KIB_MAX {
                return Ok(());
            }
        }
        Err(format!("{N_INSTANCES} instances made and ended leave {growth} KiB behind, every time"))
    }
}

/// A value that a property of this schema cannot have, if its type is plain.
fn of_another_type(property: &Value) -> Option<Value> {
    Some(match property["type"].as_str()? {
        "string" | "array" | "object" => Value::from(7),
        "integer" | "number" | "boolean" => Value::from("text"),
        _ => return None,
    })
}

fn resident_kib() -> Result<u64, String> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.parse().ok());
    kib.ok_or_else(|| "/proc/self/status has no VmRSS".to_owned())
}
