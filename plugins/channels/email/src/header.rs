//! Headers, and what may stand in them.
//!
//! A short line of printable ASCII stands as it is. Everything else is encoded, so that whoever reads it gets back
//! what was written, and nothing that looks encoded is decoded into something else.

use email_encoding::headers::rfc2047;
use email_encoding::headers::writer::EmailWriter;
use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};

/// The longest word that is not broken into encoded ones.
const WORD_LEN_MAX: usize = 100;
/// The longest name that is quoted and not encoded.
const QUOTED_LEN_MAX: usize = 60;
/// How an encoded word begins.
const ENCODED: &str = "=?";

/// A name, which may be empty, and an address.
pub(crate) struct Mailbox {
    name: String,
    address: Address,
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
        // A quoted name before the @ is allowed, nobody has one, and readers of mail disagree about it; the same is
        // true of one that looks encoded.
        if user.contains(|c: char| !c.is_ascii_graphic() || c == '"') || user.contains(ENCODED) {
            return Err("before the @ of an address are letters, digits and -._+ and the like".into());
        }
        let domain = idna::domain_to_ascii(domain).map_err(|_| "behind the @ of an address is a domain")?;
        let address = Address::new(user, domain).map_err(|_| "the address is none")?;
        Ok(Self { name: name.trim().to_owned(), address })
    }

    /// Lends the address.
    pub(crate) fn address(&self) -> &str {
        self.address.as_ref()
    }

    /// Lends what is behind the @.
    pub(crate) fn domain(&self) -> &str {
        self.address.domain()
    }

    /// Writes it as a header.
    pub(crate) fn header(&self, header: HeaderName) -> HeaderValue {
        let address = self.address();
        let value = if self.name.is_empty() {
            address.to_owned()
        } else if is_plain(&self.name) && self.name.len() <= QUOTED_LEN_MAX {
            let name = self.name.replace('\\', r"\\").replace('"', "\\\"");
            format!("\"{name}\" <{address}>")
        } else {
            format!("{}\r\n <{address}>", encoded(&self.name, &header))
        };
        HeaderValue::dangerous_new_pre_encoded(header, address.to_owned(), value)
    }
}

/// Writes a text as a header; it has one line.
pub(crate) fn text(header: HeaderName, text: &str) -> HeaderValue {
    let text = text.trim();
    let is_foldable = !text.contains("  ") && text.split(' ').all(|word| word.len() <= WORD_LEN_MAX);
    if is_plain(text) && is_foldable {
        return HeaderValue::new(header, text.to_owned());
    }
    let value = encoded(text, &header);
    HeaderValue::dangerous_new_pre_encoded(header, text.to_owned(), value)
}

/// Lets a text pass that has no line break and no zero byte.
pub(crate) fn one_line(text: &str) -> Option<&str> {
    (!text.contains(['\r', '\n', '\0'])).then_some(text)
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) && !text.contains(ENCODED)
}

fn encoded(text: &str, header: &HeaderName) -> String {
    let mut value = String::new();
    let mut writer = EmailWriter::new(&mut value, header.len() + ": ".len(), 0, false);
    // Writing to a string cannot fail.
    let _ = rfc2047::encode(text, &mut writer);
    drop(writer);
    value
}
