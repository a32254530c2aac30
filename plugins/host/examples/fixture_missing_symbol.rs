//! A library that is no plugin: it exports something else.
#![expect(unsafe_code, reason = "an exported name must be unique in the process")]

/// Returns what nobody asked for.
#[unsafe(no_mangle)]
pub extern "C" fn fixture_answer() -> i32 {
    42
}
