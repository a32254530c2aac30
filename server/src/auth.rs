//! API keys: what they look like, whom they let in, and what for.

use crate::app::history::Actor;
use actix_web::HttpRequest;
use actix_web::http::header;
use podium_core::projection::Trust;
use podium_core::time::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use subtle::ConstantTimeEq;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Decide and send events; it stands in a page's source.
    Publishable,
    /// Besides, read experiments and reports.
    Server,
    /// Everything.
    Admin,
}

impl Scope {
    /// The scope as text.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Publishable => "publishable",
            Self::Server => "server",
            Self::Admin => "admin",
        }
    }

    /// The scope that `text` names.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Publishable, Self::Server, Self::Admin].into_iter().find(|scope| scope.as_str() == text)
    }

    /// How far what is said with such a key is believed.
    pub(crate) fn trust(self) -> Trust {
        match self {
            Self::Publishable => Trust::Publishable,
            Self::Server | Self::Admin => Trust::Server,
        }
    }

    fn tag(self) -> &'static str {
        match self {
            Self::Publishable => "pub",
            Self::Server => "srv",
            Self::Admin => "adm",
        }
    }
}

/// A key as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct KeyRecord {
    /// Its public part.
    pub(crate) id: String,
    /// What it may do.
    pub(crate) scope: Scope,
    /// What people call it.
    pub(crate) name: String,
    /// SHA-256 of the whole key, in hexadecimal: the secret has 256 random bits, so no slow hash is needed.
    pub(crate) secret_sha256: String,
    /// The whole key, kept only where it is public anyway.
    pub(crate) secret: Option<String>,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it was revoked.
    pub(crate) revoked_at: Option<Timestamp>,
}

impl KeyRecord {
    /// Makes a key: what is stored, and the key itself, which is shown once.
    pub(crate) fn generate(scope: Scope, name: &str, now: Timestamp) -> (Self, String) {
        let id = hex(&rand::random::<[u8; 6]>());
        let key = format!("podium_{}_{id}_{}", scope.tag(), hex(&rand::random::<[u8; 32]>()));
        let record = Self {
            id,
            scope,
            name: name.to_owned(),
            secret_sha256: hex(&Sha256::digest(key.as_bytes())),
            secret: (scope == Scope::Publishable).then(|| key.clone()),
            created_at: now,
            revoked_at: None,
        };
        (record, key)
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The public part of a key.
pub(crate) fn id(key: &str) -> Option<&str> {
    key.strip_prefix("podium_")?.split('_').nth(1)
}

/// The keys that let someone in; replaced whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyRing(HashMap<Box<str>, Holder>);

/// Who has a key.
#[derive(Clone, Debug)]
struct Holder {
    scope: Scope,
    actor: Actor,
    secret_sha256: [u8; 32],
}

impl KeyRing {
    /// Gathers the keys that are not revoked.
    pub(crate) fn new(records: &[KeyRecord]) -> Self {
        let valid = records.iter().filter(|record| record.revoked_at.is_none());
        let entry = |record: &KeyRecord| {
            let holder = Holder {
                scope: record.scope,
                actor: Actor::of_key(&record.id, &record.name),
                secret_sha256: unhex(&record.secret_sha256)?,
            };
            Some((record.id.as_str().into(), holder))
        };
        Self(valid.filter_map(entry).collect())
    }

    /// What `key` may do, if it is one.
    pub(crate) fn scope(&self, key: &str) -> Option<Scope> {
        self.holder(key).map(|holder| holder.scope)
    }

    /// Who has `key`, if it is one.
    pub(crate) fn actor(&self, key: &str) -> Option<Actor> {
        self.holder(key).map(|holder| holder.actor.clone())
    }

    /// Whether the key with this id lets someone in.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    fn holder(&self, key: &str) -> Option<&Holder> {
        let holder = self.0.get(id(key)?)?;
        let found: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        bool::from(found.ct_eq(&holder.secret_sha256)).then_some(holder)
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (byte_idx, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(byte_idx * 2..byte_idx * 2 + 2)?, 16).ok()?;
    }
    (text.len() == 64).then_some(bytes)
}

/// The key a request carries: Bearer, `X-API-Key`, or the user name of Basic, in that order.
pub(crate) fn presented(request: &HttpRequest) -> Option<std::borrow::Cow<'_, str>> {
    let headers = request.headers();
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(key) = authorization.and_then(|value| value.strip_prefix("Bearer ")) {
        return Some(key.trim().into());
    }
    if let Some(key) = headers.get("x-api-key").and_then(|value| value.to_str().ok()) {
        return Some(key.into());
    }
    let basic = authorization.and_then(|value| value.strip_prefix("Basic "))?;
    let decoded = String::from_utf8(crate::links::base64_decode(basic.trim())?).ok()?;
    let user = decoded.split_once(':').map_or(decoded.as_str(), |(user, _)| user).to_owned();
    Some(user.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_what_it_was_made_for_and_no_other_does() {
        let (record, key) = KeyRecord::generate(Scope::Server, "shop", Timestamp::default());
        let ring = KeyRing::new(std::slice::from_ref(&record));
        assert_eq!(ring.scope(&key), Some(Scope::Server));
        assert_eq!(ring.actor(&key), Some(Actor::Key("shop".to_owned())));
        let mut wrong = key.clone();
        wrong.pop();
        assert_eq!(ring.scope(&wrong), None);
        assert_eq!(ring.scope(&key.replace("srv", "adm")), None);
        assert_eq!(ring.scope("podium_srv"), None);
        let revoked = KeyRecord { revoked_at: Some(Timestamp::default()), ..record };
        assert_eq!(KeyRing::new(&[revoked]).scope(&key), None);
    }
}
