//! Signatures by Standard Webhooks: HMAC-SHA256 over id, time and body.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use podium_plugin::prelude::*;
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// How long a key may be, in bytes.
const KEY_LEN: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs with one secret.
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    /// Reads a secret; `setting` is named in the error, the secret is not.
    pub(crate) fn new(secret: &Secret, setting: &str) -> Result<Self> {
        let wrong = || Error::config(format!("`{setting}` must be `{PREFIX}` and 24 to 64 bytes in Base64"));
        let key = secret.reveal().strip_prefix(PREFIX).ok_or_else(wrong)?;
        let key = BASE64_STANDARD.decode(key).map_err(|_| wrong())?;
        if !KEY_LEN.contains(&key.len()) {
            return Err(wrong());
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|_| wrong())
    }

    /// Signs a message.
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
    use podium_plugin::Secret;

    fn signer(value: &str) -> Result<Signer, String> {
        let resolved = serde_json::json!({ "secret": "KEY", "value": value });
        let secret: Secret = serde_json::from_value(resolved).unwrap();
        Signer::new(&secret, "signing_secret").map_err(|error| error.to_string())
    }

    /// The signature was computed with Python's `hmac`.
    #[test]
    fn signatures_are_those_of_another_implementation() {
        let signer = signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn short_keys_and_other_texts_are_refused_without_repeating_them() {
        for value in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?"] {
            let error = signer(value).map(|_| "a signer").unwrap_err();
            assert_eq!(error, "`signing_secret` must be `whsec_` and 24 to 64 bytes in Base64");
        }
    }
}
