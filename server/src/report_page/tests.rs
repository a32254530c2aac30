//! The surfaces agree, nothing a shopper or a marketer typed becomes markup, and nothing comes from elsewhere.

use super::*;
use podium_core::experiment::{Definition, Experiment, MetricChoice, Status};
use podium_core::id::{ExperimentId, ExperimentKey};
use podium_core::inference::strata::MetricStratum;
use podium_core::metric::{Direction, MetricKind, UnitValue, ValueUnit};
use podium_core::report::{
    CurrentWeights, Effect, Exposures, Factors, MetricFigures, Report, ReportInput, Role, Rules, State,
    VariantFigures, Watermark,
};
use podium_core::time::Timestamp;
use serde_json::{Value, json};
use std::collections::HashSet;

const DAY_US: i64 = 86_400_000_000;
const HOSTILE: &str = "=<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";

/// A report of `n_variants`, everything named `name`, whose last tenth of visitors has not matured.
fn report(n_variants: usize, name: &str) -> Report {
    let variant = |idx: usize| json!({ "key": format!("v{idx}"), "name": name });
    let definition: Definition = serde_json::from_value(json!({
        "name": name,
        "description": name,
        "variants": (0..n_variants).map(variant).collect::<Vec<_>>(),
        "primary_metric": "aov",
        "allocator": {"type": "thompson"},
        "secondary_metrics": ["revenue_per_visitor", "conversion"],
    }))
    .unwrap();
    let start = Timestamp::from_micros(20_000 * DAY_US);
    let experiment = Experiment {
        id: ExperimentId(1),
        key: ExperimentKey::new("banner").unwrap(),
        version: 1,
        definition: definition.checked().unwrap(),
        status: Status::Running,
        served: None,
        revision: 1,
        created_at: start,
        updated_at: start,
        started_at: Some(start),
        concluded_at: None,
    };
    let kinds = [
        ("aov", MetricKind::Ratio, ValueUnit::CurrencyMinor),
        ("revenue_per_visitor", MetricKind::Mean, ValueUnit::CurrencyMinor),
        ("conversion", MetricKind::Proportion, ValueUnit::Proportion),
    ];
    let metrics = kinds.map(|(id, kind, unit)| MetricFigures {
        choice: serde_json::from_value::<MetricChoice>(json!(id)).unwrap(),
        role: if id == "aov" { Role::Primary } else { Role::Secondary },
        title: name.to_owned(),
        kind,
        unit,
        direction: Direction::Increase,
        window_s: 86_400,
        available: true,
        unreadable_units: 2,
        variants: (0..n_variants).map(|idx| two_days(shop(idx, kind))).collect(),
        strata: vec![day(kind, n_variants); 2],
        tail: Vec::new(),
        cap_quantile: 1.0,
        n_nonzero: 0,
        last_event_at: None,
    });
    Report::of(&ReportInput {
        experiment: &experiment,
        now: start.plus_seconds(21 * 86_400),
        watermark: Watermark { position: 99, at: Some(start.plus_seconds(20 * 86_400)) },
        exposures: vec![Exposures { observed: 1_000, matured: 900 }; n_variants],
        exposure_strata: Vec::new(),
        daily_units: Vec::new(),
        equal_units: (0..n_variants).map(|idx| 800.0 + 200.0 * idx as f64).collect(),
        first_exposed_at: Some(start),
        last_exposed_at: Some(start.plus_seconds(19 * 86_400)),
        quarantined_units: 0,
        weights: Some(CurrentWeights { version: 7, shares: vec![1.0 / n_variants as f64; n_variants] }),
        metrics: metrics.into(),
        source_note: Some(name.to_owned()),
        rules: Rules::default(),
    })
}

/// A thousand visitors, some of whom buy for amounts that differ between variants.
/// A stratum of what matured in one day.
fn day(kind: MetricKind, n_variants: usize) -> MetricStratum {
    MetricStratum {
        shares: Some(vec![1.0 / n_variants as f64; n_variants]),
        sums: (0..n_variants).map(|idx| shop(idx, kind).matured).collect(),
        ..MetricStratum::default()
    }
}

/// Two days that were alike.
fn two_days(one: VariantFigures) -> VariantFigures {
    let mut both = one;
    both.observed.merge(&one.observed);
    both.matured.merge(&one.matured);
    both
}

fn shop(variant_idx: usize, kind: MetricKind) -> VariantFigures {
    let mut figures = VariantFigures::default();
    for visitor in 0..1_000_usize {
        let buys = (visitor * 7 + variant_idx).is_multiple_of(9 + variant_idx);
        let cents = if buys { 1_500 + 137 * ((visitor * 31) % 97) } else { 0 };
        let (numerator, denominator) = match kind {
            MetricKind::Ratio => (cents, usize::from(buys)),
            MetricKind::Mean => (cents, 1),
            _ => (usize::from(buys), 1),
        };
        let value = UnitValue::from_f64(numerator as f64, denominator as f64).unwrap();
        figures.observed.add(value);
        if visitor < 900 {
            figures.matured.add(value);
        }
    }
    figures
}

