//! Texts as parts of a message ([RFC 2045]).
//!
//! Encoded as quoted-printable, always: no line break stands there but the encoding's own, no character outside of
//! ASCII, and no line that is too long.
//!
//! [RFC 2045]: https://www.rfc-editor.org/rfc/rfc2045

use crate::header::line;
use std::fmt::Write as _;

/// The longest line, without the `=` that breaks it.
const LINE_LEN_MAX: usize = 75;

/// The headers and the body of one text.
pub(crate) fn part(subtype: &str, text: &str) -> String {
    let content_type = line("Content-Type", &format!("text/{subtype}; charset=utf-8"));
    let encoding = line("Content-Transfer-Encoding", "quoted-printable");
    format!("{content_type}{encoding}\r\n{}\r\n", quoted_printable(text))
}

/// The headers and the body of several parts that say the same; readers show the last one that they can.
pub(crate) fn alternatives(parts: &[String], boundary: &str) -> String {
    let kind = format!("multipart/alternative;\r\n boundary=\"{boundary}\"");
    let mut all = line("Content-Type", &kind) + "\r\n";
    for part in parts {
        all.extend(["--", boundary, "\r\n", part]);
    }
    all.extend(["--", boundary, "--\r\n"]);
    all
}

fn quoted_printable(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut encoded = String::with_capacity(text.len() + text.len() / 8);
    for (line_idx, line) in text.split('\n').enumerate() {
        if 0 < line_idx {
            encoded.push_str("\r\n");
        }
        push_line(&mut encoded, line);
    }
    encoded
}

fn push_line(encoded: &mut String, line: &str) {
    let mut len = 0;
    let mut bytes = line.bytes().peekable();
    while let Some(byte) = bytes.next() {
        // A space that ends a line may get lost on the way.
        let is_plain = match byte {
            b' ' | b'\t' => bytes.peek().is_some(),
            b'=' => false,
            _ => byte.is_ascii_graphic(),
        };
        let width = if is_plain { 1 } else { 3 };
        if LINE_LEN_MAX < len + width {
            encoded.push_str("=\r\n");
            len = 0;
        }
        len += width;
        if is_plain {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "={byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::quoted_printable;

    #[test]
    fn a_text_becomes_short_lines_of_ascii() {
        for (text, expected) in [
            ("", ""),
            ("a = b", "a =3D b"),
            ("é\n\r\n.\r", "=C3=A9\r\n\r\n.\r\n"),
            (" a \t\n b", " a =09\r\n b"),
            ("\0\u{7f}", "=00=7F"),
        ] {
            assert_eq!(quoted_printable(text), expected, "{text:?}");
        }
        let long = quoted_printable(&"aé".repeat(100));
        assert!(long.lines().all(|line| line.len() <= 76), "{long}");
        assert_eq!(long.replace("=\r\n", ""), "a=C3=A9".repeat(100));
        assert_eq!(quoted_printable(&"a".repeat(76)), format!("{}=\r\na", "a".repeat(75)));
    }
}
