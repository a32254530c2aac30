//! The tree of conditions, as JSON in and out.
//!
//! ```json
//! {"all": [
//!   {"event": {"name": "Product Viewed", "where": [{"property": "category", "op": "eq", "value": "shoes"}],
//!              "count": {"op": "gte", "value": 3}, "within": "7d"}},
//!   {"not": {"event": {"name": "Order Completed", "last": {"op": "within", "value": "30d"}}}},
//!   {"any": [{"profile": {"trait": "plan", "op": "eq", "value": "gold"}},
//!            {"cart": {"field": "value", "op": "gte", "value": "100"}},
//!            {"geo": {"field": "country", "op": "in", "value": ["DE", "AT"]}},
//!            {"external": {"source": "erp", "field": "credit.limit", "op": "gte", "value": 500}}]}]}
//! ```

use super::leaf::EventLeaf;
use super::members::{Members, member_pointer};
use super::op::Kind;
use super::schedule::Schedule;
use super::subject::{CART_MEMBERS, PROFILE_MEMBERS, Subject};
use super::test::Test;
use crate::fault::Fault;
use crate::id::{AudienceKey, SourceKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Value, json};

/// How deep conditions may be nested.
pub const DEPTH_MAX: usize = 8;
/// The most conditions in one tree.
pub const NODES_MAX: usize = 200;

const KINDS: &str = "all, any, not, profile, cart, context, device, geo, external, time, event, audience";

/// What has to hold of a shopper. `E` and `A` are what events and audiences are named by: what people write, or what
/// the store knows them as.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition<E = EventLeaf, A = AudienceKey> {
    /// All of them.
    All(Vec<Self>),
    /// At least one of them.
    Any(Vec<Self>),
    /// Not this one.
    Not(Box<Self>),
    /// A value is as it should be.
    Is(Subject, Test),
    /// It is such a time.
    Time(Schedule),
    /// Such events happened.
    Event(E),
    /// The shopper is in another audience.
    Audience(A),
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// Every [`Fault`] of it, with where it is and what would be right.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::default();
        let condition = reader.read(String::new(), value, 1);
        if NODES_MAX < reader.n_nodes {
            reader.faults.push(Fault::new("", format!("at most {NODES_MAX} conditions")));
        }
        condition.filter(|_| reader.faults.is_empty()).ok_or(reader.faults)
    }

    /// As [`Self::parse`] reads it.
    pub fn to_value(&self) -> Value {
        let list = |conditions: &[Self]| conditions.iter().map(Self::to_value).collect::<Value>();
        match self {
            Self::All(conditions) => json!({ "all": list(conditions) }),
            Self::Any(conditions) => json!({ "any": list(conditions) }),
            Self::Not(condition) => json!({ "not": condition.to_value() }),
            Self::Is(subject, test) => {
                let (group, mut members) = subject.write();
                test.write(&mut members);
                json!({ group: members })
            }
            Self::Time(schedule) => json!({ "time": schedule.to_value() }),
            Self::Event(leaf) => json!({ "event": leaf.to_value() }),
            Self::Audience(key) => json!({ "audience": key }),
        }
    }

    /// The conditions on past events in it.
    pub fn event_leaves(&self) -> Vec<&EventLeaf> {
        let mut leaves = Vec::new();
        self.visit(&mut |condition| {
            if let Self::Event(leaf) = condition {
                leaves.push(leaf);
            }
        });
        leaves
    }

    /// The audiences it names.
    pub fn audiences(&self) -> Vec<&str> {
        let mut keys = Vec::new();
        self.visit(&mut |condition| {
            if let Self::Audience(key) = condition {
                keys.push(key.as_str());
            }
        });
        keys
    }

    /// The sources it names, each with where.
    pub fn sources(&self) -> Vec<(String, &SourceKey)> {
        match self {
            Self::All(conditions) => each_below("/all", conditions),
            Self::Any(conditions) => each_below("/any", conditions),
            Self::Not(condition) => below("/not", condition),
            Self::Is(Subject::External { source, .. }, _) => vec![("/external/source".to_owned(), source)],
            Self::Is(..) | Self::Time(_) | Self::Event(_) | Self::Audience(_) => Vec::new(),
        }
    }
}

fn each_below<'a>(pointer: &str, conditions: &'a [Condition]) -> Vec<(String, &'a SourceKey)> {
    let each = conditions.iter().enumerate();
    each.flat_map(|(idx, condition)| below(&format!("{pointer}/{idx}"), condition)).collect()
}

fn below<'a>(pointer: &str, condition: &'a Condition) -> Vec<(String, &'a SourceKey)> {
    condition.sources().into_iter().map(|(inner, source)| (format!("{pointer}{inner}"), source)).collect()
}

