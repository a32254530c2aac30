//! The requests to copy, each sent as it is, and a simulated shop that shows what comes of it.

use crate::experiences::{act, example, publish};
use crate::harness::events::{history, now, order, rfc3339, track, viewed};
use crate::harness::{Book, Engine, Random, Shop, experiment, named, soon};
use crate::rule_figures::await_figures;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const DAY_MS: i64 = 86_400_000;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_banner_is_ranked_by_the_size_of_orders));
    book.both(named!(an_invitation_is_for_known_buyers_and_a_sign_up_counts_once));
    book.both(named!(a_block_comes_and_goes_at_its_times));
    book.both(named!(what_everyone_gets_is_the_baseline_of_the_next_experiment));
    book.both(named!(every_condition_has_the_hits_and_conversions_that_were_sent));
    book.both(named!(a_call_to_action_changes_with_the_call_after_the_behavior));
    book.both(named!(the_experiments_of_rules_live_and_end_with_their_experience));
    book.both(named!(each_context_finds_its_own_winner));
    book.both(named!(the_size_before_saving_is_the_size_after));
    book.both(named!(a_segment_is_entered_and_left_in_the_same_second));
}

fn units(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|nth| format!("{prefix}-{nth}")).collect()
}

/// Says that `unit` is a known user.
fn identify(unit: &str) -> Value {
    json!({"type": "identify", "userId": unit, "messageId": format!("{unit}/identify"), "timestamp": rfc3339(now())})
}

fn view(unit: &str, nth: usize, category: &str) -> Value {
    let properties = json!({"product_id": format!("p-{nth}"), "category": category});
    track(unit, "Product Viewed", &format!("{unit}/view-{category}-{nth}"), now(), &properties)
}

pub(crate) fn a_banner_is_ranked_by_the_size_of_orders(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&example("upsell-banner.json"));
    let mut random = Random::new(1);
    let (mut events, mut sums) = (Vec::new(), BTreeMap::new());
    for (variant, mean) in [("nothing", 5_000), ("bundle", 6_000), ("threshold", 8_000)] {
        for nth in 0..600 {
            let (unit, at) = (format!("{variant}-{nth}"), history() + nth * DAY_MS / 60);
            events.push(viewed(&unit, "upsell-banner", variant, at));
            if nth % 3 == 0 {
                let cents = mean - 1_000 + random.between(0, 2_000) as i64;
                events.push(order(&unit, &format!("of-{unit}"), cents, at + 60_000));
                *sums.entry(variant).or_insert(0) += cents;
            }
        }
    }
    shop.log(&events);
    let report = shop.report("upsell-banner");
    let variants = report.0["metrics"][0]["variants"].as_array().unwrap();
    assert_eq!(report.0["metrics"][0]["metric"], "aov");
    for variant in variants {
        let key = variant["key"].as_str().unwrap();
        let figure = report.figure("aov", key);
        assert_eq!((figure.units, figure.numerator, figure.denominator), (600, sums[key], 200), "{key}");
        let (low, high) = (&variant["interval"]["low"], &variant["interval"]["high"]);
        let value = figure.value.unwrap();
        assert!(low.as_f64().unwrap() < value && value < high.as_f64().unwrap(), "{variant}");
    }
    let mut ranked: Vec<&Value> = variants.iter().collect();
    ranked.sort_by(|one, other| other["value"].as_f64().unwrap().total_cmp(&one["value"].as_f64().unwrap()));
    let ranked: Vec<_> = ranked.iter().map(|variant| variant["key"].as_str().unwrap()).collect();
    assert_eq!(ranked, ["threshold", "bundle", "nothing"]);
    assert_eq!(report.0["state"], "winner", "{}", report.0["sentence"]);
    assert_eq!(report.0["verdict"]["winner"], "threshold", "{}", report.0["sentence"]);
}

