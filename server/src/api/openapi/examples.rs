//! Bodies to copy from. The tests hand each to the type that reads it.

mod audiences;
mod sources;

pub(super) use audiences::{
    audience, audience_change, audience_explanation, audience_question, moves, new_alias, new_audience,
    profile, size, size_request,
};

use serde_json::{Value, json};
pub(super) use sources::{new_source, source, source_change};

type Named = Vec<(&'static str, Value)>;

pub(super) fn new_experiment() -> Named {
    vec![
        (
            "smallest",
            json!({
                "key": "checkout-banner",
                "variants": [{"key": "control"}, {"key": "banner", "content": {"text": "Free returns"}}],
                "primary_metric": "conversion"
            }),
        ),
        (
            "bandit",
            json!({
                "key": "hero-image",
                "name": "Hero image on the front page",
                "description": "Which picture brings more revenue per visitor?",
                "flag_key": "hero",
                "value_type": "string",
                "server_only": false,
                "variants": [
                    {"key": "control", "name": "The bag", "control": true, "content": "bag.jpg"},
                    {"key": "shoes", "name": "The shoes", "content": "shoes.jpg"},
                    {"key": "people", "name": "Two people", "content": "people.jpg"}
                ],
                "primary_metric": {"metric": "revenue_per_visitor", "window_s": 604_800},
                "secondary_metrics": ["conversion"],
                "guardrail_metrics": [{"metric": "bounce", "direction": "decrease"}],
                "allocator": {"type": "thompson", "floor": 0.05, "control_floor": 0.1, "min_units": 200},
                "units_per_version": 1_000,
                "stickiness": "sticky",
                "exposure": "event",
                "traffic": 0.5,
                "exclusion_group": {"key": "front-page", "share": 0.5},
                "currency": "EUR",
                "schedule": {"start_at": "2026-11-27T00:00:00Z", "end_at": "2026-12-24T00:00:00Z"},
                "min_run_s": 1_209_600
            }),
        ),
    ]
}

pub(super) fn new_experience() -> Named {
    vec![
        (
            "smallest",
            json!({
                "key": "returns-banner",
                "variants": [{"key": "banner", "content": {"text": "Free returns"}}],
                "fallback": "banner"
            }),
        ),
        (
            "rules",
            json!({
                "key": "cart-ctas",
                "name": "What the cart says",
                "flag_key": "cart.cta",
                "value_type": "string",
                "variants": [
                    {"key": "plain", "content": "To the checkout"},
                    {"key": "free-shipping", "name": "Free shipping", "content": "Your shipping is free"}
                ],
                "rules": [
                    {
                        "key": "large-cart",
                        "name": "A cart from 100 on",
                        "when": {"cart": {"field": "value", "op": "gte", "value": "100"}},
                        "serve": "free-shipping"
                    }
                ],
                "fallback": "plain",
                "hit_policy": "first",
                "priority": 10,
                "starts_at": "2026-11-27T00:00:00Z",
                "ends_at": "2026-12-24T00:00:00Z",
                "dismiss_days": 7,
                "currency": "EUR",
                "server_only": false
            }),
        ),
    ]
}

pub(super) fn promotion() -> Named {
    vec![
        ("everyone", json!({})),
        (
            "some",
            json!({
                "key": "returns-for-customers",
                "priority": 5,
                "when": {"profile": {"fact": "orders", "op": "gte", "value": 1}}
            }),
        ),
    ]
}

pub(super) fn plan() -> Named {
    vec![
        ("units for a lift", json!({"baseline": 0.02, "lift": 0.2, "units_per_day": 2_000})),
        (
            "lift of four weeks",
            json!({"baseline": 42.5, "sd": 60.0, "days": 28, "n_variants": 3, "units_per_day": 2_000}),
        ),
    ]
}

pub(super) fn planned() -> Named {
    vec![(
        "units for a lift",
        json!({
            "lift": 0.2, "difference": 0.004, "units_per_variant": 40_422, "units": 80_844,
            "units_per_variant_once": 21_109, "days": 43.422
        }),
    )]
}

pub(super) fn patch() -> Named {
    vec![
        ("traffic", json!({"traffic": 0.5, "schedule": {"end_at": "2026-12-24T00:00:00Z"}})),
        ("floor", json!({"allocator": {"floor": 0.02}, "description": null})),
    ]
}

pub(super) fn conclusion() -> Named {
    vec![
        ("the winner or the control", json!({"serve": "banner"})),
        ("another one", json!({"serve": "banner-2", "reason": "it is cheaper to make"})),
    ]
}

pub(super) fn undoing() -> Named {
    vec![
        ("the last thing", json!({"reason": "too early"})),
        ("an entry", json!({"history_id": 12, "reason": "the feed was broken"})),
    ]
}

pub(super) fn new_webhook() -> Named {
    vec![(
        "winners and stops",
        json!({
            "url": "https://shop.example/hooks",
            "secret": "HOOK",
            "events": ["experiment.winner", "experiment.stopped", "experiment.imbalance"]
        }),
    )]
}

pub(super) fn told() -> Named {
    vec![(
        "a winner",
        json!({
            "type": "experiment.winner",
            "timestamp": "2026-11-27T09:30:00Z",
            "data": {
                "experiment": "checkout-banner",
                "version": 1,
                "status": "running",
                "actor": "podium",
                "history_id": 12,
                "detail": {"variant": "banner"},
                "links": {
                    "experiment": "https://podium.example/api/v1/experiments/checkout-banner?version=1",
                    "report": "https://podium.example/api/v1/experiments/checkout-banner/report.html?version=1"
                }
            }
        }),
    )]
}

pub(super) fn new_variant() -> Named {
    vec![(
        "variant",
        json!({"key": "banner-2", "name": "A longer text", "content": {"text": "Free returns, always"}}),
    )]
}

pub(super) fn decide() -> Named {
    vec![
        ("one unit", json!({"unit": "u-1", "flags": ["checkout-banner"]})),
        (
            "many",
            json!({
                "units": ["u-1", "u-2"],
                "flags": ["checkout-banner", {"key": "new-search", "default": false}],
                "exposure": false
            }),
        ),
    ]
}

pub(super) fn preview() -> Named {
    vec![
        ("everything", json!({"unit": "u-1"})),
        (
            "one flag on Black Friday",
            json!({
                "unit": "u-1", "flags": ["checkout-banner"], "context": {"country": "NL"}, "channel": "web",
                "at": "2026-11-27T09:00:00Z"
            }),
        ),
    ]
}

pub(super) fn preview_link() -> Named {
    vec![("of a banner", json!({"flag": "banner", "variant": "red"}))]
}

pub(super) fn decisions() -> Named {
    vec![(
        "one unit, two flags",
        json!({
            "decisions": [
                {
                    "flag": "checkout-banner", "unit": "u-1", "experiment": "checkout-banner",
                    "variant": "banner", "value": {"text": "Free returns"}, "reason": "SPLIT",
                    "propensity": 0.5, "weights_version": 1,
                    "decision_id": "019ac4a1-7b1e-7c3a-9d2e-8f4b6a1c2d3e"
                },
                {
                    "flag": "new-search", "unit": "u-1", "variant": null, "value": false, "reason": "DEFAULT",
                    "error_code": "FLAG_NOT_FOUND"
                }
            ],
            "snapshot_version": 7
        }),
    )]
}

pub(super) fn events() -> Named {
    let order = json!({
        "type": "track",
        "event": "Order Completed",
        "userId": "u-1",
        "messageId": "order-1001",
        "timestamp": "2026-11-27T09:30:00Z",
        "properties": {"order_id": "1001", "revenue": 89.90, "currency": "USD"}
    });
    let viewed = json!({
        "event": "Experiment Viewed",
        "anonymousId": "a-7",
        "properties": {"experiment_id": "checkout-banner", "variation_id": "banner", "propensity": 0.5}
    });
    vec![
        ("one event", order.clone()),
        ("a list", json!([viewed, order])),
        ("a batch", json!({"batch": [viewed, order], "sentAt": "2026-11-27T09:30:01Z"})),
    ]
}

pub(super) fn exposures() -> Named {
    vec![(
        "one",
        json!([{
            "experiment": "checkout-banner",
            "unit": "u-1",
            "variant": "banner",
            "timestamp": "2026-11-27T09:30:00Z",
            "message_id": "seen-1001",
            "decision_id": "019ac4a1-7b1e-7c3a-9d2e-8f4b6a1c2d3e"
        }]),
    )]
}

pub(super) fn receipt() -> Named {
    vec![(
        "one of two",
        json!({
            "accepted": 1,
            "duplicate": 0,
            "rejected": [{
                "index": 1, "message_id": "order-1002", "reason": "bad_amount",
                "pointer": "/batch/1/properties/revenue",
                "detail": "`revenue` is a decimal number of major units such as 89.90"
            }]
        }),
    )]
}

pub(super) fn new_key() -> Named {
    vec![
        ("server", json!({"scope": "server", "name": "shop backend"})),
        ("pages", json!({"scope": "publishable", "name": "shop", "origins": ["https://shop.example"]})),
    ]
}

pub(super) fn key_origins() -> Named {
    vec![("two shops", json!({"origins": ["https://shop.example", "https://shop.example.org"]}))]
}

pub(super) fn new_messages() -> Named {
    vec![
        (
            "by a flag",
            json!({
                "channel": "mail",
                "flag": "cart-reminder",
                "to": [
                    {"unit": "u-1", "address": {"email": "ann@example.com", "name": "Ann"}, "fields": {"cart": 3}},
                    {"unit": "u-2", "address": {"email": "bob@example.com"}}
                ],
                "send_at": "2026-11-27T09:30:00Z",
                "expires_in_s": 86_400
            }),
        ),
        (
            "one content",
            json!({
                "channel": "mail",
                "content": {"subject": "Your order {{ order }}", "text": "It is on its way."},
                "to": {"unit": "u-1", "address": {"email": "ann@example.com"}, "fields": {"order": "1001"}},
                "purpose": "transactional",
                "collapse_key": "order-1001"
            }),
        ),
    ]
}

pub(super) fn new_suppression() -> Named {
    vec![(
        "asked on the phone",
        json!({"channel": "mail", "address": "ann@example.com", "scope": "all", "reason": "asked on the phone"}),
    )]
}

pub(super) fn new_channel() -> Named {
    vec![(
        "email",
        json!({
            "channel": "email",
            "settings": {
                "host": "smtp.example.com", "from": "Shop <news@shop.example>",
                "user": "shop", "password": {"secret": "SMTP_PASSWORD"}
            }
        }),
    )]
}
