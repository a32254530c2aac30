//! The watch, with verdicts that are handed to it.

use super::super::history::{Entry, Finding};
use super::super::{Undo, Wish};
use super::*;
use crate::delivery::tokens::Links;
use crate::outgoing::{Allowed, Reach};
use crate::secrets::Secrets;
use crate::store::{Store, webhooks};
use crate::webhooks::{Event, Webhook};
use podium_core::experiment::{Automation, OnHarm, OnWinner, Variant};
use podium_core::id::{ExperimentKey, VariantKey};
use podium_core::report::Breach;
use podium_plugin_host::{HostLog, Level, Registry};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) fn key(text: &str) -> VariantKey {
    VariantKey::new(text).unwrap()
}

pub(crate) fn breach(variant: &str) -> Breach {
    Breach { variant: key(variant), metric: "aov".to_owned() }
}

/// A running experiment with these variants, the first being the control.
pub(crate) fn experiment(variants: &[&str]) -> Experiment {
    let variants: Vec<_> = variants.iter().map(|variant| json!({"key": variant})).collect();
    let definition = json!({"variants": variants, "primary_metric": "conversion"});
    let definition: podium_core::experiment::Definition = serde_json::from_value(definition).unwrap();
    Experiment {
        id: ExperimentId(1),
        key: ExperimentKey::new("banner").unwrap(),
        version: 1,
        definition: definition.checked().unwrap(),
        status: Status::Running,
        served: None,
        revision: 1,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        started_at: Some(Timestamp::default()),
        concluded_at: None,
    }
}

fn won(winner: &str) -> Verdict {
    Verdict { winner: Some(key(winner)), ..Verdict::default() }
}

fn harm(variants: &[&str]) -> Verdict {
    Verdict { harmful: variants.iter().map(|variant| key(variant)).collect(), ..Verdict::default() }
}

#[test]
fn what_turns_is_told_once_and_taken_back_once() {
    let running = experiment(&["control", "b", "c"]);
    let all = Verdict {
        winner: Some(key("b")),
        harmful: vec![key("c")],
        breaches: vec![breach("c")],
        ..Verdict::default()
    };
    let imbalance = Verdict { withheld: vec![Withheld::SampleRatio], ..Verdict::default() };
    let winner = |variant: &str| Finding::Winner { variant: key(variant) };
    let harmful = Finding::Harmful { variant: key("c") };
    let breached = Finding::GuardrailBreached { variant: key("c"), metric: "aov".to_owned() };
    let none = Verdict::default();
    let check = |before: &Verdict, now: &Verdict, expected: Vec<Happening>| {
        assert_eq!(turn::turns(&running, before, now), expected, "{before:?} {now:?}");
    };
    check(&none, &all, vec![winner("b").into(), harmful.clone().into(), breached.clone().into()]);
    check(&all, &all, vec![]);
    check(&won("b"), &won("c"), vec![Happening::Retracted(winner("b")), winner("c").into()]);
    let retracted = [winner("b"), harmful, breached].map(Happening::Retracted);
    check(&all, &none, retracted.to_vec());
    let imbalanced = [retracted.to_vec(), vec![Finding::Imbalance {}.into()]].concat();
    check(&all, &imbalance, imbalanced);
    check(&imbalance, &none, vec![Happening::Retracted(Finding::Imbalance {})]);
    let too_few = Verdict { withheld: vec![Withheld::TooFew], better: vec![key("b")], ..Verdict::default() };
    check(&none, &too_few, vec![]);
}

#[test]
fn harm_of_a_variant_that_was_taken_out_is_not_taken_back() {
    let mut running = experiment(&["control", "b", "c"]);
    running.definition.variants[2].removed_at = Some(Timestamp::default());
    assert_eq!(turn::turns(&running, &harm(&["c"]), &Verdict::default()), []);
    assert_eq!(turn::turns(&running, &harm(&["b"]), &Verdict::default()).len(), 1);
}

/// What is wanted of an automation that concludes and stops.
#[track_caller]
fn check_wanted(running: &Experiment, verdict: &Verdict, expected: &[Automatic]) {
    let mut running = running.clone();
    running.definition.automation =
        Automation { on_winner: OnWinner::Conclude, on_harm: OnHarm::Stop, dry_run: false };
    assert_eq!(turn::wanted(&running, verdict), expected, "{verdict:?}");
    running.definition.automation =
        Automation { on_winner: OnWinner::Report, on_harm: OnHarm::Report, dry_run: false };
    assert_eq!(turn::wanted(&running, verdict), [], "nothing is done that was not asked for");
}

