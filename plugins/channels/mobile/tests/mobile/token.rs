//! Checks signed tokens, apart from the channel's own code.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::signature::{UnparsedPublicKey, VerificationAlgorithm};
use serde_json::Value;

pub(crate) fn bytes(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Checks the signature, and gives header and claims.
#[track_caller]
pub(crate) fn verified(
    token: &str,
    algorithm: &'static dyn VerificationAlgorithm,
    public_key: &[u8],
) -> (Value, Value) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(algorithm, public_key).verify(signed.as_bytes(), &bytes(signature)).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let part = |part: &str| serde_json::from_slice(&bytes(part)).unwrap();
    (part(header), part(claims))
}
