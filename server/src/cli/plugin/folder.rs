//! A folder of plugins and its `plugins.lock`, changed so that a server may read them at any moment.
//!
//! A file lies under a name that holds its hash, so that no file in use is written over, and the list changes in one
//! step. What a plugin's file is replaced by stays beside it as `ID.previous`, which no server loads.

use super::super::CliError;
use super::check::describe;
use crate::auth::hex;
use clap::Args;
use podium_plugin_host::{Lock, Locked, PluginInfo};
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How much of the hash a file's name has.
const HASH_IN_NAME: usize = 16;

/// What a plugin's entry in `plugins.lock` says besides what it is.
#[derive(Clone, Debug, Args)]
pub(super) struct Rights {
    /// The server is not ready without it.
    #[arg(long)]
    required: bool,
    /// A secret that its channels may see, by its name; may be repeated.
    #[arg(long, value_name = "NAME")]
    may_see: Vec<String>,
}

impl Rights {
    /// The entry of a file.
    pub(super) fn entry(&self, file: String, info: &PluginInfo, sha256: String) -> Locked {
        let mut entry = Locked::new(file, info, sha256);
        (entry.required, entry.secrets) = (self.required, self.may_see.clone());
        entry
    }
}

/// The bytes of a plugin.
pub(super) struct Library {
    bytes: Vec<u8>,
    /// Their hash, in hexadecimal.
    pub(super) sha256: String,
}

impl Library {
    pub(super) fn read(file: &Path) -> Result<Self, CliError> {
        let bytes = fs::read(file);
        let bytes = bytes.map_err(|error| CliError(format!("cannot read {}: {error}", file.display())))?;
        let sha256 = hex(&Sha256::digest(&bytes));
        Ok(Self { bytes, sha256 })
    }

    /// What its file is called.
    pub(super) fn file_name(&self, plugin_id: &str) -> String {
        format!("{plugin_id}-{}.so", self.sha256.get(..HASH_IN_NAME).unwrap_or(&self.sha256))
    }
}

/// A folder of plugins that nobody else changes meanwhile.
pub(super) struct PluginFolder {
    path: PathBuf,
    /// Locked.
    _alone: File,
}

/// What a folder lists.
pub(super) struct Listing {
    pub(super) lock: Lock,
    /// Whether there was no list, so that this one has to be written.
    pub(super) is_new: bool,
    /// Files that are not in a new list, and why.
    pub(super) left_out: Vec<String>,
}

/// A file that was put into its place.
pub(super) struct Placed<'a> {
    folder: &'a PluginFolder,
    before: Listing,
    id: String,
    file: String,
}