#[test]
fn the_winner_is_served_and_what_does_harm_goes() {
    let three = experiment(&["control", "b", "c"]);
    let remove = |variant: &str| Automatic::RemoveVariant { variant: key(variant) };
    let conclude = |serve: &str| Automatic::Conclude { serve: key(serve) };
    check_wanted(&three, &Verdict::default(), &[]);
    check_wanted(&three, &won("b"), &[conclude("b")]);
    check_wanted(&three, &won("control"), &[conclude("control")]);
    check_wanted(&three, &harm(&["b", "c"]), &[remove("b"), remove("c")]);
    let breaches = Verdict { breaches: vec![breach("b"), breach("b")], ..Verdict::default() };
    check_wanted(&three, &breaches, &[remove("b")]);
    let both = Verdict { harmful: vec![key("c")], ..won("b") };
    check_wanted(&three, &both, &[conclude("b"), remove("c")]);
    // A winner that breaches a guardrail is none to serve.
    check_wanted(&three, &Verdict { breaches: vec![breach("b")], ..won("b") }, &[remove("b")]);
    check_wanted(&three, &harm(&["control"]), &[]);
}

#[test]
fn the_control_is_not_left_alone() {
    let pause = Automatic::Pause { variant: key("b") };
    let two = experiment(&["control", "b"]);
    check_wanted(&two, &harm(&["b"]), std::slice::from_ref(&pause));
    let mut one_out = experiment(&["control", "b", "c"]);
    one_out.definition.variants[2].removed_at = Some(Timestamp::default());
    check_wanted(&one_out, &harm(&["b", "c"]), &[pause]);
    let paused = Experiment { status: Status::Paused, ..two };
    check_wanted(&paused, &harm(&["b"]), &[]);
}

