//! Links that open one report without a key: signed, and good until they expire; and what shows a form to be ours.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use podium_core::id::ExperimentId;
use podium_core::time::Timestamp;
use sha2::Sha256;

/// How long a link is good, in seconds: 30 days.
pub(crate) const LINK_S: i64 = 30 * 86_400;

/// Makes the token of a link to the report of `experiment`.
pub(crate) fn sign(secret: &[u8; 32], experiment: ExperimentId, expires_at: Timestamp) -> String {
    let mut token = Vec::with_capacity(48);
    token.extend_from_slice(&experiment.0.to_be_bytes());
    token.extend_from_slice(&expires_at.as_micros().to_be_bytes());
    if let Some(mac) = mac(secret, &token) {
        token.extend_from_slice(&mac.finalize().into_bytes());
    }
    URL_SAFE_NO_PAD.encode(token)
}

/// Which report a token opens, if it is one of ours and has not expired.
pub(crate) fn verify(secret: &[u8; 32], token: &str, now: Timestamp) -> Option<ExperimentId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signed, signature) = bytes.split_at_checked(16)?;
    mac(secret, signed)?.verify_slice(signature).ok()?;
    let number =
        |range: std::ops::Range<usize>| Some(i64::from_be_bytes(signed.get(range)?.try_into().ok()?));
    let expires_at = Timestamp::from_micros(number(8..16)?);
    let experiment = ExperimentId(number(0..8)?);
    (now < expires_at).then_some(experiment)
}

/// What a form of ours carries, which nobody can write who does not know the key that it is sent with.
pub(crate) fn of_form(secret: &[u8; 32], key: &str) -> String {
    let code = form_mac(secret, key).map(|mac| mac.finalize().into_bytes());
    code.map(|code| URL_SAFE_NO_PAD.encode(code)).unwrap_or_default()
}

/// Whether a form that came with `key` is ours.
pub(crate) fn is_of_form(secret: &[u8; 32], key: &str, token: &str) -> bool {
    let code = URL_SAFE_NO_PAD.decode(token).ok();
    code.is_some_and(|code| form_mac(secret, key).is_some_and(|mac| mac.verify_slice(&code).is_ok()))
}

fn form_mac(secret: &[u8; 32], key: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(b"podium form 1");
    mac.update(key.as_bytes());
    Some(mac)
}

/// Decodes standard base64.
pub(crate) fn base64_decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn mac(secret: &[u8; 32], signed: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(b"podium report link 1");
    mac.update(signed);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_ours_with_the_key_it_was_made_for() {
        let token = of_form(&[7; 32], "key");
        assert!(is_of_form(&[7; 32], "key", &token));
        assert!(!is_of_form(&[7; 32], "other", &token));
        assert!(!is_of_form(&[8; 32], "key", &token));
        assert!(!is_of_form(&[7; 32], "key", ""));
    }

    #[test]
    fn a_link_opens_its_report_until_it_expires_and_no_other() {
        let at = Timestamp::from_micros;
        let token = sign(&[7; 32], ExperimentId(42), at(1_000));
        assert_eq!(verify(&[7; 32], &token, at(999)), Some(ExperimentId(42)));
        assert_eq!(verify(&[7; 32], &token, at(1_000)), None);
        assert_eq!(verify(&[8; 32], &token, at(999)), None);
        for wrong in ["", "AAAA", &token[1..], &token[..token.len() - 1]] {
            assert_eq!(verify(&[7; 32], wrong, at(999)), None, "{wrong}");
        }
    }
}
