//! Conditions on shoppers: the tree, and everything that can stand at its leaves.

use super::op::{AgeOp, FlagOp, NumberOp, Op, Span, TextsOp, TimeOp, TotalOp, Wanted, WordOp};
use super::{Currency, Key, Time, add, by_hand, closed, object_of, one_of, plain, reference};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, Type};

/// Who is meant.
pub(in crate::api::openapi) struct Condition;

by_hand!(Condition, condition().into(), |schemas| {
    add::<ProfileCondition>(schemas);
    add::<CartCondition>(schemas);
    add::<ContextCondition>(schemas);
    add::<RequestCondition>(schemas);
    add::<ExternalCondition>(schemas);
    add::<TimeCondition>(schemas);
    add::<EventCondition>(schemas);
    add::<Key>(schemas);
});

fn condition() -> OneOfBuilder {
    let list = || {
        let list = ArrayBuilder::new().items(reference::<Condition>()).min_items(Some(1));
        RefOr::from(list.build())
    };
    let kinds = [
        ("all", "All of these hold.", list()),
        ("any", "At least one of these holds.", list()),
        ("not", "This does not hold.", reference::<Condition>()),
        ("profile", "Something that is known of the person.", reference::<ProfileCondition>()),
        ("cart", "Something about the cart.", reference::<CartCondition>()),
        ("context", "An attribute of the request's context.", reference::<ContextCondition>()),
        ("device", "What stands in the context under `device`.", reference::<RequestCondition>()),
        ("geo", "What stands in the context under `geo`.", reference::<RequestCondition>()),
        ("external", "What another system says of the unit.", reference::<ExternalCondition>()),
        ("time", "What time it is.", reference::<TimeCondition>()),
        ("event", "What the person did before.", reference::<EventCondition>()),
        ("audience", "The person is in this audience.", reference::<Key>()),
    ];
    let about = "Who is meant: an object with one member, which says of what kind the condition is. Conditions nest at \
                 most 8 deep, and there are at most 200 in a tree. A value that is missing satisfies `absent` alone: \
                 `ne` of it is false, and `not` around `eq` is true. `context`, `device`, `geo` and `external` hold \
                 for a request alone; between requests nobody is in such an audience. What another system says and could \
                 not be had leaves `external` neither true nor false, and so with `not`, `all` and `any` of it, unless \
                 their other conditions decide.";
    let example = json!({"all": [
        {"event": {
            "name": "Product Viewed", "where": [{"property": "category", "op": "eq", "value": "shoes"}],
            "count": {"op": "gte", "value": 3}, "within": "7d"
        }},
        {"not": {"event": {"name": "Order Completed", "last": {"op": "within", "value": "30d"}}}}
    ]});
    let builder = OneOfBuilder::new().description(Some(about)).examples([example]);
    kinds.into_iter().fold(builder, |builder, (kind, description, schema)| {
        let single =
            ObjectBuilder::new().description(Some(description)).property(kind, schema).required(kind);
        builder.item(closed(single.build()))
    })
}

