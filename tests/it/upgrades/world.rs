//! A folder of plugins, a server that loads it, and the command that installs into it.

use crate::harness::{Built, Engine, Folder, Shop, experiment};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// The fixture, in all its files.
pub(super) const PLUGIN: &str = "com.example.fixture-edition";

pub(super) fn podium(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podium"));
    for name in ["URL", "KEY", "DATA_DIR"] {
        command.env_remove(format!("PODIUM_{name}"));
    }
    command.arg("plugin").args(arguments).output().unwrap()
}

pub(super) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command that must succeed, and reads its JSON.
#[track_caller]
pub(super) fn done(arguments: &[&str]) -> Value {
    let output = podium(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {}", text(&output)))
}

/// Runs a command that must fail with one line that says so.
#[track_caller]
pub(super) fn refused(arguments: &[&str], said: &str) {
    let output = podium(arguments);
    let line = text(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {line}");
    assert!(line.contains(said) && line.trim().lines().count() == 1, "{line}");
}

/// A path as an argument.
pub(super) fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Puts a file of the fixture that does what `edition` says into a folder.
pub(super) fn edition(folder: &Folder, example: &str, edition: &str) -> PathBuf {
    let mut bytes = fs::read(Built::example(example)).unwrap();
    let mark = b"podium-edition: first           ";
    let at = bytes.windows(mark.len()).position(|window| window == mark).unwrap();
    bytes[at..at + mark.len()].copy_from_slice(format!("podium-edition: {edition:16}").as_bytes());
    let file = folder.path().join(format!("{example}-{edition}.so"));
    fs::write(&file, bytes).unwrap();
    file
}

/// Whom the fixture's channel hands messages to, until the test ends.
pub(super) struct Provider {
    address: String,
    pub(super) taken: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&taken);
        std::thread::spawn(move || {
            for mut connection in listener.incoming().map_while(Result::ok) {
                let mut key = String::new();
                if BufReader::new(&connection).read_line(&mut key).is_ok_and(|length| length != 0) {
                    seen.lock().unwrap().push(key);
                    // Who went away does not hear it.
                    let _ = connection.write_all(b"1");
                }
            }
        });
        Self { address, taken }
    }
}

/// A folder of plugins with the fixture installed in it, and a shop that loads it.
pub(super) struct World {
    pub(super) shop: Shop,
    pub(super) plugins: Folder,
    /// Where files come from.
    pub(super) files: Folder,
    pub(super) provider: Provider,
}

impl World {
    #[track_caller]
    pub(super) fn open(engine: Engine) -> Self {
        let (plugins, files) = (Folder::new("plugins"), Folder::new("files"));
        let first = edition(&files, "fixture_edition", "first");
        done(&["install", arg(&first), "--to", arg(plugins.path()), "--force"]);
        let shop = Shop::with_plugins(engine, vec![plugins.path().to_owned()]);
        let provider = Provider::start();
        let hands = json!({"channel": "fixture_hands", "settings": {"provider": provider.address}});
        shop.set_up("hands", &hands);
        let mut definition = experiment("banner", &["control", "b"]);
        definition["primary_metric"] = json!({"metric": "fixture_counts", "window_s": 86_400});
        definition["secondary_metrics"] = json!([{"metric": "conversion", "window_s": 86_400}]);
        definition["exposure"] = json!("event");
        shop.run(&definition);
        shop.run(&experiment("blast", &["a", "b"]));
        Self { shop, plugins, files, provider }
    }

    pub(super) fn edition(&self, example: &str, name: &str) -> PathBuf {
        edition(&self.files, example, name)
    }

    /// A command about this folder and server.
    pub(super) fn with_server<'a>(&'a self, command: &[&'a str], key: &'a str) -> Vec<&'a str> {
        let mut arguments = command.to_vec();
        arguments.extend(["--to", arg(self.plugins.path()), "--url", self.shop.podium.url(), "--key", key]);
        arguments
    }

    #[track_caller]
    pub(super) fn upgrade(&self, file: &Path) -> Value {
        let key = self.shop.podium.key("admin");
        done(&self.with_server(&["upgrade", arg(file), "--force"], &key))
    }

    #[track_caller]
    pub(super) fn status(&self) -> Value {
        self.shop.plugin(PLUGIN)
    }

    /// What lies in the folder, with its bytes.
    pub(super) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        contents(self.plugins.path())
    }

    pub(super) fn list(&self) -> String {
        fs::read_to_string(self.plugins.path().join("plugins.lock")).unwrap()
    }
}

pub(super) fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// The libraries of a folder.
pub(super) fn libraries(folder: &Path) -> Vec<String> {
    contents(folder).into_keys().filter(|name| Path::new(name).extension() == Some("so".as_ref())).collect()
}
