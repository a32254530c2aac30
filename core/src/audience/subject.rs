//! What a condition looks at: facts of the profile, the cart, attributes of the request, what other systems say.

use super::found::{Found, Texts};
use super::members::Members;
use super::op::Kind;
use super::test::Test;
use super::{RfmGroup, RfmPoint, Shopper};
use crate::fault::Fault;
use crate::id::SourceKey;
use crate::metric::extract::{ORDER_CANCELLED, ORDER_COMPLETED, ORDER_REFUNDED};
use crate::money::Currency;
use crate::profile::{CART_CLEARED, PRODUCT_ADDED, PRODUCT_LIST_VIEWED, PRODUCT_REMOVED, PRODUCT_VIEWED};
use crate::time::Timestamp;
use serde_json::{Map, Value};

/// Where a condition looks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A trait of the person; dots lead into objects.
    Trait(Box<str>),
    /// An attribute of the request's context; dots lead into objects.
    Context(Box<str>),
    /// A member of what a source of external data says of the shopper; dots lead into objects.
    External {
        /// The source.
        source: SourceKey,
        /// The member.
        field: Box<str>,
    },
    /// What the person has paid, less refunds, in a currency or the project's.
    Revenue(Option<Currency>),
    /// How often the person looked at a category.
    CategoryViews(Box<str>),
    /// What the person said about a category of consent.
    Consent(Box<str>),
    /// What the cart is worth, in a currency or the project's.
    CartValue(Option<Currency>),
    /// Something that needs no more than its name.
    Fact(Fact),
}

/// A fact that needs no more than its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table below says what each is")]
pub enum Fact {
    Known,
    Orders,
    FirstSeen,
    LastSeen,
    FirstOrder,
    LastOrder,
    Rfm,
    RfmRecency,
    RfmFrequency,
    RfmMonetary,
    RfmGroup,
    CartQuantity,
    CartLines,
    CartProduct,
    CartCategory,
    CartIdle,
}

/// Each fact with its name, its kind and its words, those of the profile first.
const FACTS: [(Fact, &str, Kind, &str); 16] = [
    (Fact::Known, "known", Kind::Flag, "being a known user"),
    (Fact::Orders, "orders", Kind::Number, "the number of orders"),
    (Fact::FirstSeen, "first_seen", Kind::Time, "the first event"),
    (Fact::LastSeen, "last_seen", Kind::Time, "the last event"),
    (Fact::FirstOrder, "first_order", Kind::Time, "the first order"),
    (Fact::LastOrder, "last_order", Kind::Time, "the last order"),
    (Fact::Rfm, "rfm", Kind::Number, "the RFM score"),
    (Fact::RfmRecency, "rfm_recency", Kind::Number, "the recency score"),
    (Fact::RfmFrequency, "rfm_frequency", Kind::Number, "the frequency score"),
    (Fact::RfmMonetary, "rfm_monetary", Kind::Number, "the monetary score"),
    (Fact::RfmGroup, "rfm_group", Kind::Word(&RfmGroup::NAMES), "the RFM group"),
    (Fact::CartQuantity, "quantity", Kind::Number, "the number of items in the cart"),
    (Fact::CartLines, "lines", Kind::Number, "the number of lines in the cart"),
    (Fact::CartProduct, "product", Kind::Texts, "a product in the cart"),
    (Fact::CartCategory, "category", Kind::Texts, "a category in the cart"),
    (Fact::CartIdle, "idle", Kind::Age, "the time since the cart was changed"),
];
const N_PROFILE_FACTS: usize = 11;

/// Which events can change what a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// None: it is no part of the profile.
    Nothing,
    /// Any.
    Every,
    /// Those with one of these names.
    Named(&'static [&'static str]),
}

/// What changes which orders count, and what they give.
pub(crate) const ORDER_EVENTS: [&str; 3] = [ORDER_COMPLETED, ORDER_REFUNDED, ORDER_CANCELLED];

impl Fact {
    fn entry(self) -> (&'static str, Kind, &'static str) {
        let found = FACTS.iter().find(|(fact, ..)| *fact == self);
        found.map_or(("", Kind::Json, ""), |(_, name, kind, words)| (name, *kind, words))
    }

    fn is_of_cart(self) -> bool {
        FACTS.iter().skip(N_PROFILE_FACTS).any(|(fact, ..)| *fact == self)
    }
}

impl Subject {
    /// Whether it compares a customer with all others.
    pub(super) fn is_rfm(&self) -> bool {
        use Fact::{Rfm, RfmFrequency, RfmGroup, RfmMonetary, RfmRecency};
        matches!(self, Self::Fact(Rfm | RfmRecency | RfmFrequency | RfmMonetary | RfmGroup))
    }

