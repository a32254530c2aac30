//! Signatures by Standard Webhooks: HMAC-SHA256 over id, time and body.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// How long a key may be, in bytes.
const KEY_LEN: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs with one secret.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    /// Reads a secret: `whsec_` and 24 to 64 bytes in Base64; `None` if it is something else.
    pub(crate) fn new(secret: &str) -> Option<Self> {
        let key = BASE64_STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
        KEY_LEN.contains(&key.len()).then_some(())?;
        Hmac::new_from_slice(&key).ok().map(Self)
    }

    /// Signs a message, as the header `webhook-signature` has it.
    ///
    /// - `timestamp`: seconds since 1970, as the header `webhook-timestamp` has it.
    pub(crate) fn sign(&self, id: &str, timestamp: &str, body: &str) -> String {
        let mut mac = self.0.clone();
        for part in [id, ".", timestamp, ".", body] {
            mac.update(part.as_bytes());
        }
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::Signer;

    /// The signature was computed with Python's `hmac`.
    #[test]
    fn signatures_are_those_of_another_implementation() {
        let signer = Signer::new("whsec_cG9kaXVtLXRlc3RzLW9ubHktMzItYnl0ZXMtbG9uZyE=").unwrap();
        let signature = signer.sign("0198-1", "1795771800", r#"{"type":"experiment.winner"}"#);
        assert_eq!(signature, "v1,/XmLTYarbOsfC7Y2X0gJa5lJy/QMw/V12raFOc+VMxs=");
    }

    #[test]
    fn short_keys_and_other_texts_are_no_secrets() {
        for text in
            ["", "whsec_", "whsec_c2hvcnQ=", "cG9kaXVtLXRlc3RzLW9ubHktMzItYnl0ZXMtbG9uZyE=", "whsec_?"]
        {
            assert!(Signer::new(text).is_none(), "{text}");
        }
    }
}
