//! Plugins as cargo builds them: the bundled ones beside the binary, the odd ones among the examples.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// The libraries that were built with the binary.
#[derive(Debug)]
pub(crate) struct Built;

impl Built {
    /// The library of the example `name` of the plugin crates.
    #[track_caller]
    pub(crate) fn example(name: &str) -> PathBuf {
        static BUILT: Once = Once::new();
        let file = target().join("examples").join(format!("lib{}.so", name.replace('-', "_")));
        if !file.exists() {
            BUILT.call_once(|| build(&["-p", "podium-plugin", "-p", "podium-plugin-host", "--examples"]));
        }
        assert!(file.exists(), "{}: `cargo build --workspace --examples` makes it", file.display());
        file
    }

    /// The library of the channel that posts signed webhooks, which is an example for authors.
    #[track_caller]
    pub(crate) fn webhook_channel() -> PathBuf {
        static BUILT: Once = Once::new();
        let file = target().join("libwebhook_channel.so");
        if !file.exists() {
            BUILT.call_once(|| build(&["-p", "webhook-channel"]));
        }
        assert!(file.exists(), "{}: `cargo build -p webhook-channel` makes it", file.display());
        file
    }
}

/// The packages of the bundled plugins, and what their libraries are called.
const BUNDLED: [(&str, &str); 4] = [
    ("podium-commerce-metrics", "libpodium_commerce_metrics.so"),
    ("podium-channel-email", "libpodium_channel_email.so"),
    ("podium-channel-mobile", "libpodium_channel_mobile.so"),
    ("podium-channel-web", "libpodium_channel_web.so"),
];

/// Sees to it that the bundled plugins lie beside the binary, where `cargo build` puts them.
pub(crate) fn ensure_bundled() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let mut arguments = Vec::new();
        for (package, library) in BUNDLED {
            let places = [target().join(library), target().join("plugins").join(library)];
            if !places.iter().any(|file| file.exists()) {
                arguments.extend(["-p", package]);
            }
        }
        if !arguments.is_empty() {
            build(&arguments);
        }
    });
}

/// Where the binary lies.
fn target() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_podium")).parent().unwrap()
}

fn build(arguments: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("build").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.arg("--target-dir").arg(target().parent().unwrap());
    if target().ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
