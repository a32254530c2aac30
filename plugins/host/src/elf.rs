//! Looks into an ELF file without running it: is it whole, is it for us, which version does its note name?
//!
//! `dlopen` runs code of the library, and a file that is cut off kills the process when a missing page is
//! touched. So everything the loader maps is checked against the length of the file first.

use crate::refusal::{Failed, Slug};
use podium_plugin_abi::note;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const HEADER_SIZE: usize = 64;
const PROGRAM_HEADER_SIZE: usize = 56;
const PROGRAM_HEADERS_MAX: usize = 256;
const NOTES_SIZE_MAX: u64 = 64 * 1024;

const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const TYPE_SHARED: u16 = 3;
const SEGMENT_LOAD: u32 = 1;
const SEGMENT_DYNAMIC: u32 = 2;
const SEGMENT_NOTE: u32 = 4;

#[cfg(target_arch = "x86_64")]
const MACHINE: (u16, &str) = (62, "x86-64");
#[cfg(target_arch = "aarch64")]
const MACHINE: (u16, &str) = (183, "AArch64");

/// The version of the contract that a note names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotedVersion {
    pub(crate) major: u16,
    pub(crate) minor: u16,
}

struct Segment {
    kind: u32,
    offset: u64,
    size: u64,
}

/// Reads the headers of a file, and its note if it has one.
pub(crate) fn inspect(path: &Path) -> Result<Option<NotedVersion>, Failed> {
    let file = File::open(path).map_err(|error| broken(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| broken(error.to_string()))?;
    if !metadata.is_file() {
        return Err(broken("something else than a file"));
    }
    let segments = segments(&file)?;
    let is_whole =
        |segment: &Segment| segment.offset.checked_add(segment.size).is_some_and(|end| end <= metadata.len());
    if !segments.iter().filter(|segment| segment.kind == SEGMENT_LOAD).all(is_whole) {
        return Err(broken(format!("an ELF file that is cut off at {} bytes", metadata.len())));
    }
    if !segments.iter().any(|segment| segment.kind == SEGMENT_DYNAMIC && is_whole(segment)) {
        return Err(broken("an ELF file without a dynamic section"));
    }
    for segment in segments.iter().filter(|segment| segment.kind == SEGMENT_NOTE && is_whole(segment)) {
        let notes = read(&file, segment.offset, segment.size.min(NOTES_SIZE_MAX) as usize)?;
        if let Some(version) = noted_version(&notes) {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

fn segments(file: &File) -> Result<Vec<Segment>, Failed> {
    let header = read(file, 0, HEADER_SIZE)?;
    if !header.starts_with(b"\x7fELF") {
        return Err(broken("a file that is not ELF"));
    }
    if header[4] != CLASS_64 || header[5] != LITTLE_ENDIAN {
        return Err(Failed::new(Slug::WrongCpu, MACHINE.1, "a library that is not 64-bit little-endian"));
    }
    if u16_at(&header, 18) != MACHINE.0 {
        return Err(Failed::new(Slug::WrongCpu, MACHINE.1, format!("ELF machine {}", u16_at(&header, 18))));
    }
    if u16_at(&header, 16) != TYPE_SHARED {
        return Err(broken(format!("an ELF file of type {}", u16_at(&header, 16))));
    }
    let n_segments = usize::from(u16_at(&header, 56));
    if usize::from(u16_at(&header, 54)) != PROGRAM_HEADER_SIZE
        || !(1..=PROGRAM_HEADERS_MAX).contains(&n_segments)
    {
        return Err(broken("an ELF file with broken program headers"));
    }
    let table = read(file, u64_at(&header, 32), n_segments * PROGRAM_HEADER_SIZE)?;
    let segment =
        |entry: &[u8]| Segment { kind: u32_at(entry, 0), offset: u64_at(entry, 8), size: u64_at(entry, 32) };
    Ok(table.chunks_exact(PROGRAM_HEADER_SIZE).map(segment).collect())
}

/// Finds our note among the notes of a segment.
fn noted_version(mut notes: &[u8]) -> Option<NotedVersion> {
    loop {
        let header = notes.get(..12)?;
        let (owner_size, size) = (u32_at(header, 0) as usize, u32_at(header, 4) as usize);
        let owner_end = owner_size.checked_add(12)?;
        let owner = notes.get(12..owner_end)?;
        let start = owner_end.checked_next_multiple_of(4)?;
        let end = start.checked_add(size)?;
        let description = notes.get(start..end)?;
        if owner == note::OWNER && u32_at(header, 8) == note::TYPE_VERSION && size >= 4 {
            return Some(NotedVersion { major: u16_at(description, 0), minor: u16_at(description, 2) });
        }
        notes = notes.get(end.checked_next_multiple_of(4)?..)?;
    }
}

fn read(file: &File, offset: u64, len: usize) -> Result<Vec<u8>, Failed> {
    let mut bytes = vec![0; len];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(broken("a file that is cut off"))
        }
        Err(error) => Err(broken(error.to_string())),
    }
}

fn broken(found: impl Into<String>) -> Failed {
    Failed::new(Slug::NotALibrary, "a shared library", found)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | (u64::from(u32_at(bytes, at + 4)) << 32)
}

#[cfg(test)]
mod tests {
    use super::{NotedVersion, inspect, noted_version};
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt;

    const OURS: &[u8] = b"\x07\0\0\0\x04\0\0\0\x01\0\0\0Podium\0\0\x01\0\x02\0";
    const GNU: &[u8] = b"\x04\0\0\0\x05\0\0\0\x03\0\0\0GNU\0abcde\0\0\0";

    #[track_caller]
    fn check(notes: &[&[u8]], expected: Option<(u16, u16)>) {
        let found = noted_version(&notes.concat());
        assert_eq!(found, expected.map(|(major, minor)| NotedVersion { major, minor }));
    }

    #[test]
    fn our_note_is_found_among_others() {
        check(&[OURS], Some((1, 2)));
        check(&[GNU, OURS], Some((1, 2)));
        check(&[GNU], None);
        check(&[], None);
    }

    #[test]
    fn cut_and_huge_notes_are_no_notes() {
        (0..OURS.len()).for_each(|len| check(&[&OURS[..len]], None));
        check(&[b"\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\0\0", OURS], None);
        check(&[b"\0\0\0\0\0\0\0\0\0\0\0\0", OURS], Some((1, 2)));
    }

    #[test]
    fn no_byte_of_the_headers_can_hurt() {
        const HEADERS_SIZE: u64 = 1024;
        let own = std::env::current_exe().unwrap();
        let mut headers = vec![0; HEADERS_SIZE as usize];
        let whole = File::open(&own).unwrap();
        whole.read_exact_at(&mut headers, 0).unwrap();
        // The rest of the file is a hole of the same length.
        let path = std::env::temp_dir().join(format!("podium-elf-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        file.set_len(whole.metadata().unwrap().len()).unwrap();
        file.write_all_at(&headers, 0).unwrap();
        assert_eq!(inspect(&path).unwrap(), None);
        let mut n_refused = 0;
        for (at, byte) in headers.iter().enumerate() {
            for wrong in [0x00, 0x01, 0x7f, 0xff, byte ^ 0x04] {
                file.write_all_at(&[wrong], at as u64).unwrap();
                n_refused += u32::from(inspect(&path).is_err());
            }
            file.write_all_at(&[*byte], at as u64).unwrap();
        }
        fs::remove_file(&path).unwrap();
        assert!(n_refused > 100, "{n_refused} were refused");
    }
}
