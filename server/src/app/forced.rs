//! Links that show one variant to whoever opens them, whatever they would get: signed, and good until they expire.

use super::choose::{Behind, Owned};
use super::{App, brought};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use podium_core::id::ExperimentId;
use podium_core::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::Sha256;

/// The attribute of a context that brings tokens.
pub(super) const ATTRIBUTE: &str = "podium_preview";
/// The most tokens that are looked at.
const TOKENS_MAX: usize = 10;
/// So many bytes of the code are enough: nobody can try often.
const CODE_LEN: usize = 16;

/// The tokens of links that somebody came by.
#[derive(Clone, Debug, Default)]
pub(super) struct Links(Vec<Vec<u8>>);

/// The variant that a link shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Whose it is.
    pub(super) owner: ExperimentId,
    /// Its key.
    pub(super) variant: String,
}

/// A link to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkAsked<'a> {
    /// On which flag.
    pub(crate) flag: &'a str,
    /// What it shows.
    pub(crate) variant: &'a str,
    /// Whose variant it is; what answers on the flag is asked first if absent.
    pub(crate) owner: Option<ExperimentId>,
    /// Until when it does.
    pub(crate) expires_at: Timestamp,
}

/// A link that shows one variant.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PreviewLink {
    flag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experience: Option<String>,
    variant: String,
    token: String,
    /// What is put behind the address of a page.
    query: String,
    expires_at: Timestamp,
}

/// Why there can be no such link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoLink {
    /// Nothing answers to the flag.
    Flag,
    /// Nothing that answers to it has such a variant.
    Variant,
}

impl Links {
    /// Reads the tokens of a context.
    pub(super) fn of(context: &Map<String, Value>) -> Self {
        Self(brought::tokens(context, ATTRIBUTE, TOKENS_MAX))
    }

    /// What is to be shown on a flag, if there is a token of ours that says so and has not expired.
    pub(super) fn wanted(&self, secret: &[u8; 32], flag_key: &str, now: Timestamp) -> Option<Wanted> {
        self.0.iter().find_map(|token| {
            let (owner, rest) = token.split_first_chunk::<8>()?;
            let (expires_at, rest) = rest.split_first_chunk::<8>()?;
            let (code, variant) = rest.split_at_checked(CODE_LEN)?;
            let variant = std::str::from_utf8(variant).ok()?;
            let owner = ExperimentId(i64::from_be_bytes(*owner));
            let expires_at = Timestamp::from_micros(i64::from_be_bytes(*expires_at));
            if expires_at <= now {
                return None;
            }
            mac(secret, flag_key, (owner, expires_at), variant)?.verify_truncated_left(code).ok()?;
            Some(Wanted { owner, variant: variant.to_owned() })
        })
    }
}

fn token(secret: &[u8; 32], flag_key: &str, wanted: &Wanted, expires_at: Timestamp) -> String {
    let mut token = Vec::with_capacity(8 + 8 + CODE_LEN + wanted.variant.len());
    token.extend_from_slice(&wanted.owner.0.to_be_bytes());
    token.extend_from_slice(&expires_at.as_micros().to_be_bytes());
    let code = mac(secret, flag_key, (wanted.owner, expires_at), &wanted.variant);
    token.extend(code.map(|mac| mac.finalize().into_bytes()).into_iter().flatten().take(CODE_LEN));
    token.extend_from_slice(wanted.variant.as_bytes());
    URL_SAFE_NO_PAD.encode(token)
}

fn mac(
    secret: &[u8; 32],
    flag_key: &str,
    (owner, expires_at): (ExperimentId, Timestamp),
    variant: &str,
) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(b"podium preview link 1 ");
    mac.update(&owner.0.to_be_bytes());
    mac.update(&expires_at.as_micros().to_be_bytes());
    mac.update(&(flag_key.len() as u64).to_be_bytes());
    mac.update(flag_key.as_bytes());
    mac.update(variant.as_bytes());
    Some(mac)
}

impl App {
    /// Makes a link that shows one variant, of a draft too.
    pub(crate) fn preview_link(&self, asked: LinkAsked<'_>) -> Result<PreviewLink, NoLink> {
        let LinkAsked { flag, variant, owner, expires_at } = asked;
        let catalog = self.published.catalog.load_full();
        let behind = Behind::of(&catalog, flag);
        let owners = behind.owners();
        if owners.is_empty() {
            return Err(NoLink::Flag);
        }
        let mut owners = owners.into_iter().filter(|id| owner.is_none_or(|owner| owner == *id));
        let found = owners.find_map(|id| Some((id, behind.owned(id, variant)?)));
        let (owner, found) = found.ok_or(NoLink::Variant)?;
        let (experiment, experience) = match found {
            Owned::OfExperiment { flag, .. } => (Some(flag.experiment_key.to_string()), None),
            Owned::OfExperience(experience, _) => (None, Some(experience.key.to_string())),
        };
        let wanted = Wanted { owner, variant: variant.to_owned() };
        let token = token(&self.links.secret, flag, &wanted, expires_at);
        let query = format!("{ATTRIBUTE}={token}");
        let (flag, variant) = (flag.to_owned(), wanted.variant);
        Ok(PreviewLink { flag, experiment, experience, variant, token, query, expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_link_shows_one_variant_of_one_flag_until_it_expires() {
        let (ours, others, at) = ([7; 32], [8; 32], Timestamp::from_micros);
        let shown = Wanted { owner: ExperimentId(-42), variant: "b".to_owned() };
        let own = token(&ours, "hero", &shown, at(1_000));
        let links = |brought: Value| Links::of(json!({ ATTRIBUTE: brought }).as_object().unwrap());
        for brought in [json!(own), json!(format!("x {own}")), json!([1, own])] {
            let links = links(brought);
            assert_eq!(links.wanted(&ours, "hero", at(999)), Some(shown.clone()));
            assert_eq!(links.wanted(&ours, "hero", at(1_000)), None, "it has expired");
            assert_eq!(links.wanted(&ours, "hero2", at(999)), None, "of another flag");
            assert_eq!(links.wanted(&others, "hero", at(999)), None, "of another server");
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(&own).unwrap();
        for position in 0..bytes.len() {
            bytes[position] ^= 1;
            let wrong = URL_SAFE_NO_PAD.encode(&bytes);
            assert_eq!(links(json!(wrong)).wanted(&ours, "hero", at(999)), None, "byte {position}");
            bytes[position] ^= 1;
        }
        for wrong in ["", "AAAA", &own[1..], &own[..own.len() - 2], &format!("{own}YQ")] {
            assert_eq!(links(json!(wrong)).wanted(&ours, "hero", at(999)), None, "{wrong}");
        }
    }
}
