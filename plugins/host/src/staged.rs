//! Which files may be loaded at all, and the copies that are.
//!
//! A copy lies under the hash of its bytes, so that whatever happens to the original, and whenever a child starts
//! anew, it loads what was checked. Copies that no process uses any more are swept at a start.

use crate::refusal::{Failed, Slug};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Anyone may write to it.
const WRITABLE_BY_ALL: u32 = 0o002;
/// In a folder that anyone may write to, only owners may replace files.
const STICKY: u32 = 0o1000;

/// A file that nobody but its owner can have written.
pub(crate) struct Checked {
    pub(crate) bytes: Vec<u8>,
    /// Their hash, in hexadecimal.
    pub(crate) sha256: String,
}

/// A copy of a plugin that nobody changes.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    pub(crate) file: PathBuf,
    /// Locked as long as somebody wants the copy: a sweep leaves it.
    _held: Arc<File>,
}

/// Copies a plugin into `folder`, unless the same bytes lie there already.
pub(crate) fn stage(checked: &Checked, folder: &Path) -> Result<Staged, Failed> {
    let Checked { bytes, sha256 } = checked;
    let file = folder.join(format!("{sha256}.so"));
    let failed = |error: io::Error| {
        let expected = format!("a copy in {}", folder.display());
        Failed::new(Slug::NotStaged, expected, error.to_string())
    };
    if let Ok(held) = hold(&file)
        && fs::read(&file).is_ok_and(|there| there == *bytes)
    {
        return Ok(Staged { file, _held: Arc::new(held) });
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    // Beside it first: another process may be loading the file of that name.
    let beside = folder.join(format!("{sha256}.{}.part", std::process::id()));
    let write = || {
        // Nobody may write to a copy, so one that a process of our number left half done has to go.
        drop(fs::remove_file(&beside));
        let mut part = OpenOptions::new().write(true).create_new(true).mode(0o500).open(&beside)?;
        part.lock_shared()?;
        part.write_all(bytes)?;
        part.sync_all()?;
        let held = hold(&beside)?;
        fs::rename(&beside, &file)?;
        Ok(held)
    };
    let held = write().map_err(failed)?;
    Ok(Staged { file, _held: Arc::new(held) })
}

/// Removes the copies that nobody holds, here or in another process.
pub(crate) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.path();
        let is_copy = file.extension().is_some_and(|extension| extension == "so" || extension == "part");
        // Locked until it is gone, or another process could take hold of it in between.
        if is_copy
            && let Ok(copy) = File::open(&file)
            && copy.try_lock().is_ok()
        {
            // One that stays takes room, and nothing else.
            drop(fs::remove_file(&file));
        }
    }
}

fn hold(file: &Path) -> io::Result<File> {
    let held = File::open(file)?;
    held.lock_shared()?;
    Ok(held)
}

/// Reads a file, if nobody but its owner can have written it.
pub(crate) fn read(path: &Path) -> Result<Checked, Failed> {
    let unreadable = |error: io::Error| Failed::new(Slug::NotALibrary, "a shared library", error.to_string());
    let unsafe_file = |found: &str| {
        Failed::new(Slug::UnsafeFile, "a file of root's or ours that nobody else can write", found)
    };
    let mut open = OpenOptions::new();
    let file = open.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let mut file: File = file.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => unsafe_file("a symbolic link"),
        _ => unreadable(error),
    })?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unsafe_file("no regular file"));
    }
    // SAFETY: a system call without arguments.
    let us = unsafe { libc::geteuid() };
    if metadata.uid() != 0 && metadata.uid() != us {
        return Err(unsafe_file(&format!("one of user {}", metadata.uid())));
    }
    if mode(&metadata) & WRITABLE_BY_ALL != 0 {
        return Err(unsafe_file("one that anyone can write"));
    }
    let parent = path.parent().and_then(|parent| fs::metadata(parent).ok());
    if parent.is_some_and(|parent| mode(&parent) & (WRITABLE_BY_ALL | STICKY) == WRITABLE_BY_ALL) {
        return Err(unsafe_file("one in a folder that anyone can write to"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let sha256 = hex(&Sha256::digest(&bytes));
    Ok(Checked { bytes, sha256 })
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
