//! A list that changes while the server runs is taken over, once.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod child;
mod folder;
mod here;

use child::child;
use folder::{Folder, built};
use podium_plugin_host::{
    HostLog, Isolation, Lock, Locked, Look, Registry, ReloadOutcome, Reloaded, Slug, UpgradeError,
};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;

const PLUGIN: &str = "com.example.fixture-edition";
const OTHER: &str = "com.example.gross-items";

/// Puts an example into the folder, and returns its entry.
fn entry(folder: &Folder, example: &str) -> Locked {
    let mut sha256 = String::new();
    for byte in Sha256::digest(fs::read(built(example)).unwrap()) {
        write!(sha256, "{byte:02x}").unwrap();
    }
    let of_test = folder.path().file_name().unwrap().to_str().unwrap();
    let alone = Folder::new(&format!("{of_test}-{example}")).with(&[example]);
    let info = alone.load().plugins()[0].clone();
    let file = format!("{example}.so");
    fs::copy(built(example), folder.path().join(&file)).unwrap();
    Locked::new(file, &info, sha256)
}

fn list(folder: &Folder, entries: &[&Locked]) {
    let mut lock = Lock::default();
    for entry in entries {
        lock.put((*entry).clone());
    }
    fs::write(Lock::file(folder.path()), lock.to_string()).unwrap();
}

fn load(folder: &Folder, isolation: &Isolation) -> Registry {
    Registry::load_with(&[folder.path().to_owned()], isolation, &HostLog::discard())
}

#[track_caller]
fn only(registry: &Registry, look: Look) -> Reloaded {
    let reloads = registry.reload(look);
    let [reloaded] = &reloads.plugins[..] else { panic!("{reloads:?}") };
    reloaded.clone()
}

fn has_nothing(registry: &Registry) -> bool {
    let reloads = registry.reload(Look::Changed);
    reloads.plugins.is_empty() && reloads.refused.is_empty()
}

#[test]
fn another_file_in_the_list_takes_over_once() {
    let folder = Folder::new("reload-once");
    let (first, next) = (entry(&folder, "fixture_edition"), entry(&folder, "fixture_edition_next"));
    list(&folder, &[&first]);
    let registry = load(&folder, &child(&folder));
    assert!(has_nothing(&registry));
    assert_eq!(only(&registry, Look::All).outcome, ReloadOutcome::Unchanged);
    list(&folder, &[&next]);
    let reloaded = only(&registry, Look::Changed);
    assert_eq!((reloaded.from, reloaded.to), (Some(first.sha256.clone()), Some(next.sha256.clone())));
    let ReloadOutcome::Upgraded(status) = reloaded.outcome else { panic!("{:?}", reloaded.outcome) };
    assert_eq!((status.version.as_str(), status.generation), (next.version.as_str(), 2));
    // What is gone back from stays away, until somebody asks for it.
    registry.rollback(PLUGIN).unwrap();
    assert!(has_nothing(&registry));
    assert_eq!(registry.status(PLUGIN).unwrap().sha256, first.sha256);
    assert!(matches!(only(&registry, Look::All).outcome, ReloadOutcome::Upgraded(_)));
}

#[test]
fn what_is_new_or_gone_takes_a_restart() {
    let folder = Folder::new("reload-restart");
    let (first, other) = (entry(&folder, "fixture_edition"), entry(&folder, "gross_items"));
    list(&folder, &[&first]);
    let registry = load(&folder, &child(&folder));
    list(&folder, &[&first, &other]);
    let new = only(&registry, Look::Changed);
    assert_eq!((new.plugin_id.as_str(), new.from), (OTHER, None));
    assert_eq!((new.to, new.outcome), (Some(other.sha256), ReloadOutcome::NeedsRestart));
    assert!(has_nothing(&registry));
    list(&folder, &[]);
    let gone = only(&registry, Look::Changed);
    assert_eq!((gone.plugin_id.as_str(), gone.from, gone.to), (PLUGIN, Some(first.sha256), None));
    assert_eq!(gone.outcome, ReloadOutcome::NeedsRestart);
    assert!(has_nothing(&registry));
}

#[test]
fn what_runs_in_our_own_process_takes_a_restart() {
    let folder = Folder::new("reload-here");
    let (first, next) = (entry(&folder, "fixture_edition"), entry(&folder, "fixture_edition_next"));
    list(&folder, &[&first]);
    let registry = load(&folder, &Isolation::InProcess);
    assert_eq!(only(&registry, Look::All).outcome, ReloadOutcome::Unchanged);
    list(&folder, &[&next]);
    assert_eq!(only(&registry, Look::Changed).outcome, ReloadOutcome::NeedsRestart);
    let error = registry.rollback(PLUGIN).unwrap_err();
    assert_eq!(error, UpgradeError::NotInChild { plugin_id: PLUGIN.to_owned() });
}

#[test]
fn a_list_in_a_folder_that_had_none_changes_nothing_of_what_it_lists() {
    let folder = Folder::new("reload-first").with(&["fixture_edition"]);
    let registry = load(&folder, &child(&folder));
    let first = entry(&folder, "fixture_edition");
    list(&folder, &[&first]);
    assert_eq!(only(&registry, Look::Changed).outcome, ReloadOutcome::Unchanged);
    assert_eq!(registry.status(PLUGIN).unwrap().generation, 1);
}

#[test]
fn what_is_refused_is_refused_once_and_what_runs_goes_on() {
    let folder = Folder::new("reload-refused");
    let (first, mut next) = (entry(&folder, "fixture_edition"), entry(&folder, "fixture_edition_next"));
    list(&folder, &[&first]);
    let registry = load(&folder, &child(&folder));
    next.sha256 = "0".repeat(64);
    list(&folder, &[&next]);
    let ReloadOutcome::Refused(refusal) = only(&registry, Look::Changed).outcome else { panic!("taken") };
    assert_eq!(refusal.slug, Slug::Sha256Mismatch);
    assert!(has_nothing(&registry));
    fs::write(Lock::file(folder.path()), "plugin = 1").unwrap();
    let reloads = registry.reload(Look::Changed);
    assert_eq!((reloads.plugins.len(), reloads.refused[0].slug), (0, Slug::BadLock));
    assert!(has_nothing(&registry));
    assert_eq!(registry.reload(Look::All).refused.len(), 1);
    list(&folder, &[&first]);
    assert_eq!(only(&registry, Look::Changed).outcome, ReloadOutcome::Unchanged);
    let status = registry.status(PLUGIN).unwrap();
    assert_eq!((status.generation, status.sha256), (1, first.sha256));
}
