//! What a server answers.

use crate::smtp::wire::Wire;
use std::io::{self, ErrorKind};

/// The most lines of one reply.
const LINES_MAX: usize = 200;
/// How much of a reply an operator gets to read, in bytes.
const TEXT_LEN_MAX: usize = 400;

/// A reply: a code, and lines of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// Reads a reply.
    pub(crate) fn read(wire: &mut Wire) -> io::Result<Self> {
        let mut lines = Vec::new();
        let mut code = None;
        while lines.len() < LINES_MAX {
            let line = wire.line()?;
            let (digits, text) = line.split_at_checked(3).unwrap_or((&line, ""));
            let found = digits.parse().ok().filter(|code| (200..600).contains(code));
            let Some(found) = found.filter(|found| *code.get_or_insert(*found) == *found) else { break };
            let (is_last, text) = match text.split_at_checked(1) {
                Some(("-", text)) => (false, text),
                Some((" ", text)) => (true, text),
                None => (true, ""),
                Some(_) => break,
            };
            lines.push(text.to_owned());
            if is_last {
                return Ok(Self { code: found, lines });
            }
        }
        Err(io::Error::new(ErrorKind::InvalidData, "the server's answer is none"))
    }

    /// Tells the status after the code that says it more exactly, such as 5.1.1 ([RFC 3463]).
    ///
    /// [RFC 3463]: https://www.rfc-editor.org/rfc/rfc3463
    pub(crate) fn status(&self) -> Option<(u16, u16, u16)> {
        let mut parts = self.lines.first()?.split_whitespace().next()?.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(class)), Some(Ok(subject)), Some(Ok(detail)), None) if class == self.code / 100 => {
                Some((class, subject, detail))
            }
            _ => None,
        }
    }

    /// Writes it in one line, without the words that are addresses: those are nobody else's.
    pub(crate) fn text(&self) -> String {
        let words = self.lines.iter().flat_map(|line| line.split_whitespace());
        let words: Vec<&str> = words.filter(|word| !word.contains('@')).collect();
        let mut text = format!("{} {}", self.code, words.join(" "));
        text.truncate(text.floor_char_boundary(TEXT_LEN_MAX));
        text.trim_end().replace(|c: char| c.is_control(), "")
    }

    /// Tells the server's own name of the message that it took, if it says one the way that most do.
    pub(crate) fn queue_id(&self) -> Option<&str> {
        let behind = |mark| {
            let mut behind = self.lines.iter().filter_map(move |line| line.split_once(mark));
            behind.next().and_then(|(_, behind)| behind.split_whitespace().next())
        };
        behind("queued as ").or_else(|| behind("id="))
    }
}

#[cfg(test)]
mod tests {
    use super::Reply;

    fn reply(code: u16, lines: &[&str]) -> Reply {
        Reply { code, lines: lines.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn a_status_is_read_where_it_agrees_with_the_code() {
        assert_eq!(reply(550, &["5.1.1 <a@b>: unknown"]).status(), Some((5, 1, 1)));
        assert_eq!(reply(550, &["5.1.10"]).status(), Some((5, 1, 10)));
        for line in ["4.1.1 x", "5.1 x", "5.1.1.1 x", "x 5.1.1", "", "5.1.x"] {
            assert_eq!(reply(550, &[line]).status(), None, "{line}");
        }
    }

    #[test]
    fn addresses_are_not_told_on() {
        let long = format!("5.1.1 <ann@shop.example>: no\u{7} {}", "é".repeat(300));
        let text = reply(550, &[&long, "mailto:ann@shop.example"]).text();
        assert!(text.starts_with("550 5.1.1 no é") && text.len() <= 400 && !text.contains('@'), "{text}");
    }

    #[test]
    fn a_queue_id_is_found_where_servers_write_it() {
        assert_eq!(reply(250, &["2.0.0 Ok: queued as 4F1B2C"]).queue_id(), Some("4F1B2C"));
        assert_eq!(reply(250, &["OK id=1tK-0Abc"]).queue_id(), Some("1tK-0Abc"));
        assert_eq!(reply(250, &["Ok"]).queue_id(), None);
    }
}
