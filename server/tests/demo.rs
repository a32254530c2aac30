//! `podium demo` as somebody runs it who has just cloned the repository.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says why on the terminal")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_podium");

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("demo-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Sees to it that the bundled metrics lie beside the binary, as `cargo build` lays them.
fn ensure_plugin() {
    let beside = Path::new(BINARY).parent().unwrap();
    if beside.join("libpodium_commerce_metrics.so").exists() || beside.join("plugins").is_dir() {
        return;
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "-p", "podium-commerce-metrics", "--target-dir"]).arg(beside.parent().unwrap());
    if beside.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

fn demo(arguments: &[&str]) -> Command {
    let mut demo = Command::new(BINARY);
    for name in ["LISTEN", "DATABASE", "DATA_DIR", "PLUGIN_DIR", "PUBLIC_URL", "LOG"] {
        demo.env_remove(format!("PODIUM_{name}"));
    }
    demo.args(["demo", "--listen", "127.0.0.1:0"]).args(arguments);
    demo
}

#[test]
fn the_demo_says_what_the_data_says_and_serves_until_it_is_stopped() {
    ensure_plugin();
    let temporary = folder("serves");
    let mut process = demo(&[])
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(process.stderr.take().unwrap());
    let progress = std::thread::spawn(move || stderr.lines().map_while(Result::ok).collect::<Vec<_>>());
    let stdout = BufReader::new(process.stdout.take().unwrap());
    let mut lines = Vec::new();
    for line in stdout.lines().map_while(Result::ok) {
        let is_last = line.starts_with("Serving on ");
        lines.push(line);
        if is_last {
            break;
        }
    }
    let links: Vec<_> = lines.iter().filter(|line| line.contains("/r/")).map(|line| line.trim()).collect();
    let pages: Vec<_> = links.iter().map(|link| ureq::get(*link).call()).collect();
    let stop = format!("kill -INT {}", process.id());
    assert!(Command::new("sh").args(["-c", &stop]).status().unwrap().success());
    let status = process.wait().unwrap();
    let progress = progress.join().unwrap();
    let told = format!("{}\n{}", progress.join("\n"), lines.join("\n"));
    assert!(status.success(), "{told}");
    assert!(progress.len() < 200, "off a terminal progress is a line now and then: {told}");
    for expected in [
        "No variant stands out on revenue per visitor",
        "23,570 customers, 69,659 orders, $2,500,315.63: equal by variant, to the cent",
        "10,000 impressions, 46 clicks: equal by item",
        "That is too few to tell the two apart: nothing follows from it.",
        "“Bundle” leads on revenue per visitor",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(pages.len(), 5, "{told}");
    for page in pages {
        let html = page.unwrap().body_mut().read_to_string().unwrap();
        assert!(html.contains("<html"), "{html}");
        assert!(html.contains("CDNOW") || html.contains("ZOZO"), "it says whose the data is: {html}");
    }
    assert!(std::fs::read_dir(&temporary).unwrap().next().is_none(), "it cleans up behind itself");
    std::fs::remove_dir_all(&temporary).unwrap();
}

#[test]
fn the_demo_leaves_a_database_alone_that_is_there_already() {
    let kept = folder("kept");
    let database = kept.join("podium.sqlite");
    std::fs::write(&database, "somebody's").unwrap();
    let ended = demo(&["--once", "--keep", kept.to_str().unwrap()]).output().unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("has a database already"), "{said}");
    assert_eq!(std::fs::read(&database).unwrap(), b"somebody's");
    std::fs::remove_dir_all(&kept).unwrap();
}
