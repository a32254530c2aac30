//! What is always on: a targeted flag of contents, ordered rules and a fallback, and the states it goes through.

mod compiled;
mod definition;
mod hit_policy;
mod lifecycle;
mod placement;

pub use compiled::{Compiled, CompiledRule, Content};
pub use definition::{Definition, Rule, Variant};
pub use hit_policy::{Aggregator, HitPolicy, Outcome, Violation};
pub use lifecycle::{Action, IllegalTransition, Status};
pub use placement::{AtExperiment, Choice, Conflict, Placement, Visitor, WhyFallback, conflicts};

use crate::id::{ExperienceId, ExperienceKey, FlagKey};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A registered experience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experience {
    /// As the store numbers it.
    pub id: ExperienceId,
    /// Its name, unique in the project.
    pub key: ExperienceKey,
    /// What is shown to whom.
    pub definition: Definition,
    /// Where it stands.
    pub status: Status,
    /// Counts every change; the `ETag` is made of it.
    pub revision: i64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it first went live.
    pub published_at: Option<Timestamp>,
}

impl Experience {
    /// The name a client asks for.
    pub fn flag_key(&self) -> &str {
        self.definition.flag_key.as_ref().map_or(self.key.as_str(), FlagKey::as_str)
    }

    /// Goes to the state that `action` leads to.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] if the state does not allow it.
    pub fn apply(&mut self, action: Action, now: Timestamp) -> Result<(), IllegalTransition> {
        self.status = self.status.after(action)?;
        if self.status == Status::Live {
            self.published_at.get_or_insert(now);
        }
        self.updated_at = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A live experience.
    pub(super) fn experience(key: &str, definition: &serde_json::Value) -> Experience {
        let definition: Definition = serde_json::from_value(definition.clone()).unwrap();
        Experience {
            id: ExperienceId(1),
            key: ExperienceKey::new(key).unwrap(),
            definition: definition.checked().unwrap(),
            status: Status::Live,
            revision: 1,
            created_at: Timestamp::from_micros(0),
            updated_at: Timestamp::from_micros(0),
            published_at: None,
        }
    }

    #[test]
    fn it_answers_to_its_own_key_unless_it_says_another() {
        let definition = serde_json::json!({"variants": [{"key": "a", "content": 1}], "fallback": "a"});
        let mut banner = experience("banner", &definition);
        assert_eq!(banner.flag_key(), "banner");
        banner.definition.flag_key = FlagKey::new("home").ok();
        assert_eq!(banner.flag_key(), "home");
    }
}
