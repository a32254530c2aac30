//! What is the same in all spellings of one address.

use serde_json::Value;

/// The members of an address that identify it, in the order in which they are looked for.
const IDENTIFYING: [&str; 4] = ["email", "endpoint", "token", "to"];
const DEPTH_MAX: usize = 4;

/// Names an address for suppression: the text that it is; of an object, its member `email` (in small letters),
/// `endpoint`, `token` or `to`, however deep; and if it has none, the whole object.
pub(super) fn address_key(address: &Value) -> String {
    identifying(address, 0).unwrap_or_else(|| spelled(&address.to_string()))
}

fn identifying(address: &Value, depth: usize) -> Option<String> {
    match address {
        Value::String(text) => Some(spelled(text)),
        Value::Object(members) => {
            let found = IDENTIFYING.iter().find_map(|name| members.get(*name)?.as_str());
            let inside = || {
                members.values().find_map(|member| match member {
                    Value::Object(_) if depth < DEPTH_MAX => identifying(member, depth + 1),
                    _ => None,
                })
            };
            found.map(spelled).or_else(inside)
        }
        _ => None,
    }
}

/// Mail addresses are the same in capitals; tokens and addresses of services are not.
pub(crate) fn spelled(text: &str) -> String {
    let text = text.trim();
    let is_mail = text.contains('@') && !text.contains("://");
    if is_mail { text.to_lowercase() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::address_key;
    use serde_json::json;

    #[test]
    fn one_address_has_one_key_however_it_is_spelled() {
        for (address, key) in [
            (json!({"email": "Ann@Example.com", "name": "Ann"}), "ann@example.com"),
            (json!({"email": " ann@example.com "}), "ann@example.com"),
            (json!("ANN@example.com"), "ann@example.com"),
            (
                json!({"web_push": {"endpoint": "https://push.example/A@b", "keys": {"auth": "x"}}}),
                "https://push.example/A@b",
            ),
            (json!({"fcm": {"token": "Tok"}}), "Tok"),
            (json!({"phone": 7}), r#"{"phone":7}"#),
            (json!({"user": "Ann@shop"}), r#"{"user":"ann@shop"}"#),
        ] {
            assert_eq!(address_key(&address), key, "{address}");
        }
    }
}
