//! What traces call a unit: the same on every node and at any time, and nothing that leads back to whom it is.

use crate::auth::hex;
use crate::delivery::tokens::Links;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// So many bytes of the code are enough to tell units apart.
const CODE_LEN: usize = 16;

/// The opaque id of a unit.
pub(super) fn context_id(links: &Links, unit: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&links.secret).ok()?;
    mac.update(b"podium context id 1 ");
    mac.update(unit.as_bytes());
    mac.finalize().into_bytes().get(..CODE_LEN).map(hex)
}