    /// Reads `{"profile": …}`.
    pub(super) fn of_profile(members: &Members<'_>, faults: &mut Vec<Fault>) -> Option<Self> {
        match (members.get("trait"), members.get("fact")) {
            (Some(_), None) => members.name("trait", faults).map(Self::Trait),
            (None, Some(_)) => match members.text("fact") {
                Some("revenue") => Some(Self::Revenue(currency(members, faults))),
                Some("category_views") => members.name("category", faults).map(Self::CategoryViews),
                Some("consent") => members.name("category", faults).map(Self::Consent),
                name => named(members, "fact", name, faults),
            },
            _ => {
                faults.push(Fault::new(members.pointer.clone(), "either `trait` or `fact`"));
                None
            }
        }
    }

    /// Reads `{"cart": …}`.
    pub(super) fn of_cart(members: &Members<'_>, faults: &mut Vec<Fault>) -> Option<Self> {
        match members.text("field") {
            Some("value") => Some(Self::CartValue(currency(members, faults))),
            name => named(members, "field", name, faults),
        }
    }

    /// Reads `{"external": …}`.
    pub(super) fn of_external(members: &Members<'_>, faults: &mut Vec<Fault>) -> Option<Self> {
        let source = members.text("source").and_then(|key| SourceKey::new(key).ok());
        if source.is_none() {
            faults.push(members.fault("source", "the key of a source"));
        }
        let field = members.name("field", faults);
        Some(Self::External { source: source?, field: field? })
    }

    /// The member that [`super::Condition::parse`] reads it from, without the test.
    pub(super) fn write(&self) -> (&'static str, Map<String, Value>) {
        let mut members = Map::new();
        let mut put = |name: &str, text: &str| drop(members.insert(name.into(), text.into()));
        let group = match self {
            Self::Context(attribute) => {
                put("attribute", attribute);
                "context"
            }
            Self::External { source, field } => {
                put("source", source.as_str());
                put("field", field);
                "external"
            }
            Self::CartValue(currency) => {
                put("field", "value");
                if let Some(currency) = currency {
                    put("currency", currency.code());
                }
                "cart"
            }
            Self::Fact(fact) if fact.is_of_cart() => {
                put("field", fact.entry().0);
                "cart"
            }
            Self::Trait(name) => {
                put("trait", name);
                "profile"
            }
            Self::Revenue(currency) => {
                put("fact", "revenue");
                if let Some(currency) = currency {
                    put("currency", currency.code());
                }
                "profile"
            }
            Self::CategoryViews(category) => {
                put("fact", "category_views");
                put("category", category);
                "profile"
            }
            Self::Consent(category) => {
                put("fact", "consent");
                put("category", category);
                "profile"
            }
            Self::Fact(fact) => {
                put("fact", fact.entry().0);
                "profile"
            }
        };
        (group, members)
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Trait(_) | Self::Context(_) | Self::External { .. } => Kind::Json,
            Self::Revenue(_) | Self::CategoryViews(_) | Self::CartValue(_) => Kind::Number,
            Self::Consent(_) => Kind::Flag,
            Self::Fact(fact) => fact.entry().1,
        }
    }

    pub(super) fn touch(&self) -> Touch {
        match self {
            Self::Context(_) | Self::External { .. } => Touch::Nothing,
            Self::Consent(_) | Self::Fact(Fact::Known | Fact::FirstSeen | Fact::LastSeen) => Touch::Every,
            Self::Trait(_) => Touch::Named(&["identify"]),
            Self::CategoryViews(_) => Touch::Named(&[PRODUCT_VIEWED, PRODUCT_LIST_VIEWED]),
            Self::CartValue(_)
            | Self::Fact(
                Fact::CartQuantity
                | Fact::CartLines
                | Fact::CartProduct
                | Fact::CartCategory
                | Fact::CartIdle,
            ) => Touch::Named(&[PRODUCT_ADDED, PRODUCT_REMOVED, CART_CLEARED, ORDER_COMPLETED]),
            Self::Revenue(_)
            | Self::Fact(
                Fact::Orders
                | Fact::FirstOrder
                | Fact::LastOrder
                | Fact::Rfm
                | Fact::RfmRecency
                | Fact::RfmFrequency
                | Fact::RfmMonetary
                | Fact::RfmGroup,
            ) => Touch::Named(&ORDER_EVENTS),
        }
    }

    /// What is there.
    pub(super) fn found<'a>(&self, shopper: &Shopper<'a>, now: Timestamp) -> Found<'a> {
        let profile = shopper.profile;
        let amount = |by_currency: &std::collections::BTreeMap<Box<str>, i128>,
                      currency: Option<Currency>| {
            let currency = currency.unwrap_or(shopper.currency);
            Found::money(by_currency.get(currency.code()).copied().unwrap_or(0), currency)
        };
        match self {
            Self::Trait(path) => Found::json(profile.find_trait(path)),
            Self::Context(path) => Found::json(find(shopper.context, path)),
            Self::External { source, field } => {
                shopper.external.get(source).map_or(Found::Unknown, |said| Found::json(find(said, field)))
            }
            Self::Revenue(currency) => amount(&profile.revenue, *currency),
            Self::CartValue(currency) => amount(&profile.cart.value, *currency),
            Self::CategoryViews(category) => {
                Found::Number(profile.categories.get(category).map_or(0, |views| views.count).into())
            }
            Self::Consent(category) => {
                profile.consent.get(category).map_or(Found::Missing, |said| Found::Flag(said.value))
            }
            Self::Fact(fact) => fact.found(shopper, now),
        }
    }

    /// Its name in an explanation.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Trait(name) => format!("the trait `{name}`"),
            Self::Context(name) => format!("the attribute `{name}`"),
            Self::External { source, field } => format!("`{field}` of the source `{source}`"),
            Self::Revenue(None) => "the revenue".into(),
            Self::Revenue(Some(currency)) => format!("the revenue in {currency}"),
            Self::CategoryViews(category) => format!("the number of views of `{category}`"),
            Self::Consent(category) => format!("the consent to `{category}`"),
            Self::CartValue(None) => "the value of the cart".into(),
            Self::CartValue(Some(currency)) => format!("the value of the cart in {currency}"),
            Self::Fact(fact) => fact.entry().2.into(),
        }
    }
}

