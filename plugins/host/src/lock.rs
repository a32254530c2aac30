//! `plugins.lock`: the list of the plugins that a folder may have loaded, each with the hash of its bytes.
//!
//! ```toml
//! [[plugin]]
//! file = "aov.so"
//! id = "com.example.aov"
//! version = "1.2.0"
//! sha256 = "9f2c…"            # 64 hexadecimal digits
//! isolation = "in_process"    # else "child"
//! required = true             # else false
//! secrets = ["DESK_TOKEN"]    # those that its channels may see; else none
//! ```
//!
//! A folder that has one is locked: nothing else in it is loaded. A folder without one is not: every library in it
//! is loaded, on the word of whoever may write to it.

use crate::info::PluginInfo;
use crate::refusal::{Failed, Refusal, Slug};
use crate::staged;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};

/// The name of the list in its folder.
const FILE_NAME: &str = "plugins.lock";
const HASH_LEN: usize = 64;
/// What it begins with where we write it.
const HEAD: &str = "# The plugins that are loaded from this folder, and no others. `podium plugin install`, `upgrade` and\n\
                    # `rollback` write this file anew: they keep what is set here, and no comments.\n";

/// The plugins that a folder may have loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    #[serde(default)]
    plugin: Vec<Locked>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// The name of its file in the folder.
    pub file: String,
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The hash of the file's bytes, in hexadecimal.
    pub sha256: String,
    #[serde(default)]
    isolation: Place,
    /// Whether the server is not ready without it.
    #[serde(default)]
    pub required: bool,
    /// The secrets that its channels may see.
    #[serde(default)]
    pub secrets: Vec<String>,
}

/// Where it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    #[default]
    Child,
    InProcess,
}

impl Lock {
    /// Where the list of a folder is.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join(FILE_NAME)
    }

    /// Reads the list of a folder; `None` if the folder has none.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if it cannot be read, or makes no sense.
    pub fn read(folder: &Path) -> Result<Option<Self>, Refusal> {
        Self::of(folder).map_err(|failed| failed.of(Self::file(folder)))
    }

    /// Puts a plugin into the list, in the place of what there is of the same id or file.
    pub fn put(&mut self, locked: Locked) {
        let place = self.plugin.iter().position(|other| other.id == locked.id);
        self.plugin.retain(|other| other.id != locked.id && other.file != locked.file);
        self.plugin.insert(place.unwrap_or(usize::MAX).min(self.plugin.len()), locked);
    }

    /// What the list says of a plugin.
    pub fn of_plugin(&self, plugin_id: &str) -> Option<&Locked> {
        self.plugin.iter().find(|locked| locked.id == plugin_id)
    }

    pub(crate) fn of(folder: &Path) -> Result<Option<Self>, Failed> {
        let file = Self::file(folder);
        // Whatever stands there counts, even a link to nowhere.
        if file.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let bytes = staged::read(&file)?.bytes;
        let text = String::from_utf8(bytes).map_err(|error| bad(error.to_string()))?;
        Self::parse(&text).map(Some)
    }

    fn parse(text: &str) -> Result<Self, Failed> {
        let mut lock: Self = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        lock.plugin.iter_mut().for_each(|locked| locked.sha256.make_ascii_lowercase());
        for (idx, locked) in lock.plugin.iter().enumerate() {
            let Locked { file, id, sha256, .. } = locked;
            if Path::new(file).file_name() != Some(file.as_ref()) {
                return Err(bad(format!("{file:?} as the name of a file in this folder")));
            }
            let is_hash = sha256.len() == HASH_LEN && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_hash {
                return Err(bad(format!("{sha256:?} as the sha256 of {file}")));
            }
            let before = &lock.plugin[..idx];
            if before.iter().any(|other| other.file == *file) {
                return Err(bad(format!("{file} twice")));
            }
            if before.iter().any(|other| other.id == *id) {
                return Err(bad(format!("plugin {id} twice")));
            }
        }
        Ok(lock)
    }

    /// The plugins of the list.
    pub fn plugins(&self) -> &[Locked] {
        &self.plugin
    }

    /// What the list says of a file.
    pub(crate) fn find(&self, file: &Path) -> Result<&Locked, Failed> {
        let name = file.file_name().unwrap_or_default();
        self.plugin.iter().find(|locked| *locked.file == *name).ok_or_else(|| {
            Failed::new(
                Slug::NotLocked,
                format!("a file that {FILE_NAME} lists"),
                "one that it does not list",
            )
        })
    }

    /// The file of the list that is not there.
    pub(crate) fn missing() -> Failed {
        Failed::new(Slug::MissingFile, format!("the file that {FILE_NAME} lists"), "none of that name")
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.plugin.iter().try_for_each(|locked| write!(f, "\n{locked}"))
    }
}

/// As it stands in the list.
impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, id, version, sha256, isolation, required, secrets } = self;
        writeln!(f, "[[plugin]]")?;
        for (name, value) in [("file", file), ("id", id), ("version", version), ("sha256", sha256)] {
            writeln!(f, "{name} = {}", quoted(value))?;
        }
        if *isolation == Place::InProcess {
            writeln!(f, "isolation = \"in_process\"")?;
        }
        if *required {
            writeln!(f, "required = true")?;
        }
        if !secrets.is_empty() {
            let names: Vec<String> = secrets.iter().map(|name| quoted(name)).collect();
            writeln!(f, "secrets = [{}]", names.join(", "))?;
        }
        Ok(())
    }
}