/// An object with these members that takes no others.
fn leaf(
    description: &str,
    members: impl IntoIterator<Item = (&'static str, RefOr<Schema>)>,
    optional: impl IntoIterator<Item = (&'static str, RefOr<Schema>)>,
) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new().description(Some(description));
    for (name, schema) in members {
        object = object.property(name, schema).required(name);
    }
    for (name, schema) in optional.into_iter().chain([("value", reference::<Wanted>())]) {
        object = object.property(name, schema);
    }
    RefOr::T(Schema::Object(closed(object.build())))
}

fn words(words: &[&str]) -> RefOr<Schema> {
    plain(Type::String).enum_values(Some(words.iter().copied())).into()
}

fn name(description: &str) -> RefOr<Schema> {
    let text = plain(Type::String).min_length(Some(1)).max_length(Some(200));
    text.description(Some(description)).into()
}

/// What may be left out, or null.
fn or_null(description: &str, schema: impl Into<RefOr<Schema>>) -> RefOr<Schema> {
    one_of(description, [plain(Type::Null).into(), schema.into()])
}

fn currency() -> RefOr<Schema> {
    or_null("The currency; the project's if absent.", reference::<Currency>())
}

/// Something that is known of a person.
struct ProfileCondition;

by_hand!(ProfileCondition, profile(), |schemas| {
    add::<Op>(schemas);
    add::<NumberOp>(schemas);
    add::<TimeOp>(schemas);
    add::<FlagOp>(schemas);
    add::<WordOp>(schemas);
    add::<Currency>(schemas);
    add::<Wanted>(schemas);
});

fn profile() -> RefOr<Schema> {
    let category = || ("category", name("Which category."));
    let trait_ = name("A trait; dots lead into objects.");
    one_of(
        "Something that is known of the person: a trait, or a fact.",
        [
            leaf("A trait that was said of the person.", [("trait", trait_), ("op", reference::<Op>())], []),
            leaf(
                "The number of orders, or the RFM scores: each 1 to 5, and their three digits as `rfm`. Who has no \
                 order has no scores.",
                [
                    ("fact", words(&["orders", "rfm", "rfm_recency", "rfm_frequency", "rfm_monetary"])),
                    ("op", reference::<NumberOp>()),
                ],
                [],
            ),
            leaf(
                "What the person has paid less refunds, in major units.",
                [("fact", words(&["revenue"])), ("op", reference::<NumberOp>())],
                [("currency", currency())],
            ),
            leaf(
                "How often the person looked at a category.",
                [("fact", words(&["category_views"])), category(), ("op", reference::<NumberOp>())],
                [],
            ),
            leaf(
                "What the person said about a category of consent.",
                [("fact", words(&["consent"])), category(), ("op", reference::<FlagOp>())],
                [],
            ),
            leaf(
                "Whether the person is a known user.",
                [("fact", words(&["known"])), ("op", reference::<FlagOp>())],
                [],
            ),
            leaf(
                "When the first or last event or order was.",
                [
                    ("fact", words(&["first_seen", "last_seen", "first_order", "last_order"])),
                    ("op", reference::<TimeOp>()),
                ],
                [],
            ),
            leaf(
                "The RFM group: champions, loyal, potential_loyalists, new, promising, need_attention, about_to_sleep, \
                 at_risk, cannot_lose or hibernating.",
                [("fact", words(&["rfm_group"])), ("op", reference::<WordOp>())],
                [],
            ),
        ],
    )
}

/// Something about the cart.
struct CartCondition;

by_hand!(CartCondition, cart(), |schemas| {
    add::<NumberOp>(schemas);
    add::<TextsOp>(schemas);
    add::<AgeOp>(schemas);
    add::<Currency>(schemas);
    add::<Wanted>(schemas);
});

fn cart() -> RefOr<Schema> {
    one_of(
        "Something about the cart.",
        [
            leaf(
                "What it is worth, in major units.",
                [("field", words(&["value"])), ("op", reference::<NumberOp>())],
                [("currency", currency())],
            ),
            leaf(
                "How many items, or how many different ones, are in it.",
                [("field", words(&["quantity", "lines"])), ("op", reference::<NumberOp>())],
                [],
            ),
            leaf(
                "A product that is in it by its product id, else its sku; or the category of one.",
                [("field", words(&["product", "category"])), ("op", reference::<TextsOp>())],
                [],
            ),
            leaf(
                "How long ago it was changed, unless it is empty.",
                [("field", words(&["idle"])), ("op", reference::<AgeOp>())],
                [],
            ),
        ],
    )
}

/// An attribute of the request's context.
struct ContextCondition;

by_hand!(
    ContextCondition,
    leaf(
        "An attribute of the request's context.",
        [("attribute", name("Which one; dots lead into objects.")), ("op", reference::<Op>())],
        [],
    ),
    |schemas| {
        add::<Op>(schemas);
        add::<Wanted>(schemas);
    }
);

/// What stands in the context under `device` or `geo`.
struct RequestCondition;

by_hand!(
    RequestCondition,
    leaf(
        "What stands in the request's context under `device` or `geo`.",
        [
            ("field", name("Which member, such as `type` or `country`; dots lead into objects.")),
            ("op", reference::<Op>())
        ],
        [],
    ),
    |schemas| {
        add::<Op>(schemas);
        add::<Wanted>(schemas);
    }
);

/// What another system says of the unit.
struct ExternalCondition;

by_hand!(
    ExternalCondition,
    leaf(
        "What a source of external data says of the unit.",
        [
            ("source", reference::<Key>()),
            ("field", name("Which member of its answer; dots lead into objects.")),
            ("op", reference::<Op>())
        ],
        [],
    ),
    |schemas| {
        add::<Key>(schemas);
        add::<Op>(schemas);
        add::<Wanted>(schemas);
    }
);

/// A day of the week.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Between two instants.
#[derive(ToSchema)]
struct BetweenFields {
    /// From here on.
    after: Option<Time>,
    /// Until just before here; later than `after`.
    before: Option<Time>,
}

/// At hours of the week.
#[derive(ToSchema)]
struct WeeklyFields {
    /// The days; all of them if absent.
    #[schema(min_items = 1)]
    days: Option<Vec<Day>>,
    /// The hour at which it begins; midnight if absent.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", examples("09:00"))]
    from: Option<String>,
    /// The hour at which it ends, perhaps on the next day; midnight if absent.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", examples("17:00"))]
    until: Option<String>,
    /// The IANA name of the zone.
    #[schema(examples("Europe/Berlin"))]
    zone: String,
}

/// What time it is.
struct TimeCondition;

by_hand!(
    TimeCondition,
    one_of(
        "What time it is: between two instants, of which one may be absent, or at hours of the week, of which `days`, \
         `from` and `until` may not all be absent.",
        [
            RefOr::T(Schema::Object(at_least(1, closed(object_of::<BetweenFields>())))),
            RefOr::T(Schema::Object(at_least(2, closed(object_of::<WeeklyFields>())))),
        ],
    ),
    |schemas| {
        BetweenFields::schemas(schemas);
        WeeklyFields::schemas(schemas);
    }
);

fn at_least(n_members: usize, mut object: Object) -> Object {
    object.min_properties = Some(n_members);
    object
}

/// What the person did before.
struct EventCondition;

by_hand!(EventCondition, event(), |schemas| {
    add::<Op>(schemas);
    add::<TotalOp>(schemas);
    add::<Currency>(schemas);
    add::<Span>(schemas);
    add::<Wanted>(schemas);
});

fn event() -> RefOr<Schema> {
    let event =
        || name("The events' name, or their type for what are no track calls; it does not begin with `$`.");
    let tested = leaf(
        "What a property has to be.",
        [
            (
                "property",
                name("Which property; dots lead into objects, and `context.` into the event's context."),
            ),
            ("op", reference::<Op>()),
        ],
        [],
    );
    let tests = || {
        let list = ArrayBuilder::new().items(tested.clone()).max_items(Some(20));
        or_null("Which of those events; all if absent.", list.build())
    };
    let span = || or_null("How far back; ever if absent.", reference::<Span>());
    let counted = closed(
        plain(Type::Object)
            .property("op", reference::<TotalOp>())
            .property("value", plain(Type::Integer).minimum(Some(0)).maximum(Some(1_000)))
            .required("op")
            .required("value")
            .build(),
    );
    let sum = leaf(
        "What a property of theirs adds up to, in major units. Events in another currency are left out.",
        [("property", name("Which property.")), ("op", reference::<TotalOp>())],
        [("currency", currency())],
    );
    let last = leaf(
        "When the last one was; `never` takes no value.",
        [("op", words(&["within", "not_within", "never"]))],
        [],
    );
    let one = |description: &str, members: Vec<(&'static str, RefOr<Schema>)>, needed: &[&str]| {
        let object = ObjectBuilder::new().description(Some(description));
        let object = members.into_iter().fold(object, |object, (name, schema)| object.property(name, schema));
        let object = needed.iter().fold(object.required("name"), |object, name| object.required(*name));
        RefOr::T(Schema::Object(closed(object.property("name", event()).property("where", tests()).build())))
    };
    one_of(
        "What the person did before, by all their ids: how many events of a name there are, what they add up to, or \
         when the last one was.",
        [
            one(
                "How many.",
                vec![("count", or_null("At least one if absent.", counted)), ("within", span())],
                &[],
            ),
            one("How much.", vec![("sum", sum), ("within", span())], &["sum"]),
            one("When last.", vec![("last", last)], &["last"]),
        ],
    )
}
