//! draft → live ⇄ paused → archived.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where an experience stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Registered; where nothing else answers to its flag, everyone gets the fallback.
    Draft,
    /// Its rules are served, within its schedule.
    Live,
    /// Off for now; what units did after they had met it still counts.
    Paused,
    /// Out of sight: its flag is unknown to clients.
    Archived,
}

/// What moves an experience from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Goes live, for the first time or after a pause.
    Publish,
    /// Is off for now.
    Pause,
    /// Puts away.
    Archive,
}

/// An action that the state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} an experience that is {status}; it allows: {}", AllowedActions(*status))]
pub struct IllegalTransition {
    /// Where the experience stands.
    pub status: Status,
    /// What was asked.
    pub action: Action,
}

impl Status {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Live, Self::Paused, Self::Archived];

    /// The state that `action` leads to.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] if this state does not allow it.
    pub fn after(self, action: Action) -> Result<Self, IllegalTransition> {
        match (self, action) {
            (Self::Draft | Self::Paused, Action::Publish) => Ok(Self::Live),
            (Self::Live, Action::Pause) => Ok(Self::Paused),
            (Self::Draft | Self::Paused, Action::Archive) => Ok(Self::Archived),
            (status, action) => Err(IllegalTransition { status, action }),
        }
    }

    /// The state as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Archived => "archived",
        }
    }

    /// The state that `text` names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::Publish, Self::Pause, Self::Archive];

    /// The action as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Pause => "pause",
            Self::Archive => "archive",
        }
    }

    /// The action that `text` names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

struct AllowedActions(Status);

impl fmt::Display for AllowedActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allowed = Action::ALL.into_iter().filter(|action| self.0.after(*action).is_ok());
        let allowed: Vec<_> = allowed.map(Action::as_str).collect();
        f.write_str(if allowed.is_empty() { "nothing" } else { "" })?;
        f.write_str(&allowed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_goes_one_way_but_for_the_pause() {
        let mut legal = Vec::new();
        for status in Status::ALL {
            for action in Action::ALL {
                if let Ok(next) = status.after(action) {
                    legal.push(format!("{status} {action} {next}"));
                }
            }
        }
        assert_eq!(
            legal,
            [
                "draft publish live",
                "draft archive archived",
                "live pause paused",
                "paused publish live",
                "paused archive archived",
            ]
        );
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let refusal = Status::Live.after(Action::Archive).unwrap_err();
        assert_eq!(refusal.to_string(), "cannot archive an experience that is live; it allows: pause");
        let refusal = Status::Archived.after(Action::Publish).unwrap_err();
        assert_eq!(refusal.to_string(), "cannot publish an experience that is archived; it allows: nothing");
    }
}