fn extras(n_steps: i64, n_variants: usize) -> Extras {
    let start = Timestamp::from_micros(20_000 * DAY_US);
    let step = |step_idx: i64| SharesAt {
        at: start.plus_seconds(step_idx * 3_600),
        shares: (0..n_variants)
            .map(|idx| 2.0 * (idx + 1) as f64 / (n_variants * (n_variants + 1)) as f64)
            .collect(),
    };
    let links = Links { index: "/".into(), json: "/r.json".into(), csv: "/r.csv".into() };
    Extras { links, shares_over_time: (0..n_steps).map(step).collect() }
}

fn pages() -> Vec<String> {
    let few = report(3, HOSTILE);
    let row = IndexRow {
        key: "banner".into(),
        name: HOSTILE.into(),
        status: Status::Running,
        state: State::Leading,
        sentence: few.sentence.clone(),
        source_note: Some(HOSTILE.into()),
        href: "/x".into(),
    };
    vec![
        html(&few, &extras(30, 3)).unwrap(),
        html(&report(46, HOSTILE), &extras(30, 46)).unwrap(),
        index(&[row]).unwrap(),
        index(&[]).unwrap(),
        error(404, HOSTILE, HOSTILE).unwrap(),
    ]
}

/// Every number of a JSON value with the path to it, as it is written.
fn numbers(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Number(number) => found.push((path.to_owned(), number.to_string())),
        Value::Array(items) => items.iter().for_each(|item| numbers(item, path, found)),
        Value::Object(fields) => {
            for (key, field) in fields {
                numbers(field, &format!("{path}/{key}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn json_csv_and_page_agree_to_the_last_digit() {
    let report = report(3, "Free shipping");
    // Read as text, so that nothing is rounded on the way.
    let json: Value = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    let table = csv(&report).unwrap();
    let mut reader = ::csv::Reader::from_reader(table.as_slice());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let page = html(&report, &Extras::default()).unwrap();
    assert_eq!(rows.len(), 9);
    let (mut n_compared, mut n_gains) = (0, 0);
    for (metric_idx, metric) in json["metrics"].as_array().unwrap().iter().enumerate() {
        let mut gain = Vec::new();
        numbers(&metric["gain"], "gain", &mut gain);
        for (path, digits) in gain {
            let column = path.replace('/', "_");
            let at = header.iter().position(|name| name == column).expect(&column);
            let same = rows[3 * metric_idx..3 * metric_idx + 3].iter().all(|row| row[at] == digits);
            assert!(same, "{column} is {digits} in every row of its metric");
            let cell = format!("<data value=\"{digits}\" title=\"{digits}\">");
            assert!(column == "gain_level" || page.contains(&cell), "the page lacks {column} = {digits}");
            n_gains += 1;
        }
        for (variant_idx, variant) in metric["variants"].as_array().unwrap().iter().enumerate() {
            let row = &rows[3 * metric_idx + variant_idx];
            let mut found = Vec::new();
            numbers(variant, "", &mut found);
            for (path, digits) in found {
                let column = path.trim_start_matches('/').replace('/', "_");
                let column = if column == "lift_level" { continue } else { column };
                let at = header.iter().position(|name| name == column).expect(&column);
                assert_eq!(&row[at], digits, "{column}");
                n_compared += 1;
                // The page leaves out what only programs want.
                let programs_only = [
                    "nonzero",
                    "level",
                    "matured_numerator",
                    "matured_denominator",
                    "lift_absolute",
                    "sequence_absolute",
                    "period_value",
                    "left_out",
                ];
                // One lift is enough for people: that which holds at all looks.
                let is_told_better = column.starts_with("lift_") && variant["sequence"].is_object();
                if !is_told_better && !programs_only.iter().any(|name| column.contains(name)) {
                    let cell = format!("<data value=\"{digits}\" title=\"{digits}\">");
                    assert!(page.contains(&cell), "the page lacks {column} = {digits}");
                }
            }
        }
    }
    assert!(n_compared > 150, "{n_compared}");
    // Of the two metrics that are no ratios: value, low, high and level.
    assert_eq!(n_gains, 8);
}

#[test]
fn a_csv_row_has_a_cell_for_every_column_and_no_formula() {
    let table = csv(&report(3, HOSTILE)).unwrap();
    let text = String::from_utf8(table.clone()).unwrap();
    assert!(text.ends_with("\r\n"));
    let mut reader = ::csv::Reader::from_reader(table.as_slice());
    for row in reader.records().map(Result::unwrap) {
        for cell in &row {
            let armed = cell.starts_with(['=', '+', '@', '\t', '\r']) || cell.starts_with('-');
            assert!(!armed || cell.parse::<f64>().is_ok(), "{cell}");
        }
    }
    assert!(text.contains("\"'=<script>"), "the hostile name stands there, disarmed");
}

#[test]
fn what_people_typed_never_becomes_markup() {
    for page in pages() {
        for forbidden in ["<script", "<img", "onerror=alert(2)>\""] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }
    assert!(pages()[0].contains("=&#60;script&#62;alert(1)"), "the name stands there, escaped");
}

#[test]
fn pages_need_nothing_that_the_policy_forbids() {
    for page in pages() {
        for forbidden in
            [" style=", "<style", "javascript:", "http://", "https://", "//cdn", "url(", "@import"]
        {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("<link rel=\"stylesheet\" href=\"/assets/podium.css\">"));
        assert!(page.starts_with("<!doctype html>"));
    }
    for forbidden in ["url(", "@import", "expression("] {
        assert!(!STYLESHEET.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn every_class_has_a_rule() {
    for page in pages() {
        for classes in page.split(" class=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            for class in classes.split_whitespace() {
                // The states without a color of their own look like any card.
                let plain =
                    ["collecting", "inconclusive", "metric", "shares", "intervals", "stacked", "bar", "name"];
                let named = STYLESHEET.contains(&format!(".{class}")) || plain.contains(&class);
                assert!(named, "{class}");
            }
        }
    }
}

#[test]
fn charts_have_names_and_ids_are_unique() {
    for page in &pages()[..2] {
        let ids: Vec<_> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let unique: HashSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{ids:?}");
        assert_eq!(page.matches("role=\"img\"").count(), 4);
        for names in page.split("by=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(names.split(' ').all(|name| unique.contains(&name)), "{names}");
        }
        for number in ["NaN", "inf%", ">inf"] {
            assert!(!page.contains(number), "{number}");
        }
    }
}

#[test]
fn many_variants_share_eight_colors() {
    let page = html(&report(46, "x"), &extras(30, 46)).unwrap();
    assert_eq!(page.matches("<path class=\"band c").count(), 8);
    assert!(page.contains("39 others"), "the smallest are one band");
    assert!(page.contains("class=\"chart intervals compact\""));
}

#[test]
fn weights_that_never_moved_are_not_drawn() {
    let report = report(2, "x");
    for n_steps in [0, 1] {
        assert!(!html(&report, &extras(n_steps, 2)).unwrap().contains("Traffic over time"));
    }
    assert!(html(&report, &extras(2, 2)).unwrap().contains("Traffic over time"));
    let long = html(&report, &extras(5_000, 2)).unwrap();
    assert!(long.len() < 120_000, "{} bytes for 5,000 sets of weights", long.len());
}

#[test]
fn who_leads_and_who_has_won_stand_out_in_the_chart_too() {
    let mut report = report(3, "x");
    let key = report.variants[1].key.clone();
    for winner in [None, Some(key.clone())] {
        report.leader = winner.is_none().then(|| key.clone());
        report.verdict.winner = winner;
        let page = html(&report, &extras(1, 3)).unwrap();
        assert_eq!(page.matches(r#"<g class="bar leads">"#).count(), 1);
    }
}

#[test]
fn effects_of_levels_say_what_they_may_be_instead() {
    let mut report = report(3, "x");
    let effect = Effect { levels: vec!["title=long".to_owned()], value: 0.02, low: -0.01, high: 0.05 };
    let aliased = vec!["title × color cannot be told from button".to_owned()];
    report.metrics[2].factors = Some(Factors { effects: vec![effect], aliased });
    let page = html(&report, &extras(1, 3)).unwrap();
    assert!(page.contains("<th scope=\"row\">title=long</th>") && page.contains(">+2.00 points</data>"));
    assert!(page.contains(">−1.00</data> to "), "the word stands once, behind both ends");
    assert!(page.contains("title × color cannot be told from button."));
}

#[test]
fn a_report_without_figures_is_still_a_page() {
    let mut empty = report(2, "x");
    for variant in empty.metrics.iter_mut().flat_map(|metric| &mut metric.variants) {
        (variant.value, variant.matured_value, variant.interval, variant.lift) = (None, None, None, None);
        (variant.chance_best, variant.chance_to_beat_control, variant.expected_loss) = (None, None, None);
    }
    (empty.as_of, empty.weights_version, empty.source_note) = (None, None, None);
    empty.health.matured_share = None;
    let page = html(&empty, &Extras::default()).unwrap();
    assert!(!page.contains("role=\"img\""), "there is nothing to draw");
    assert!(!page.contains("source-note"));
    empty.metrics.clear();
    assert!(html(&empty, &Extras::default()).is_ok());
    assert_eq!(String::from_utf8(csv(&empty).unwrap()).unwrap().lines().count(), 1);
}
