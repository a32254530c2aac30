//! Opens a library and asks it for its descriptor.

use crate::elf;
use crate::refusal::{Failed, Slug};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use podium_plugin_abi::{self as abi, EntryFn, Plugin};
use std::path::Path;

/// Opens the library for the rest of the process and returns what its entry function returns.
///
/// The library is never closed: a thread that it started, or a destructor that it registered, would run
/// unmapped code.
pub(crate) fn entry(path: &Path) -> Result<*const Plugin, Failed> {
    if let Some(version) = elf::inspect(path)?
        && version.major != abi::ABI_MAJOR
    {
        return Err(wrong_major(version.major, version.minor));
    }
    // Without a slash, `dlopen` would look in the system's folders.
    let absolute = path.canonicalize().map_err(|error| not_a_library(error.to_string()))?;
    // SAFETY: opening a library runs its constructors. Whoever put it into the folder vouches for it, as for
    // the rest of its code; that it is whole was checked.
    let library = unsafe { Library::open(Some(&absolute), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|error| not_a_library(why_not(&error, &absolute)))?;
    // SAFETY: a symbol of this name is a function of this type; that is the contract.
    let symbol = unsafe { library.get::<EntryFn>(abi::ENTRY_SYMBOL) }.map(|symbol| *symbol);
    let _never_closed = library.into_raw();
    let entry = symbol.map_err(|_| {
        Failed::new(Slug::MissingSymbol, format!("the function {}", abi::ENTRY_SYMBOL), "none of that name")
    })?;
    // SAFETY: the library stays open, and the function takes nothing.
    Ok(unsafe { entry() })
}

pub(crate) fn wrong_major(major: u16, minor: u16) -> Failed {
    let found = if minor == 0 { major.to_string() } else { format!("{major} (minor {minor})") };
    Failed::new(Slug::AbiMajor, abi::ABI_MAJOR.to_string(), found)
}

fn not_a_library(found: String) -> Failed {
    Failed::new(Slug::NotALibrary, "a shared library", found)
}

/// Takes the loader's own words, without the path that the refusal already names.
fn why_not(error: &libloading::Error, path: &Path) -> String {
    let source = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    source.replace(&format!("{}: ", path.display()), "")
}
