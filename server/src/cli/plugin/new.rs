//! `podium plugin new`.

use super::super::{CliError, say};
use clap::{Args, ValueEnum};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where this program was built, if it still is there: authors then build against the same SDK.
const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/sdk");

/// Begin a plugin: a folder that builds, to be changed.
#[derive(Clone, Debug, Args)]
pub(crate) struct New {
    /// The folder to make; its name becomes the plugin's.
    folder: PathBuf,
    /// Make a channel, which delivers messages, and not a metric.
    #[arg(long)]
    channel: bool,
    /// What to write it in.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    lang: Language,
    /// A folder with the crate `podium-plugin`; by default that of this program's own source, else the released one.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    Rust,
    C,
}

/// Files of a new plugin, by their place in it.
type Template = &'static [(&'static str, &'static str)];

const CHANNEL: Template = &[
    ("Cargo.toml", include_str!("../../../templates/plugin/channel/Cargo.toml.txt")),
    ("src/lib.rs", include_str!("../../../templates/plugin/channel/lib.rs.txt")),
    ("README.md", include_str!("../../../templates/plugin/channel/README.md.txt")),
    (".gitignore", "/target\n"),
];

/// Events to try a new metric on.
const SAMPLE: &str = include_str!("../../../templates/plugin/metric/sample.ndjson");

/// What the channel of the template is checked with.
const CHANNEL_CHECK: &str = r#" --config '{"endpoint": "{{endpoint}}", "token": {"secret": "TOKEN"}}'"#;

const RUST: Template = &[
    ("Cargo.toml", include_str!("../../../templates/plugin/metric/Cargo.toml.txt")),
    ("src/lib.rs", include_str!("../../../templates/plugin/metric/lib.rs.txt")),
    ("README.md", include_str!("../../../templates/plugin/metric/README.md.txt")),
    ("sample.ndjson", SAMPLE),
    (".gitignore", "/target\n"),
];

const C: Template = &[
    ("metric.c", include_str!("../../../../examples/c-metric/orders_per_visitor.c")),
    ("podium_plugin.h", include_str!("../../../../plugins/abi/include/podium_plugin.h")),
    ("Makefile", include_str!("../../../templates/plugin/c/Makefile.txt")),
    ("README.md", include_str!("../../../templates/plugin/c/README.md.txt")),
    ("sample.ndjson", SAMPLE),
    (".gitignore", "*.so\n"),
];

impl New {
    /// Runs it.
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        let name = self.name()?;
        if self.folder.exists() {
            return Err(CliError(format!("{} is there already; name a new folder", self.folder.display())));
        }
        let of_rust = format!("target/release/lib{}.so", name.replace('-', "_"));
        let (template, build, library) = match (self.lang, self.channel) {
            (Language::Rust, false) => (RUST, "cargo build --release", of_rust),
            (Language::Rust, true) => (CHANNEL, "cargo build --release", of_rust + CHANNEL_CHECK),
            (Language::C, false) => (C, "make", format!("{name}.so")),
            (Language::C, true) => {
                return Err(CliError("there is a beginning of a channel in Rust only".to_owned()));
            }
        };
        for (place, text) in template {
            let text = text
                .replace("{{name}}", &name)
                .replace("{{metric}}", &name.replace('-', "_"))
                .replace("{{channel}}", &name.replace('-', "_"))
                .replace("{{sdk}}", &self.dependency()?);
            write(&self.folder.join(place), &text)?;
        }
        let folder = self.folder.display();
        say(&format!("made {folder}; now:\n  cd {folder}\n  {build}\n  podium plugin check {library}"));
        Ok(ExitCode::SUCCESS)
    }

    fn name(&self) -> Result<String, CliError> {
        let name =
            self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut letters = name.chars();
        let begins = letters.next().is_some_and(|first| first.is_ascii_lowercase());
        if begins && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')) {
            return Ok(name);
        }
        let detail = "lower-case letters, digits, `-` and `_`, beginning with a letter";
        Err(CliError(format!("`{name}` cannot name a plugin; use {detail}")))
    }

    /// The right-hand side of the SDK's line in `Cargo.toml`.
    fn dependency(&self) -> Result<String, CliError> {
        let ours = Path::new(SDK);
        let folder = match &self.sdk {
            Some(folder) if !folder.join("Cargo.toml").is_file() => {
                return Err(CliError(format!(
                    "{} has no Cargo.toml; name the folder of podium-plugin",
                    folder.display()
                )));
            }
            Some(folder) => Some(folder.as_path()),
            None => Some(ours).filter(|ours| ours.join("Cargo.toml").is_file()),
        };
        let Some(folder) = folder else { return Ok(format!("\"{}\"", env!("CARGO_PKG_VERSION"))) };
        let folder = folder.canonicalize().map_err(CliError::from_display)?;
        Ok(format!("{{ path = {:?} }}", folder.display().to_string()))
    }
}

fn write(file: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError(format!("cannot write {}: {error}", file.display()));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(file, text).map_err(failed)
}
