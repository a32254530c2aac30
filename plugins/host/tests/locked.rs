//! What a `plugins.lock` lists, and how, is what is loaded; nothing else is.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod child;
mod folder;
mod here;

use child::child;
use folder::{Folder, built};
use podium_plugin_host::{HostLog, Isolation, Registry, Slug, UpgradeError};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn sha256(file: &Path) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(fs::read(file).unwrap()) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// Puts another file in the place of one. To write over it would pull the ground from under whoever has it loaded.
fn replace(file: &Path, bytes: &[u8]) {
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

/// What a list says of a file in the folder.
fn entry(folder: &Folder, example: &str, id: &str, rest: &str) -> String {
    let sha256 = sha256(&folder.path().join(format!("{example}.so")));
    format!(
        "[[plugin]]\nfile = \"{example}.so\"\nid = \"{id}\"\nversion = \"{VERSION}\"\nsha256 = \"{sha256}\"\n{rest}\n"
    )
}

fn lock(folder: &Folder, text: &str) {
    fs::write(folder.path().join("plugins.lock"), text).unwrap();
}

fn load(folder: &Folder, isolation: &Isolation) -> Registry {
    Registry::load_with(&[folder.path().to_owned()], isolation, &HostLog::discard())
}

/// Loads the folder both ways, which must refuse the same, and returns the lines.
#[track_caller]
fn refused(folder: &Folder) -> Vec<String> {
    let (here, there) = (folder.load(), load(folder, &child(folder)));
    assert_eq!(here.refusals(), there.refusals());
    here.refusals().iter().map(ToString::to_string).collect()
}

#[test]
fn only_what_is_listed_is_loaded() {
    let folder = Folder::new("locked-only").with(&["gross_items", "fixture_crash"]);
    assert!(load(&folder, &child(&folder)).plugins().iter().all(|plugin| !plugin.locked));
    lock(&folder, &entry(&folder, "gross_items", "com.example.gross-items", ""));
    let line = "fixture_crash.so: not-locked: expected a file that plugins.lock lists, found one that it does not \
                list; if you trust it, put what `podium plugin check FILE --lock` says into plugins.lock";
    assert_eq!(refused(&folder), [line]);
    let registry = load(&folder, &child(&folder));
    let [plugin] = registry.plugins() else { panic!("{registry:?}") };
    assert!(plugin.locked && plugin.id == "com.example.gross-items");
    assert_eq!(registry.create("gross_items", "{}").unwrap().value(&[3]), Ok(vec![(3.0, 1.0)]));
}

#[test]
fn other_bytes_are_refused() {
    let folder = Folder::new("locked-bytes").with(&["gross_items"]);
    lock(&folder, &entry(&folder, "gross_items", "com.example.gross-items", ""));
    let file = folder.path().join("gross_items.so");
    let before = sha256(&file);
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    replace(&file, &bytes);
    let line = format!(
        "gross_items.so: sha256-mismatch: expected {before} by plugins.lock, found {}; if you upgraded it, put what \
         `podium plugin check FILE --lock` says into plugins.lock",
        sha256(&file)
    );
    assert_eq!(refused(&folder), [line]);
}

#[test]
fn a_list_that_says_what_the_plugin_does_not_is_refused() {
    let folder = Folder::new("locked-id").with(&["gross_items"]);
    lock(&folder, &entry(&folder, "gross_items", "com.example.other", ""));
    let line = format!(
        "gross_items.so: bad-lock: expected com.example.other {VERSION} by plugins.lock, found \
         com.example.gross-items {VERSION}; {}",
        Slug::BadLock.advice()
    );
    assert_eq!(refused(&folder), [line]);
}

#[test]
fn a_list_that_cannot_be_read_lets_nothing_be_loaded() {
    let folder = Folder::new("locked-bad").with(&["gross_items"]);
    lock(&folder, "plugin = 1");
    let lines = refused(&folder);
    assert!(
        lines[0].starts_with("plugins.lock: bad-lock: expected a list of plugins, found TOML"),
        "{lines:?}"
    );
    assert_eq!((lines.len(), load(&folder, &child(&folder)).plugins().len()), (1, 0));
    fs::remove_file(folder.path().join("plugins.lock")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("plugins.lock")).unwrap();
    let lines = refused(&folder);
    assert!(lines[0].starts_with("plugins.lock: unsafe-file: "), "{lines:?}");
}

#[test]
fn what_is_listed_and_not_there_is_said() {
    let folder = Folder::new("locked-missing").with(&["gross_items", "fixture_crash"]);
    let rest = "required = true";
    let optional = entry(&folder, "fixture_crash", "com.example.fixture-crash", "");
    let required = entry(&folder, "gross_items", "com.example.gross-items", rest);
    fs::remove_file(folder.path().join("fixture_crash.so")).unwrap();
    lock(&folder, &format!("{optional}{required}"));
    let line = "fixture_crash.so: missing-file: expected the file that plugins.lock lists, found none of that name; \
                put the file there, or take it out of plugins.lock";
    assert_eq!(refused(&folder), [line]);
    assert!(load(&folder, &child(&folder)).missing().is_empty());
    replace(&folder.path().join("gross_items.so"), b"something else");
    let registry = load(&folder, &child(&folder));
    assert_eq!(registry.missing(), [folder.path().join("gross_items.so")]);
    assert_eq!(registry.refusals().len(), 2);
}

#[test]
fn a_plugin_may_run_in_our_own_process() {
    let folder = Folder::new("locked-here").with(&["gross_items", "fixture_crash"]);
    let here = entry(&folder, "gross_items", "com.example.gross-items", "isolation = \"in_process\"");
    let there = entry(&folder, "fixture_crash", "com.example.fixture-crash", "");
    lock(&folder, &format!("{here}{there}"));
    let registry = load(&folder, &child(&folder));
    assert_eq!(registry.refusals(), []);
    assert!(registry.status("com.example.gross-items").is_none());
    assert!(registry.status("com.example.fixture-crash").is_some());
    assert_eq!(registry.find("gross_items").unwrap().file, folder.path().join("gross_items.so"));
    assert_eq!(registry.create("gross_items", "{}").unwrap().value(&[3]), Ok(vec![(3.0, 1.0)]));
}

#[test]
fn a_channel_sees_the_secrets_that_are_listed() {
    let folder = Folder::new("locked-secrets").with(&["fixture_channels"]);
    let config = r#"{"token": {"secret": "DESK_TOKEN"}}"#;
    let create = |registry: &Registry| {
        let created =
            registry.create_channel_with("fixture_desk", config, &|name| Some(format!("value of {name}")));
        created.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(create(&folder.load()), Ok(()));
    for (rest, expected) in [
        ("secrets = [\"OTHER\", \"DESK_TOKEN\"]", Ok(())),
        ("", Err("/token: there is no secret \"DESK_TOKEN\" for this plugin".to_owned())),
    ] {
        lock(&folder, &entry(&folder, "fixture_channels", "com.example.fixture-channels", rest));
        assert_eq!(create(&load(&folder, &child(&folder))), expected, "{rest}");
    }
}

#[test]
fn an_upgrade_has_to_be_listed() {
    let folder = Folder::new("locked-upgrade").with(&["gross_items"]);
    let (id, file) = ("com.example.gross-items", folder.path().join("gross_items.so"));
    lock(&folder, &entry(&folder, "gross_items", id, ""));
    let registry = load(&folder, &child(&folder));
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    replace(&file, &bytes);
    let refused = registry.upgrade(id, &file).unwrap_err();
    let UpgradeError::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.slug, Slug::Sha256Mismatch);
    lock(&folder, &entry(&folder, "gross_items", id, ""));
    assert_eq!(registry.upgrade(id, &file).unwrap().sha256, sha256(&file));
}

#[test]
fn copies_that_nobody_uses_are_swept() {
    let folder = Folder::new("locked-swept").with(&["gross_items"]);
    let staged = folder.path().join("staged");
    let copies = || {
        let names =
            fs::read_dir(&staged).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let copy = |example| format!("{}.so", sha256(&built(example)));
    let first = load(&folder, &child(&folder));
    fs::remove_file(folder.path().join("gross_items.so")).unwrap();
    fs::write(staged.join("left.part"), "half a copy").unwrap();
    fs::write(staged.join("notes.txt"), "not ours").unwrap();
    // As in another process, the first registry still uses its copy.
    drop(load(&folder, &child(&folder)));
    assert_eq!(copies(), [copy("gross_items"), "notes.txt".to_owned()]);
    drop(first);
    // Whoever looks after the plugins lets go of them a moment later.
    let begun = std::time::Instant::now();
    while copies().len() > 1 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", copies());
        drop(load(&folder, &child(&folder)));
    }
}
