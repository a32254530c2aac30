//! Names that people type, and ids that the server mints.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest key, in characters. Clients put keys into URLs unescaped, hence the narrow alphabet too.
pub const KEY_LENGTH_MAX: usize = 100;

/// The longest unit id, in bytes.
pub const UNIT_LENGTH_MAX: usize = 255;

/// A text that cannot be a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a key: use 1 to 100 letters, digits, `.`, `_` or `-`, and begin with a letter or digit"
)]
pub struct NotAKey {
    /// What was given, cut to 100 characters.
    pub text: String,
}

fn check_key(text: &str) -> Result<(), NotAKey> {
    let begins_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let goes_on_well =
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if begins_well && goes_on_well && text.len() <= KEY_LENGTH_MAX {
        Ok(())
    } else {
        Err(NotAKey { text: text.chars().take(KEY_LENGTH_MAX).collect() })
    }
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks `text` once; afterwards the type is the proof.
            ///
            /// # Errors
            ///
            /// [`NotAKey`] unless it is 1 to 100 of `[A-Za-z0-9._-]`, beginning with a letter or digit.
            pub fn new(text: &str) -> Result<Self, NotAKey> {
                check_key(text).map(|()| Self(text.into()))
            }

            /// The key as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAKey;

            fn try_from(text: String) -> Result<Self, NotAKey> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> Self {
                key.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

key! {
    /// The name of an experiment, unique in its project.
    ExperimentKey
}
key! {
    /// The name a client asks for; by default the key of the experiment behind it.
    FlagKey
}
key! {
    /// The name of a variant, unique in its experiment.
    VariantKey
}
key! {
    /// The name of an experience, unique in its project.
    ExperienceKey
}
key! {
    /// The name of a rule, unique in its experience.
    RuleKey
}
key! {
    /// The name of a channel that is set up.
    ChannelKey
}
key! {
    /// The name of an audience, unique in its project.
    AudienceKey
}
key! {
    /// The name of a source of external data, unique in its project.
    SourceKey
}
key! {
    /// The name of a group whose experiments never share a unit.
    GroupKey
}

/// An experiment as the store numbers it; a new version of an experiment has a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExperimentId(pub i64);

/// An experience as the store numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExperienceId(pub i64);

/// A metric with its configuration and currency, as the store numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MetricId(pub i64);

/// An audience as the store numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AudienceId(pub i64);

/// A condition on past events that is watched for every person, as the store numbers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeafId(pub i64);

/// Whom we randomize: a user, device, session or request id, 1 to 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitId(Box<str>);

/// A text that cannot be a unit id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a unit id has 1 to 255 bytes, this one has {length}")]
pub struct NotAUnitId {
    /// Its length, in bytes.
    pub length: usize,
}

impl UnitId {
    /// Checks `text` once.
    ///
    /// # Errors
    ///
    /// [`NotAUnitId`] if it is empty or longer than 255 bytes.
    pub fn new(text: &str) -> Result<Self, NotAUnitId> {
        match text.len() {
            1..=UNIT_LENGTH_MAX => Ok(Self(text.into())),
            length => Err(NotAUnitId { length }),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UnitId {
    type Error = NotAUnitId;

    fn try_from(text: String) -> Result<Self, NotAUnitId> {
        Self::new(&text)
    }
}

impl From<UnitId> for String {
    fn from(unit: UnitId) -> Self {
        unit.0.into()
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_every_client_can_put_into_a_url() {
        for good in ["a", "checkout-banner", "v1.2_x", "9"] {
            assert_eq!(ExperimentKey::new(good).map(String::from), Ok(good.to_owned()));
        }
        let too_long = "a".repeat(KEY_LENGTH_MAX + 1);
        for bad in ["", "-a", ".a", "a b", "a/b", "ä", &too_long] {
            assert!(VariantKey::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_unit_id_is_any_text_that_is_not_empty_and_not_endless() {
        assert!(UnitId::new("ü 1").is_ok());
        assert!(UnitId::new("").is_err());
        assert!(UnitId::new(&"u".repeat(256)).is_err());
    }
}
