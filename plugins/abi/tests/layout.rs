//! The layout of the contract, as Rust and as C compilers for 64-bit Linux see it. These numbers never change; a
//! struct may only get longer.
#![expect(unsafe_code, reason = "the reader under test takes raw pointers")]
#![expect(clippy::unwrap_used, reason = "a test that cannot read its table or run a compiler must fail")]

mod compiler;

use podium_plugin_abi::note::Note;
use podium_plugin_abi::{
    self as abi, Batch, Call, Channel, Column, Component, ErrorText, Growable, Host, MAGIC, Message, Metric,
    Outcome, Plugin, Str, Unreadable, codes, read,
};
use std::fs;
use std::mem::{align_of, offset_of, size_of};
use std::path::Path;

const CRATE_DIR: &str = env!("CARGO_MANIFEST_DIR");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/layout.golden");
const UPDATE: &str = "make layout.golden anew: PODIUM_UPDATE_PLUGIN_ABI=1 cargo test -p podium-plugin-abi";

/// Adds a line for each number: an expression of C, and its value.
macro_rules! layout {
    ($lines:ident, $struct:ident as $name:literal { $($field:ident),+ $(,)? }) => {{
        /// Does not compile if a field is missing from the list.
        fn _all_fields($struct { $($field: _),+ }: $struct) {}
        $lines.push(format!("sizeof({}) = {}", $name, size_of::<$struct>()));
        $lines.push(format!("alignof({}) = {}", $name, align_of::<$struct>()));
        $({
            let field = stringify!($field).trim_end_matches('_');
            $lines.push(format!("offsetof({}, {field}) = {}", $name, offset_of!($struct, $field)));
            $lines.push(format!("sizeof((({} *)0)->{field}) = {}", $name, size_of_field(|it: &$struct| &it.$field)));
        })+
    }};
}

/// Adds a line for each number of the contract.
macro_rules! numbers {
    ($lines:ident, $module:ident { $($number:ident),+ $(,)? }) => {
        $({
            let name = stringify!($number).trim_start_matches("METRIC_");
            $lines.push(format!("PODIUM_{name} = {}", $module::$number));
        })+
    };
}

