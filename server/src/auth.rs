//! API keys: what they look like, whom they let in, and what for.

use crate::app::history::Actor;
use crate::origin::Origins;
use actix_web::HttpRequest;
use actix_web::http::header;
use podium_core::projection::Trust;
use podium_core::time::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
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
    /// The pages that it is for.
    pub(crate) origins: Origins,
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
            origins: Origins::default(),
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
pub(crate) struct KeyRing {
    holders: HashMap<Box<str>, Holder>,
    /// The origins of pages that some key is for; `None` for all.
    origins: Option<HashSet<Box<str>>>,
}

/// Who has a key.
#[derive(Clone, Debug)]
struct Holder {
    scope: Scope,
    actor: Actor,
    secret_sha256: [u8; 32],
    origins: Origins,
}

/// Whether pages of an origin may read answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Those of every origin may.
    Any,
    /// Those of this one may, and not those of every other.
    Own,
    /// Those of this one may not.
    Foreign,
}

/// Why a key does not let somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is none, or was revoked.
    Unknown,
    /// It is not for pages of that origin.
    Origin,
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
                origins: record.origins.clone(),
            };
            Some((record.id.as_str().into(), holder))
        };
        let holders: HashMap<Box<str>, Holder> = valid.filter_map(entry).collect();
        let for_pages = || holders.values().filter(|holder| holder.scope == Scope::Publishable);
        let is_any = for_pages().any(|holder| holder.origins.is_any());
        let all = || for_pages().flat_map(|holder| holder.origins.iter().map(Box::from)).collect();
        let origins = (!is_any).then(all);
        Self { holders, origins }
    }

    /// What `key` may do, if it is one, for who says that the request comes from a page of this origin, or says nothing.
    pub(crate) fn scope(&self, key: &str, origin: Option<&[u8]>) -> Result<Scope, Refused> {
        let holder = self.holder(key).ok_or(Refused::Unknown)?;
        if holder.origins.allow(origin) { Ok(holder.scope) } else { Err(Refused::Origin) }
    }

    /// Whether the key with this id is for pages of this origin.
    pub(crate) fn is_for(&self, id: &str, origin: Option<&[u8]>) -> bool {
        self.holders.get(id).is_some_and(|holder| holder.origins.allow(origin))
    }

    /// Whether some key is for pages of this origin.
    pub(crate) fn pages(&self, origin: &str) -> Pages {
        match &self.origins {
            None => Pages::Any,
            Some(origins) if origins.contains(origin) => Pages::Own,
            Some(_) => Pages::Foreign,
        }
    }

    /// Who has `key`, if it is one.
    pub(crate) fn actor(&self, key: &str) -> Option<Actor> {
        self.holder(key).map(|holder| holder.actor.clone())
    }

    /// Whether the key with this id lets someone in.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.holders.contains_key(id)
    }

    fn holder(&self, key: &str) -> Option<&Holder> {
        let holder = self.holders.get(id(key)?)?;
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
        assert_eq!(ring.scope(&key, None), Ok(Scope::Server));
        assert_eq!(ring.actor(&key), Some(Actor::Key("shop".to_owned())));
        let mut wrong = key.clone();
        wrong.pop();
        let unknown = Err(Refused::Unknown);
        assert_eq!(ring.scope(&wrong, None), unknown);
        assert_eq!(ring.scope(&key.replace("srv", "adm"), None), unknown);
        assert_eq!(ring.scope("podium_srv", None), unknown);
        let revoked = KeyRecord { revoked_at: Some(Timestamp::default()), ..record };
        assert_eq!(KeyRing::new(&[revoked]).scope(&key, None), unknown);
    }

    #[test]
    fn preflights_are_answered_for_what_some_key_is_for() {
        let of = |scope, origins: &[&str]| {
            let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
            let (record, _) = KeyRecord::generate(scope, "", Timestamp::default());
            KeyRecord { origins: Origins::new(scope, &origins).unwrap(), ..record }
        };
        let check = |records: &[KeyRecord], expected: [Pages; 3]| {
            let ring = KeyRing::new(records);
            let found = ["https://a.example", "https://b.example", "null"].map(|origin| ring.pages(origin));
            assert_eq!(found, expected, "{records:?}");
        };
        let (a, b) =
            (of(Scope::Publishable, &["https://a.example"]), of(Scope::Publishable, &["https://b.example"]));
        let (any, server) = (of(Scope::Publishable, &[]), of(Scope::Server, &[]));
        let revoked = KeyRecord { revoked_at: Some(Timestamp::default()), ..any.clone() };
        check(&[a.clone(), b, server.clone()], [Pages::Own, Pages::Own, Pages::Foreign]);
        check(&[a.clone(), server.clone(), revoked], [Pages::Own, Pages::Foreign, Pages::Foreign]);
        check(&[a, any], [Pages::Any; 3]);
        check(&[server], [Pages::Foreign; 3]);
    }
}
