//! Encryption for one browser (RFC 8291): only it can read the message, the push service cannot.

use p256::{PublicKey, SecretKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

const AUTH_LEN: usize = 16;
const SALT_LEN: usize = 16;
const KEY_LEN: usize = 16;
const SECRET_LEN: usize = 32;
const POINT_LEN: usize = 65;
const TAG_LEN: usize = 16;
/// A message is one record, and no service has to take more.
const RECORD_LEN: u32 = 4_096;
/// Ends the last record.
const DELIMITER: u8 = 2;
/// Salt, record size, length of the key's name, and the key.
const HEADER_LEN: usize = SALT_LEN + 4 + 1 + POINT_LEN;
/// The most that fits into a record, in bytes.
pub(crate) const PLAINTEXT_LEN_MAX: usize = RECORD_LEN as usize - HEADER_LEN - TAG_LEN - 1;

/// The keys of a subscription.
pub(crate) struct Keys {
    public: PublicKey,
    auth: [u8; AUTH_LEN],
}

/// What is used for one message and no other.
pub(crate) struct Ephemeral {
    secret: SecretKey,
    salt: [u8; SALT_LEN],
}

impl Keys {
    /// Reads an uncompressed point and an authentication secret.
    pub(crate) fn new(p256dh: &[u8], auth: &[u8]) -> Option<Self> {
        let is_uncompressed = p256dh.len() == POINT_LEN;
        let public = PublicKey::from_sec1_bytes(p256dh).ok().filter(|_| is_uncompressed)?;
        Some(Self { public, auth: auth.try_into().ok()? })
    }
}

impl Ephemeral {
    /// Makes a key and a salt; `None` if the system has no randomness.
    pub(crate) fn random() -> Option<Self> {
        let random = SystemRandom::new();
        let (mut secret, mut salt) = ([0; SECRET_LEN], [0; SALT_LEN]);
        random.fill(&mut secret).ok()?;
        random.fill(&mut salt).ok()?;
        // One in 2^32 is no key: the message comes again.
        Some(Self { secret: SecretKey::from_slice(&secret).ok()?, salt })
    }
}

/// Encrypts at most [`PLAINTEXT_LEN_MAX`] bytes into a body of content encoding `aes128gcm` (RFC 8188).
pub(crate) fn encrypt(keys: &Keys, plaintext: &[u8], once: &Ephemeral) -> Option<Vec<u8>> {
    let ours = once.secret.public_key().to_sec1_bytes();
    let shared = once.secret.diffie_hellman(&keys.public);
    let info = [b"WebPush: info\0", &*keys.public.to_sec1_bytes(), &ours].concat();
    let input: [u8; SECRET_LEN] = hkdf(&keys.auth, shared.raw_secret_bytes(), &info)?;
    let key: [u8; KEY_LEN] = hkdf(&once.salt, &input, b"Content-Encoding: aes128gcm\0")?;
    let nonce: [u8; NONCE_LEN] = hkdf(&once.salt, &input, b"Content-Encoding: nonce\0")?;

    let mut record = [plaintext, &[DELIMITER]].concat();
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?);
    // The key is used once, so its only nonce is, too.
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record).ok()?;
    Some([&once.salt, &RECORD_LEN.to_be_bytes()[..], &[POINT_LEN as u8], &ours, &record].concat())
}

/// HKDF with SHA-256 (RFC 5869), for outputs that one block covers.
fn hkdf<const LEN: usize>(salt: &[u8], input: &[u8], info: &[u8]) -> Option<[u8; LEN]> {
    let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), input);
    let block = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), &[info, &[1]].concat());
    block.as_ref().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::{Ephemeral, Keys, PLAINTEXT_LEN_MAX, encrypt};
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    use p256::SecretKey;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    fn keys() -> Keys {
        let p256dh =
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        Keys::new(&bytes(p256dh), &bytes("BTBZMqHH6r4Tts7J_aSIgg")).unwrap()
    }

    /// The example of RFC 8291, section 5.
    #[test]
    fn the_example_of_the_standard_comes_out() {
        let secret = SecretKey::from_slice(&bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        let once = Ephemeral { secret, salt: bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap() };
        let body = encrypt(&keys(), b"When I grow up, I want to be a watermelon", &once).unwrap();
        assert_eq!(
            BASE64_URL_SAFE_NO_PAD.encode(body),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz\
             AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn the_longest_message_fills_a_record() {
        assert_eq!(PLAINTEXT_LEN_MAX, 3_993);
        let body = encrypt(&keys(), &[b'x'; PLAINTEXT_LEN_MAX], &Ephemeral::random().unwrap()).unwrap();
        assert_eq!(body.len(), 4_096);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let point =
            bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        let mut off_the_curve = point.clone();
        off_the_curve[40] ^= 1;
        for (p256dh, auth) in
            [(&point[..64], &[0; 16][..]), (&off_the_curve, &[0; 16]), (&[], &[]), (&point, &[0; 15])]
        {
            assert!(Keys::new(p256dh, auth).is_none());
        }
    }
}