/// A text in TOML. What JSON escapes is what TOML does, but for one sign.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

impl Locked {
    /// The entry of a file of a plugin, with the safe choice of everything else.
    pub fn new(file: String, info: &PluginInfo, sha256: String) -> Self {
        let (id, version) = (info.id.clone(), info.version.clone());
        Self { file, id, version, sha256, isolation: Place::Child, required: false, secrets: Vec::new() }
    }

    /// The entry of another file of the same plugin, with everything that is set.
    #[must_use]
    pub fn renewed(&self, file: String, version: String, sha256: String) -> Self {
        Self { file, version, sha256, ..self.clone() }
    }

    /// Checks the hash of the file's bytes.
    pub(crate) fn check_bytes(&self, sha256: &str) -> Result<(), Failed> {
        if self.sha256 == sha256 {
            return Ok(());
        }
        Err(Failed::new(Slug::Sha256Mismatch, format!("{} by {FILE_NAME}", self.sha256), sha256))
    }

    /// Checks what the plugin says of itself.
    pub(crate) fn check_info(&self, info: &PluginInfo) -> Result<(), Failed> {
        if (&self.id, &self.version) == (&info.id, &info.version) {
            return Ok(());
        }
        let expected = format!("{} {} by {FILE_NAME}", self.id, self.version);
        Err(Failed::new(Slug::BadLock, expected, format!("{} {}", info.id, info.version)))
    }

    pub(crate) fn is_in_process(&self) -> bool {
        self.isolation == Place::InProcess
    }
}

fn bad(found: String) -> Failed {
    Failed::new(Slug::BadLock, "a list of plugins", found)
}

#[cfg(test)]
mod tests {
    use super::{Lock, Place};

    const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

    fn entry(file: &str, rest: &str) -> String {
        format!("[[plugin]]\nfile = {file:?}\nid = \"a\"\nversion = \"1.0.0\"\nsha256 = \"{HASH}\"\n{rest}\n")
    }

    #[test]
    fn what_is_not_said_is_the_safe_choice() {
        let lock = Lock::parse(&entry("a.so", "")).unwrap();
        let [locked] = lock.plugins() else { panic!("{lock:?}") };
        assert_eq!((locked.isolation, locked.required, locked.secrets.len()), (Place::Child, false, 0));
        let rest = "isolation = \"in_process\"\nrequired = true\nsecrets = [\"A\"]";
        let lock = Lock::parse(&entry("a.so", rest)).unwrap();
        let [locked] = lock.plugins() else { panic!("{lock:?}") };
        assert!(locked.is_in_process() && locked.required && locked.secrets == ["A"]);
        assert!(locked.check_bytes(&HASH.to_lowercase()).is_ok());
        assert!(Lock::parse("").unwrap().plugins().is_empty());
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let mut lock =
            Lock::parse(&(entry("a.so", "") + &entry("b.so", "").replace("\"a\"", "\"b\""))).unwrap();
        let mut odd = lock.plugins()[1].renewed("\"\n\\\u{7f}é.so".into(), "2".into(), HASH.to_lowercase());
        (odd.required, odd.secrets, odd.isolation) = (true, vec!["A".into(), "B".into()], Place::InProcess);
        lock.put(odd);
        assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock);
    }

    #[test]
    fn a_plugin_is_listed_once_and_stays_where_it_was() {
        let both = entry("a.so", "") + &entry("b.so", "").replace("\"a\"", "\"b\"");
        let mut lock = Lock::parse(&both).unwrap();
        let other = lock.plugins()[0].renewed("c.so".into(), "2".into(), HASH.to_lowercase());
        lock.put(other.clone());
        assert_eq!((lock.plugins().len(), lock.of_plugin("a")), (2, Some(&other)));
        assert_eq!(lock.plugins()[0], other);
        // What takes the file of another plugin takes its place in the list.
        lock.put(other.renewed("b.so".into(), "3".into(), HASH.to_lowercase()));
        assert_eq!((lock.plugins().len(), lock.of_plugin("b")), (1, None));
    }

    #[track_caller]
    fn check(text: &str, found: &str) {
        let line = Lock::parse(text).map(|_| "a list").unwrap_err().of("plugins.lock".into()).to_string();
        assert!(line.starts_with("plugins.lock: bad-lock: ") && line.contains(found), "{line}");
    }

    #[test]
    fn a_list_that_makes_no_sense_is_refused() {
        check("plugin = 1", "invalid type");
        check(&entry("a.so", "isolated = true"), "unknown field `isolated`");
        check(&entry("a.so", "isolation = \"none\""), "unknown variant `none`");
        check(&entry("../a.so", ""), "\"../a.so\" as the name of a file");
        check(&entry("", ""), "\"\" as the name of a file");
        check(&entry("a.so", "").replace("EEFF", "EEF"), "as the sha256 of a.so");
        let other = entry("b.so", "").replace("\"a\"", "\"b\"");
        check(&(entry("a.so", "") + &other + &entry("a.so", "")), "found a.so twice");
        check(&(entry("a.so", "") + &other + &entry("c.so", "")), "found plugin a twice");
    }
}
