//! Which files may be loaded at all, and the copies that are.
//!
//! A copy lies under the hash of its bytes, so that whatever happens to the original, and whenever a child starts
//! anew, it loads what was checked.

use crate::refusal::{Failed, Slug};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Anyone may write to it.
const WRITABLE_BY_ALL: u32 = 0o002;
/// In a folder that anyone may write to, only owners may replace files.
const STICKY: u32 = 0o1000;

/// A copy of a plugin that nobody changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Staged {
    pub(crate) file: PathBuf,
    /// The hash of its bytes, in hexadecimal.
    pub(crate) sha256: String,
}

/// Copies a plugin into `folder`, unless the same bytes lie there already.
pub(crate) fn stage(library: &Path, folder: &Path) -> Result<Staged, Failed> {
    let bytes = read_checked(library)?;
    let sha256 = hex(&Sha256::digest(&bytes));
    let file = folder.join(format!("{sha256}.so"));
    let failed = |error: io::Error| {
        let expected = format!("a copy in {}", folder.display());
        Failed::new(Slug::NotStaged, expected, error.to_string())
    };
    if fs::read(&file).is_ok_and(|there| there == bytes) {
        return Ok(Staged { file, sha256 });
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    // Beside it first: another process may be loading the file of that name.
    let beside = folder.join(format!("{sha256}.{}.part", std::process::id()));
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o500).open(&beside);
    written.and_then(|mut part| part.write_all(&bytes).and_then(|()| part.sync_all())).map_err(failed)?;
    fs::rename(&beside, &file).map_err(failed)?;
    Ok(Staged { file, sha256 })
}

/// Reads a plugin, if nobody but its owner can have written it.
fn read_checked(library: &Path) -> Result<Vec<u8>, Failed> {
    let unreadable = |error: io::Error| Failed::new(Slug::NotALibrary, "a shared library", error.to_string());
    let unsafe_file = |found: &str| {
        Failed::new(Slug::UnsafeFile, "a file of root's or ours that nobody else can write", found)
    };
    let mut open = OpenOptions::new();
    let file = open.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(library);
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
    let parent = library.parent().and_then(|parent| fs::metadata(parent).ok());
    if parent.is_some_and(|parent| mode(&parent) & (WRITABLE_BY_ALL | STICKY) == WRITABLE_BY_ALL) {
        return Err(unsafe_file("one in a folder that anyone can write to"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
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