/// An app of a test's own, without plugins, with a running experiment in it and a webhook.
struct Shop {
    app: Arc<App>,
    folder: PathBuf,
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Shop {
    async fn open(variants: &[&str], automation: Automation) -> Self {
        let folder = std::env::temp_dir().join(format!("podium-watch-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        let shop = Self { app: Self::app(&folder).await, folder };
        let mut running = experiment(variants);
        running.definition.automation = automation;
        let store = &shop.app.store;
        experiments::insert(store.writer(), &mut running).await.unwrap();
        let stored = crate::store::weights::StoredWeights {
            weights: super::super::first_weights(&running, 1),
            created_at: Timestamp::default(),
            cause: "registered".to_owned(),
            beliefs: None,
        };
        crate::store::weights::insert(store.writer(), running.id, &stored).await.unwrap();
        let webhook = Webhook {
            id: "w".to_owned(),
            url: "http://127.0.0.1:1/".to_owned(),
            secret: "NONE".to_owned(),
            events: vec![Event::Winner, Event::Stopped, Event::Undone],
            created_at: Timestamp::default(),
            attempted_at: None,
            status: None,
            error: None,
            disabled_at: None,
            disabled_why: None,
        };
        webhooks::insert(store.writer(), &webhook).await.unwrap();
        shop.app.republish().await.unwrap();
        shop
    }

    async fn app(folder: &std::path::Path) -> Arc<App> {
        let store = Store::open(&format!("sqlite:{}", folder.join("podium.sqlite").display())).await.unwrap();
        let registry = Registry::load(&[], &HostLog::new(Level::Error, |_| {}));
        let links = Links { public_url: "https://shop.example".to_owned(), secret: [7; 32] };
        let secrets = Secrets::new(folder.join("secrets"));
        let limits = crate::limits::Limits::new(&crate::limits::LimitArgs::default());
        let allowed = Allowed { webhooks: Reach::Public, external: None };
        App::start(store, registry, links, (secrets, allowed), limits).await.unwrap()
    }

    async fn restart(&mut self) {
        self.app.drain().await;
        self.app = Self::app(&self.folder).await;
    }

    async fn found(&self) -> Experiment {
        experiments::find(self.app.store.reader(), "banner", None).await.unwrap().unwrap()
    }

    /// Looks twice, as the watch does when it is told the same again.
    async fn heed(&self, verdict: &Verdict) {
        for _ in 0..2 {
            self.app.heed(&self.found().await, verdict).await.unwrap();
        }
    }

    async fn undo(&self) -> Result<Experiment, EditError> {
        let change = Change::Undo(Undo { history_id: None, reason: Some("no".to_owned()) });
        self.app.edit(("banner", None), None, &Actor::Key("ann".to_owned()), change).await
    }

    async fn history(&self) -> Vec<Entry> {
        let mut all = history::page(self.app.store.reader(), ExperimentId(1), None, 100).await.unwrap();
        all.reverse();
        all
    }

    /// What happened, by whom and what it is called.
    async fn told(&self) -> Vec<String> {
        let entry = |entry: Entry| format!("{} {}", entry.actor, entry.happening.kind());
        self.history().await.into_iter().map(entry).collect()
    }

    async fn active(&self) -> Vec<String> {
        let variants = self.found().await.definition.variants;
        variants.into_iter().filter(Variant::is_active).map(|one| one.key.to_string()).collect()
    }
}

fn automation(on_winner: OnWinner, dry_run: bool) -> Automation {
    Automation { on_winner, on_harm: OnHarm::Stop, dry_run }
}

#[tokio::test]
async fn a_winner_is_noted_once_and_concludes_until_it_is_undone() {
    let mut shop = Shop::open(&["control", "b"], automation(OnWinner::Conclude, false)).await;
    shop.heed(&Verdict::default()).await;
    assert_eq!(shop.told().await, [""; 0]);
    let running = shop.found().await;
    shop.app.heed(&running, &won("b")).await.unwrap();
    let concluded = shop.found().await;
    assert_eq!((concluded.status, concluded.served), (Status::Concluded, Some(key("b"))));
    assert_eq!(shop.told().await, ["podium winner", "podium concluded"]);
    let undone = shop.undo().await.unwrap();
    assert_eq!((undone.status, undone.served, undone.concluded_at), (Status::Running, None, None));
    shop.restart().await;
    shop.heed(&won("b")).await;
    let told = shop.told().await;
    assert_eq!(told, ["podium winner", "podium concluded", "ann undone"], "neither noted nor done again");
    let entries = shop.history().await;
    assert_eq!(entries[1].undone_by, Some(entries[2].id));
    shop.heed(&Verdict::default()).await;
    assert_eq!(shop.told().await.last().unwrap(), "podium retracted");
    assert!(shop.undo().await.is_err(), "there is nothing more to undo");
    // A person can still do it, by the verdict there is.
    let conclusion = shop.app.conclusion(&shop.found().await, None, Wish::default()).await.unwrap();
    assert_eq!(conclusion.serve, key("control"));
}

#[tokio::test]
async fn a_variant_that_does_harm_goes_and_comes_back_with_its_share() {
    let shop = Shop::open(&["control", "b", "c"], automation(OnWinner::Report, false)).await;
    let both = harm(&["b", "c"]);
    shop.app.heed(&shop.found().await, &both).await.unwrap();
    assert_eq!(shop.active().await, ["control", "c"], "one at a time");
    shop.app.heed(&shop.found().await, &both).await.unwrap();
    assert_eq!(shop.found().await.status, Status::Paused, "the control is not left alone");
    let told = shop.told().await;
    let expected = ["podium harmful", "podium harmful", "podium variant_removed", "podium paused"];
    assert_eq!(told, expected);
    assert_eq!(shop.undo().await.unwrap().status, Status::Running);
    shop.undo().await.unwrap();
    assert_eq!(shop.active().await, ["control", "b", "c"]);
    let weights = shop.app.weights(ExperimentId(1)).await.unwrap().weights.weights;
    assert!(weights.iter().all(|(_, weight)| (weight - 1.0 / 3.0).abs() < 1e-12), "{weights:?}");
    shop.heed(&both).await;
    assert_eq!(shop.told().await.len(), 6, "what was undone is not done again");
    assert_eq!(shop.active().await, ["control", "b", "c"]);
    assert!(matches!(shop.undo().await, Err(EditError::CannotUndo(_))));
    let pending = webhooks::pending(shop.app.store.reader()).await.unwrap();
    assert_eq!(pending, [("w".to_owned(), 4)], "two stops, and two that were undone");
}

#[tokio::test]
async fn a_pause_that_a_person_has_ended_is_not_undone_nor_repeated() {
    let shop = Shop::open(&["control", "b"], automation(OnWinner::Report, false)).await;
    shop.heed(&harm(&["b"])).await;
    assert_eq!(shop.found().await.status, Status::Paused);
    shop.app.edit(("banner", None), None, &Actor::Key("ann".to_owned()), Change::Start).await.unwrap();
    let Err(EditError::CannotUndo(why)) = shop.undo().await else { panic!("it was undone") };
    assert_eq!(why, "entry 3, `started`, is newer");
    shop.heed(&harm(&["b"])).await;
    assert_eq!(shop.found().await.status, Status::Running);
}

#[tokio::test]
async fn a_dry_run_only_writes_down_and_does_so_once() {
    let shop = Shop::open(&["control", "b", "c"], automation(OnWinner::Conclude, true)).await;
    let verdict = Verdict { harmful: vec![key("c")], ..won("b") };
    shop.heed(&verdict).await;
    shop.heed(&Verdict::default()).await;
    shop.heed(&verdict).await;
    assert_eq!((shop.found().await.status, shop.found().await.revision), (Status::Running, 1));
    let dry: Vec<_> =
        shop.history().await.into_iter().filter(|one| one.happening.kind() == "dry_run").collect();
    let would: Vec<_> = dry.into_iter().map(|one| one.happening).collect();
    let conclude = Happening::DryRun { would: Automatic::Conclude { serve: key("b") } };
    let remove = Happening::DryRun { would: Automatic::RemoveVariant { variant: key("c") } };
    assert_eq!(would, [conclude, remove]);
}

#[tokio::test]
async fn an_edit_meanwhile_is_looked_at_anew() {
    let shop = Shop::open(&["control", "b"], automation(OnWinner::Conclude, false)).await;
    let seen = shop.found().await;
    shop.app.edit(("banner", None), None, &Actor::Schedule, Change::Pause { harming: None }).await.unwrap();
    assert!(matches!(shop.app.heed(&seen, &won("b")).await, Err(EditError::Stale { .. })));
    assert_eq!(shop.told().await, ["schedule paused"], "nothing is written of what is not there");
}

#[tokio::test]
async fn figures_that_stand_still_turn_nothing() {
    let shop = Shop::open(&["control", "b"], automation(OnWinner::Report, false)).await;
    shop.heed(&won("b")).await;
    shop.heed(&Verdict { withheld: vec![Withheld::Metric], ..Verdict::default() }).await;
    assert_eq!(shop.told().await, ["podium winner"]);
}

#[tokio::test]
async fn a_guardrail_that_cannot_be_seen_still_holds() {
    let shop = Shop::open(&["control", "b"], automation(OnWinner::Conclude, false)).await;
    shop.heed(&Verdict { breaches: vec![breach("b")], ..won("b") }).await;
    let mut guarded = shop.found().await;
    assert_eq!(shop.app.verdict(&guarded).await.unwrap().breaches, [], "it guards nothing");
    guarded.definition.guardrail_metrics = vec![serde_json::from_value(json!("aov")).unwrap()];
    assert_eq!(shop.app.verdict(&guarded).await.unwrap().breaches, [breach("b")], "its plugin is not there");
}

#[tokio::test]
async fn what_has_not_changed_is_not_looked_at() {
    let shop = Shop::open(&["control", "b"], automation(OnWinner::Report, false)).await;
    let id = ExperimentId(1);
    let now = clock::now();
    let mut watched = Watched::default();
    shop.app.look(&mut watched, now).await;
    let first = &watched.0[&id];
    assert_eq!(*first, shop.app.seen_now(&shop.found().await, now));
    // Of a window of 72 hours a bucket matures each hour.
    let later = shop.app.seen_now(&shop.found().await, now.plus_seconds(3_600));
    assert_ne!(*first, later);
    shop.app.edit(("banner", None), None, &Actor::Schedule, Change::Pause { harming: None }).await.unwrap();
    assert_ne!(*first, shop.app.seen_now(&shop.found().await, now));
    let conclusion = Conclusion { serve: key("b"), reason: None };
    let done = Change::Conclude(conclusion);
    shop.app.edit(("banner", None), None, &Actor::Schedule, done).await.unwrap();
    shop.app.look(&mut watched, now).await;
    assert!(watched.0.is_empty(), "what has ended is forgotten");
}
