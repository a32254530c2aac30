//! The form that audiences are built by: what its fields say, as a condition.

use serde_json::{Map, Number, Value, json};

/// The most conditions that the form has room for.
pub(crate) const ROWS_MAX: usize = 20;

/// What can be asked of a shopper: how the form names it, what people read, and where the condition has it.
pub(crate) struct Asked {
    /// As the form sends it.
    pub(crate) value: &'static str,
    /// What people read.
    pub(crate) label: &'static str,
    place: Place,
}

/// Where a condition has what is asked.
#[derive(Clone, Copy)]
enum Place {
    /// A fact of the profile.
    Fact,
    /// A fact of the profile about a category.
    FactOf,
    /// A trait of the person.
    Trait,
    /// A field of the cart.
    Cart(&'static str),
    /// How often an event happened.
    Event,
    /// Being in another audience.
    Audience,
    /// A field of what the request brings.
    Request(&'static str, &'static str),
}

const fn asked(value: &'static str, label: &'static str, place: Place) -> Asked {
    Asked { value, label, place }
}

/// Everything that can be asked, in the order of the list.
pub(crate) const ASKED: [Asked; 18] = [
    asked("event", "How often this happened: …", Place::Event),
    asked("orders", "Number of orders", Place::Fact),
    asked("revenue", "Money spent in all", Place::Fact),
    asked("first_order", "First order", Place::Fact),
    asked("last_order", "Last order", Place::Fact),
    asked("first_seen", "First visit", Place::Fact),
    asked("last_seen", "Last visit", Place::Fact),
    asked("known", "Is a known user (true or false)", Place::Fact),
    asked("category_views", "Views of this category: …", Place::FactOf),
    asked("rfm_group", "Customer group (RFM)", Place::Fact),
    asked("trait", "This trait: …", Place::Trait),
    asked("cart_value", "Value of the cart", Place::Cart("value")),
    asked("cart_quantity", "Items in the cart", Place::Cart("quantity")),
    asked("cart_category", "Category in the cart", Place::Cart("category")),
    asked("cart_idle", "Time since the cart was changed", Place::Cart("idle")),
    asked("audience", "Another audience", Place::Audience),
    asked("country", "Country, while they visit", Place::Request("geo", "country")),
    asked("device", "Type of device, while they visit", Place::Request("device", "type")),
];

/// The ways of comparing, as conditions name them, and what people read.
pub(crate) const OPS: [(&str, &str); 14] = [
    ("gte", "is at least"),
    ("gt", "is more than"),
    ("lte", "is at most"),
    ("lt", "is less than"),
    ("eq", "is"),
    ("ne", "is not"),
    ("in", "is one of (commas between)"),
    ("not_in", "is none of (commas between)"),
    ("contains", "contains"),
    ("starts_with", "starts with"),
    ("within", "is within the last"),
    ("not_within", "is not within the last"),
    ("exists", "is there"),
    ("absent", "is absent"),
];

/// What somebody has filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AudienceForm {
    pub(crate) name: String,
    pub(crate) key: String,
    /// Whether one condition is enough.
    pub(crate) is_any: bool,
    pub(crate) rows: Vec<Row>,
    /// The button that was pressed.
    pub(crate) pressed: String,
    /// What shows that the form came from a page of ours.
    pub(crate) token: String,
}

/// One condition as it was filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// What is asked; empty for nothing.
    pub(crate) asked: String,
    /// Which event, trait or category.
    pub(crate) of: String,
    pub(crate) op: String,
    pub(crate) value: String,
    /// For events, in which span.
    pub(crate) within: String,
    /// What is wrong with it.
    pub(crate) faults: Vec<String>,
}

