//! The report, whatever the figures, against its schema.

use super::check::faults;
use super::{document, schema};
use podium_core::experiment::{Experiment, MetricChoice};
use podium_core::inference::strata::MetricStratum;
use podium_core::metric::{Direction, MetricKind, UnitValue, ValueUnit, VariantSums};
use podium_core::report::{
    CurrentWeights, Exposures, MetricFigures, Report, ReportInput, Role, Rules, VariantFigures, Watermark,
};
use podium_core::time::Timestamp;
use serde_json::json;

#[test]
fn a_report_is_what_its_schema_says() {
    let document = document();
    let rate = |n: i64, y: i64| {
        let (yes, all) = (i128::from(y), i128::from(n));
        VariantSums { n, n_nonzero: y, y: yes, d: all, yy: yes, yd: yes, dd: all }
    };
    let ratio = |n: i64, each: f64| {
        let mut sums = VariantSums::default();
        for unit in 0..n {
            let numerator = each + (unit % 7) as f64;
            sums.add(UnitValue::from_f64(numerator, (1 + unit % 2) as f64).unwrap());
        }
        sums
    };
    let contradicting = VariantSums { n: 10, n_nonzero: 20, ..VariantSums::default() };
    let figures = [
        (MetricKind::Proportion, [rate(2_000, 200), rate(2_000, 260)]),
        (MetricKind::Proportion, [rate(0, 0), rate(1, 1)]),
        (MetricKind::Proportion, [rate(5, 5), rate(5, 0)]),
        (MetricKind::Mean, [ratio(500, 3.0), ratio(500, 4.0)]),
        (MetricKind::Mean, [ratio(1, 3.0), ratio(0, 4.0)]),
        (MetricKind::Mean, [ratio(2, 3.0), ratio(2, -3.0)]),
        (MetricKind::Ratio, [ratio(500, 3.0), ratio(500, 4.0)]),
        (MetricKind::Ratio, [ratio(1, 3.0), ratio(1, 4.0)]),
        (MetricKind::Ratio, [VariantSums::default(); 2]),
        (MetricKind::Mean, [contradicting; 2]),
    ];
    for (kind, sums) in figures {
        for available in [true, false] {
            let body = serde_json::to_value(report_of(kind, sums, available)).unwrap();
            let found = faults(&document, schema(&document, "Report"), &body);
            assert!(found.is_empty(), "{kind:?} {sums:?}: {found:#?}");
        }
    }
    let body = serde_json::to_value(report_of(MetricKind::Proportion, figures[0].1, true)).unwrap();
    assert_eq!(body["state"], "leading");
    assert!(body["metrics"][0]["variants"][1]["lift"]["low"].is_f64(), "{body}");
}

fn report_of(kind: MetricKind, sums: [VariantSums; 2], available: bool) -> Report {
    const DAY_US: i64 = 86_400_000_000;
    let experiment: Experiment = serde_json::from_value(json!({
        "id": 1, "key": "banner", "version": 1, "status": "running", "served": null, "revision": 1,
        "created_at": "1970-01-01T00:00:00Z", "updated_at": "1970-01-01T00:00:00Z",
        "started_at": "1970-01-01T00:00:00Z", "concluded_at": null,
        "definition": {"variants": [{"key": "a", "control": true}, {"key": "b"}], "primary_metric": "m"}
    }))
    .unwrap();
    let choice: MetricChoice = serde_json::from_value(json!("m")).unwrap();
    let metric = |role| MetricFigures {
        choice: choice.clone(),
        role,
        title: "A metric".to_owned(),
        kind,
        unit: ValueUnit::CurrencyMinor,
        direction: Direction::Decrease,
        window_s: 3_600,
        available,
        unreadable_units: 3,
        variants: sums.map(|sums| VariantFigures { observed: sums, matured: sums }).into(),
        strata: vec![MetricStratum { sums: sums.to_vec(), ..MetricStratum::default() }],
        tail: Vec::new(),
        cap_quantile: 1.0,
        n_nonzero: 0,
        last_event_at: None,
    };
    Report::of(&ReportInput {
        experiment: &experiment,
        now: Timestamp::from_micros(21 * DAY_US),
        watermark: Watermark { position: 9, at: Some(Timestamp::from_micros(20 * DAY_US)) },
        exposures: sums
            .map(|sums| Exposures { observed: sums.n.unsigned_abs(), matured: sums.n.unsigned_abs() })
            .into(),
        exposure_strata: Vec::new(),
        daily_units: Vec::new(),
        equal_units: Vec::new(),
        first_exposed_at: Some(Timestamp::from_micros(0)),
        last_exposed_at: None,
        quarantined_units: 50_000,
        weights: Some(CurrentWeights { version: 1, shares: vec![0.5, 0.5] }),
        metrics: [Role::Primary, Role::Secondary, Role::Guardrail].map(metric).into(),
        source_note: Some("simulated".to_owned()),
        rules: Rules::default(),
    })
}
