//! The objects that a condition is written as, and where in it they stand.

use crate::fault::Fault;
use serde_json::{Map, Value};

/// Where the member `name` of what stands at `pointer` is.
pub(crate) fn member_pointer(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// An object of a condition, with where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a> {
    pub(crate) pointer: String,
    map: &'a Map<String, Value>,
}

impl<'a> Members<'a> {
    /// Takes `value` for an object that has no members but `known`.
    pub(crate) fn read(
        pointer: String,
        value: &'a Value,
        known: &[&str],
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let Some(map) = value.as_object() else {
            faults.push(Fault::new(pointer, format!("an object with {}", known.join(", "))));
            return None;
        };
        let members = Self { pointer, map };
        for name in map.keys().filter(|name| !known.contains(&name.as_str())) {
            faults.push(members.fault(name, format!("nothing: the members are {}", known.join(", "))));
        }
        Some(members)
    }

    /// A member; null counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A member that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }

    /// A member that is a text of 1 to 200 characters.
    pub(crate) fn name(&self, name: &str, faults: &mut Vec<Fault>) -> Option<Box<str>> {
        let text = self.text(name).filter(|text| (1..=200).contains(&text.chars().count()));
        if text.is_none() {
            faults.push(self.fault(name, "a text of 1 to 200 characters"));
        }
        text.map(Box::from)
    }

    /// Where a member stands.
    pub(crate) fn at(&self, name: &str) -> String {
        member_pointer(&self.pointer, name)
    }

    /// That a member should be otherwise.
    pub(crate) fn fault(&self, name: &str, detail: impl Into<String>) -> Fault {
        Fault::new(self.at(name), detail)
    }
}
