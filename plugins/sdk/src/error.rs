//! Why a call could not be answered.

use podium_plugin_abi::codes;
use std::fmt;

/// The result of a fallible step of a plugin.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a call could not be answered: a code of the contract and a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: i32,
    text: String,
}

impl Error {
    /// Says that the configuration is not acceptable; the text names the setting and what would be right.
    pub fn config(text: impl Into<String>) -> Self {
        Self { code: codes::E_CONFIG, text: text.into() }
    }

    /// Says that content or an address cannot be used; the text names the place and what would be right.
    pub fn content(text: impl Into<String>) -> Self {
        Self { code: codes::E_CONFIG, text: text.into() }
    }

    /// Says that something is wrong that no configuration mends.
    pub fn internal(text: impl Into<String>) -> Self {
        Self { code: codes::E_INTERNAL, text: text.into() }
    }

    pub(crate) fn new(code: i32, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    pub(crate) fn code(&self) -> i32 {
        self.code
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
