//! What is wrong with something that somebody wrote, and where.

use serde::Serialize;

/// The longest text that a person registers, in bytes.
pub(crate) const TEXT_LENGTH_MAX: usize = 2_000;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct Fault {
    /// Where, as a JSON pointer from the root of what was written.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub detail: String,
}

impl Fault {
    pub(crate) fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }

    /// The same fault, seen from what has the faulty part at `pointer`.
    #[must_use]
    pub fn below(self, pointer: &str) -> Self {
        Self { pointer: format!("{pointer}{}", self.pointer), ..self }
    }
}

/// What is found while a definition is checked.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Fault::new(pointer, detail));
    }

    /// Adds what was found when the part at `pointer` was checked.
    pub(crate) fn add_below<T>(&mut self, pointer: &str, checked: Result<T, Vec<Fault>>) {
        let found = checked.err().unwrap_or_default();
        self.0.extend(found.into_iter().map(|fault| fault.below(pointer)));
    }

    /// Adds that a text is too long, if it is.
    pub(crate) fn check_text(&mut self, pointer: &str, text: Option<&String>) {
        if text.is_some_and(|text| TEXT_LENGTH_MAX < text.len()) {
            self.add(pointer, format!("at most {TEXT_LENGTH_MAX} bytes"));
        }
    }

    /// What was checked, if nothing is wrong with it.
    pub(crate) fn or<T>(self, checked: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(checked) } else { Err(self.0) }
    }
}
