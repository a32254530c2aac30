//! What each bundled metric reads, what an event adds, and what a visitor's sums mean.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod built;

use podium_plugin_host::Value::{Int, Money, Null, Text};
use podium_plugin_host::{
    Batch, ColumnType, CreateError, Direction, MetricInstance, MetricKind, Posterior, Registry, Unit, Value,
};
use serde_json::json;

fn metric(registry: &Registry, metric_id: &str, config_json: &str) -> Box<dyn MetricInstance> {
    registry.create(metric_id, config_json).unwrap()
}

/// The columns that the metric asked for, in its order.
fn columns(metric: &dyn MetricInstance) -> Vec<ColumnType> {
    let fields: serde_json::Value = serde_json::from_str(metric.fields_json()).unwrap();
    let columns = fields["columns"].as_array().unwrap();
    columns.iter().map(|column| ColumnType::from_name(column["type"].as_str().unwrap()).unwrap()).collect()
}

/// Events of one visitor, by the index of the read and the values: what they add up to, and what that means.
#[track_caller]
fn check(
    (metric_id, config_json): (&str, &str),
    events: &[(u16, &[Value<'_>])],
    sums: &[i64],
    value: (f64, f64),
) {
    let registry = built::registry();
    let metric = metric(&registry, metric_id, config_json);
    let mut batch = Batch::new(&columns(metric.as_ref()));
    for (event, values) in events {
        batch.push_row(*event, 0, values).unwrap();
    }
    let mut found = vec![0; metric.k()];
    for row in metric.observe(&batch).unwrap().chunks_exact(metric.k()) {
        found.iter_mut().zip(row).for_each(|(sum, more)| *sum += more);
    }
    assert_eq!(found, sums);
    assert_eq!(metric.value(&found).unwrap(), [value]);
}

#[track_caller]
fn check_fields(metric_id: &str, config_json: &str, expected: &serde_json::Value) {
    let registry = built::registry();
    let metric = metric(&registry, metric_id, config_json);
    let found: serde_json::Value = serde_json::from_str(metric.fields_json()).unwrap();
    assert_eq!(&found, expected, "{metric_id} {config_json}");
}

#[test]
fn the_plugin_introduces_its_metrics() {
    use Direction::{Decrease, Increase};
    use Posterior::{Beta, LognormalHurdle, Normal};
    let registry = built::registry();
    assert_eq!(registry.plugins()[0].id, "podium.commerce-metrics");
    let found: Vec<_> = registry
        .metrics()
        .iter()
        .map(|metric| {
            (metric.id.as_str(), metric.kind, metric.posterior, metric.direction, metric.unit, metric.k)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("conversion", MetricKind::Proportion, Beta, Increase, Unit::Proportion, 1),
            ("aov", MetricKind::Ratio, Normal, Increase, Unit::CurrencyMinor, 2),
            ("revenue_per_visitor", MetricKind::Mean, LognormalHurdle, Increase, Unit::CurrencyMinor, 1),
            ("net_revenue", MetricKind::Mean, LognormalHurdle, Increase, Unit::CurrencyMinor, 1),
            ("units_per_order", MetricKind::Ratio, Normal, Increase, Unit::Count, 2),
            ("click_through", MetricKind::Proportion, Beta, Increase, Unit::Proportion, 1),
            ("cart_abandonment", MetricKind::Ratio, Beta, Decrease, Unit::Proportion, 2),
            ("repeat_purchase", MetricKind::Proportion, Beta, Increase, Unit::Proportion, 1),
            ("bounce", MetricKind::Proportion, Beta, Decrease, Unit::Proportion, 1),
        ]
    );
}

#[test]
fn fields_say_what_is_read() {
    let orders = json!({"name": "Order Completed", "once_per": "order_id", "read": {}});
    let amount = json!([{"name": "amount", "type": "money"}]);
    let amounts = |property: &str| json!({"name": "Order Completed", "once_per": "order_id", "read": {"amount": property}});
    let refunds = json!({"name": "Order Refunded", "follows": {"event": "Order Completed", "by": "order_id"},
        "read": {"amount": {"share_of": "amount"}}});
    let plain = |name: &str| json!({"name": name, "read": {}});
    let net = json!({"columns": amount, "events": [amounts("revenue"), refunds]});
    check_fields("conversion", "{}", &json!({"columns": [], "events": [orders]}));
    check_fields("repeat_purchase", "{}", &json!({"columns": [], "events": [orders]}));
    check_fields("aov", "{}", &net);
    check_fields("net_revenue", "{}", &net);
    check_fields(
        "aov",
        r#"{"gross": true, "amount": "total"}"#,
        &json!({"columns": amount, "events": [amounts("total")]}),
    );
    check_fields("revenue_per_visitor", "{}", &json!({"columns": amount, "events": [amounts("revenue")]}));
    check_fields(
        "units_per_order",
        "{}",
        &json!({"columns": [{"name": "quantity", "type": "int"}], "events": [{"name": "Order Completed",
            "once_per": "order_id", "read": {"quantity": {"sum": "products[].quantity"}}}]}),
    );
    check_fields(
        "click_through",
        "{}",
        &json!({"columns": [], "events": [plain("Product Clicked"), plain("Promotion Clicked")]}),
    );
    check_fields(
        "click_through",
        r#"{"events": ["Banner Clicked"], "filter": {"property": "context.page.path", "any_of": ["/"]}}"#,
        &json!({"columns": [{"name": "filtered", "type": "text"}],
            "events": [{"name": "Banner Clicked", "read": {"filtered": "context.page.path"}}]}),
    );
    check_fields(
        "cart_abandonment",
        "{}",
        &json!({"columns": [], "events": [plain("Product Added"), orders]}),
    );
    check_fields(
        "bounce",
        "{}",
        &json!({"columns": [{"name": "url", "type": "text"}, {"name": "referrer", "type": "text"}],
            "events": [{"name": "page", "type": "page", "read": {"url": "url", "referrer": "referrer"}},
                plain("Product Clicked"), plain("Promotion Clicked"), plain("Product Added")]}),
    );
}

#[test]
fn conversion_is_one_order_or_more() {
    check(("conversion", "{}"), &[], &[0], (0.0, 1.0));
    check(("conversion", "{}"), &[(0, &[])], &[1], (1.0, 1.0));
    check(("conversion", "{}"), &[(0, &[]), (0, &[])], &[2], (1.0, 1.0));
}

#[test]
fn repeat_purchase_is_two_orders_or_more() {
    check(("repeat_purchase", "{}"), &[], &[0], (0.0, 1.0));
    check(("repeat_purchase", "{}"), &[(0, &[])], &[1], (0.0, 1.0));
    check(("repeat_purchase", "{}"), &[(0, &[]), (0, &[])], &[2], (1.0, 1.0));
}

#[test]
fn aov_is_money_per_order_less_refunds() {
    let visitor: [(u16, &[Value<'_>]); 3] = [(0, &[Money(8_990)]), (0, &[Money(1_010)]), (1, &[Money(500)])];
    check(("aov", "{}"), &visitor, &[9_500, 2], (9_500.0, 2.0));
    check(("aov", "{}"), &[], &[0, 0], (0.0, 0.0));
    // A free order is an order; one whose amount is unknown is not; nor is its refund.
    check(("aov", "{}"), &[(0, &[Money(0)]), (0, &[Null]), (1, &[Null])], &[0, 1], (0.0, 1.0));
    check(("aov", r#"{"gross": true}"#), &visitor[..2], &[10_000, 2], (10_000.0, 2.0));
}

#[test]
fn revenue_is_money_over_everyone() {
    let visitor: [(u16, &[Value<'_>]); 3] = [(0, &[Money(8_990)]), (0, &[Money(1_010)]), (0, &[Null])];
    check(("revenue_per_visitor", "{}"), &visitor, &[10_000], (10_000.0, 1.0));
    check(("revenue_per_visitor", "{}"), &[], &[0], (0.0, 1.0));
    check(("net_revenue", "{}"), &visitor, &[10_000], (10_000.0, 1.0));
    check(("net_revenue", "{}"), &[(0, &[Money(8_990)]), (1, &[Money(8_990)])], &[0], (0.0, 1.0));
    check(("net_revenue", "{}"), &[(1, &[Money(8_990)]), (0, &[Money(8_990)])], &[0], (0.0, 1.0));
}

#[test]
fn units_per_order_adds_quantities() {
    check(("units_per_order", "{}"), &[(0, &[Int(3)]), (0, &[Int(1)]), (0, &[Null])], &[4, 2], (4.0, 2.0));
    check(("units_per_order", "{}"), &[], &[0, 0], (0.0, 0.0));
}

#[test]
fn click_through_is_one_click_that_fits() {
    check(("click_through", "{}"), &[], &[0], (0.0, 1.0));
    check(("click_through", "{}"), &[(0, &[]), (1, &[])], &[2], (1.0, 1.0));
    let clicks: [(u16, &[Value<'_>]); 4] =
        [(0, &[Text("summer")]), (1, &[Text("summer-sale")]), (0, &[Text("midsummer")]), (1, &[Null])];
    for (compare, n_fitting) in [("equals", 1), ("starts_with", 2), ("contains", 3)] {
        let config = json!({"filter": {"property": "p", "compare": compare, "any_of": ["summer", "other"]}});
        check(("click_through", &config.to_string()), &clicks, &[n_fitting], (1.0, 1.0));
    }
    let winter = r#"{"filter": {"property": "p", "any_of": ["winter"]}}"#;
    check(("click_through", winter), &clicks, &[0], (0.0, 1.0));
}

#[test]
fn cart_abandonment_is_about_those_who_added() {
    check(("cart_abandonment", "{}"), &[], &[0, 0], (0.0, 0.0));
    check(("cart_abandonment", "{}"), &[(1, &[])], &[0, 1], (0.0, 0.0));
    check(("cart_abandonment", "{}"), &[(0, &[]), (0, &[])], &[2, 0], (1.0, 1.0));
    check(("cart_abandonment", "{}"), &[(0, &[]), (1, &[])], &[1, 1], (0.0, 1.0));
}

#[test]
fn bounce_is_one_page_and_nothing_else() {
    let page = |referrer| [Text("https://shop.example/"), referrer];
    let (from_search, from_nowhere) = (page(Text("https://search.example/")), page(Null));
    let from_within = page(Text("https://www.shop.example/about"));
    let none = [Null, Null];
    check(("bounce", "{}"), &[(0, &from_search)], &[0], (1.0, 1.0));
    check(("bounce", "{}"), &[(0, &from_nowhere)], &[0], (1.0, 1.0));
    check(("bounce", "{}"), &[(0, &from_search), (0, &from_within)], &[1], (0.0, 1.0));
    for event in 1..=3 {
        check(("bounce", "{}"), &[(0, &from_search), (event, &none)], &[1], (0.0, 1.0));
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_with_a_text() {
    let registry = built::registry();
    for (metric_id, config_json, expected) in [
        (
            "aov",
            r#"{"amount": " "}"#,
            "`amount` is empty; name a property of `Order Completed`, such as `revenue`",
        ),
        ("aov", r#"{"net": true}"#, "unknown field `net`, expected `amount` or `gross` at line 1 column 6"),
        (
            "conversion",
            r#"{"amount": "total"}"#,
            "unknown field `amount`, there are no fields at line 1 column 9",
        ),
        (
            "click_through",
            r#"{"events": []}"#,
            "`events` needs 1 to 16 event names, such as `Product Clicked`",
        ),
        ("click_through", r#"{"events": ["A", "B", "A"]}"#, "`events` has \"A\" twice"),
        (
            "click_through",
            r#"{"filter": {"property": "p", "any_of": []}}"#,
            "`filter.any_of` needs at least one text, and none may be empty",
        ),
        (
            "click_through",
            r#"{"filter": {"property": "", "any_of": ["a"]}}"#,
            "`filter.property` is empty; name a property, such as `promotion_id`",
        ),
    ] {
        let error = registry.create(metric_id, config_json).map(|_| "an instance").unwrap_err();
        assert_eq!(error, CreateError::Config { text: expected.into() });
    }
}
