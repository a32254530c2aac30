//! JSON read where it stands: members are found without building a tree, numbers keep their text.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// An object whose members are still text.
#[derive(Clone, Debug, Default)]
pub struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Object<'a> {
    /// Reads `json`; what is no object has no members.
    pub fn parse(json: &'a str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// The member that `name` names, as JSON text; the last one if it is repeated; null counts as absent.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().rev().find(|(key, _)| key == name)?;
        Some(found.1.get()).filter(|json| *json != "null")
    }

    /// The value at the end of `steps`.
    pub fn at(&self, steps: &[String]) -> Option<&'a str> {
        let (first, rest) = steps.split_first()?;
        let json = self.get(first)?;
        if rest.is_empty() { Some(json) } else { Object::parse(json).at(rest) }
    }

    /// The value that a dotted path leads to; of several ways the one with the longest name first counts.
    pub fn find(&self, path: &str) -> Option<&'a str> {
        self.get(path).or_else(|| {
            let mut cuts = path.rmatch_indices('.').map(|(dot, _)| (path.get(..dot), path.get(dot + 1..)));
            cuts.find_map(|(name, rest)| Object::parse(self.get(name?)?).find(rest?))
        })
    }

    /// The members, in the order of the text.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (&**name, value.get()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<'a>(std::marker::PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
            type Value = Object<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'a>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members(std::marker::PhantomData))
    }
}

/// The elements of a JSON list, as text; what is no list has none.
pub fn elements(json: &str) -> Vec<&str> {
    let raw: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    raw.into_iter().map(RawValue::get).collect()
}

/// A JSON string or number as plain text: `"7"` and `7` are both `7`.
pub fn plain_text(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str::<Name<'_>>(json).ok().map(|name| name.0),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_where_they_stand() {
        let object = Object::parse(r#"{"a": 1.10, "b\u0021": {"c": "x"}, "n": null, "a": 2.50}"#);
        assert_eq!(object.get("a"), Some("2.50"));
        assert_eq!(object.at(&["b!".to_owned(), "c".to_owned()]), Some("\"x\""));
        assert_eq!(object.get("n"), None);
        assert_eq!(object.find("b!.c"), Some("\"x\""));
        assert_eq!(Object::parse(r#"{"b": {"c": {"d": 1}}, "b.c": {"d": 2}}"#).find("b.c.d"), Some("2"));
        assert_eq!(Object::parse("[1]").get("a"), None);
        assert_eq!(elements("[1, {\"a\": 2}]"), ["1", "{\"a\": 2}"]);
        assert_eq!(plain_text("\"7\"").as_deref(), Some("7"));
        assert_eq!(plain_text("7").as_deref(), Some("7"));
        assert_eq!(plain_text("{}"), None);
    }
}
