//! The library as it was built, found and loaded the way the server does.
#![expect(clippy::unwrap_used, reason = "a test that cannot have its library must fail")]

use podium_plugin_host::{HostLog, Registry};
use std::fs;
use std::path::Path;

/// Loads the built library from a folder that has nothing else.
pub(crate) fn registry() -> Registry {
    let name = "libpodium_commerce_metrics.so";
    let test = std::env::current_exe().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test.file_name().unwrap());
    fs::create_dir_all(&folder).unwrap();
    // Other tests load it at the same time, so the newly built one takes the place of the last in one step.
    let link = folder.join(format!("{}-{:?}", std::process::id(), std::thread::current().id()));
    fs::hard_link(test.parent().unwrap().join(name), &link).unwrap();
    fs::rename(&link, folder.join(name)).unwrap();
    // To rename a file to itself does nothing.
    drop(fs::remove_file(&link));
    let registry = Registry::load(&[folder], &HostLog::discard());
    assert_eq!(registry.refusals(), []);
    registry
}
