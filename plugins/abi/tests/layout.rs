//! The layout of the contract, as a C compiler for 64-bit Linux sees it. These numbers never change; a struct
//! may only get longer.
#![expect(unsafe_code, reason = "the reader under test takes raw pointers")]

use podium_plugin_abi::note::Note;
use podium_plugin_abi::{
    Batch, Call, Channel, Column, Component, ErrorText, Growable, Host, MAGIC, Message, Metric, Outcome,
    Plugin, Str, Unreadable, read,
};
use std::mem::{offset_of, size_of};

macro_rules! layout {
    ($test:ident, $struct:ty, $size:literal, { $($field:ident: $offset:literal),+ $(,)? }) => {
        #[test]
        fn $test() {
            let found = [("size", size_of::<$struct>()), $((stringify!($field), offset_of!($struct, $field))),+];
            let expected = [("size", $size), $((stringify!($field), $offset)),+];
            assert_eq!(found, expected);
        }
    };
}

layout!(text, Str, 16, { ptr: 0, len: 8 });
layout!(error, ErrorText, 24, { struct_size: 0, cap: 4, len: 8, reserved: 12, text: 16 });
layout!(outcome, Outcome, 48, {
    struct_size: 0, status: 4, retry_after_ms: 8, provider_code: 12, provider_id: 16, detail: 32,
});
layout!(host, Host, 80, {
    struct_size: 0, abi_minor: 4, ctx: 8, log_enabled: 16, log: 24, write: 32, begin: 40, outcome: 48, event: 56,
    now_ms: 64, extension: 72,
});
layout!(column, Column, 32, { struct_size: 0, type_: 4, data: 8, offsets: 16, present: 24 });
layout!(batch, Batch, 40, { struct_size: 0, n_columns: 4, n: 8, event: 16, time_ms: 24, columns: 32 });
layout!(metric, Metric, 72, {
    struct_size: 0, revision: 4, k: 8, kind: 12, unit: 16, direction: 20, posterior: 24, reserved: 28, window_s: 32,
    cap_quantile: 40, fields: 48, observe: 56, value: 64,
});
layout!(call, Call, 40, { struct_size: 0, flags: 4, id: 8, deadline_ms: 16, trace: 24 });
layout!(message, Message, 120, {
    struct_size: 0, purpose: 4, attempt: 8, reserved: 12, expires_ms: 16, idempotency_key: 24, collapse_key: 40,
    decision_id: 56, address_json: 72, payload_json: 88, unsubscribe_url: 104,
});
layout!(channel, Channel, 56, {
    struct_size: 0, provider_class: 4, key_ttl_s: 8, max_batch: 12, max_parallel: 16, payload_limit: 20, render: 24,
    deliver: 32, ingest: 40, health: 48,
});
layout!(component, Component, 104, {
    struct_size: 0, kind: 4, id: 8, title: 24, description: 40, config_schema: 56, metric: 72, channel: 80,
    create: 88, destroy: 96,
});
layout!(plugin, Plugin, 96, {
    magic: 0, abi_major: 4, abi_minor: 6, struct_size: 8, n_components: 12, id: 16, version: 32, build: 48,
    components: 64, init: 72, quiesce: 80, extension: 88,
});

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
