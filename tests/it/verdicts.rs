//! What a report decides, from events to the sentence, and what it refuses to decide.

use crate::harness::events::{Minor, history, order, refund, viewed};
use crate::harness::{Book, Engine, Random, Shop, named};
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;
const N_DAYS: i64 = 14;
/// Units of each variant a day.
const A_DAY: i64 = 150;
const VARIANTS: [&str; 2] = ["plain", "bold"];

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(a_better_variant_wins_in_every_form_of_the_report));
    book.both(named!(equal_variants_have_no_winner));
    book.both(named!(one_huge_order_decides_nothing_and_a_refund_takes_it_back));
    book.both(named!(cents_and_yen_give_the_same_words));
    book.both(named!(lost_traffic_is_noticed_and_withholds_the_verdict));
    book.both(named!(what_was_done_before_takes_noise_off));
    book.both(named!(money_is_shown_from_all_three_sides));
    book.both(named!(factors_show_what_each_level_does));
}

/// An experiment that is assigned elsewhere.
pub(crate) fn elsewhere(key: &str, metric: &str) -> Value {
    json!({
        "key": key,
        "variants": [{"key": "plain", "name": "Plain"}, {"key": "bold", "name": "Bold"}],
        "primary_metric": {"metric": metric, "window_s": 86_400},
        "exposure": "event",
    })
}

/// Shoppers of two weeks: who saw what, and who bought for how much.
pub(crate) struct Shoppers {
    pub(crate) events: Vec<Value>,
    random: Random,
    key: &'static str,
}

impl Shoppers {
    pub(crate) fn new(key: &'static str, seed: u64) -> Self {
        Self { events: Vec::new(), random: Random::new(seed), key }
    }

    /// Lets equally many shoppers see each variant every day.
    ///
    /// - `rates`: the share of each variant's that buy; `amount`: for how much.
    pub(crate) fn come(mut self, rates: [f64; 2], amount: impl Fn(&mut Random) -> Minor) -> Self {
        for day in 0..N_DAYS {
            for (variant, rate) in VARIANTS.into_iter().zip(rates) {
                for number in 0..A_DAY {
                    let unit = format!("{}-{variant}-{day}-{number}", self.key);
                    let at = history() + day * DAY_MS + 60_000 * number;
                    self.events.push(viewed(&unit, self.key, variant, at));
                    if self.random.chance(rate) {
                        let cents = amount(&mut self.random);
                        self.events.push(order(&unit, &format!("order-{unit}"), cents, at + 1_000));
                    }
                }
            }
        }
        self
    }
}

pub(crate) fn even(_: &mut Random) -> Minor {
    5_000
}

#[track_caller]
fn variant<'a>(report: &'a Value, metric: &str, key: &str) -> &'a Value {
    let metrics = report["metrics"].as_array().unwrap();
    let metric = metrics.iter().find(|each| each["metric"] == metric).unwrap();
    metric["variants"].as_array().unwrap().iter().find(|each| each["key"] == key).unwrap()
}

fn a_better_variant_wins_in_every_form_of_the_report(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&elsewhere("banner", "conversion"));
    shop.log(&Shoppers::new("banner", 3).come([0.10, 0.20], even).events);
    let report = shop.report("banner").0;
    assert_eq!((&report["state"], &report["verdict"]["winner"]), (&json!("winner"), &json!("bold")));
    assert_eq!(report["verdict"]["better"], json!(["bold"]));
    assert_eq!(report["verdict"]["withheld"], json!([]));
    let sequence = &variant(&report, "conversion", "bold")["sequence"];
    let [low, value, high] = ["low", "relative", "high"].map(|name| sequence[name].as_f64().unwrap());
    assert!(0.0 < low && low < value && value < high, "{sequence}");
    let sentence = report["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("“Bold” has a "), "{sentence}");
    assert!(sentence.contains("higher conversion than “Plain” (between "), "{sentence}");
    let csv = shop.admin.get("/api/v1/experiments/banner/report.csv").text();
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let headers = rows.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let [verdict, low_column, key] = ["verdict", "sequence_low", "variant"].map(column);
    let bold: Vec<_> = rows.records().map(Result::unwrap).filter(|row| &row[key] == "bold").collect();
    assert_eq!(&bold[0][verdict], "winner");
    assert_eq!(bold[0][low_column].parse::<f64>().unwrap().to_bits(), low.to_bits(), "to the last digit");
    let page = shop.admin.get("/api/v1/experiments/banner/report.html").text();
    assert!(page.contains("winner") && page.contains("at any look"));
    assert!(page.contains(&format!("{low}")), "the exact digits are on the page");
}

