//! Why a file is not a plugin we can use.

use std::fmt;
use std::path::PathBuf;

/// Which check a file did not pass. Slugs never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Slug {
    /// The folder cannot be read.
    UnreadableFolder,
    /// The file is not a shared library that this system can open.
    NotALibrary,
    /// The library is for another kind of processor.
    WrongCpu,
    /// The library does not export the entry function.
    MissingSymbol,
    /// The entry function did not return a descriptor.
    BadMagic,
    /// The plugin follows another major version of the contract.
    AbiMajor,
    /// A struct is shorter than in any version of the contract.
    AbiSize,
    /// Something in the descriptor breaks a rule.
    BadComponent,
    /// Someone else already has this id.
    DuplicateId,
    /// The schema of the configuration is not JSON Schema.
    BadSchema,
    /// The plugin did not start.
    InitFailed,
    /// Others could have written the file.
    UnsafeFile,
    /// No copy of the file could be made to load.
    NotStaged,
    /// The folder's `plugins.lock` does not list the file.
    NotLocked,
    /// The bytes are not those that `plugins.lock` lists.
    Sha256Mismatch,
    /// `plugins.lock` makes no sense, or says what the plugin does not.
    BadLock,
    /// There is no file that `plugins.lock` lists.
    MissingFile,
    /// What was to be upgraded to says something else of its components than what runs.
    OtherComponents,
    /// What was to be upgraded to does not take the settings of an instance that there is.
    OtherSettings,
}

impl Slug {
    /// Every slug.
    pub const ALL: [Self; 19] = [
        Self::UnreadableFolder,
        Self::NotALibrary,
        Self::WrongCpu,
        Self::MissingSymbol,
        Self::BadMagic,
        Self::AbiMajor,
        Self::AbiSize,
        Self::BadComponent,
        Self::DuplicateId,
        Self::BadSchema,
        Self::InitFailed,
        Self::UnsafeFile,
        Self::NotStaged,
        Self::NotLocked,
        Self::Sha256Mismatch,
        Self::BadLock,
        Self::MissingFile,
        Self::OtherComponents,
        Self::OtherSettings,
    ];

    /// Spells the slug.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnreadableFolder => "unreadable-folder",
            Self::NotALibrary => "not-a-library",
            Self::WrongCpu => "wrong-cpu",
            Self::MissingSymbol => "missing-symbol",
            Self::BadMagic => "bad-magic",
            Self::AbiMajor => "abi-major",
            Self::AbiSize => "abi-size",
            Self::BadComponent => "bad-component",
            Self::DuplicateId => "duplicate-id",
            Self::BadSchema => "bad-schema",
            Self::InitFailed => "init-failed",
            Self::UnsafeFile => "unsafe-file",
            Self::NotStaged => "not-staged",
            Self::NotLocked => "not-locked",
            Self::Sha256Mismatch => "sha256-mismatch",
            Self::BadLock => "bad-lock",
            Self::MissingFile => "missing-file",
            Self::OtherComponents => "other-components",
            Self::OtherSettings => "other-settings",
        }
    }

    /// Says what to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::UnreadableFolder => "create the folder, or let the server read it",
            Self::NotALibrary => "put only plugins here, and copy them whole",
            Self::WrongCpu => "get the plugin built for this machine",
            Self::MissingSymbol => {
                "put only plugins here; a Rust plugin has `export_plugin!` and crate-type \"cdylib\""
            }
            Self::BadMagic => "rebuild the plugin with the podium-plugin of this server",
            Self::AbiMajor => {
                "use the plugin's release for this server, or rebuild it with its podium-plugin"
            }
            Self::AbiSize => "set each struct_size to the sizeof of its struct",
            Self::BadComponent => "ask the plugin's author to mend its descriptor",
            Self::DuplicateId => "remove one of the two, or rename it",
            Self::BadSchema => "ask the plugin's author to mend the schema of its configuration",
            Self::InitFailed => "see the plugin's own lines in the log",
            Self::UnsafeFile => {
                "give it to the server's user or to root, and take `others` their right to write"
            }
            Self::NotStaged => "make room, and let the server write to its data folder",
            Self::NotLocked => {
                "if you trust it, put what `podium plugin check FILE --lock` says into plugins.lock"
            }
            Self::Sha256Mismatch => {
                "if you upgraded it, put what `podium plugin check FILE --lock` says into plugins.lock"
            }
            Self::BadLock => "mend plugins.lock; `podium plugin check FILE --lock` says what belongs there",
            Self::MissingFile => "put the file there, or take it out of plugins.lock",
            Self::OtherComponents => {
                "restart the server to load it; figures that change are folded anew then"
            }
            Self::OtherSettings => "change the settings first, or ask the plugin's author",
        }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A file that was refused, and why.
///
/// Displays as one line: `aov.so: abi-major: expected 1, found 9; use the plugin's release for this server …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The file, or the folder.
    pub file: PathBuf,
    /// Which check it did not pass.
    pub slug: Slug,
    /// What the check wants.
    pub expected: String,
    /// What there was.
    pub found: String,
    /// What to do about it.
    pub advice: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.file.file_name().unwrap_or(self.file.as_os_str()).display();
        let Self { slug, expected, found, advice, .. } = self;
        write!(f, "{name}: {slug}: expected {expected}, found {found}; {advice}")
    }
}

/// A failed check, before it is known which file it is about.
#[derive(Debug)]
pub(crate) struct Failed {
    slug: Slug,
    expected: String,
    found: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slug, expected, found } = self;
        write!(f, "{slug}: expected {expected}, found {found}")
    }
}

impl Failed {
    pub(crate) fn new(slug: Slug, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { slug, expected: expected.into(), found: one_line(&found.into()) }
    }

    pub(crate) fn of(self, file: PathBuf) -> Refusal {
        let Self { slug, expected, found } = self;
        Refusal { file, slug, expected, found, advice: slug.advice() }
    }
}

/// Keeps a foreign text from breaking the line it is shown in.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::{Failed, Slug};
    use std::collections::HashSet;

    #[test]
    fn a_refusal_is_one_line() {
        let refusal = Failed::new(Slug::AbiMajor, "1", "9\nor so").of("/opt/plugins/aov.so".into());
        assert_eq!(
            refusal.to_string(),
            "aov.so: abi-major: expected 1, found 9 or so; use the plugin's release for this server, or rebuild \
             it with its podium-plugin"
        );
    }

    #[test]
    fn slugs_are_unique() {
        let slugs: HashSet<_> = Slug::ALL.iter().map(|slug| slug.as_str()).collect();
        assert_eq!(slugs.len(), Slug::ALL.len());
    }
}
