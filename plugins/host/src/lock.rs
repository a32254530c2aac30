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
use crate::refusal::{Failed, Slug};
use crate::staged;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The name of the list in its folder.
const FILE_NAME: &str = "plugins.lock";
const HASH_LEN: usize = 64;

/// The plugins that a folder may have loaded.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    #[serde(default)]
    plugin: Vec<Locked>,
}

/// One of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Locked {
    pub(crate) file: String,
    id: String,
    version: String,
    sha256: String,
    #[serde(default)]
    isolation: Place,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
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
    pub(crate) fn file(folder: &Path) -> PathBuf {
        folder.join(FILE_NAME)
    }

    /// Reads the list of a folder; `None` if the folder has none.
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
        let lock: Self = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        for (idx, locked) in lock.plugin.iter().enumerate() {
            let Locked { file, sha256, .. } = locked;
            if Path::new(file).file_name() != Some(file.as_ref()) {
                return Err(bad(format!("{file:?} as the name of a file in this folder")));
            }
            let is_hash = sha256.len() == HASH_LEN && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_hash {
                return Err(bad(format!("{sha256:?} as the sha256 of {file}")));
            }
            if lock.plugin[..idx].iter().any(|other| other.file == *file) {
                return Err(bad(format!("{file} twice")));
            }
        }
        Ok(lock)
    }

    /// The plugins of the list.
    pub(crate) fn plugins(&self) -> &[Locked] {
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

impl Locked {
    /// Checks the hash of the file's bytes.
    pub(crate) fn check_bytes(&self, sha256: &str) -> Result<(), Failed> {
        if self.sha256.eq_ignore_ascii_case(sha256) {
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
        check(&(entry("a.so", "") + &entry("b.so", "") + &entry("a.so", "")), "found a.so twice");
    }
}