fn equal_variants_have_no_winner(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&elsewhere("banner", "conversion"));
    shop.log(&Shoppers::new("banner", 5).come([0.10, 0.10], even).events);
    let report = shop.report("banner").0;
    assert_ne!(report["state"], "winner");
    assert_eq!(report["verdict"]["winner"], Value::Null);
    assert_eq!((&report["verdict"]["better"], &report["verdict"]["harmful"]), (&json!([]), &json!([])));
    let units = report["outlook"]["units_per_day"].as_f64().unwrap();
    assert!((units - 300.0).abs() < 1e-9, "{units}");
}

fn one_huge_order_decides_nothing_and_a_refund_takes_it_back(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&elsewhere("banner", "net_revenue"));
    let mut shoppers = Shoppers::new("banner", 7);
    shoppers = shoppers.come([0.2, 0.2], |random| random.between(2_000, 8_000) as Minor);
    shop.log(&shoppers.events);
    let before = shop.report("banner").0;
    // A hundred times the usual, by one who saw the plain one.
    let (unit, at) = ("banner-whale", history() + 2 * DAY_MS);
    shop.log(&[viewed(unit, "banner", "plain", at), order(unit, "whale", 500_000, at + 1_000)]);
    let during = shop.report("banner").0;
    for name in ["state", "verdict"] {
        assert_eq!(during[name], before[name], "{name}");
    }
    let plain = |report: &Value, name: &str| {
        variant(report, "net_revenue", "plain")[name].as_f64().unwrap_or_else(|| panic!("{name}: {report}"))
    };
    let raw = plain(&during, "matured_value") - plain(&before, "matured_value");
    let capped = plain(&during, "capped_value") - plain(&before, "capped_value");
    assert!(200.0 < raw, "the plain figure has it all: {raw}");
    assert!(capped.abs() < 15.0, "what decides has not: {capped}");
    let cap = &during["metrics"][0]["cap"];
    assert!(1 <= cap["units"].as_i64().unwrap() && cap["value"].as_i64().unwrap() <= 8_000, "{cap}");
    // Long after the window.
    shop.log(&[refund(unit, "whale", None, history() + 50 * DAY_MS)]);
    let after = shop.report("banner").0;
    let left = plain(&after, "numerator") - plain(&before, "numerator");
    assert!(left.abs() < 1e-9, "all of it was taken back: {left}");
}

fn cents_and_yen_give_the_same_words(engine: Engine) {
    let shop = Shop::open(engine);
    let told = |key: &'static str, currency: &str, yen: bool| {
        let mut experiment = elsewhere(key, "revenue_per_visitor");
        experiment["currency"] = json!(currency);
        shop.run(&experiment);
        let mut events = Shoppers::new(key, 11).come([0.2, 0.3], even).events;
        for event in events.iter_mut().filter(|event| event["event"] == "Order Completed") {
            event["properties"]["currency"] = json!(currency);
            if yen {
                // 50 dollars are 7,500 yen.
                event["properties"]["revenue"] = json!("7500");
            }
        }
        shop.log(&events);
        let report = shop.report(key).0;
        let sentence = report["sentence"].as_str().unwrap().split(';').next().unwrap().to_owned();
        (report["state"].clone(), report["verdict"].clone(), sentence)
    };
    let dollars = told("dollars", "USD", false);
    assert_eq!(dollars.0, "winner");
    assert_eq!(told("yens", "JPY", true), dollars);
}

fn lost_traffic_is_noticed_and_withholds_the_verdict(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&elsewhere("banner", "conversion"));
    let mut events = Vec::new();
    for number in 0..1_000_i64 {
        let variant = if number % 5 < 3 { "plain" } else { "bold" };
        let unit = format!("visitor-{number}");
        let at = history() + (number % 10) * DAY_MS + number;
        events.push(viewed(&unit, "banner", variant, at));
        if variant == "bold" || number % 10 < 2 {
            events.push(order(&unit, &format!("order-{number}"), 5_000, at + 1_000));
        }
    }
    shop.log(&events);
    let report = shop.report("banner").0;
    assert_eq!(report["health"]["sample_ratio"]["flagged"], true, "{}", report["health"]);
    assert_eq!(report["verdict"]["withheld"], json!(["sample_ratio"]));
    assert_eq!(report["verdict"]["winner"], Value::Null);
    let codes =
        report["health"]["warnings"].as_array().unwrap().iter().map(|warning| warning["code"].clone());
    assert!(codes.collect::<Vec<_>>().contains(&json!("sample_ratio")));
}