impl Fact {
    fn found<'a>(self, shopper: &Shopper<'a>, now: Timestamp) -> Found<'a> {
        let (profile, cart) = (shopper.profile, &shopper.profile.cart);
        let scores = || {
            let point = RfmPoint::of(profile, shopper.rfm?.currency())?;
            Some(shopper.rfm?.scores(&point))
        };
        let score = |of: fn(super::RfmScores) -> u16| {
            scores().map_or(Found::Missing, |scores| Found::Number(of(scores).into()))
        };
        match self {
            Self::Known => Found::Flag(profile.is_known),
            Self::Orders => Found::Number(profile.orders.into()),
            Self::FirstSeen => Found::time(profile.first_seen),
            Self::LastSeen => Found::time(profile.last_seen),
            Self::FirstOrder => Found::time(profile.first_order),
            Self::LastOrder => Found::time(profile.last_order),
            Self::Rfm => score(super::RfmScores::number),
            Self::RfmRecency => score(|scores| scores.recency.into()),
            Self::RfmFrequency => score(|scores| scores.frequency.into()),
            Self::RfmMonetary => score(|scores| scores.monetary.into()),
            Self::RfmGroup => scores().map_or(Found::Missing, |scores| Found::Word(scores.group().as_str())),
            Self::CartQuantity => {
                Found::Number(cart.lines.values().map(|line| u64::from(line.quantity)).sum::<u64>().into())
            }
            Self::CartLines => Found::Number(cart.lines.len().into()),
            Self::CartProduct => Texts::Products(&cart.lines).found(),
            Self::CartCategory => Texts::Categories(&cart.lines).found(),
            Self::CartIdle => match cart.updated_at {
                Some(changed) if !cart.lines.is_empty() => {
                    Found::Age(now.as_micros().saturating_sub(changed.as_micros()))
                }
                _ => Found::Missing,
            },
        }
    }
}

/// The value that a dotted path leads to; of several ways the one with the longest name first counts.
pub(crate) fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let members = value.as_object()?;
    members.get(path).or_else(|| {
        let mut cuts = path.rmatch_indices('.').map(|(dot, _)| (path.get(..dot), path.get(dot + 1..)));
        cuts.find_map(|(name, rest)| find(members.get(name?)?, rest?))
    })
}

fn named(
    members: &Members<'_>,
    member: &str,
    name: Option<&str>,
    faults: &mut Vec<Fault>,
) -> Option<Subject> {
    let (of_profile, of_cart) = FACTS.split_at(N_PROFILE_FACTS);
    let (facts, others) = match member {
        "fact" => (of_profile, "revenue, category_views, consent"),
        _ => (of_cart, "value"),
    };
    let found = facts.iter().find(|(_, known, ..)| name == Some(known));
    if found.is_none() {
        let known: Vec<_> = facts.iter().map(|(_, known, ..)| *known).collect();
        faults.push(members.fault(member, format!("one of {others}, {}", known.join(", "))));
    }
    for needless in ["category", "currency"].into_iter().filter(|needless| members.get(needless).is_some()) {
        faults.push(members.fault(needless, format!("nothing: this {member} takes no {needless}")));
    }
    found.map(|(fact, ..)| Subject::Fact(*fact))
}

/// The currency that is named, if one is.
pub(super) fn currency(members: &Members<'_>, faults: &mut Vec<Fault>) -> Option<Currency> {
    let named = members.get("currency")?;
    let currency = named.as_str().and_then(|code| Currency::from_code(code).ok());
    if currency.is_none() {
        faults.push(members.fault("currency", "an ISO 4217 code such as USD"));
    }
    currency
}

/// The members that subjects and their tests have.
pub(super) const PROFILE_MEMBERS: [&str; 6] = ["trait", "fact", "category", "currency", "op", "value"];
pub(super) const CART_MEMBERS: [&str; 4] = ["field", "currency", "op", "value"];

/// Says what is wanted, in words.
pub(super) fn words(subject: &Subject, test: &Test) -> String {
    format!("{} {}", subject.words(), test.words())
}