impl PluginFolder {
    /// Opens a folder, and makes it if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let failed = |error: io::Error| CliError(format!("cannot open {}: {error}", path.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let alone = File::open(path).map_err(failed)?;
        alone.lock().map_err(failed)?;
        Ok(Self { path: path.to_owned(), _alone: alone })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the list; where there is none, makes one of what lies there. With a list nothing else is loaded, so one
    /// that left those out would take them away.
    pub(super) fn listing(&self) -> Result<Listing, CliError> {
        if let Some(lock) = Lock::read(&self.path).map_err(|refusal| CliError(refusal.to_string()))? {
            return Ok(Listing { lock, is_new: false, left_out: Vec::new() });
        }
        let mut listing = Listing { lock: Lock::default(), is_new: true, left_out: Vec::new() };
        for file in self.files("so")? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match describe(&file).and_then(|info| Ok((info, Library::read(&file)?))) {
                Ok((info, library)) => listing.lock.put(Locked::new(name, &info, library.sha256)),
                Err(error) => listing.left_out.push(error.to_string()),
            }
        }
        Ok(listing)
    }

    /// Writes the list.
    pub(super) fn write_list(&self, lock: &Lock) -> Result<(), CliError> {
        self.write(&Lock::file(&self.path), lock.to_string().as_bytes())
    }

    /// Puts a file of a plugin into the folder, and then `entry` into the list. If that cannot be, the file does not
    /// stay, either: without a list it would be loaded.
    pub(super) fn place(
        &self,
        library: &Library,
        entry: Locked,
        before: Listing,
    ) -> Result<Placed<'_>, CliError> {
        let (id, file) = (entry.id.clone(), entry.file.clone());
        self.write(&self.path.join(&file), &library.bytes)?;
        let mut lock = before.lock.clone();
        lock.put(entry);
        let placed = Placed { folder: self, before, id, file };
        if let Err(error) = self.write_list(&lock) {
            // The list is as it was, and why is what matters.
            drop(placed.take_file_away());
            return Err(error);
        }
        Ok(placed)
    }

    /// Finds the file with this hash, whether it is listed or was replaced.
    pub(super) fn find(&self, sha256: &str) -> Result<Option<Library>, CliError> {
        for file in self.files("previous")?.into_iter().chain(self.files("so")?) {
            let library = Library::read(&file)?;
            if library.sha256 == sha256 {
                return Ok(Some(library));
            }
        }
        Ok(None)
    }

    fn files(&self, extension: &str) -> Result<Vec<PathBuf>, CliError> {
        let failed = |error: io::Error| CliError(format!("cannot read {}: {error}", self.path.display()));
        let entries = fs::read_dir(&self.path).map_err(failed)?;
        let mut files: Vec<PathBuf> =
            entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(failed)?;
        files.retain(|file| file.extension().is_some_and(|other| other == extension));
        files.sort();
        Ok(files)
    }

    /// Writes a file whole or not at all, whenever the machine fails.
    fn write(&self, file: &Path, bytes: &[u8]) -> Result<(), CliError> {
        let failed = |error: io::Error| CliError(format!("cannot write {}: {error}", file.display()));
        let part = file.with_added_extension("part");
        let write = || {
            let mut options = OpenOptions::new();
            let mut written = options.write(true).create(true).truncate(true).mode(0o644).open(&part)?;
            written.write_all(bytes)?;
            written.sync_all()?;
            fs::rename(&part, file)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|error| {
            // It is not there if it was renamed or never made.
            drop(fs::remove_file(&part));
            failed(error)
        })
    }
}

impl Placed<'_> {
    /// Lets it be; what it replaces is kept as the previous one.
    pub(super) fn keep(self) -> Result<(), CliError> {
        let Some(old) = self.before.lock.of_plugin(&self.id).filter(|old| old.file != self.file) else {
            return Ok(());
        };
        let (old, kept) = (self.folder.path.join(&old.file), format!("{}.previous", self.id));
        match fs::rename(&old, self.folder.path.join(kept)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CliError(format!("cannot rename {}: {error}", old.display())))
            }
            _ => Ok(()),
        }
    }

    /// Makes everything what it was.
    pub(super) fn undo(self) -> Result<(), CliError> {
        let list = Lock::file(&self.folder.path);
        if self.before.is_new {
            fs::remove_file(&list)
                .map_err(|error| CliError(format!("cannot remove {}: {error}", list.display())))?;
        } else {
            self.folder.write_list(&self.before.lock)?;
        }
        self.take_file_away()
    }

    fn take_file_away(&self) -> Result<(), CliError> {
        let is_of_another = self.before.lock.plugins().iter().any(|locked| locked.file == self.file);
        if !is_of_another {
            let file = self.folder.path.join(&self.file);
            fs::remove_file(&file)
                .map_err(|error| CliError(format!("cannot remove {}: {error}", file.display())))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Library, Listing, Lock, Locked, PluginFolder};
    use podium_plugin_host::PluginInfo;
    use std::fs;
    use std::path::PathBuf;

    #[test]
    fn a_file_that_cannot_be_listed_does_not_stay() {
        let path = std::env::temp_dir().join(format!("podium-folder-{:016x}", rand::random::<u64>()));
        let folder = PluginFolder::open(&path).unwrap();
        // Nothing can be renamed to a folder that has something in it.
        fs::create_dir_all(Lock::file(&path).join("a")).unwrap();
        let library = Library { bytes: b"a plugin".to_vec(), sha256: "ab".repeat(32) };
        let info = PluginInfo {
            id: "com.example.a".into(),
            version: "1.0.0".into(),
            build: String::new(),
            abi_minor: 0,
            file: PathBuf::new(),
            locked: false,
            required: false,
        };
        let entry = Locked::new(library.file_name(&info.id), &info, library.sha256.clone());
        let before = Listing { lock: Lock::default(), is_new: true, left_out: Vec::new() };
        assert!(folder.place(&library, entry, before).is_err());
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(left, ["plugins.lock"]);
    }
}
