//! Rules of the house that a machine can read.

use crate::harness::{Book, named};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const LINES_MAX: usize = 400;

pub(crate) fn promises(book: &mut Book) {
    book.once(named!(dependencies_point_one_way));
    book.once(named!(files_are_short_enough_to_read));
    book.once(named!(nothing_is_switched_off_quietly));
    book.once(named!(folders_and_files_are_named_for_a_concept));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file of ours with this extension.
fn sources(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 20, "the sources are found");
    found
}

/// The names of everything that a member needs to be built.
fn needed_by(member: &str) -> BTreeSet<String> {
    let listed = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-p", member, "-e", "normal", "--prefix", "none", "-f", "{lib}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8(listed.stdout).unwrap().lines().map(|line| line.replace('-', "_")).collect()
}

fn dependencies_point_one_way() {
    let io = ["tokio", "actix_web", "sea_orm", "sqlx", "ureq", "libloading", "getrandom", "mio"];
    for (member, forbidden) in [
        ("podium-core", &io[..]),
        ("podium-core", &["podium_server", "podium_migrations", "podium_plugin_host", "podium_plugin"]),
        ("podium-plugin-abi", &["serde", "podium_core", "podium_plugin", "podium_plugin_host"]),
        ("podium-plugin", &["podium_core", "podium_server", "podium_plugin_host", "tokio"]),
        ("podium-commerce-metrics", &["podium_core", "podium_server", "podium_plugin_host", "tokio"]),
        ("podium-plugin-host", &["podium_core", "podium_server", "podium_plugin", "tokio"]),
        ("podium-migrations", &["podium_core", "podium_server", "actix_web"]),
    ] {
        let needed = needed_by(member);
        assert!(!needed.is_empty());
        for name in forbidden {
            assert!(!needed.contains(*name), "{member} needs {name}");
        }
    }
    assert!(needed_by("podium-server").contains("podium_core"), "the names are read as they are written");
}

fn files_are_short_enough_to_read() {
    let mut faults = Vec::new();
    for path in sources("rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        // Tests may run on.
        let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        let body = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let n_lines = body.lines().count();
        if n_lines > LINES_MAX && !is_test {
            faults.push(format!("{}: {n_lines} lines", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn nothing_is_switched_off_quietly() {
    let forbidden = ["#[ignore", "#[should_panic", "#[allow(", "#![allow(", "todo!(", "dbg!("];
    let mut faults = Vec::new();
    for path in sources("rs").iter().filter(|path| !path.ends_with(file!().rsplit('/').next().unwrap())) {
        let text = std::fs::read_to_string(path).unwrap();
        for (line_idx, line) in text.lines().enumerate() {
            for word in forbidden.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{}:{}: {word}", path.display(), line_idx + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn folders_and_files_are_named_for_a_concept() {
    let vague = ["utils", "util", "common", "helpers", "helper", "misc"];
    for path in sources("rs") {
        let inside = path.strip_prefix(root()).unwrap();
        for part in inside.with_extension("").components() {
            let name = part.as_os_str().to_string_lossy().into_owned();
            assert!(!vague.contains(&name.as_str()), "{}", inside.display());
        }
    }
}