impl AudienceForm {
    /// Reads the fields of a form.
    pub(crate) fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "name" => form.name = value,
                "key" => form.key = value,
                "join" => form.is_any = value == "any",
                "do" => form.pressed = value,
                "token" => form.token = value,
                _ => form.read_row(&name, value),
            }
        }
        form
    }

    /// Reads a field of a row: `op-3`.
    fn read_row(&mut self, name: &str, value: String) {
        let Some((field, row_idx)) = name.split_once('-') else { return };
        let Some(row_idx) = row_idx.parse::<usize>().ok().filter(|row_idx| *row_idx < ROWS_MAX) else {
            return;
        };
        if self.rows.len() <= row_idx {
            self.rows.resize(row_idx + 1, Row::default());
        }
        let Some(row) = self.rows.get_mut(row_idx) else { return };
        match field {
            "asked" => row.asked = value,
            "of" => row.of = value,
            "op" => row.op = value,
            "value" => row.value = value,
            "within" => row.within = value,
            _ => {}
        }
    }

    /// One row more, which asks nothing yet.
    pub(crate) fn add_row(&mut self) {
        if self.rows.len() < ROWS_MAX {
            self.rows.push(Row::default());
        }
    }

    /// Leaves out rows that ask nothing, so that conditions and rows have the same numbers.
    pub(crate) fn tidy(&mut self) {
        self.rows.retain(|row| !row.asked.is_empty());
    }

    /// The condition that its rows make up.
    pub(crate) fn condition(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::condition).collect();
        if self.is_any { json!({ "any": rows }) } else { json!({ "all": rows }) }
    }

    /// The key that was given, else one made of the name.
    pub(crate) fn key(&self) -> String {
        let given = self.key.trim();
        if !given.is_empty() {
            return given.to_owned();
        }
        let words = self.name.split(|letter: char| !letter.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect();
        words.join("-").chars().take(podium_core::id::KEY_LENGTH_MAX).collect()
    }

    /// Says beside its row what is wrong with a condition; hands back what is wrong with none.
    ///
    /// - `pointer`: where, from the root of the condition.
    pub(crate) fn blame(&mut self, pointer: &str, detail: String) -> Option<String> {
        let row_idx = pointer.split('/').nth(2).and_then(|row_idx| row_idx.parse::<usize>().ok());
        let Some(row) = row_idx.and_then(|row_idx| self.rows.get_mut(row_idx)) else { return Some(detail) };
        row.faults.push(match pointer.rsplit('/').next() {
            Some("name" | "trait" | "category") => format!("which one: {detail}"),
            Some("op") => format!("comparison: {detail}"),
            Some("value") => format!("value: {detail}"),
            Some("within") => format!("in the last: {detail}"),
            _ => detail,
        });
        None
    }
}

impl Row {
    fn condition(&self) -> Value {
        let of = Value::from(self.of.trim());
        let with = |group: &str, member: &str, name: Value, more: Option<(&str, Value)>| {
            let mut members = self.test();
            members.insert(member.to_owned(), name);
            members.extend(more.map(|(name, value)| (name.to_owned(), value)));
            json!({ group: members })
        };
        let fact = || Value::from(self.asked.as_str());
        match ASKED.iter().find(|asked| asked.value == self.asked).map(|asked| asked.place) {
            Some(Place::Fact) => with("profile", "fact", fact(), None),
            Some(Place::FactOf) => with("profile", "fact", fact(), Some(("category", of))),
            Some(Place::Trait) => with("profile", "trait", of, None),
            Some(Place::Cart(field)) => with("cart", "field", field.into(), None),
            Some(Place::Request(group, field)) => with(group, "field", field.into(), None),
            Some(Place::Event) => {
                let mut event = json!({ "name": of, "count": self.test() });
                if !self.within.trim().is_empty() {
                    event["within"] = self.within.trim().into();
                }
                json!({ "event": event })
            }
            Some(Place::Audience) => {
                let audience = json!({ "audience": self.value.trim() });
                if matches!(self.op.as_str(), "ne" | "not_in") {
                    json!({ "not": audience })
                } else {
                    audience
                }
            }
            // Whatever a page of ours does not offer is refused where it stands.
            None => json!({ self.asked.clone(): null }),
        }
    }

