//! A shop whose shoppers are simulated: three banners of which one truly earns more, run by Thompson sampling.
//!
//! What a shopper would do under each banner is drawn before anything is sent, from the seed alone. Which banner
//! he gets is Podium's decision, and depends on the weights in force when he comes.

use super::events::Ordered;
use super::extract;
use super::shop::{DemoError, Shop, list, text};
use super::{DOLLARS, Page};
use crate::progress::Progress;
use jiff::Timestamp;
use podium_core::report::wording::count;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const KEY: &str = "banner";
const N_SHOPPERS: usize = 20_000;
/// How many shoppers come in a second; fewer if the machine is slow.
const SHOPPERS_PER_S: f64 = 1_000.0;
const N_THREADS: usize = 4;
/// Orders follow the banner at once, so two seconds are long enough, and weights can follow soon.
const WINDOW_S: i64 = 2;
const MATURED_WITHIN: Duration = Duration::from_secs(20);
const POLL_EVERY: Duration = Duration::from_millis(200);
const SOURCE: &str = "Simulated shoppers; order amounts drawn from the CDNOW log.";

/// One banner and what is true of it.
struct Banner {
    key: &'static str,
    name: &'static str,
    headline: &'static str,
    /// The chance that a shopper orders.
    order_rate: f64,
    /// The chance that an order has a second one in it.
    second_rate: f64,
}

/// Free shipping brings the most orders, the bundle the most money.
const BANNERS: [Banner; 3] = [
    Banner { key: "control", name: "No banner", headline: "", order_rate: 0.10, second_rate: 0.0 },
    Banner {
        key: "free-shipping",
        name: "Free shipping",
        headline: "Free shipping this week",
        order_rate: 0.12,
        second_rate: 0.0,
    },
    Banner {
        key: "bundle",
        name: "Bundle",
        headline: "Two for the road: bundle and save",
        order_rate: 0.11,
        second_rate: 0.5,
    },
];
/// The one that truly earns the most per shopper.
const BEST: &str = "bundle";

/// What one shopper would do.
#[derive(Clone, Copy, Debug)]
struct Shopper {
    /// Orders under a banner whose rate is above this.
    reluctance: f64,
    /// Orders twice as much where the rate of that is above this.
    thrift: f64,
    /// What the first and the second thing cost, in cents.
    amounts: [i64; 2],
}

impl Shopper {
    fn draw(amounts: &[i64], rng: &mut Xoshiro256PlusPlus) -> Self {
        let mut amount = || amounts.get(rng.random_range(0..amounts.len().max(1))).copied().unwrap_or(0);
        let amounts = [amount(), amount()];
        Self { reluctance: rng.random(), thrift: rng.random(), amounts }
    }

    /// What the shopper orders under a banner: cents and things.
    fn order(&self, banner: &Banner) -> Option<(i64, u32)> {
        let [first, second] = self.amounts;
        (self.reluctance < banner.order_rate)
            .then(|| if self.thrift < banner.second_rate { (first + second, 2) } else { (first, 1) })
    }
}

/// What was sent of one banner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sent {
    shoppers: i64,
    orders: i64,
    cents: i64,
}

/// Lets the shoppers come, each with a decision of its own and perhaps an order, and waits until all has matured.
pub(super) fn run(shop: &Shop, seed: u64) -> Result<Page, DemoError> {
    let amounts = amounts()?;
    let shoppers = shoppers(&amounts, seed);
    shop.run_experiment(&definition())?;
    let sent = serve(shop, &shoppers)?;
    let report = matured_report(shop)?;
    check(&report, &sent)?;
    let cents: i64 = sent.iter().map(|sent| sent.cents).sum();
    let orders: i64 = sent.iter().map(|sent| sent.orders).sum();
    let true_mean = |banner: &Banner| DOLLARS.value(true_mean(banner, &amounts));
    let truths: Vec<_> =
        BANNERS.iter().map(|banner| format!("{} {}", banner.name, true_mean(banner))).collect();
    Ok(Page {
        title: "Three banners, simulated shoppers, Thompson sampling",
        url: shop.link(KEY)?,
        verdict: text(&report, "/sentence").to_owned(),
        note: format!(
            "{} shoppers, {} orders, {}: equal to what was sent, in {} weights versions. The truth per shopper: {}.",
            count(shoppers.len() as i128),
            count(i128::from(orders)),
            DOLLARS.total(i128::from(cents)),
            report.get("weights_version").and_then(Value::as_u64).unwrap_or(0),
            truths.join(", "),
        ),
    })
}

