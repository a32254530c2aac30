//! Thompson sampling over HTTP, while time passes.

use crate::harness::events::{now, order};
use crate::harness::{Book, Decision, Engine, Shop, experiment, named};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(100);
/// Assignments in a tick: 700 a second, so that some delay leaves 500.
const UNITS_PER_TICK: usize = 70;
const ASSIGNMENTS_PER_S: f64 = 500.0;
const MOVED_WITHIN: Duration = Duration::from_secs(2);
const EVEN: f64 = 1.0 / 3.0;

pub(crate) fn promises(book: &mut Book) {
    book.both_alone(named!(weights_move_within_two_seconds_of_the_rewards));
    book.both_alone(named!(floors_hold_in_every_weights_version));
    book.both_alone(named!(a_uniform_slice_stays_even_while_weights_move));
    book.both_alone(named!(an_added_variant_is_explored_and_a_removed_one_gets_nothing));
}

/// Shoppers who come at a steady pace, and what each got.
struct Stream<'a> {
    shop: &'a Shop,
    flag: &'a str,
    begun: Instant,
    n_ticks: u32,
    n_units: usize,
    recent: VecDeque<Vec<Decision>>,
}

impl<'a> Stream<'a> {
    fn new(shop: &'a Shop, flag: &'a str) -> Self {
        Self { shop, flag, begun: Instant::now(), n_ticks: 0, n_units: 0, recent: VecDeque::new() }
    }

    /// Waits for the next tick and lets its shoppers in.
    fn tick(&mut self) -> &[Decision] {
        // The pace is the load's, and no condition is waited for.
        std::thread::sleep((self.begun + TICK * self.n_ticks).saturating_duration_since(Instant::now()));
        self.n_ticks += 1;
        let units: Vec<String> = (self.n_units..self.n_units + UNITS_PER_TICK)
            .map(|unit| format!("{}-{unit}", self.flag))
            .collect();
        self.n_units += units.len();
        self.recent.push_back(self.shop.decide_all(&units, self.flag));
        if self.recent.len() > 5 {
            self.recent.pop_front();
        }
        self.recent.back().unwrap()
    }

    fn per_second(&self) -> f64 {
        self.n_units as f64 / self.begun.elapsed().as_secs_f64()
    }

    /// The newest weights version that somebody was assigned under.
    fn version(&self) -> u64 {
        let decisions = self.recent.iter().flatten();
        decisions.filter_map(|decision| decision.weights_version).max().unwrap_or(0)
    }

    fn until_version(&mut self, version: u64) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.version() < version {
            assert!(Instant::now() < deadline, "still at weights version {}", self.version());
            self.tick();
        }
    }
}

/// Three variants under Thompson sampling; a reward is an order within a second.
fn definition(key: &str) -> Value {
    let mut definition = experiment(key, &["control", "b", "c"]);
    definition["primary_metric"] = json!({"metric": "conversion", "window_s": 1});
    definition["secondary_metrics"] = json!([]);
    definition["allocator"] = json!({"type": "thompson"});
    definition["units_per_version"] = json!(500);
    definition
}

fn reward(decision: &Decision) -> Value {
    order(&decision.unit, &format!("order-of-{}", decision.unit), 1_000, now())
}

pub(crate) fn weights_move_within_two_seconds_of_the_rewards(engine: Engine) {
    let shop = Shop::open(engine);
    let mut took = Vec::new();
    for key in ["race-1", "race-2", "race-3"] {
        shop.run(&definition(key));
        let mut stream = Stream::new(&shop, key);
        stream.until_version(4);
        let is_even = |decision: &Decision| decision.propensity.is_some_and(|p| (p - EVEN).abs() < 1e-9);
        assert!(stream.tick().iter().all(is_even), "nothing was learned yet");
        // Every shopper of the last half second who saw b buys, and ten who saw each of the others.
        let mut rewards = Vec::new();
        for (variant, n_max) in [("control", 10), ("b", usize::MAX), ("c", 10)] {
            let shoppers =
                stream.recent.iter().flatten().filter(|decision| decision.split() == Some(variant));
            rewards.extend(shoppers.take(n_max).map(reward));
        }
        shop.log(&rewards);
        let committed = Instant::now();
        let limit = Duration::from_secs(30);
        let moved = |decisions: &[Decision]| {
            let of_b = decisions.iter().filter(|decision| decision.split() == Some("b"));
            of_b.filter_map(|decision| decision.propensity).any(|propensity| propensity > 0.5)
        };
        while !moved(stream.tick()) {
            assert!(committed.elapsed() < limit, "{key}: the weights do not move");
        }
        took.push(committed.elapsed());
        assert!(stream.per_second() >= ASSIGNMENTS_PER_S, "only {:.0} assignments/s", stream.per_second());
        shop.act(key, "pause").expect(200);
    }
    println!("weights moved {took:?} after the rewards were committed ({})", engine.name());
    assert!(took.iter().all(|took| *took <= MOVED_WITHIN), "{took:?}");
}