    /// The comparison, as conditions have it.
    fn test(&self) -> Map<String, Value> {
        let value = self.value.trim();
        let mut members = Map::from_iter([("op".to_owned(), Value::from(self.op.as_str()))]);
        let value = match (self.op.as_str(), value) {
            ("exists" | "absent", "") => return members,
            ("in" | "not_in", list) => list.split(',').map(str::trim).collect(),
            (_, "true") => true.into(),
            (_, "false") => false.into(),
            (_, text) => number(text).map_or_else(|| text.into(), Value::Number),
        };
        members.insert("value".to_owned(), value);
        members
    }
}

/// A number that is written just so.
fn number(text: &str) -> Option<Number> {
    text.parse().ok().filter(|number: &Number| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use podium_core::audience::Condition;

    fn form(text: &str) -> AudienceForm {
        let fields = text.split('&').filter_map(|pair| pair.split_once('='));
        AudienceForm::read(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[track_caller]
    fn check(fields: &str, expected: &Value) {
        let condition = form(fields).condition();
        assert_eq!(condition, json!({ "all": [expected] }));
        assert!(Condition::parse(&condition).is_ok(), "{:?}", Condition::parse(&condition));
    }

    #[test]
    fn a_row_is_a_condition() {
        let at_least_3 = json!({"op": "gte", "value": 3});
        check(
            "asked-0=event&of-0=Product Viewed&op-0=gte&value-0=3&within-0=7d",
            &json!({"event": {"name": "Product Viewed", "count": at_least_3, "within": "7d"}}),
        );
        check(
            "asked-0=orders&op-0=gte&value-0=3",
            &json!({"profile": {"fact": "orders", "op": "gte", "value": 3}}),
        );
        check(
            "asked-0=known&op-0=eq&value-0=true",
            &json!({"profile": {"fact": "known", "op": "eq", "value": true}}),
        );
        check(
            "asked-0=trait&of-0=plan&op-0=in&value-0=gold, silver",
            &json!({"profile": {"trait": "plan", "op": "in", "value": ["gold", "silver"]}}),
        );
        check(
            "asked-0=category_views&of-0=shoes&op-0=gt&value-0=2",
            &json!({"profile": {"fact": "category_views", "category": "shoes", "op": "gt", "value": 2}}),
        );
        check(
            "asked-0=cart_idle&op-0=gte&value-0=1h",
            &json!({"cart": {"field": "idle", "op": "gte", "value": "1h"}}),
        );
        check(
            "asked-0=last_order&op-0=absent&value-0=",
            &json!({"profile": {"fact": "last_order", "op": "absent"}}),
        );
        check(
            "asked-0=country&op-0=eq&value-0=DE",
            &json!({"geo": {"field": "country", "op": "eq", "value": "DE"}}),
        );
        check("asked-0=audience&op-0=ne&value-0=vips", &json!({"not": {"audience": "vips"}}));
    }

    #[test]
    fn everything_that_is_offered_can_be_asked() {
        for asked in &ASKED {
            let fields = format!("asked-0={}&of-0=x&op-0=exists&value-0=", asked.value);
            let condition = form(&fields).condition();
            let faults = Condition::parse(&condition).err().unwrap_or_default();
            let of_subject = faults.iter().filter(|fault| !fault.pointer.ends_with("/op"));
            let is_audience = asked.value == "audience";
            assert!(is_audience || of_subject.count() == 0, "{}: {faults:?}", asked.value);
        }
    }

    #[test]
    fn faults_stand_beside_their_rows() {
        let mut form =
            form("asked-0=&asked-1=orders&op-1=gte&value-1=many&asked-2=nonsense&asked-99=orders&join=any");
        form.tidy();
        assert_eq!(form.rows.len(), 2);
        for fault in Condition::parse(&form.condition()).unwrap_err() {
            assert_eq!(form.blame(&fault.pointer, fault.detail), None);
        }
        assert!(form.rows.iter().all(|row| row.faults.len() == 1), "{form:?}");
        assert_eq!(form.blame("", "x".into()), Some("x".into()));
    }

    #[test]
    fn a_key_is_made_of_the_name() {
        assert_eq!(form("name=Loves shoes, & more!").key(), "loves-shoes");
        assert_eq!(form("name=Loves shoes&key= shoes ").key(), "shoes");
        assert_eq!(form("name=…").key(), "");
    }
}
