//! The address that a source is asked at, with a place for the unit.

use std::fmt::Write as _;

/// What stands for the unit.
const UNIT: &str = "{unit}";
/// What can stand in an address as it is.
const UNRESERVED: &[u8] = b"-._~";

/// An address in which the unit is still to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// What stands before, between and after the places of the unit.
    parts: Vec<Box<str>>,
}

impl Template {
    /// Reads one; whether it is an address is not looked at.
    ///
    /// # Errors
    ///
    /// What would be right.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (_, behind_scheme) =
            text.split_once("://").ok_or("an address such as https://erp.example/{unit}")?;
        if text.starts_with(UNIT) {
            return Err("`{unit}` in the path or the query, and nowhere else");
        }
        let path_at = behind_scheme.find(['/', '?']).unwrap_or(behind_scheme.len());
        let (host, path) = behind_scheme.split_at(path_at);
        if host.contains(['{', '}']) || !path.contains(UNIT) {
            return Err("`{unit}` in the path or the query, and nowhere else");
        }
        if path.replace(UNIT, "").contains(['{', '}', '#']) {
            return Err("no braces but those of `{unit}`, and no fragment");
        }
        Ok(Self { parts: text.split(UNIT).map(Box::from).collect() })
    }

    /// The address for a unit; `None` if the unit could lead elsewhere in what answers there: some servers take `..` for
    /// a step up, however it is spelled.
    pub(super) fn fill(&self, unit: &str) -> Option<String> {
        let is_step = |part: &str| part == "." || part == "..";
        if unit.split(['/', '\\']).any(is_step) {
            return None;
        }
        Some(self.parts.join(&encoded(unit)))
    }
}

fn encoded(unit: &str) -> String {
    let mut text = String::with_capacity(unit.len());
    for byte in unit.bytes() {
        if byte.is_ascii_alphanumeric() || UNRESERVED.contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn a_unit_is_put_where_its_place_is_and_reads_as_nothing_but_itself() {
        let fill = |template: &str, unit: &str| Template::parse(template).unwrap().fill(unit);
        let of = |text: &str| Some(text.to_owned());
        assert_eq!(fill("https://erp.example/c/{unit}", "ann"), of("https://erp.example/c/ann"));
        assert_eq!(fill("https://erp.example/{unit}?u={unit}", "a-b"), of("https://erp.example/a-b?u=a-b"));
        assert_eq!(
            fill("https://erp.example?u={unit}", "a&b=c#d"),
            of("https://erp.example?u=a%26b%3Dc%23d")
        );
        assert_eq!(
            fill("https://erp.example/{unit}", "ä @/?%"),
            of("https://erp.example/%C3%A4%20%40%2F%3F%25")
        );
        assert_eq!(fill("https://erp.example/{unit}", "{unit}"), of("https://erp.example/%7Bunit%7D"));
        for step in ["..", ".", "../admin", "a/../b", "..\\admin", "a/."] {
            assert_eq!(fill("https://erp.example/{unit}/x", step), None, "{step}");
        }
        assert!(fill("https://erp.example/{unit}/x", "a..b").is_some());
    }

    #[test]
    fn the_place_of_the_unit_is_the_path_or_the_query() {
        for wrong in [
            "erp.example/{unit}",
            "https://erp.example/",
            "https://{unit}.example/",
            "https://{unit}.example/{unit}",
            "https://erp.example{unit}/",
            "https://erp.example:{unit}/{unit}",
            "{unit}://erp.example/{unit}",
            "https://erp.example/{unit}/{id}",
            "https://erp.example/{{unit}}",
            "https://erp.example/{unit}#top",
        ] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }
}
