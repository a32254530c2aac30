//! The child of a test: hosts the library that is its argument.

use std::path::PathBuf;
use std::process::ExitCode;

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let library = std::env::args_os().nth(1).map(PathBuf::from).unwrap_or_default();
    podium_plugin_host::serve(&library).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
