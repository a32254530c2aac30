//! What is refused, with which line; and that everything else is loaded all the same.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod folder;
mod here;

use folder::{Folder, built};
use podium_plugin_host::{HostLog, Registry, Slug};
use std::fs;

/// Loads `file` beside a healthy plugin, which must load, and returns the line of the refusal.
#[track_caller]
fn refused(folder: &Folder, slug: Slug) -> String {
    let registry = folder.load();
    let refusals = registry.refusals();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!(refusals[0].slug, slug, "{}", refusals[0]);
    assert!(registry.find("gross_items").is_some(), "the healthy plugin is not loaded");
    assert_eq!(registry.plugins().len(), 1);
    refusals[0].to_string()
}

#[track_caller]
fn check(example: &str, slug: Slug, line: &str) {
    let folder = Folder::new(example).with(&[example, "gross_items"]);
    assert_eq!(refused(&folder, slug), format!("{example}.so: {slug}: {line}; {}", slug.advice()));
}

#[track_caller]
fn check_bytes(name: &str, bytes: &[u8], slug: Slug, line: &str) {
    let folder = Folder::new(name).with(&["gross_items"]);
    fs::write(folder.path().join("bytes.so"), bytes).unwrap();
    assert_eq!(refused(&folder, slug), format!("bytes.so: {slug}: {line}; {}", slug.advice()));
}

#[test]
fn a_noted_major_is_refused_without_running_code() {
    check("fixture_noted_major", Slug::AbiMajor, "expected 1, found 9 (minor 3)");
}

#[test]
fn a_described_major_is_refused() {
    check("fixture_described_major", Slug::AbiMajor, "expected 1, found 9 (minor 1)");
}

#[test]
fn a_library_without_the_entry_is_refused() {
    let line = "expected the function podium_plugin_entry_v1, found none of that name";
    check("fixture_missing_symbol", Slug::MissingSymbol, line);
}

#[test]
fn another_magic_is_refused() {
    check("fixture_bad_magic", Slug::BadMagic, "expected 0x31444f50, found 0xdeadbeef");
}

#[test]
fn a_short_struct_is_refused() {
    let line = "expected a podium_metric of at least 72 bytes, found 64 bytes";
    check("fixture_short_struct", Slug::AbiSize, line);
}

#[test]
fn nine_accumulators_are_refused() {
    let line = "expected 1 <= k <= 8 of fixture_bad_component, found 9";
    check("fixture_bad_component", Slug::BadComponent, line);
}

#[test]
fn the_same_metric_twice_is_refused() {
    let line = "expected each component once, found fixture_duplicate_id twice";
    check("fixture_duplicate_id", Slug::DuplicateId, line);
}

#[test]
fn a_schema_that_is_no_json_is_refused() {
    let line = "expected a JSON Schema for fixture_bad_schema, found no JSON: EOF while parsing a value at line 1 \
                column 9";
    check("fixture_bad_schema", Slug::BadSchema, line);
}

#[test]
fn a_plugin_that_does_not_start_is_refused() {
    let line = "expected a plugin that starts, found the moon is in the wrong place";
    check("fixture_init_failed", Slug::InitFailed, line);
}

#[test]
fn the_same_plugin_in_two_folders_is_loaded_once() {
    let first = Folder::new("twice-first").with(&["gross_items"]);
    let second = Folder::new("twice-second").with(&["gross_items", "fixture_panic"]);
    let folders = [first.path().to_owned(), second.path().to_owned()];
    let registry = Registry::load(&folders, &HostLog::discard());
    let ids: Vec<&str> = registry.metrics().iter().map(|metric| metric.id.as_str()).collect();
    assert_eq!(ids, ["gross_items", "fixture_panic"]);
    let line = "gross_items.so: duplicate-id: expected an id that is free for the plugin, found \
                com.example.gross-items, as in gross_items.so; remove one of the two, or rename it";
    assert_eq!(registry.refusals().iter().map(ToString::to_string).collect::<Vec<_>>(), [line]);
}

#[test]
fn what_is_no_library_is_refused() {
    check_bytes("empty", b"", Slug::NotALibrary, "expected a shared library, found a file that is cut off");
    let text = [b'x'; 100];
    check_bytes("text", &text, Slug::NotALibrary, "expected a shared library, found a file that is not ELF");
}

#[test]
fn a_library_for_another_processor_is_refused() {
    let mut bytes = fs::read(built("gross_items")).unwrap();
    bytes[18..20].copy_from_slice(&40_u16.to_le_bytes());
    let own = if cfg!(target_arch = "x86_64") { "x86-64" } else { "AArch64" };
    check_bytes("other-cpu", &bytes, Slug::WrongCpu, &format!("expected {own}, found ELF machine 40"));
    bytes[4] = 1;
    let line = format!("expected {own}, found a library that is not 64-bit little-endian");
    check_bytes("other-class", &bytes, Slug::WrongCpu, &line);
}

#[test]
fn a_library_that_is_cut_off_anywhere_is_refused_or_whole_enough() {
    let whole = fs::read(built("fixture_panic")).unwrap();
    let folder = Folder::new("cut-off").with(&["gross_items"]);
    let cuts = (0..600).chain((600..whole.len()).step_by(whole.len() / 200));
    let mut n_refused = 0;
    for len in cuts {
        let file = folder.path().join(format!("cut_{len}.so"));
        fs::write(&file, &whole[..len]).unwrap();
        let registry = folder.load();
        assert!(registry.find("gross_items").is_some());
        // What the loader maps may all be there when only debug information is missing.
        let is_refused = registry.refusals().iter().any(|refusal| refusal.slug == Slug::NotALibrary);
        assert!(is_refused || registry.find("fixture_panic").is_some(), "cut at {len}: {registry:?}");
        n_refused += usize::from(is_refused);
        fs::remove_file(&file).unwrap();
    }
    assert!(n_refused >= 600, "{n_refused} cuts were refused");
}

#[test]
fn folders_and_dangling_links_are_refused() {
    let folder = Folder::new("odd-files").with(&["gross_items"]);
    fs::create_dir(folder.path().join("folder.so")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("link.so")).unwrap();
    fs::write(folder.path().join("readme.txt"), "not looked at").unwrap();
    let registry = folder.load();
    let slugs: Vec<Slug> = registry.refusals().iter().map(|refusal| refusal.slug).collect();
    assert_eq!(slugs, [Slug::NotALibrary; 2]);
    assert!(registry.find("gross_items").is_some());
}

#[test]
fn a_folder_that_is_not_there_is_refused() {
    let folder = Folder::new("missing").with(&["gross_items"]);
    let folders = [folder.path().join("nowhere"), folder.path().to_owned()];
    let registry = Registry::load(&folders, &HostLog::discard());
    let lines: Vec<String> = registry.refusals().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "nowhere: unreadable-folder: expected a folder of plugins, found No such file or directory (os error 2); \
          create the folder, or let the server read it"
        ]
    );
    assert!(registry.find("gross_items").is_some());
}

#[test]
fn a_component_of_unknown_kind_is_skipped_and_listed() {
    let folder = Folder::new("unknown-kind").with(&["fixture_unknown_kind"]);
    let registry = folder.load();
    assert_eq!(registry.refusals(), []);
    assert_eq!(registry.metrics(), []);
    let [skipped] = registry.skipped() else { panic!("{registry:?}") };
    assert_eq!((skipped.component_id.as_str(), skipped.kind), ("fixture_unknown_kind", 77));
}