/// Every amount of the order log.
fn amounts() -> Result<Vec<i64>, DemoError> {
    let customers = extract::customers()?;
    Ok(customers.iter().flat_map(|customer| &customer.orders).map(|order| order.cents).collect())
}

fn shoppers(amounts: &[i64], seed: u64) -> Vec<Shopper> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..N_SHOPPERS).map(|_| Shopper::draw(amounts, &mut rng)).collect()
}

/// What a banner truly earns per shopper, in cents.
fn true_mean(banner: &Banner, amounts: &[i64]) -> f64 {
    let mean = amounts.iter().sum::<i64>() as f64 / amounts.len() as f64;
    banner.order_rate * (1.0 + banner.second_rate) * mean
}

fn definition() -> Value {
    let goal = |metric: &str| json!({ "metric": metric, "window_s": WINDOW_S });
    let variant = |banner: &Banner| {
        json!({
            "key": banner.key,
            "name": banner.name,
            "control": banner.key == "control",
            "content": { "headline": banner.headline },
        })
    };
    json!({
        "key": KEY,
        "name": "Three banners",
        "description": "Which banner earns the most per visitor? The one with the most orders need not.",
        "variants": BANNERS.iter().map(variant).collect::<Vec<_>>(),
        "primary_metric": goal("revenue_per_visitor"),
        "secondary_metrics": [goal("conversion"), goal("aov")],
        "allocator": { "type": "thompson" },
        "units_per_version": 500,
        "min_run_s": 5,
        "source_note": SOURCE,
    })
}

/// Lets the shoppers come at their pace, from several threads, and counts what was sent of each banner.
fn serve(shop: &Shop, shoppers: &[Shopper]) -> Result<[Sent; 3], DemoError> {
    let progress = Progress::of("Simulated shop: visitors", shoppers.len());
    let next = AtomicUsize::new(0);
    let sent = Mutex::new([Sent::default(); 3]);
    let began = Instant::now();
    let work = |shop: Shop| -> Result<(), DemoError> {
        loop {
            let shopper_idx = next.fetch_add(1, Ordering::Relaxed);
            let Some(shopper) = shoppers.get(shopper_idx) else { return Ok(()) };
            let due = Duration::from_secs_f64(shopper_idx as f64 / SHOPPERS_PER_S);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            let (banner_idx, cents) = visit(&shop, shopper_idx, shopper)?;
            if let Some(sent) = sent.lock().ok().as_mut().and_then(|sent| sent.get_mut(banner_idx)) {
                sent.shoppers += 1;
                sent.orders += i64::from(cents.is_some());
                sent.cents += cents.unwrap_or(0);
            }
            progress.advance(1);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..N_THREADS).map(|_| scope.spawn(|| work(shop.another()))).collect();
        let ended = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().map_err(|_| DemoError::Unexpected("a shopper's thread ended early".to_owned()))?
        };
        threads.into_iter().map(ended).collect::<Result<Vec<()>, _>>()
    })?;
    progress.finish();
    sent.into_inner().map_err(|_| DemoError::Unexpected("a shopper's thread ended early".to_owned()))
}

/// One visit: which banner, and what was ordered under it.
fn visit(shop: &Shop, shopper_idx: usize, shopper: &Shopper) -> Result<(usize, Option<i64>), DemoError> {
    let unit = format!("shopper-{:05}", shopper_idx + 1);
    let variants = shop.decide(KEY, std::slice::from_ref(&unit))?;
    let found = BANNERS.iter().enumerate().find(|(_, banner)| variants.iter().any(|key| key == banner.key));
    let Some((banner_idx, banner)) = found else {
        return Err(DemoError::Unexpected(format!("{unit} got {variants:?}, which is no banner")));
    };
    let order = shopper.order(banner);
    if let Some((cents, n_things)) = order {
        let order_id = format!("{unit}-1");
        let at_ms = Timestamp::now().as_millisecond() + 1;
        let product = (banner.key, n_things);
        let ordered = Ordered { unit: &unit, order_id: &order_id, at_ms, cents, product };
        shop.send(&[ordered.to_event()])?;
    }
    Ok((banner_idx, order.map(|(cents, _)| cents)))
}