pub(crate) fn an_invitation_is_for_known_buyers_and_a_sign_up_counts_once(engine: Engine) {
    let shop = Shop::open(engine);
    publish(&shop, &example("loyalty-cta.json"));
    let shown = |unit: &str| shop.decide(unit, "account.cta").variant.unwrap();
    let bought = |unit: &str, nth: u32| order(unit, &format!("{unit}/o-{nth}"), 1_000, now());
    let mut unknown = bought("ignored", 1);
    unknown["userId"] = Value::Null;
    unknown["anonymousId"] = json!("browser");
    shop.log(&[unknown, identify("known"), identify("buyer"), bought("buyer", 1)]);
    assert_eq!(
        (shown("nobody"), shown("browser"), shown("known")),
        ("nothing".into(), "nothing".into(), "nothing".into())
    );
    assert_eq!(shown("buyer"), "join");
    shop.log(&[bought("known", 1)]);
    assert_eq!(shown("known"), "join", "from the first order on");
    let signed_up = |unit: &str, nth: u32| {
        track(unit, "Loyalty Signed Up", &format!("{unit}/s-{nth}"), now(), &json!({}))
    };
    let seen = now();
    soon("they have seen it", || (seen < now()).then_some(()));
    shop.log(&[signed_up("buyer", 1), signed_up("buyer", 2), signed_up("buyer", 3)]);
    // `known` met the fallback before.
    await_figures(&shop, "loyalty-cta", &[(Some("customers"), 2, 1), (None, 3, 0)]);
}

pub(crate) fn a_block_comes_and_goes_at_its_times(engine: Engine) {
    let shop = Shop::open(engine);
    let mut block = example("homepage-block.json");
    let (start, end) = (now() + 1_500, now() + 3_500);
    (block["starts_at"], block["ends_at"]) = (json!(rfc3339(start)), json!(rfc3339(end)));
    publish(&shop, &block);
    let is = |variant: &'static str, reason: &'static str| {
        let shop = &shop;
        move || {
            let decision = shop.decide("ann", "home.block");
            (decision.variant.as_deref() == Some(variant) && decision.reason == reason).then(now)
        }
    };
    assert!(is("nothing", "DISABLED")().is_some_and(|at| at < start), "not before the launch");
    assert!(start <= soon("the launch", is("spring", "STATIC")));
    assert!(end <= soon("the end", is("nothing", "DISABLED")), "not before the end");
}

pub(crate) fn what_everyone_gets_is_the_baseline_of_the_next_experiment(engine: Engine) {
    let shop = Shop::open(engine);
    let baseline = example("static-cta.json");
    publish(&shop, &baseline);
    let all = units("u", 40);
    let decisions = shop.decide_all(&all, "checkout.cta");
    assert!(decisions.iter().all(|one| one.value["link"] == "/returns" && one.reason == "STATIC"));
    let at = now() + 1;
    soon("they have seen it", || (at < now()).then_some(()));
    let orders: Vec<_> =
        all.iter().take(10).map(|unit| order(unit, &format!("of-{unit}"), 500, now())).collect();
    shop.log(&orders);
    await_figures(&shop, "checkout-cta", &[(None, 40, 10)]);
    // What was measured is the control of what comes next.
    let mut next = experiment("better-cta", &["control", "b"]);
    next["flag_key"] = baseline["flag_key"].clone();
    next["variants"][0] = baseline["variants"][0].clone();
    next["primary_metric"] = baseline["goal"].clone();
    next["secondary_metrics"] = json!([]);
    shop.run(&next);
    let decisions = shop.decide_all(&units("v", 200), "checkout.cta");
    assert!(decisions.iter().all(|one| one.reason == "SPLIT"));
    let n_control = decisions.iter().filter(|one| one.split() == Some("free-returns")).count();
    assert!((60..=140).contains(&n_control), "{n_control} of 200");
}

pub(crate) fn every_condition_has_the_hits_and_conversions_that_were_sent(engine: Engine) {
    let shop = Shop::open(engine);
    publish(&shop, &example("conditional-ctas.json"));
    let (carts, customers, others) = (units("cart", 30), units("customer", 20), units("other", 50));
    let added = |unit: &String| {
        let properties = json!({"product_id": "p", "price": "60.00", "quantity": 2, "currency": "USD"});
        track(unit, "Product Added", &format!("{unit}/added"), now(), &properties)
    };
    let before = now() - DAY_MS;
    let mut past: Vec<_> = carts.iter().map(added).collect();
    past.extend(customers.iter().map(|unit| order(unit, &format!("{unit}/old"), 900, before)));
    // A customer with a large cart: the first rule that hits is the one.
    past.push(order(&carts[0], "old", 900, before));
    shop.log(&past);
    for (units, variant) in [(&carts, "free-shipping"), (&customers, "welcome-back"), (&others, "plain")] {
        for decision in shop.decide_all(units, "cart.cta") {
            assert_eq!(decision.variant.as_deref(), Some(variant), "{}", decision.unit);
        }
    }
    let seen = now();
    soon("they have seen it", || (seen < now()).then_some(()));
    let buyers = carts.iter().take(12).chain(customers.iter().take(5)).chain(others.iter().take(2));
    shop.log(&buyers.map(|unit| order(unit, &format!("{unit}/new"), 700, now())).collect::<Vec<_>>());
    let expected = [(Some("large-cart"), 30, 12), (Some("customers"), 20, 5), (None, 50, 2)];
    await_figures(&shop, "cart-ctas", &expected);
}