impl<E, A> Condition<E, A> {
    /// Whether it reads what only a request brings or has asked for, so that it has no answer between requests. What the
    /// audiences that it names read is not looked at.
    pub fn needs_context(&self) -> bool {
        let mut needs = false;
        self.visit(&mut |condition| {
            needs |= matches!(condition, Self::Is(Subject::Context(_) | Subject::External { .. }, _));
        });
        needs
    }

    /// Hands over it and everything in it.
    pub(super) fn visit<'a>(&'a self, each: &mut impl FnMut(&'a Self)) {
        each(self);
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                for condition in conditions {
                    condition.visit(each);
                }
            }
            Self::Not(condition) => condition.visit(each),
            Self::Is(..) | Self::Time(_) | Self::Event(_) | Self::Audience(_) => {}
        }
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::parse(&value).map_err(|faults| {
            de::Error::custom(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })
    }
}

/// Reads a tree and remembers what is wrong with it.
#[derive(Debug, Default)]
struct Reader {
    n_nodes: usize,
    faults: Vec<Fault>,
}

impl Reader {
    fn read(&mut self, pointer: String, value: &Value, depth: usize) -> Option<Condition> {
        self.n_nodes += 1;
        if NODES_MAX < self.n_nodes {
            return None;
        }
        if DEPTH_MAX < depth {
            self.faults.push(Fault::new(pointer, format!("conditions nested at most {DEPTH_MAX} deep")));
            return None;
        }
        let single = value.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
        let Some((kind, value)) = single else {
            self.faults.push(Fault::new(pointer, format!("an object with one member of {KINDS}")));
            return None;
        };
        let inside = member_pointer(&pointer, kind);
        match kind.as_str() {
            "all" => self.list(&inside, value, depth).map(Condition::All),
            "any" => self.list(&inside, value, depth).map(Condition::Any),
            "not" => self.read(inside, value, depth + 1).map(|inner| Condition::Not(Box::new(inner))),
            "profile" => {
                let members = Members::read(inside, value, &PROFILE_MEMBERS, &mut self.faults)?;
                let subject = Subject::of_profile(&members, &mut self.faults);
                self.tested(&members, subject)
            }
            "cart" => {
                let members = Members::read(inside, value, &CART_MEMBERS, &mut self.faults)?;
                let subject = Subject::of_cart(&members, &mut self.faults);
                self.tested(&members, subject)
            }
            "context" | "device" | "geo" => {
                let name = if kind == "context" { "attribute" } else { "field" };
                let members = Members::read(inside, value, &[name, "op", "value"], &mut self.faults)?;
                let attribute = members.name(name, &mut self.faults);
                let attribute = attribute
                    .map(|field| if kind == "context" { field } else { format!("{kind}.{field}").into() });
                self.tested(&members, attribute.map(Subject::Context))
            }
            "external" => {
                let known = ["source", "field", "op", "value"];
                let members = Members::read(inside, value, &known, &mut self.faults)?;
                let subject = Subject::of_external(&members, &mut self.faults);
                self.tested(&members, subject)
            }
            "time" => Schedule::read(inside, value, &mut self.faults).map(Condition::Time),
            "event" => EventLeaf::read(inside, value, &mut self.faults).map(Condition::Event),
            "audience" => {
                let key = value.as_str().and_then(|key| AudienceKey::new(key).ok());
                if key.is_none() {
                    self.faults.push(Fault::new(inside, "the key of an audience"));
                }
                key.map(Condition::Audience)
            }
            _ => {
                self.faults.push(Fault::new(inside, format!("one of {KINDS}")));
                None
            }
        }
    }

    fn list(&mut self, pointer: &str, value: &Value, depth: usize) -> Option<Vec<Condition>> {
        let Some(list) = value.as_array().filter(|list| !list.is_empty()) else {
            self.faults.push(Fault::new(pointer, "a list of at least one condition"));
            return None;
        };
        let read = list.iter().enumerate();
        let read: Vec<_> =
            read.filter_map(|(idx, value)| self.read(format!("{pointer}/{idx}"), value, depth + 1)).collect();
        (read.len() == list.len()).then_some(read)
    }

    fn tested(&mut self, members: &Members<'_>, subject: Option<Subject>) -> Option<Condition> {
        // The test is looked at even if the subject is wrong, so that all faults are told at once.
        let kind = subject.as_ref().map_or(Kind::Json, Subject::kind);
        let test = Test::read(members, kind, &mut self.faults)?;
        Some(Condition::Is(subject?, test))
    }
}
