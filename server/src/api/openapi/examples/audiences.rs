//! Bodies about audiences and persons.

use super::Named;
use serde_json::{Value, json};

/// Looked at shoes three times within a week, and bought nothing for a month.
fn shoe_lovers() -> Value {
    json!({"all": [
        {"event": {
            "name": "Product Viewed", "where": [{"property": "category", "op": "eq", "value": "shoes"}],
            "count": {"op": "gte", "value": 3}, "within": "7d"
        }},
        {"not": {"event": {"name": "Order Completed", "last": {"op": "within", "value": "30d"}}}}
    ]})
}

/// Every kind of condition that somebody can meet between requests.
fn late_customers() -> Value {
    json!({"any": [
        {"all": [
            {"profile": {"trait": "plan", "op": "in", "value": ["gold", "silver"]}},
            {"profile": {"fact": "orders", "op": "gte", "value": 1}},
            {"profile": {"fact": "revenue", "currency": "EUR", "op": "gt", "value": "250.00"}},
            {"profile": {"fact": "category_views", "category": "shoes", "op": "lt", "value": 5}},
            {"profile": {"fact": "consent", "category": "marketing", "op": "eq", "value": true}},
            {"profile": {"fact": "known", "op": "eq", "value": true}},
            {"profile": {"fact": "last_order", "op": "not_within", "value": "90d"}},
            {"profile": {"fact": "rfm_group", "op": "in", "value": ["at_risk", "cannot_lose"]}}
        ]},
        {"all": [
            {"cart": {"field": "value", "op": "gte", "value": "100"}},
            {"cart": {"field": "category", "op": "contains", "value": "shoe"}},
            {"cart": {"field": "idle", "op": "gt", "value": "2h"}},
            {"time": {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "until": "17:00",
                "zone": "Europe/Berlin"}},
            {"time": {"after": "2026-11-27T00:00:00Z", "before": "2026-12-24T00:00:00Z"}}
        ]},
        {"event": {"name": "Order Completed", "sum": {"property": "revenue", "op": "gte", "value": 500},
            "within": "52w"}},
        {"not": {"profile": {"trait": "email", "op": "exists"}}}
    ]})
}

pub(in super::super) fn new_audience() -> Named {
    vec![
        ("shoes", json!({"key": "shoe-lovers", "name": "Shoes, not bought yet", "condition": shoe_lovers()})),
        ("many kinds", json!({"key": "late-customers", "condition": late_customers()})),
        (
            "request",
            json!({"key": "phones-in-europe", "condition": {"all": [
                {"device": {"field": "type", "op": "eq", "value": "mobile"}},
                {"geo": {"field": "country", "op": "in", "value": ["DE", "AT", "CH"]}},
                {"context": {"attribute": "utm.source", "op": "starts_with", "value": "news"}}
            ]}}),
        ),
    ]
}

pub(in super::super) fn audience_change() -> Named {
    vec![(
        "stricter",
        json!({"name": "Shoes, five times", "condition": {"event": {
            "name": "Product Viewed", "where": [{"property": "category", "op": "eq", "value": "shoes"}],
            "count": {"op": "gte", "value": 5}, "within": "7d"
        }}}),
    )]
}

pub(in super::super) fn audience() -> Named {
    vec![(
        "shoes",
        json!({
            "key": "shoe-lovers", "name": "Shoes, not bought yet", "condition": shoe_lovers(), "size": 29,
            "created_at": "2026-11-27T09:30:00Z", "updated_at": "2026-11-27T09:30:00Z"
        }),
    )]
}

pub(in super::super) fn size_request() -> Named {
    vec![("shoes", json!({ "condition": shoe_lovers() }))]
}

pub(in super::super) fn size() -> Named {
    vec![("shoes", json!({"size": 29, "of": 1_204, "is_whole": true, "needs_context": false}))]
}

pub(in super::super) fn moves() -> Named {
    let moved =
        |kind: &str, at: &str| json!({"audience": "shoe-lovers", "person": "ann", "move": kind, "at": at});
    let data = [moved("left", "2026-11-27T10:02:11.5Z"), moved("entered", "2026-11-27T09:30:00Z")];
    vec![("bought", json!({"data": data, "next_cursor": null}))]
}

pub(in super::super) fn audience_question() -> Named {
    vec![
        ("now", json!({"unit": "ann"})),
        (
            "with a context, tomorrow",
            json!({"unit": "ann", "context": {"device": {"type": "mobile"}}, "at": "2026-11-28T09:30:00Z"}),
        ),
    ]
}

pub(in super::super) fn audience_explanation() -> Named {
    vec![(
        "bought",
        json!({
            "audience": "shoe-lovers", "unit": "phone-1", "person": "ann", "holds": false,
            "at": "2026-11-27T10:05:00Z", "next_change": "2026-12-27T10:02:11.5Z",
            "condition": {
                "pointer": "", "holds": false, "wanted": "all of 2", "found": "1 of 2",
                "clauses": [
                    {
                        "pointer": "/all/0", "holds": true,
                        "wanted": "the number of `Product Viewed` where `category` is \"shoes\" is at least 3 in the last 7d",
                        "found": "4 or more"
                    },
                    {
                        "pointer": "/all/1", "holds": false, "wanted": "what follows does not hold", "found": "it holds",
                        "clauses": [{
                            "pointer": "/all/1/not", "holds": true,
                            "wanted": "the last `Order Completed` is within the last 30d",
                            "found": "2026-11-27T10:02:11.5Z"
                        }]
                    }
                ]
            }
        }),
    )]
}

pub(in super::super) fn new_alias() -> Named {
    vec![("phone", json!({"id": "phone-1"}))]
}

pub(in super::super) fn profile() -> Named {
    vec![(
        "customer",
        json!({
            "person": "ann", "ids": ["ann", "phone-1"], "known": true,
            "first_seen": "2026-10-01T08:00:00Z", "last_seen": "2026-11-27T10:05:00Z",
            "traits": {"plan": "gold", "email": "ann@example.com"}, "consent": {"marketing": true},
            "orders": 2, "revenue": [{"amount": 4_200, "currency": "EUR"}, {"amount": 8_990, "currency": "USD"}],
            "first_order": "2026-10-02T19:12:00Z", "last_order": "2026-11-27T10:02:11.5Z",
            "rfm": {"score": 543, "recency": 5, "frequency": 4, "monetary": 3, "group": "champions"},
            "categories": {"shoes": {"views": 4, "last_viewed_at": "2026-11-27T10:04:00Z"}},
            "last_viewed": {
                "product": "p-17", "name": "Trail runner", "category": "shoes", "viewed_at": "2026-11-27T10:04:00Z"
            },
            "cart": {
                "lines": [{
                    "product": "p-17", "name": "Trail runner", "category": "shoes", "quantity": 2,
                    "price": {"amount": 8_990, "currency": "USD"}
                }],
                "quantity": 2, "value": [{"amount": 17_980, "currency": "USD"}],
                "updated_at": "2026-11-27T10:05:00Z"
            },
            "dismissed": {"newsletter-popup": "2026-11-20T16:45:00Z"},
            "audiences": [{"audience": "late-customers", "since": "2026-11-01T00:00:00Z"}]
        }),
    )]
}
