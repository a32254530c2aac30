//! Addresses of streams: each has a token that allows nothing but listening, with the key that it was given to.

use crate::delivery::tokens::Links;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use podium_core::time::Timestamp;
use sha2::Sha256;

/// Addresses stay as they are so long, or answers would look new that are not: 12 hours.
const STEP_US: i64 = 12 * 3_600 * 1_000_000;
/// For so many steps an address is good: 36 hours.
const VALID_STEPS: i64 = 3;
/// So many bytes of the code are enough: nobody can try often.
const CODE_LEN: usize = 16;

/// Where a client listens that has a key, as a path with its query on this server.
pub(super) fn request_uri(links: &Links, key_id: &str, now: Timestamp) -> String {
    let step = now.as_micros().div_euclid(STEP_US);
    let mut token = step.to_be_bytes().to_vec();
    let code = mac(&links.secret, step, key_id).map(|mac| mac.finalize().into_bytes());
    token.extend(code.into_iter().flatten().take(CODE_LEN));
    token.extend_from_slice(key_id.as_bytes());
    let channel = URL_SAFE_NO_PAD.encode(token);
    format!("{}/ofrep/v1/stream?channel={channel}", prefix(&links.public_url))
}

/// The id of the key that a channel was given to, if it is one of ours and is still good.
pub(super) fn key_id(links: &Links, channel: &str, now: Timestamp) -> Option<String> {
    let token = URL_SAFE_NO_PAD.decode(channel).ok()?;
    let (step, rest) = token.split_first_chunk::<8>()?;
    let (code, key_id) = rest.split_at_checked(CODE_LEN)?;
    let (step, key_id) = (i64::from_be_bytes(*step), std::str::from_utf8(key_id).ok()?);
    mac(&links.secret, step, key_id)?.verify_truncated_left(code).ok()?;
    let age = now.as_micros().div_euclid(STEP_US).checked_sub(step)?;
    // The clock of the node that made it may be ahead.
    (-1..VALID_STEPS).contains(&age).then(|| key_id.to_owned())
}

/// The path that stands before all of ours where people reach the server.
fn prefix(public_url: &str) -> &str {
    let below_scheme = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
    below_scheme.find('/').and_then(|at| below_scheme.get(at..)).unwrap_or_default()
}

fn mac(secret: &[u8; 32], step: i64, key_id: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(b"podium stream channel 1 ");
    mac.update(&step.to_be_bytes());
    mac.update(key_id.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(public_url: &str) -> Links {
        Links { public_url: public_url.to_owned(), secret: [7; 32] }
    }

    fn at(hours: f64) -> Timestamp {
        Timestamp::from_micros((hours * 3_600e6) as i64)
    }

    #[test]
    fn an_address_stays_for_12_hours_and_is_good_for_36() {
        let links = links("https://shop.example");
        let uri = request_uri(&links, "a1", at(1_200.0));
        assert_eq!(request_uri(&links, "a1", at(1_211.9)), uri);
        assert_ne!(request_uri(&links, "a1", at(1_212.0)), uri);
        assert_ne!(request_uri(&links, "a2", at(1_200.0)), uri);
        let channel = uri.strip_prefix("/ofrep/v1/stream?channel=").unwrap();
        for (hours, key) in [(1_187.9, None), (1_200.0, Some("a1")), (1_235.9, Some("a1")), (1_236.0, None)] {
            assert_eq!(key_id(&links, channel, at(hours)).as_deref(), key, "{hours}");
        }
        let others = Links { secret: [8; 32], ..links.clone() };
        assert_eq!(key_id(&others, channel, at(1_200.0)), None);
        for wrong in ["", "AAAA", &channel[1..], &channel[..channel.len() - 2], "ä"] {
            assert_eq!(key_id(&links, wrong, at(1_200.0)), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_has_the_path_that_stands_before_ours() {
        for (public_url, before) in
            [("https://shop.example", ""), ("http://a:8080", ""), ("https://shop.example/a/b", "/a/b")]
        {
            let uri = request_uri(&links(public_url), "a1", at(0.0));
            assert!(uri.starts_with(&format!("{before}/ofrep/v1/stream?channel=")), "{uri}");
        }
    }
}