fn what_was_done_before_takes_noise_off(engine: Engine) {
    let shop = Shop::open(engine);
    let noisy = json!({"metric": "revenue_per_visitor", "window_s": 86_400, "history_s": 0, "cap": 1});
    let mut without = elsewhere("without", "revenue_per_visitor");
    without["primary_metric"] = noisy.clone();
    let mut with = elsewhere("with", "revenue_per_visitor");
    with["primary_metric"] = noisy;
    with["primary_metric"]["history_s"] = json!(14 * 86_400);
    shop.run(&without);
    shop.run(&with);
    let mut random = Random::new(13);
    let mut events = Vec::new();
    for day in 0..N_DAYS {
        for (variant, number) in VARIANTS.into_iter().flat_map(|variant| (0..40).map(move |n| (variant, n))) {
            let unit = format!("{variant}-{day}-{number}");
            let at = history() + day * DAY_MS + 60_000 * number;
            // Who spends much does so again.
            let usual = random.between(1_000, 20_000) as Minor;
            events.push(order(&unit, &format!("before-{unit}"), usual, at - 3 * DAY_MS));
            events.push(viewed(&unit, "without", variant, at));
            events.push(viewed(&unit, "with", variant, at));
            events.push(order(
                &unit,
                &format!("after-{unit}"),
                usual + random.between(0, 500) as Minor,
                at + 1_000,
            ));
        }
    }
    random.shuffle(&mut events);
    shop.log(&events);
    let [without, with] = ["without", "with"].map(|key| shop.report(key).0);
    assert_eq!(without["metrics"][0]["history"], Value::Null);
    let history = &with["metrics"][0]["history"];
    assert!(0.99 < history["variance_removed"].as_f64().unwrap(), "{history}");
    let width = |report: &Value| {
        let sequence = &variant(report, "revenue_per_visitor", "bold")["sequence"];
        sequence["absolute_high"].as_f64().unwrap() - sequence["absolute_low"].as_f64().unwrap()
    };
    assert!(10.0 * width(&with) < width(&without), "{} and {}", width(&with), width(&without));
}

fn money_is_shown_from_all_three_sides(engine: Engine) {
    let shop = Shop::open(engine);
    for metric in ["aov", "revenue_per_visitor"] {
        let key = metric.replace('_', "-");
        let mut experiment = elsewhere(&key, metric);
        experiment["primary_metric"]["config"] = json!({"amount": "total"});
        let registered = shop.register(&experiment);
        let secondary = registered["secondary_metrics"].as_array().unwrap();
        let mut shown: Vec<&str> = secondary.iter().map(|each| each["metric"].as_str().unwrap()).collect();
        shown.push(metric);
        shown.sort_unstable();
        assert_eq!(shown, ["aov", "conversion", "revenue_per_visitor"]);
        let same_amount = secondary.iter().filter(|each| each["config"]["amount"] == "total").count();
        assert_eq!(same_amount, 1, "of the same amount: {secondary:?}");
    }
    let registered = shop.register(&elsewhere("clicks", "click_through"));
    assert_eq!(registered["secondary_metrics"], json!([]), "others stand alone");
}

fn factors_show_what_each_level_does(engine: Engine) {
    let shop = Shop::open(engine);
    let mut experiment = elsewhere("page", "conversion");
    let cells = [("a", "short", "red"), ("b", "short", "blue"), ("c", "long", "red"), ("d", "long", "blue")];
    let variants: Vec<Value> = cells
        .iter()
        .map(|(key, title, color)| json!({"key": key, "levels": {"title": title, "color": color}}))
        .collect();
    experiment["variants"] = json!(variants);
    shop.run(&experiment);
    let mut events = Vec::new();
    for (key, title, color) in cells {
        // 10 % convert, 4 % more with the long title, 2 % more in blue.
        let buyers = 100 + if title == "long" { 40 } else { 0 } + if color == "blue" { 20 } else { 0 };
        for number in 0..1_000 {
            let unit = format!("{key}-{number}");
            let at = history() + DAY_MS + number;
            events.push(viewed(&unit, "page", key, at));
            if number < buyers {
                events.push(order(&unit, &format!("order-{unit}"), 5_000, at + 1_000));
            }
        }
    }
    shop.log(&events);
    let report = shop.report("page").0;
    let effects = report["metrics"][0]["factors"]["effects"].as_array().unwrap();
    let effect = |levels: &[&str]| {
        let found = effects.iter().find(|effect| effect["levels"] == json!(levels)).unwrap();
        found["value"].as_f64().unwrap()
    };
    for (levels, expected) in [
        (&["title=long"][..], 0.02),
        (&["title=short"], -0.02),
        (&["color=blue"], 0.01),
        (&["color=blue", "title=long"], 0.0),
    ] {
        assert!((effect(levels) - expected).abs() < 1e-12, "{levels:?}: {}", effect(levels));
    }
    experiment["key"] = json!("uneven");
    experiment["variants"][3]["levels"] = json!({"title": "long"});
    let problem = shop.admin.post("/api/v1/experiments", &experiment).problem(400);
    assert!(format!("{problem:?}").contains("/variants/3/levels"), "{problem:?}");
}
