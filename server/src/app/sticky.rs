//! Tokens with which a client proves what a unit was assigned, should the store have lost it.

use super::brought;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use podium_core::id::ExperimentId;
use podium_core::snapshot::Assignment;
use serde_json::{Map, Value};
use sha2::Sha256;

/// The attribute of a context that brings tokens back.
const ATTRIBUTE: &str = "podium_sticky";
/// The most tokens that are looked at.
const TOKENS_MAX: usize = 100;
/// Experiment, position of the variant, weights version, propensity.
const SIGNED_LEN: usize = 8 + 2 + 4 + 8;
/// So many bytes of the code are enough: nobody can try often.
const CODE_LEN: usize = 16;

/// The tokens that a client brings back.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims(Vec<Vec<u8>>);

impl Claims {
    /// Reads the tokens of a context.
    pub(super) fn of(context: &Map<String, Value>) -> Self {
        Self(brought::tokens(context, ATTRIBUTE, TOKENS_MAX))
    }

    /// What the unit was assigned in an experiment, if there is a token of ours that says so.
    pub(super) fn assignment(
        &self,
        secret: &[u8; 32],
        unit: &str,
        experiment: ExperimentId,
    ) -> Option<Assignment> {
        self.0.iter().find_map(|token| {
            let (signed, code) = token.split_first_chunk::<SIGNED_LEN>()?;
            let (claimed, rest) = signed.split_first_chunk::<8>()?;
            let (variant_idx, rest) = rest.split_first_chunk::<2>()?;
            let (version, rest) = rest.split_first_chunk::<4>()?;
            if i64::from_be_bytes(*claimed) != experiment.0 || code.len() != CODE_LEN {
                return None;
            }
            mac(secret, unit, signed)?.verify_truncated_left(code).ok()?;
            Some(Assignment {
                variant_idx: u16::from_be_bytes(*variant_idx),
                version: u32::from_be_bytes(*version),
                propensity: f64::from_be_bytes(rest.try_into().ok()?),
            })
        })
    }
}

/// Makes the token of an assignment; the same for the same one, on every node.
pub(super) fn token(
    secret: &[u8; 32],
    unit: &str,
    experiment: ExperimentId,
    assignment: Assignment,
) -> String {
    let mut token = Vec::with_capacity(SIGNED_LEN + CODE_LEN);
    token.extend_from_slice(&experiment.0.to_be_bytes());
    token.extend_from_slice(&assignment.variant_idx.to_be_bytes());
    token.extend_from_slice(&assignment.version.to_be_bytes());
    token.extend_from_slice(&assignment.propensity.to_be_bytes());
    let code = mac(secret, unit, &token).map(|mac| mac.finalize().into_bytes());
    token.extend(code.into_iter().flatten().take(CODE_LEN));
    URL_SAFE_NO_PAD.encode(token)
}

fn mac(secret: &[u8; 32], unit: &str, signed: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(b"podium sticky token 1 ");
    mac.update(signed);
    mac.update(unit.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_proves_one_assignment_of_one_unit() {
        let given = Assignment { variant_idx: 3, version: 7, propensity: 0.25 };
        let (ours, others) = ([7; 32], [8; 32]);
        let (experiment, other) = (ExperimentId(42), ExperimentId(43));
        let own = token(&ours, "ann", experiment, given);
        let second = token(&ours, "ann", other, Assignment { variant_idx: 1, ..given });
        let claims = |context: Value| Claims::of(context.as_object().unwrap());
        for brought in [json!(own), json!(format!("x {second}  {own}")), json!([1, own, second])] {
            let claims = claims(json!({ ATTRIBUTE: brought }));
            assert_eq!(claims.assignment(&ours, "ann", experiment), Some(given));
            assert_eq!(claims.assignment(&ours, "bob", experiment), None);
            assert_eq!(claims.assignment(&others, "ann", experiment), None);
        }
        let both = claims(json!({ ATTRIBUTE: [own, second] }));
        assert_eq!(both.assignment(&ours, "ann", other).map(|assignment| assignment.variant_idx), Some(1));
        for wrong in ["", "AAAA", &own[1..], &own[..own.len() - 1], &format!("{own}AAAA")] {
            let claims = claims(json!({ ATTRIBUTE: wrong }));
            assert_eq!(claims.assignment(&ours, "ann", experiment), None, "{wrong}");
        }
    }
}
