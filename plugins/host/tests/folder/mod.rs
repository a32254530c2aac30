//! Folders of plugins, made for one test.
#![expect(clippy::unwrap_used, reason = "a test that cannot have its folder must fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// A folder that goes away with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes an empty folder; `test` is the name of the test.
    pub(crate) fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Puts plugins from the examples into it.
    pub(crate) fn with(self, examples: &[&str]) -> Self {
        for example in examples {
            fs::copy(built(example), self.0.join(format!("{example}.so"))).unwrap();
        }
        self
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The libraries stay mapped without their names.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Where cargo put the library of an example.
pub(crate) fn built(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    profile.join("examples").join(format!("lib{example}.so"))
}
