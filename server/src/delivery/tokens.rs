//! Links in messages: each names its message and is signed, so that nobody can make one for another person or page.

use super::message::Message;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;
use uuid::Uuid;

const ID_LEN: usize = 16;
/// So many bytes of the code are enough: nobody can try often.
const CODE_LEN: usize = 16;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    /// To end such messages.
    Unsubscribe,
    /// To tell that it was opened.
    Open,
    /// To go to a page, and tell so.
    Click,
}

impl LinkKind {
    fn path(self) -> &'static str {
        match self {
            Self::Unsubscribe => "u",
            Self::Open => "o",
            Self::Click => "l",
        }
    }
}

/// Makes links of messages, and reads them.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    /// Where people reach the server, without a slash at the end.
    pub(crate) public_url: String,
    /// What links are signed with.
    pub(crate) secret: [u8; 32],
}

impl Links {
    /// Where one click ends such messages.
    pub(crate) fn unsubscribe(&self, id: Uuid) -> String {
        self.link(LinkKind::Unsubscribe, id, "")
    }

    /// A picture of one pixel.
    pub(crate) fn open(&self, id: Uuid) -> String {
        self.link(LinkKind::Open, id, "")
    }

    /// The way to `target` over us.
    pub(crate) fn click(&self, id: Uuid, target: &str) -> String {
        let mut link = self.link(LinkKind::Click, id, target);
        link.push_str("?u=");
        for byte in target.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    link.push(char::from(byte));
                }
                _ => drop(write!(link, "%{byte:02X}")),
            }
        }
        link
    }

    /// What a placeholder of ours stands for in a message.
    pub(crate) fn value(&self, name: &str, message: &Message) -> Option<String> {
        match name {
            "podium.unsubscribe_url" => Some(self.unsubscribe(message.id)),
            "podium.open_url" => Some(self.open(message.id)),
            "podium.message_id" => Some(message.id.to_string()),
            "podium.decision_id" => message.facts.decision_id.map(|id| id.to_string()),
            _ => None,
        }
    }

    /// The message that a link names, if it is one of ours. `target` is where it leads.
    pub(crate) fn read(&self, kind: LinkKind, token: &str, target: &str) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (id, code) = bytes.split_first_chunk::<ID_LEN>()?;
        let id = Uuid::from_bytes(*id);
        if code.len() != CODE_LEN {
            return None;
        }
        self.mac(kind, id, target)?.verify_truncated_left(code).ok()?;
        Some(id)
    }

    fn link(&self, kind: LinkKind, id: Uuid, target: &str) -> String {
        let mut token = id.as_bytes().to_vec();
        let code = self.mac(kind, id, target).map(|mac| mac.finalize().into_bytes());
        token.extend(code.into_iter().flatten().take(CODE_LEN));
        format!("{}/{}/{}", self.public_url, kind.path(), URL_SAFE_NO_PAD.encode(token))
    }

    fn mac(&self, kind: LinkKind, id: Uuid, target: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        mac.update(b"podium message link 1 ");
        mac.update(kind.path().as_bytes());
        mac.update(id.as_bytes());
        mac.update(target.as_bytes());
        Some(mac)
    }
}

#[cfg(test)]
mod tests {
    use super::{LinkKind, Links};
    use uuid::Uuid;

    #[test]
    fn a_link_opens_what_it_was_made_for_and_nothing_else() {
        let links = Links { public_url: "https://podium.example".into(), secret: [7; 32] };
        let (ann, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let token =
            |link: &str| link.rsplit('/').next().map(|part| part.split('?').next().unwrap().to_owned());
        let target = "https://shop.example/a?b=ä&c=/";
        let click = links.click(ann, target);
        let (path, query) = click.split_once('?').unwrap();
        assert_eq!(query, "u=https%3A%2F%2Fshop.example%2Fa%3Fb%3D%C3%A4%26c%3D%2F");
        let token_of_click = token(path).unwrap();
        assert_eq!(links.read(LinkKind::Click, &token_of_click, target), Some(ann));
        assert_eq!(links.read(LinkKind::Click, &token_of_click, "https://evil.example"), None);
        let leave = token(&links.unsubscribe(ann)).unwrap();
        assert_eq!(links.read(LinkKind::Unsubscribe, &leave, ""), Some(ann));
        assert_eq!(links.read(LinkKind::Open, &leave, ""), None);
        assert_ne!(leave, token(&links.unsubscribe(bob)).unwrap());
        let other = Links { secret: [8; 32], ..links.clone() };
        assert_eq!(other.read(LinkKind::Unsubscribe, &leave, ""), None);
        for wrong in ["", "AAAA", &leave[1..], &leave[..22], "ä"] {
            assert_eq!(links.read(LinkKind::Unsubscribe, wrong, ""), None, "{wrong}");
        }
    }
}