pub(crate) fn a_call_to_action_changes_with_the_call_after_the_behavior(engine: Engine) {
    let mut shop = Shop::open(engine);
    publish(&shop, &example("behavior-ctas.json"));
    let decide = |shop: &Shop| {
        let body = json!({"unit": "ann", "flags": ["product.cta"]});
        shop.admin.post("/api/v1/decide", &body).expect(200)["decisions"][0].take()
    };
    let by = |decision: &Value| (decision["experiment"].clone(), decision["rules"].clone());
    let first = decide(&shop);
    assert_eq!(by(&first), (json!("cta-rest"), json!(["rest"])), "{first}");
    shop.log(&[view("ann", 1, "hats")]);
    assert_eq!(by(&decide(&shop)), by(&first));
    shop.log(&[view("ann", 1, "sneakers")]);
    let next = decide(&shop);
    assert_eq!(by(&next), (json!("cta-sneakers"), json!(["sneakers"])), "{next}");
    assert_eq!((&next["experience"], &next["reason"]), (&json!("behavior-ctas"), &json!("SPLIT")));
    assert!((next["propensity"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-9, "{next}");
    // The log says which context it was, and that it was drawn rightly.
    let path = format!("/api/v1/decisions/{}/explain", next["decision_id"].as_str().unwrap());
    let why = shop.admin.get(&path).expect(200);
    assert_eq!((&why["experience"], &why["rules"]), (&json!("behavior-ctas"), &json!(["sneakers"])), "{why}");
    assert_eq!((&why["experiment"], &why["agrees"]), (&json!("cta-sneakers"), &json!(true)), "{why}");
    // By OpenFeature's protocol it is one flag, and the experiments are none of their own.
    let context = json!({"context": {"targetingKey": "ann"}});
    let all = shop.admin.post("/ofrep/v1/evaluate/flags", &context).expect(200);
    let keys: Vec<_> = all["flags"].as_array().unwrap().iter().map(|flag| flag["key"].clone()).collect();
    assert_eq!(keys, ["product.cta"]);
    assert_eq!(all["flags"][0]["variant"], next["variant"]);
    await_figures(&shop, "behavior-ctas", &[(Some("sneakers"), 1, 0), (Some("rest"), 1, 0), (None, 0, 0)]);
    let report = shop.admin.get("/api/v1/experiences/behavior-ctas/report").expect(200);
    assert_eq!(report["rules"][0]["report"], "/api/v1/experiments/cta-sneakers/report");
    assert_eq!(shop.report("cta-sneakers").0["health"]["units"], 1);
    shop.restart();
    assert_eq!(decide(&shop)["variant"], next["variant"], "it is kept over a restart");
    shop.check_rebuild();
}

pub(crate) fn the_experiments_of_rules_live_and_end_with_their_experience(engine: Engine) {
    let shop = Shop::open(engine);
    let experience = example("behavior-ctas.json");
    let status = |key: &str| shop.experiment(key)["status"].as_str().unwrap().to_owned();
    let both = || [status("cta-sneakers"), status("cta-rest")];
    let read = shop.admin.post("/api/v1/experiences", &experience).expect(201);
    assert_eq!(both(), ["draft", "draft"]);
    assert_eq!(read["rules"][0]["serve_experiment"], "cta-sneakers");
    act(&shop, "behavior-ctas", "publish").expect(200);
    assert_eq!(both(), ["running", "running"]);
    // What was read can be put back; another experiment comes in running.
    let mut changed = example("behavior-ctas.json");
    changed["rules"] = read["rules"].clone();
    let mut hats = experience["rules"][0].clone();
    hats["key"] = json!("hats");
    hats["when"]["event"]["where"][0]["value"] = json!("hats");
    hats["experiment"]["key"] = json!("cta-hats");
    let mut again = read["rules"][0].clone();
    again["key"] = json!("sneakers-again");
    changed["rules"].as_array_mut().unwrap().insert(0, hats);
    changed["rules"].as_array_mut().unwrap().push(again);
    shop.admin.edit("PUT", "/api/v1/experiences/behavior-ctas", "*", Some(&changed)).expect(200);
    assert_eq!(status("cta-hats"), "running");
    shop.log(&[view("ann", 1, "hats")]);
    let rules = |unit: &str| {
        let body = json!({"unit": unit, "flags": ["product.cta"]});
        shop.admin.post("/api/v1/decide", &body).expect(200)["decisions"][0]["rules"].take()
    };
    assert_eq!(rules("ann"), json!(["hats"]));
    // One that has ended serves what it found; one that is put away leaves the fallback.
    let body = json!({"serve": "size", "reason": "it is on every poster"});
    shop.admin.edit("POST", "/api/v1/experiments/cta-hats/conclude", "*", Some(&body)).expect(200);
    let decision = shop.decide("ann", "product.cta");
    assert_eq!((decision.variant.as_deref(), decision.reason.as_str()), (Some("size"), "STATIC"));
    shop.act("cta-hats", "archive").expect(200);
    let decision = shop.decide("ann", "product.cta");
    assert_eq!((decision.variant.as_deref(), decision.reason.as_str()), (Some("plain"), "DISABLED"));
    act(&shop, "behavior-ctas", "pause").expect(200);
    assert_eq!(shop.decide("bob", "product.cta").reason, "DISABLED");
    assert_eq!(both(), ["running", "running"], "they wait");
    act(&shop, "behavior-ctas", "archive").expect(200);
    assert_eq!(both(), ["archived", "archived"]);
}

/// What a shopper saw and did.
struct Seen {
    context: &'static str,
    is_best: bool,
    buys: bool,
    is_in_slice: bool,
}

/// How likely it is that a shopper buys who saw a variant.
fn p_order(context: &str, variant: &str) -> f64 {
    match (context, variant) {
        ("sneakers", "size") | ("rest", "returns") => 0.5,
        _ => 0.1,
    }
}

pub(crate) fn each_context_finds_its_own_winner(engine: Engine) {
    const PER_TICK: usize = 100;
    const TICK: Duration = Duration::from_millis(250);
    let shop = Shop::open(engine);
    // A window of a second in place of a day, as this shop has no days.
    let mut experience = example("behavior-ctas.json");
    for rule in experience["rules"].as_array_mut().unwrap() {
        rule["experiment"]["primary_metric"]["window_s"] = json!(1);
    }
    publish(&shop, &experience);
    let mut random = Random::new(7);
    let mut ticks: Vec<Vec<Seen>> = Vec::new();
    let best = |context: &str| if context == "sneakers" { "size" } else { "returns" };
    let version = |key: &str| shop.weights(key).last().unwrap()["version"].as_u64().unwrap();
    let deadline = Instant::now() + Duration::from_secs(90);
    let (mut begun, mut n_more) = (Instant::now(), 16);
    while n_more > 0 {
        // Until both have learned something, and some time longer.
        if 5 <= version("cta-sneakers") && 5 <= version("cta-rest") {
            n_more -= 1;
        }
        assert!(Instant::now() < deadline, "the weights do not move");
        // The pace is the load's, and no condition is waited for.
        std::thread::sleep((begun + TICK).saturating_duration_since(Instant::now()));
        begun = Instant::now();
        let nth = ticks.len();
        let (mut tick, mut orders) = (Vec::new(), Vec::new());
        for context in ["sneakers", "rest"] {
            let units = units(&format!("{context}-{nth}"), PER_TICK);
            if context == "sneakers" {
                shop.log(&units.iter().map(|unit| view(unit, 1, "sneakers")).collect::<Vec<_>>());
            }
            for decision in shop.decide_all(&units, "product.cta") {
                let variant = decision.split().unwrap().to_owned();
                let propensity = decision.propensity.unwrap();
                assert!(0.0 < propensity && propensity < 1.0, "{decision:?}");
                let buys = random.chance(p_order(context, &variant));
                if buys {
                    orders.push(order(&decision.unit, &format!("of-{}", decision.unit), 1_000, now() + 2));
                }
                let is_in_slice = (propensity - 1.0 / 3.0).abs() < 1e-9;
                tick.push(Seen { context, is_best: variant == best(context), buys, is_in_slice });
            }
        }
        shop.log(&orders);
        ticks.push(tick);
    }
    let last: Vec<_> = ticks.iter().skip(ticks.len() * 3 / 4).flatten().collect();
    let share = |of: &dyn Fn(&Seen) -> bool, is: &dyn Fn(&Seen) -> bool| {
        let all: Vec<_> = last.iter().filter(|seen| of(seen)).collect();
        all.iter().filter(|seen| is(seen)).count() as f64 / all.len() as f64
    };
    for context in ["sneakers", "rest"] {
        let best = share(&|seen| seen.context == context, &|seen| seen.is_best);
        assert!(0.8 <= best, "{context}: {best} of the last quarter");
        // What is split evenly for good shows what learning brings.
        let learned = share(&|seen| seen.context == context && !seen.is_in_slice, &|seen| seen.buys);
        let even = share(&|seen| seen.context == context && seen.is_in_slice, &|seen| seen.buys);
        assert!(even < learned, "{context}: {even} < {learned}");
    }
    // Whoever showed everyone the same would have half of all buy with 0.5, the others with 0.1.
    let n_bought = ticks.iter().flatten().filter(|seen| seen.buys).count();
    let n = ticks.iter().flatten().count();
    assert!(n as f64 * 0.3 < n_bought as f64, "{n_bought} of {n}");
    for (key, winner) in [("cta-sneakers", "size"), ("cta-rest", "returns")] {
        let report = shop.report(key).0;
        let variants = report["metrics"][0]["variants"].as_array().unwrap();
        let value = |variant: &&Value| variant["value"].as_f64().unwrap_or(0.0);
        let top = variants.iter().max_by(|one, other| value(one).total_cmp(&value(other))).unwrap();
        assert_eq!(top["key"], winner, "{report}");
        // What moving the traffic brought, against the split that a part of the units keeps.
        assert!(0.0 < report["metrics"][0]["gain"]["value"].as_f64().unwrap(), "{report}");
    }
}

pub(crate) fn the_size_before_saving_is_the_size_after(engine: Engine) {
    let shop = Shop::open(engine);
    let (now, mut events) = (now(), Vec::new());
    for nth in 0..30 {
        let unit = format!("u-{nth}");
        // A third paid enough; of these half bought lately.
        let cents = if nth % 3 == 0 { 25_000 } else { 5_000 };
        let at = if nth % 2 == 0 { now - 40 * DAY_MS } else { now - 5 * DAY_MS };
        events.push(order(&unit, &format!("of-{unit}"), cents, at));
    }
    shop.log(&events);
    let audience = example("audience-big-spenders.json");
    let body = json!({"condition": audience["condition"]});
    let preview = shop.admin.post("/api/v1/audiences/preview", &body).expect(200);
    assert_eq!((&preview["size"], &preview["of"]), (&json!(5), &json!(30)), "{preview}");
    shop.admin.get("/api/v1/audiences/big-spenders").expect(404);
    let saved = shop.admin.post("/api/v1/audiences", &audience).expect(201);
    assert_eq!(saved["size"], preview["size"]);
}

pub(crate) fn a_segment_is_entered_and_left_in_the_same_second(engine: Engine) {
    let mut shop = Shop::open(engine);
    shop.admin.post("/api/v1/audiences", &example("audience-shoe-lovers.json")).expect(201);
    let path = "/api/v1/audiences/shoe-lovers";
    let size = |shop: &Shop| shop.admin.get(path).expect(200)["size"].as_i64().unwrap();
    shop.log(&[view("ann", 1, "shoes"), view("ann", 2, "shoes"), view("bob", 1, "shoes")]);
    assert_eq!(size(&shop), 0);
    let third = now();
    shop.log(&[view("ann", 3, "shoes")]);
    assert_eq!(size(&shop), 1);
    let bought = now();
    shop.log(&[order("ann", "o-1", 100, bought)]);
    assert_eq!(size(&shop), 0);
    let moves = shop.admin.get(&format!("{path}/moves")).expect(200);
    let moves = moves["data"].as_array().unwrap();
    let kinds: Vec<_> = moves.iter().map(|one| (one["person"].clone(), one["move"].clone())).collect();
    assert_eq!(kinds, [(json!("ann"), json!("left")), (json!("ann"), json!("entered"))]);
    for (one, event) in moves.iter().zip([bought, third]) {
        let at: jiff::Timestamp = one["at"].as_str().unwrap().parse().unwrap();
        assert!((at.as_millisecond() - event).abs() < 1_000, "{one}");
    }
    shop.check_rebuild();
}