fn weights_of(version: &Value) -> BTreeMap<String, f64> {
    let weights = version["weights"].as_object().unwrap_or_else(|| panic!("no weights in {version}"));
    weights.iter().map(|(variant, weight)| (variant.clone(), weight.as_f64().unwrap())).collect()
}

/// Checks that versions are numbered without a gap, and that each has a distribution with these floors.
#[track_caller]
fn check_floors(versions: &[Value], control: f64, others: f64) {
    for (version_idx, version) in versions.iter().enumerate() {
        assert_eq!(version["version"], version_idx as u64 + 1, "no version is missing");
        let weights = weights_of(version);
        let sum: f64 = weights.values().sum();
        assert!((sum - 1.0).abs() < 1e-9, "{version}");
        for (variant, weight) in &weights {
            let floor = if variant == "control" { control } else { others };
            assert!(floor - 1e-9 <= *weight, "{variant} has {weight}: {version}");
        }
    }
}

pub(crate) fn floors_hold_in_every_weights_version(engine: Engine) {
    let shop = Shop::open(engine);
    for (key, floor, control, others) in [("default", None, 0.10, 0.05), ("low", Some(0.01), 0.01, 0.01)] {
        let mut definition = definition(key);
        if let Some(floor) = floor {
            definition["allocator"]["floor"] = json!(floor);
        }
        shop.run(&definition);
        let mut stream = Stream::new(&shop, key);
        let mut n_seen = 0;
        while stream.version() < 9 {
            let buys = |decision: &&Decision| {
                n_seen += 1;
                n_seen % if decision.split() == Some("b") { 2 } else { 20 } == 0
            };
            let rewards: Vec<Value> = stream.tick().iter().filter(buys).map(reward).collect();
            shop.log(&rewards);
        }
        let versions = shop.weights(key);
        assert!(versions.len() >= 9, "{} versions", versions.len());
        check_floors(&versions, control, others);
        let last = weights_of(versions.last().unwrap());
        assert!(last["b"] > 0.5, "the better variant leads: {last:?}");
        let leader = 1.0 - control - 2.0 * others + others;
        assert!(last["b"] <= leader + 1e-9, "nobody has more than the floors leave: {last:?}");
        shop.act(key, "pause").expect(200);
    }
}

