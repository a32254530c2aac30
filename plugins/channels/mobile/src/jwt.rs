//! Signed tokens that say who we are.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long nothing is signed anew because it was refused: a provider that sees new tokens too often refuses
/// them for that.
const RENEW_AGAIN_S: i64 = 20 * 60;
/// How many audiences have a token at a time; with one more, all are forgotten.
const AUDIENCES_MAX: usize = 64;

/// Encodes what is signed.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// Puts the signature behind what was signed.
pub(crate) fn signed(unsigned: &str, signature: &[u8]) -> String {
    format!("{unsigned}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// What is claimed before an audience at a time.
type Claims = Box<dyn Fn(&str, i64) -> Value + Send + Sync>;

/// Tokens signed by ES256, one for each audience, each kept for a while.
pub(crate) struct Tokens {
    key: SigningKey,
    header: Value,
    claims: Claims,
    keep_s: i64,
    kept: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    token: Arc<str>,
    made_s: i64,
    /// When it was last made anew because it was refused.
    renewed_s: Option<i64>,
    /// Whether the audience has ever taken one.
    is_proven: bool,
}

impl Tokens {
    /// Signs `claims` of an audience and a time with `key`; keeps a token for `keep_s` seconds.
    pub(crate) fn new(
        key: SigningKey,
        header: Value,
        keep_s: i64,
        claims: impl Fn(&str, i64) -> Value + Send + Sync + 'static,
    ) -> Self {
        Self { key, header, claims: Box::new(claims), keep_s, kept: Mutex::default() }
    }

    /// Gives the token for `audience`.
    pub(crate) fn get(&self, audience: &str, now_s: i64) -> Arc<str> {
        let mut all = self.kept();
        if all.len() >= AUDIENCES_MAX && !all.contains_key(audience) {
            all.clear();
        }
        let made =
            || Kept { token: self.sign(audience, now_s), made_s: now_s, renewed_s: None, is_proven: false };
        let kept = all.entry(audience.to_owned()).or_insert_with(made);
        if !(0..self.keep_s).contains(&(now_s - kept.made_s)) {
            kept.token = self.sign(audience, now_s);
            kept.made_s = now_s;
        }
        Arc::clone(&kept.token)
    }

    /// Gives another token instead of one that was refused, unless that was done lately.
    pub(crate) fn renewed(&self, audience: &str, refused: &str, now_s: i64) -> Option<Arc<str>> {
        let mut all = self.kept();
        let kept = all.get_mut(audience)?;
        if &*kept.token == refused {
            if kept.renewed_s.is_some_and(|renewed_s| now_s - renewed_s < RENEW_AGAIN_S) {
                return None;
            }
            kept.token = self.sign(audience, now_s);
            (kept.made_s, kept.renewed_s) = (now_s, Some(now_s));
        }
        Some(Arc::clone(&kept.token))
    }

    /// Notes that the audience took a token.
    pub(crate) fn prove(&self, audience: &str) {
        if let Some(kept) = self.kept().get_mut(audience) {
            kept.is_proven = true;
        }
    }

    /// Whether the audience ever took a token: then it is not our key that it refuses.
    pub(crate) fn is_proven(&self, audience: &str) -> bool {
        self.kept().get(audience).is_some_and(|kept| kept.is_proven)
    }

    fn sign(&self, audience: &str, now_s: i64) -> Arc<str> {
        let unsigned = unsigned(&self.header, &(self.claims)(audience, now_s));
        let signature: Signature = self.key.sign(unsigned.as_bytes());
        signed(&unsigned, &signature.to_bytes()).into()
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Tokens;
    use p256::ecdsa::SigningKey;

    fn tokens() -> Tokens {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let claims = |audience: &str, now_s: i64| serde_json::json!({ "aud": audience, "iat": now_s });
        Tokens::new(key, serde_json::json!({ "alg": "ES256" }), 3_000, claims)
    }

    #[test]
    fn a_token_is_kept_for_its_audience_until_its_time_is_over() {
        let tokens = tokens();
        let first = tokens.get("a", 1_000);
        assert_eq!(tokens.get("a", 3_999), first);
        assert_ne!(tokens.get("b", 3_999), first);
        assert_ne!(tokens.get("a", 4_000), first);
        assert_ne!(tokens.get("a", 999), first, "a clock that was turned back");
    }

    #[test]
    fn a_refused_token_is_renewed_once_in_twenty_minutes() {
        let tokens = tokens();
        let first = tokens.get("a", 1_000);
        let second = tokens.renewed("a", &first, 1_010).unwrap();
        assert_ne!(second, first);
        assert_eq!(tokens.renewed("a", &first, 1_011), Some(second.clone()), "another thread has it by then");
        assert_eq!(tokens.renewed("a", &second, 2_209), None);
        assert_ne!(tokens.renewed("a", &second, 2_210).unwrap(), second);
    }

    #[test]
    fn audiences_are_forgotten_before_they_are_too_many() {
        let tokens = tokens();
        for audience in 0..1_000 {
            tokens.get(&audience.to_string(), 0);
        }
        assert!(tokens.kept().len() <= super::AUDIENCES_MAX);
    }
}
