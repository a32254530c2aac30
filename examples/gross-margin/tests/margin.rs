//! What the metric as it was built makes of orders and refunds.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

use podium_plugin_host::Value::{Json, Money, Null};
use podium_plugin_host::{Batch, ColumnType, HostLog, Registry, Value};
use serde_json::json;
use std::path::Path;
use std::sync::OnceLock;

const LISTED: &str = r#"{"costs": {"11": 400, "MUG-L": 250}, "otherwise": 100}"#;
const TOLD: &str = r#"{"line_cost": "cost"}"#;

/// Loads the built library from a folder that has nothing else, once.
fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("margin-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let built = std::env::current_exe().unwrap().parent().unwrap().join("libgross_margin.so");
        std::fs::copy(built, folder.join("gross_margin.so")).unwrap();
        let registry = Registry::load(std::slice::from_ref(&folder), &HostLog::discard());
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(registry.refusals(), []);
        registry
    })
}

/// One event by the index of its read, its money, and its products or what they cost: what it adds.
#[track_caller]
fn check(config_json: &str, event: u16, values: [Value<'_>; 2], expected: i64) {
    let metric = registry().create("gross_margin", config_json).unwrap();
    let goods = if config_json == TOLD { ColumnType::Money } else { ColumnType::Json };
    let mut batch = Batch::new(&[ColumnType::Money, goods]);
    batch.push_row(event, 0, &values).unwrap();
    assert_eq!(metric.observe(&batch).unwrap(), [expected]);
}

#[test]
fn an_order_adds_what_it_earns() {
    let products = r#"[{"product_id": 11, "quantity": 2}, {"sku": "MUG-L", "quantity": "3"}, {"sku": "?"}]"#;
    check(LISTED, 0, [Money(8_990), Json(products)], 8_990 - 2 * 400 - 3 * 250 - 100);
    check(LISTED, 0, [Money(500), Json(r#"[{"product_id": "11", "quantity": 2}]"#)], -300);
    check(TOLD, 0, [Money(8_990), Money(1_650)], 7_340);
    // An order in another currency has no amount here, and no cost either.
    check(LISTED, 0, [Null, Json(products)], 0);
}

#[test]
fn a_refund_takes_back_the_money_and_gives_back_the_goods() {
    let products = r#"[{"product_id": "11", "quantity": 1}]"#;
    check(LISTED, 1, [Money(4_000), Json(products)], 400 - 4_000);
    check(LISTED, 1, [Money(4_000), Null], -4_000);
    check(TOLD, 1, [Money(4_000), Money(400)], -3_600);
    let waste = r#"{"otherwise": 400, "resells": false}"#;
    check(waste, 1, [Money(4_000), Json(products)], -4_000);
}

#[test]
fn odd_products_cost_what_can_be_known() {
    for (products, cost) in [
        ("{}", 0),
        ("[]", 0),
        ("[7]", 0),
        (r#"[{"product_id": null, "sku": {}, "quantity": -2}]"#, 100),
        (r#"[{"product_id": "11", "quantity": 2.5}]"#, 400),
        (r#"[{"product_id": "12", "sku": "MUG-L", "quantity": 0}]"#, 0),
        (r#"[{"product_id": "12", "sku": "MUG-L"}]"#, 250),
    ] {
        check(LISTED, 0, [Money(1_000), Json(products)], 1_000 - cost);
    }
}

#[test]
fn only_what_is_needed_is_read() {
    let fields = |config_json: &str| {
        let metric = registry().create("gross_margin", config_json).unwrap();
        serde_json::from_str::<serde_json::Value>(metric.fields_json()).unwrap()
    };
    let events = |goods: &str, source: serde_json::Value| {
        json!([
            {"name": "Order Completed", "once_per": "order_id", "read": {"amount": "revenue", goods: source}},
            {"name": "Order Refunded", "follows": {"event": "Order Completed", "by": "order_id"},
             "read": {"amount": {"share_of": "amount"}, goods: source}},
        ])
    };
    let listed = fields(LISTED);
    assert_eq!(listed["columns"][1], json!({"name": "products", "type": "json"}));
    assert_eq!(listed["events"], events("products", json!("products")));
    let told = fields(TOLD);
    assert_eq!(told["columns"][1], json!({"name": "cost", "type": "money"}));
    assert_eq!(told["events"], events("cost", json!({"sum": "products[].cost"})));
}

#[test]
fn settings_that_leave_a_cost_unknown_are_refused() {
    let refused = |config_json: &str| {
        registry().create("gross_margin", config_json).map(|_| "an instance").unwrap_err().to_string()
    };
    assert!(refused("{}").starts_with("say what goods cost"));
    assert!(refused(r#"{"costs": {"11": 400}}"#).starts_with("say what goods cost"));
    assert!(refused(r#"{"line_cost": "cost", "otherwise": 1}"#).contains("takes the place"));
    assert!(refused(r#"{"line_cost": "a[].b"}"#).contains("name of a property"));
    assert!(refused(r#"{"otherwise": 1, "amount": " "}"#).contains("`amount` is empty"));
}
