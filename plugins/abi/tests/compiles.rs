//! That compilers take the header, alone and in use, in C and C++, without a warning.
#![expect(clippy::unwrap_used, reason = "a test that cannot run a compiler must fail")]

mod compiler;

use std::fs;
use std::path::Path;

const CRATE_DIR: &str = env!("CARGO_MANIFEST_DIR");

/// Compiles `plugins/abi/{source}` into nothing.
#[track_caller]
fn check(compiler: &str, language: &str, standard: &str, source: &str) {
    if !compiler::is_there(compiler, &format!("{source} as {standard}")) {
        return;
    }
    let library =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{compiler}-{}.so", std::process::id()));
    let mut arguments = vec![format!("-std={standard}"), "-x".into(), language.into()];
    arguments.extend(compiler::STRICT.map(Into::into));
    arguments.extend(["-I".into(), format!("{CRATE_DIR}/include"), format!("{CRATE_DIR}/{source}")]);
    compiler::run(compiler, arguments.iter().cloned().chain(["-fsyntax-only".into()]));
    if Path::new(source).extension() == Some("c".as_ref()) {
        let linked = ["-fPIC", "-shared", "-fvisibility=hidden", "-o"].map(Into::into);
        compiler::run(compiler, arguments.into_iter().chain(linked).chain([library.display().to_string()]));
        let exported =
            compiler::run("nm", ["-D".into(), "--defined-only".into(), library.clone().into_os_string()]);
        assert!(exported.trim_end().ends_with(" T podium_plugin_entry_v1"), "{exported}");
        assert_eq!(exported.lines().count(), 1, "{exported}");
        fs::remove_file(library).unwrap();
    }
}

#[test]
fn gcc_takes_it_as_c11() {
    check("gcc", "c", "c11", "include/podium_plugin.h");
    check("gcc", "c", "c11", "tests/header/uses.c");
}

#[test]
fn gxx_takes_it_as_cxx17() {
    check("g++", "c++", "c++17", "include/podium_plugin.h");
    check("g++", "c++", "c++17", "tests/header/uses.c");
}

#[test]
fn clang_takes_it_as_c11() {
    check("clang", "c", "c11", "include/podium_plugin.h");
    check("clang", "c", "c11", "tests/header/uses.c");
}

#[test]
fn clangxx_takes_it_as_cxx17() {
    check("clang++", "c++", "c++17", "include/podium_plugin.h");
    check("clang++", "c++", "c++17", "tests/header/uses.c");
}