pub(crate) fn a_uniform_slice_stays_even_while_weights_move(engine: Engine) {
    let shop = Shop::open(engine);
    let mut definition = definition("sliced");
    definition["allocator"] = json!({"type": "thompson", "uniform_slice": 0.5, "half_life_days": 14});
    shop.run(&definition);
    let mut stream = Stream::new(&shop, "sliced");
    let mut n_seen = 0;
    while stream.version() < 8 {
        let buys = |decision: &&Decision| {
            n_seen += 1;
            n_seen % if decision.split() == Some("b") { 2 } else { 20 } == 0
        };
        let rewards: Vec<Value> = stream.tick().iter().filter(buys).map(reward).collect();
        shop.log(&rewards);
    }
    let weights = weights_of(&shop.experiment("sliced")["weights"]);
    assert!(weights["b"] > 0.5, "the better variant leads: {weights:?}");
    let newcomers: Vec<String> = (0..4_000).map(|unit| format!("newcomer-{unit}")).collect();
    let decisions = shop.decide_all(&newcomers, "sliced");
    let is_even = |decision: &&Decision| decision.propensity.is_some_and(|p| (p - EVEN).abs() < 1e-12);
    let of = |variant: &str, decisions: &[&Decision]| {
        decisions.iter().filter(|decision| decision.split() == Some(variant)).count()
    };
    // Five standard deviations each.
    let (inside, outside): (Vec<_>, Vec<_>) = decisions.iter().partition(is_even);
    assert!(inside.len().abs_diff(2_000) < 160, "half of them: {}", inside.len());
    for variant in ["control", "b", "c"] {
        assert!(of(variant, &inside).abs_diff(inside.len() / 3) < 110, "{variant} is even inside");
    }
    assert!(of("b", &outside) * 5 > outside.len() * 2, "the others follow the weights");
    let change = |allocator: Value| {
        let body = json!({ "allocator": allocator });
        shop.admin.edit("PATCH", "/api/v1/experiments/sliced", "*", Some(&body))
    };
    change(json!({"half_life_days": null, "window_days": 7})).expect(200);
    let refused = change(json!({"uniform_slice": 0.1})).problem(409);
    assert_eq!(refused.slug, "needs-new-version", "its units keep what they are");
}

pub(crate) fn an_added_variant_is_explored_and_a_removed_one_gets_nothing(engine: Engine) {
    let shop = Shop::open(engine);
    shop.run(&definition("banner"));
    let mut stream = Stream::new(&shop, "banner");
    let mut got: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut run = |stream: &mut Stream<'_>, version: u64| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut n_seen = 0;
        let deadline = Instant::now() + Duration::from_mins(1);
        while stream.version() < version {
            assert!(Instant::now() < deadline, "still at weights version {}", stream.version());
            let mut rewards = Vec::new();
            for decision in stream.tick() {
                let variant = decision.split().unwrap_or_else(|| panic!("everyone is in: {decision:?}"));
                *counts.entry(variant.to_owned()).or_default() += 1;
                got.entry(variant.to_owned()).or_default().push(decision.unit.clone());
                n_seen += 1;
                let one_in = match variant {
                    "d" => 2,
                    "b" => 4,
                    _ => 25,
                };
                if n_seen % one_in == 0 {
                    rewards.push(reward(decision));
                }
            }
            shop.log(&rewards);
        }
        counts
    };
    run(&mut stream, 6);
    let path = "/api/v1/experiments/banner/variants";
    let added = shop.admin.edit("POST", path, "*", Some(&json!({"key": "d", "content": {"title": "d"}})));
    assert!(matches!(added.status, 200 | 201), "{added}");
    let share = weights_of(&shop.experiment("banner")["weights"])["d"];
    assert!((0.05..=0.5).contains(&share), "it enters at {share}");
    let entered = stream.version();
    let counts = run(&mut stream, entered + 2);
    assert!(counts.get("d").is_some_and(|n_d| *n_d > 0), "it is explored: {counts:?}");
    run(&mut stream, entered + 8);
    let weights = weights_of(&shop.experiment("banner")["weights"]);
    let leader = weights.iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    assert_eq!(leader, "d", "the best one is found although it came late: {weights:?}");
    // Removed: from the next decision on nobody gets it, neither newcomers nor those who had it.
    let removed = shop.admin.edit("DELETE", &format!("{path}/b"), "*", None);
    assert!(matches!(removed.status, 200 | 204), "{removed}");
    let had_b = got["b"].clone();
    let newcomers: Vec<String> = (0..2_000).map(|unit| format!("newcomer-{unit}")).collect();
    for decision in shop.decide_all(&newcomers, "banner").iter().chain(&shop.decide_all(&had_b, "banner")) {
        assert!(decision.split().is_some_and(|variant| variant != "b"), "{decision:?}");
    }
    let had_d = got["d"].clone();
    let kept = shop.decide_all(&had_d, "banner");
    assert!(kept.iter().all(|decision| decision.split() == Some("d")), "nobody else moves");
    let weights = weights_of(&shop.experiment("banner")["weights"]);
    assert!(weights.get("b").is_none_or(|weight| *weight == 0.0), "{weights:?}");
    assert!(shop.report("banner").units("b") > 0, "its figures stay");
}
