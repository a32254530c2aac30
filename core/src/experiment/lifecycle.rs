//! draft → running ⇄ paused → concluded → archived. A conclusion can be taken back.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where an experiment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Registered; everyone gets the control and nothing is learned.
    Draft,
    /// Units are assigned and figures are kept.
    Running,
    /// Everyone gets the control for now; events of units already exposed still count.
    Paused,
    /// Ended: everyone gets the served variant.
    Concluded,
    /// Out of sight: its flag is unknown to clients.
    Archived,
}

/// What moves an experiment from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Begins, or goes on after a pause.
    Start,
    /// Stops assigning for now.
    Pause,
    /// Ends for good.
    Conclude,
    /// Puts away.
    Archive,
}

/// An action that the state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} an experiment that is {status}; it allows: {}", AllowedActions(*status))]
pub struct IllegalTransition {
    /// Where the experiment stands.
    pub status: Status,
    /// What was asked.
    pub action: Action,
}

impl Status {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 5] = [Self::Draft, Self::Running, Self::Paused, Self::Concluded, Self::Archived];

    /// The state that `action` leads to.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] if this state does not allow it.
    pub fn after(self, action: Action) -> Result<Self, IllegalTransition> {
        match (self, action) {
            (Self::Draft | Self::Paused, Action::Start) => Ok(Self::Running),
            (Self::Running, Action::Pause) => Ok(Self::Paused),
            (Self::Running | Self::Paused, Action::Conclude) => Ok(Self::Concluded),
            (Self::Draft | Self::Concluded, Action::Archive) => Ok(Self::Archived),
            (status, action) => Err(IllegalTransition { status, action }),
        }
    }

    /// The state that taking back a conclusion leads to: the one that it was concluded in. There is no other way out of
    /// a conclusion but the archive; `None` if `before` cannot be concluded, or this is no conclusion.
    pub fn reopened(self, before: Self) -> Option<Self> {
        let can_conclude = before.after(Action::Conclude).is_ok();
        (self == Self::Concluded && can_conclude).then_some(before)
    }

    /// The state as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Concluded => "concluded",
            Self::Archived => "archived",
        }
    }

    /// The state that `text` names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl Action {
    const ALL: [Self; 4] = [Self::Start, Self::Pause, Self::Conclude, Self::Archive];

    /// The action as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Conclude => "conclude",
            Self::Archive => "archive",
        }
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
        let mut allowed = Action::ALL.into_iter().filter(|action| self.0.after(*action).is_ok()).peekable();
        if allowed.peek().is_none() {
            return f.write_str("nothing");
        }
        while let Some(action) = allowed.next() {
            f.write_str(action.as_str())?;
            if allowed.peek().is_some() {
                f.write_str(", ")?;
            }
        }
        Ok(())
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
                "draft start running",
                "draft archive archived",
                "running pause paused",
                "running conclude concluded",
                "paused start running",
                "paused conclude concluded",
                "concluded archive archived",
            ]
        );
    }

    #[test]
    fn only_a_conclusion_is_taken_back_and_only_to_where_it_came_from() {
        let mut ways = Vec::new();
        for status in Status::ALL {
            for before in Status::ALL {
                if let Some(next) = status.reopened(before) {
                    ways.push(format!("{status} from {before} to {next}"));
                }
            }
        }
        assert_eq!(ways, ["concluded from running to running", "concluded from paused to paused"]);
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let refusal = Status::Concluded.after(Action::Start).unwrap_err();
        assert_eq!(refusal.to_string(), "cannot start an experiment that is concluded; it allows: archive");
        let refusal = Status::Archived.after(Action::Pause).unwrap_err();
        assert_eq!(refusal.to_string(), "cannot pause an experiment that is archived; it allows: nothing");
    }
}
