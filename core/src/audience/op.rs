//! The ways of comparing, and which of them each sort of value knows.

use std::cmp::Ordering;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each says itself")]
pub enum Op {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
    NotIn,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Exists,
    Absent,
    Before,
    After,
    Within,
    NotWithin,
}

/// The name that people write, and the words that an explanation uses.
const NAMES: [(Op, &str, &str); 18] = [
    (Op::Eq, "eq", "is"),
    (Op::Ne, "ne", "is not"),
    (Op::Gt, "gt", "is more than"),
    (Op::Gte, "gte", "is at least"),
    (Op::Lt, "lt", "is less than"),
    (Op::Lte, "lte", "is at most"),
    (Op::In, "in", "is one of"),
    (Op::NotIn, "not_in", "is none of"),
    (Op::Contains, "contains", "contains"),
    (Op::StartsWith, "starts_with", "starts with"),
    (Op::EndsWith, "ends_with", "ends with"),
    (Op::Matches, "matches", "matches"),
    (Op::Exists, "exists", "is there"),
    (Op::Absent, "absent", "is absent"),
    (Op::Before, "before", "is before"),
    (Op::After, "after", "is at or after"),
    (Op::Within, "within", "is within the last"),
    (Op::NotWithin, "not_within", "is not within the last"),
];

impl Op {
    /// The name that people write.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(op, ..)| *op == self).map_or("", |(_, name, _)| name)
    }

    pub(super) fn words(self) -> &'static str {
        NAMES.iter().find(|(op, ..)| *op == self).map_or("", |(.., words)| words)
    }

    pub(super) fn is_order(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Gt | Self::Gte | Self::Lt | Self::Lte)
    }

    pub(super) fn orders(self, found: Ordering) -> bool {
        match self {
            Self::Eq => found.is_eq(),
            Self::Ne => found.is_ne(),
            Self::Gt => found.is_gt(),
            Self::Gte => found.is_ge(),
            Self::Lt => found.is_lt(),
            Self::Lte => found.is_le(),
            _ => false,
        }
    }
}

/// What sort of value is looked at, which decides what can be asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whatever a client sent.
    Json,
    /// A number, or an amount in major units.
    Number,
    /// How many times, or how much in all: compared only.
    Total,
    /// An instant.
    Time,
    /// True or false.
    Flag,
    /// Several texts, of which one has to satisfy.
    Texts,
    /// One of these words.
    Word(&'static [&'static str]),
    /// How long something has lasted.
    Age,
}

impl Kind {
    pub(super) fn ops(self) -> &'static [Op] {
        use Op::{
            Absent, After, Before, Contains, EndsWith, Eq, Exists, Gt, Gte, In, Lt, Lte, Matches, Ne, NotIn,
            NotWithin, StartsWith, Within,
        };
        match self {
            Self::Json => &[
                Eq, Ne, Gt, Gte, Lt, Lte, In, NotIn, Contains, StartsWith, EndsWith, Matches, Exists, Absent,
                Before, After, Within, NotWithin,
            ],
            Self::Number => &[Eq, Ne, Gt, Gte, Lt, Lte, In, NotIn, Exists, Absent],
            Self::Total => &[Eq, Ne, Gt, Gte, Lt, Lte],
            Self::Time => &[Before, After, Within, NotWithin, Exists, Absent],
            Self::Flag => &[Eq, Ne, Exists, Absent],
            Self::Texts => &[Eq, In, Contains, StartsWith, EndsWith, Matches, Exists, Absent],
            Self::Word(_) => &[Eq, Ne, In, NotIn, Exists, Absent],
            Self::Age => &[Gt, Gte, Lt, Lte, Exists, Absent],
        }
    }
}
