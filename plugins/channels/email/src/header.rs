//! Headers, and what may stand in them.
//!
//! A line of printable ASCII stands as it is. Everything else is encoded, so that whoever reads it gets back what
//! was written, and nothing that looks encoded is decoded into something else.

use email_encoding::headers::rfc2047;
use email_encoding::headers::writer::EmailWriter;
use std::fmt::Write as _;

/// The longest word that is not broken into encoded ones.
const WORD_LEN_MAX: usize = 100;
/// The longest name that is quoted and not encoded.
const QUOTED_LEN_MAX: usize = 60;
/// How an encoded word begins.
const ENCODED: &str = "=?";
/// What ends an address, or has a meaning in a list of them.
const SPECIAL: &[char] = &['"', '(', ')', ',', ':', ';', '<', '>', '@', '[', '\\', ']'];
const USER_LEN_MAX: usize = 64;
const LABEL_LEN_MAX: usize = 63;
const DOMAIN_LEN_MAX: usize = 253;

/// A name, which may be empty, and an address.
pub(crate) struct Mailbox {
    name: String,
    user: String,
    domain: String,
}

impl Mailbox {
    /// Reads `Name <address>`, or only an address.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let with_name = text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<'));
        let (name, address) = with_name.unwrap_or(("", text.trim()));
        Self::new(name.trim().trim_matches('"'), address)
    }

    /// Puts a name to an address. What is wrong is said without repeating either.
    pub(crate) fn new(name: &str, address: &str) -> Result<Self, String> {
        let name = one_line(name).ok_or("the name has a line break or a zero byte")?;
        let address = one_line(address).ok_or("the address has a line break or a zero byte")?;
        let (user, domain) = address.rsplit_once('@').ok_or("an address has an @")?;
        if !is_user(user) {
            return Err("before the @ of an address are letters, digits and -._+ and the like".into());
        }
        let domain = idna::domain_to_ascii(domain).ok().filter(|domain| is_domain(domain));
        let domain = domain.ok_or("behind the @ of an address is a domain")?;
        Ok(Self { name: name.trim().to_owned(), user: user.to_owned(), domain })
    }

    /// Tells the address.
    pub(crate) fn address(&self) -> String {
        format!("{}@{}", self.user, self.domain)
    }

    /// Lends what is behind the @.
    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    /// Writes it as a header.
    pub(crate) fn header(&self, header: &str) -> String {
        let (name, address) = (self.name.as_str(), self.address());
        if name.is_empty() {
            line(header, &address)
        } else if is_plain(name) && name.len() <= QUOTED_LEN_MAX {
            let name = name.replace('\\', r"\\").replace('"', "\\\"");
            line(header, &format!("\"{name}\"\r\n <{address}>"))
        } else {
            line(header, &format!("{}\r\n <{address}>", encoded(name, header)))
        }
    }
}

/// Writes a header as it is: the value is ours, and short.
pub(crate) fn line(header: &str, value: &str) -> String {
    format!("{header}: {value}\r\n")
}

/// Writes a text as a header; it has one line.
pub(crate) fn text(header: &str, text: &str) -> String {
    let text = text.trim();
    let is_foldable = !text.contains("  ") && text.split(' ').all(|word| word.len() <= WORD_LEN_MAX);
    let value = if is_plain(text) && is_foldable { folded(text, header) } else { encoded(text, header) };
    line(header, &value)
}

/// Lets a text pass that has no line break and no zero byte.
pub(crate) fn one_line(text: &str) -> Option<&str> {
    (!text.contains(['\r', '\n', '\0'])).then_some(text)
}

/// Whether it may stand before the @ of an address.
///
/// A quoted one is allowed in mail, nobody has one, and readers disagree about it; the same is true of one that
/// looks encoded.
fn is_user(user: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_graphic() && !SPECIAL.contains(&c);
    user.len() <= USER_LEN_MAX
        && !user.contains(ENCODED)
        && user.split('.').all(|word| !word.is_empty() && word.chars().all(is_allowed))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_LEN_MAX).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    domain.len() <= DOMAIN_LEN_MAX && domain.split('.').all(is_label)
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) && !text.contains(ENCODED)
}

fn encoded(text: &str, header: &str) -> String {
    written(header, |writer| rfc2047::encode(text, writer))
}

fn folded(text: &str, header: &str) -> String {
    written(header, |writer| text.split_inclusive(' ').try_for_each(|word| writer.folding().write_str(word)))
}

/// Takes down what is written behind the name of a header, in lines that are no longer than they should be.
fn written(header: &str, write: impl FnOnce(&mut EmailWriter<'_>) -> std::fmt::Result) -> String {
    let mut value = String::new();
    let mut writer = EmailWriter::new(&mut value, header.len() + ": ".len(), 0, false);
    // Writing to a string cannot fail.
    let _ = write(&mut writer);
    drop(writer);
    value
}