/// Waits until every shopper's window has passed.
fn matured_report(shop: &Shop) -> Result<Value, DemoError> {
    let began = Instant::now();
    loop {
        let report = shop.report(KEY)?;
        let counted = |name: &str| report.pointer(&format!("/health/{name}")).and_then(Value::as_u64);
        let (units, matured) = (counted("units"), counted("matured_units"));
        if units == Some(N_SHOPPERS as u64) && matured == units {
            return Ok(report);
        }
        if MATURED_WITHIN < began.elapsed() {
            let detail = format!("{matured:?} of {units:?} of {N_SHOPPERS} shoppers have matured");
            return Err(DemoError::Unexpected(detail));
        }
        shop.check_stop()?;
        std::thread::sleep(POLL_EVERY);
    }
}

/// The report counts what was sent, and the banner that is truly best wins, or leads at least.
fn check(report: &Value, sent: &[Sent; 3]) -> Result<(), DemoError> {
    for (banner, sent) in BANNERS.iter().zip(sent) {
        let variants = list(report, "/metrics/0/variants").iter();
        let found = variants.filter(|variant| text(variant, "/key") == banner.key);
        let whole = |variant: &Value, name: &str| variant.get(name).and_then(Value::as_i64);
        let mut figures = found.map(|variant| {
            (whole(variant, "units"), whole(variant, "nonzero_units"), whole(variant, "numerator"))
        });
        let figure = figures.next();
        // An amount of zero is an order, and no reward.
        let equal = figure.is_some_and(|(units, nonzero, cents)| {
            units == Some(sent.shoppers)
                && nonzero.is_some_and(|nonzero| nonzero <= sent.orders)
                && cents == Some(sent.cents)
        });
        if !equal {
            let detail = format!("`{}` was sent {sent:?}, but the report has {figure:?}", banner.key);
            return Err(DemoError::Unexpected(detail));
        }
    }
    if [text(report, "/verdict/winner"), text(report, "/leader")].contains(&BEST) {
        return Ok(());
    }
    Err(DemoError::Unexpected(format!(
        "`{BEST}` is best, but the report says: {}",
        text(report, "/sentence")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use podium_core::allocation::AllocatorConfig;
    use podium_core::metric::MetricKind;
    use podium_core::probability::Probability;
    use podium_core::simulate::{Shoppers, Simulation, draw};

    #[test]
    fn the_best_banner_is_best_by_more_than_chance() {
        let amounts = amounts().unwrap();
        let mut means: Vec<_> =
            BANNERS.iter().map(|banner| (true_mean(banner, &amounts), banner.key)).collect();
        means.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!(means[2].1, BEST);
        assert!(1.2 * means[1].0 < means[2].0, "{means:?}");
    }

    #[test]
    fn shoppers_do_what_is_true_of_the_banner() {
        let amounts = amounts().unwrap();
        let shoppers = shoppers(&amounts, 4);
        for banner in &BANNERS {
            let spent: Vec<_> = shoppers
                .iter()
                .map(|shopper| shopper.order(banner).map_or(0.0, |(cents, _)| cents as f64))
                .collect();
            let n = spent.len() as f64;
            let mean = spent.iter().sum::<f64>() / n;
            let variance = spent.iter().map(|cents| (cents - mean).powi(2)).sum::<f64>() / n;
            let distance = (mean - true_mean(banner, &amounts)).abs() / (variance / n).sqrt();
            assert!(distance < 4.0, "{}: {distance} standard errors", banner.key);
        }
    }

    /// The demo on paper, 200 times: the same allocator, the same amounts, weights a version old.
    #[test]
    fn the_leader_is_the_true_one_with_nearly_every_seed() {
        let amounts = amounts().unwrap();
        let pairs = amounts.iter().zip(amounts.iter().rev()).map(|(first, second)| first + second);
        let bundles: Vec<i64> = amounts.iter().copied().chain(pairs).collect();
        let order_amounts = [amounts.clone(), amounts.clone(), bundles];
        let n_right = (0..200).filter(|&seed| {
            let ordering = |(banner, amounts): (&Banner, &Vec<i64>)| {
                Shoppers::ordering_from(Probability::new(banner.order_rate).unwrap(), amounts.clone())
                    .unwrap()
            };
            let shoppers = BANNERS.iter().zip(&order_amounts).map(ordering).collect();
            let mut simulation = Simulation::new(AllocatorConfig::default(), MetricKind::Mean, shoppers);
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            simulation.run(N_SHOPPERS as u64, 1_000, &mut rng, draw).unwrap();
            0.8 <= simulation.draft().unwrap().beliefs[2].p_best.get()
        });
        let n_right = n_right.count();
        assert!(198 <= n_right, "{n_right} of 200");
    }
}
