//! That the committed C header is the one that the crate makes.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the crate's own sources must fail")]

#[path = "header/generated.rs"]
mod generated;

use std::fs;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/include/podium_plugin.h");

#[test]
fn the_committed_header_is_the_generated_one() {
    let generated = generated::header();
    if std::env::var_os("PODIUM_UPDATE_PLUGIN_ABI").is_some() {
        fs::write(FILE, &generated).unwrap();
    }
    let committed = fs::read_to_string(FILE).unwrap_or_default();
    let differs = committed.lines().zip(generated.lines()).position(|(before, after)| before != after);
    assert!(
        committed == generated,
        "include/podium_plugin.h differs from line {:?} on; make it anew: PODIUM_UPDATE_PLUGIN_ABI=1 cargo test \
         -p podium-plugin-abi",
        differs.map(|line_idx| line_idx + 1),
    );
}

/// A type that nobody gave a name would be called `PODIUM_Thing`; a link would point nowhere.
#[test]
fn nothing_of_rust_is_left_in_the_header() {
    let header = generated::header();
    for word in header.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let is_ours = word.to_ascii_lowercase().starts_with("podium_");
        let is_one_case = word == word.to_ascii_lowercase() || word == word.to_ascii_uppercase();
        assert!(!is_ours || is_one_case, "{word}");
    }
    for rust in ["[`", "::", "Option", "crate", "*this", "Str ", "ErrorText", "i32", "usize"] {
        let line = header.lines().find(|line| line.contains(rust) && !line.starts_with("// Generated"));
        assert_eq!(line, None, "{rust:?}");
    }
}

/// cbindgen writes the types that others use, and those that `cbindgen.toml` lists.
#[test]
fn every_type_of_the_crate_is_in_the_header() {
    let header = generated::header();
    let types = generated::types();
    assert!(types.len() >= 24, "{types:?}");
    for of_rust in types {
        let of_c = generated::name_in_c(&of_rust);
        let is_there = header.contains(&format!("}} {of_c};\n")) || header.contains(&format!("(*{of_c})("));
        assert!(is_there, "{of_rust} should be {of_c}");
    }
}