fn size_of_field<T, F>(_: impl Fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// Lists every number of the contract as Rust sees it.
fn as_in_rust() -> Vec<String> {
    let mut lines = Vec::new();
    structs(&mut lines);
    channel_structs(&mut lines);
    numbers!(lines, abi { MAGIC, ABI_MAJOR, ABI_MINOR, K_MAX, MAGNITUDE_MAX, ERROR_TEXT_CAP });
    numbers! { lines, codes {
        OK, E_INVALID, E_CONFIG, E_UNSUPPORTED, E_PANIC, E_POISONED, E_LIMIT, E_INTERNAL, KIND_METRIC, KIND_CHANNEL,
        METRIC_PROPORTION, METRIC_MEAN, METRIC_RATIO, UNIT_PLAIN, UNIT_CURRENCY_MINOR, UNIT_COUNT, UNIT_PROPORTION,
        UNIT_MILLISECONDS, DIRECTION_INCREASE, DIRECTION_DECREASE, POSTERIOR_NORMAL, POSTERIOR_BETA,
        POSTERIOR_LOGNORMAL_HURDLE, POSTERIOR_GAMMA_POISSON, COLUMN_INT, COLUMN_FLOAT, COLUMN_BOOL, COLUMN_MONEY,
        COLUMN_TEXT, COLUMN_JSON, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE, PURPOSE_MARKETING,
        PURPOSE_TRANSACTIONAL, OUTCOME_UNKNOWN, OUTCOME_ACCEPTED, OUTCOME_DEFERRED, OUTCOME_RATE_LIMITED,
        OUTCOME_REJECTED, OUTCOME_TARGET_GONE, OUTCOME_TOO_LARGE, OUTCOME_AUTH_FAILED, OUTCOME_CANCELLED,
        PROVIDER_BLIND, PROVIDER_KEYED, PROVIDER_COALESCING, PROVIDER_PULL,
    } }
    lines
}

fn structs(lines: &mut Vec<String>) {
    layout!(lines, Str as "podium_str" { ptr, len });
    layout!(lines, ErrorText as "podium_error" { struct_size, cap, len, reserved, text });
    layout!(lines, Host as "podium_host" {
        struct_size, abi_minor, ctx, log_enabled, log, write, begin, outcome, event, now_ms, extension,
    });
    layout!(lines, Column as "podium_column" { struct_size, type_, data, offsets, present });
    layout!(lines, Batch as "podium_batch" { struct_size, n_columns, n, event, time_ms, columns });
    layout!(lines, Metric as "podium_metric" {
        struct_size, revision, k, kind, unit, direction, posterior, reserved, window_s, cap_quantile, fields, observe,
        value, beside,
    });
    layout!(lines, Component as "podium_component" {
        struct_size, kind, id, title, description, config_schema, metric, channel, create, destroy,
    });
    layout!(lines, Plugin as "podium_plugin" {
        magic, abi_major, abi_minor, struct_size, n_components, id, version, build, components, init, quiesce,
        extension,
    });
}

fn channel_structs(lines: &mut Vec<String>) {
    layout!(lines, Outcome as "podium_outcome" {
        struct_size, status, retry_after_ms, provider_code, provider_id, detail,
    });
    layout!(lines, Call as "podium_call" { struct_size, flags, id, deadline_ms, trace });
    layout!(lines, Message as "podium_message" {
        struct_size, purpose, attempt, reserved, expires_ms, idempotency_key, collapse_key, decision_id, address_json,
        payload_json, unsubscribe_url,
    });
    layout!(lines, Channel as "podium_channel" {
        struct_size, provider_class, key_ttl_s, max_batch, max_parallel, payload_limit, render, deliver, ingest,
        health,
    });
}

#[test]
fn rust_lays_out_the_golden_numbers() {
    if std::env::var_os("PODIUM_UPDATE_PLUGIN_ABI").is_some() {
        fs::write(GOLDEN, as_in_rust().join("\n") + "\n").unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    assert_eq!(as_in_rust(), golden.lines().collect::<Vec<_>>(), "{UPDATE}");
}

/// Prints the expressions of `lines` with the values that this compiler gives them by this header.
#[track_caller]
fn check_compiler(compiler: &str, standard: &str, header: &str, lines: &[String]) {
    if !compiler::is_there(compiler, &format!("the layout of {header} as {standard}")) {
        return;
    }
    let name = header.replace(['/', '.'], "-");
    let base =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{compiler}-{}", std::process::id()));
    let (source, program) = (base.with_extension("source"), base.with_extension("program"));
    let prints = lines.iter().fold(String::new(), |prints, line| {
        let expression = line.split_once(" = ").unwrap().0;
        prints + &format!("    printf(\"%s = %lld\\n\", \"{expression}\", (long long)({expression}));\n")
    });
    let includes = format!("#include \"{CRATE_DIR}/{header}\"\n#include <stdalign.h>\n#include <stdio.h>\n");
    fs::write(&source, format!("{includes}int main(void) {{\n{prints}    return 0;\n}}\n")).unwrap();
    let language = if standard.contains("++") { "c++" } else { "c" };
    let mut arguments = vec![format!("-std={standard}"), "-o".into()];
    arguments.extend([
        program.display().to_string(),
        "-x".into(),
        language.into(),
        source.display().to_string(),
    ]);
    compiler::run(compiler, arguments.into_iter().chain(compiler::STRICT.map(Into::into)));
    let found = compiler::run(program.to_str().unwrap(), [""; 0]);
    fs::remove_file(source).unwrap();
    fs::remove_file(program).unwrap();
    assert_eq!(found.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn c_and_cxx_lay_out_the_same() {
    for (compiler, standard) in [("gcc", "c11"), ("g++", "c++17"), ("clang", "c11"), ("clang++", "c++17")] {
        check_compiler(compiler, standard, "include/podium_plugin.h", &as_in_rust());
    }
}

/// The two files that are kept of version 1.0 are of one mind, so neither was changed by itself.
#[test]
fn the_first_header_is_as_it_was() {
    check_compiler("gcc", "c11", "tests/first/podium_plugin_1_0.h", &first());
}

fn first() -> Vec<String> {
    let first = fs::read_to_string(format!("{CRATE_DIR}/tests/first/layout_1_0.golden")).unwrap();
    first.lines().map(str::to_owned).collect()
}

#[test]
fn every_number_and_struct_of_the_header_is_as_in_rust() {
    let header = fs::read_to_string(format!("{CRATE_DIR}/include/podium_plugin.h")).unwrap();
    let numbers = as_in_rust();
    let mut n_found = 0;
    for line in header.lines() {
        let number = line.strip_prefix("#define PODIUM_").and_then(|define| define.split_once(' '));
        let number = number.filter(|(_, value)| value.starts_with(|c: char| c == '(' || c.is_ascii_digit()));
        let expected = match number {
            Some((name, value)) => format!("PODIUM_{name} = {}", value.trim_matches(['(', ')'])),
            None => match line.strip_prefix("} podium_").and_then(|name| name.strip_suffix(';')) {
                Some(name) => format!("sizeof(podium_{name}) = "),
                None => continue,
            },
        };
        n_found += 1;
        assert!(numbers.iter().any(|line| line.starts_with(&expected)), "{expected} is not in the list");
    }
    assert!(n_found > 60, "{n_found} definitions were found");
}

/// A plugin of version 1.0 finds everything where it was: structs get longer, and nothing else changes.
#[test]
fn nothing_that_was_released_has_moved() {
    let value = |line: &str| line.split_once(" = ").unwrap().1.parse::<i64>().unwrap();
    let numbers = as_in_rust();
    for line in &first() {
        let (expression, _) = line.split_once(" = ").unwrap();
        let start = format!("{expression} = ");
        let now = numbers.iter().find(|line| line.starts_with(&start));
        let now = now.unwrap_or_else(|| panic!("{expression} is gone"));
        let may_grow = expression == "PODIUM_ABI_MINOR"
            || (expression.starts_with("sizeof(podium_") && expression != "sizeof(podium_str)");
        assert!(now == line || (may_grow && value(now) >= value(line)), "was {line}, is {now}");
    }
}

#[test]
fn base_sizes_are_those_of_minor_version_0() {
    let base = [
        Outcome::BASE_SIZE,
        Host::BASE_SIZE,
        Column::BASE_SIZE,
        Batch::BASE_SIZE,
        Metric::BASE_SIZE,
        Call::BASE_SIZE,
        Message::BASE_SIZE,
        Channel::BASE_SIZE,
        Component::BASE_SIZE,
        Plugin::BASE_SIZE,
    ];
    assert_eq!(base, [48, 80, 32, 40, 72, 40, 120, 56, 104, 96]);
}

#[test]
fn magic_spells_pod1() {
    assert_eq!(MAGIC.to_le_bytes(), *b"POD1");
}

#[test]
fn note_is_laid_out_as_elf_wants_it() {
    // SAFETY: the note has no padding, so all of its 24 bytes are initialized.
    let bytes: [u8; 24] = unsafe { std::mem::transmute(Note::new(1, 2)) };
    assert_eq!(bytes, *b"\x07\0\0\0\x04\0\0\0\x01\0\0\0Podium\0\0\x01\0\x02\0");
}

/// A struct of minor version 1: one field more than `Grown` knows in version 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Grown {
    struct_size: u32,
    first: u32,
    second: Option<extern "C" fn()>,
}

// SAFETY: `repr(C)`, valid as zeros, the size comes first.
unsafe impl Growable for Grown {
    const BASE_SIZE: usize = 8;
}

extern "C" fn second() {}

#[track_caller]
fn check_read(struct_size: u32, expected: Result<(u32, bool), Unreadable>) {
    let there = Grown { struct_size, first: 7, second: Some(second) };
    // SAFETY: `there` is a whole struct, of which at most `struct_size` bytes are read.
    let found = unsafe { read(&raw const there) };
    assert_eq!(found.map(|grown| (grown.first, grown.second.is_some())), expected);
}

#[test]
fn what_lies_beyond_the_end_is_absent() {
    check_read(8, Ok((7, false)));
    check_read(16, Ok((7, true)));
    check_read(4096, Ok((7, true)));
}

#[test]
fn a_size_inside_a_field_does_not_give_half_a_pointer() {
    check_read(12, Ok((7, false)));
}

#[test]
fn what_was_never_released_is_unreadable() {
    check_read(0, Err(Unreadable::TooSmall { expected: 8, found: 0 }));
    check_read(7, Err(Unreadable::TooSmall { expected: 8, found: 7 }));
    let aligned = [0_u64; 4];
    // SAFETY: null is allowed.
    assert_eq!(unsafe { read(std::ptr::null::<Grown>()) }.err(), Some(Unreadable::Null));
    // SAFETY: a misaligned pointer is noticed before anything is read.
    let misaligned = unsafe { read(aligned.as_ptr().byte_add(1).cast::<Grown>()) };
    assert_eq!(misaligned.err(), Some(Unreadable::Misaligned));
}
