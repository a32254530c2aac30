//! Whose an event is: which ids its client gave, and which of them the shop knows somebody by.

use super::event::{ALIAS, BAD_ID, Rejection, is_id, reject};
use podium_core::metric::json::{Object, plain_text};

/// Whose an event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whose {
    /// The user if there is one, else the visitor.
    pub(super) unit: Box<str>,
    /// Whether the unit is a user.
    pub(super) is_known: bool,
    /// Another id of the same person: the visitor beside a user, or whom an alias says the user was before.
    pub(super) other_id: Option<Box<str>>,
}

impl Whose {
    /// Reads the ids of an event.
    ///
    /// # Errors
    ///
    /// `bad_id` if one cannot be an id, `no_user_or_anonymous_id` if one is missing that must be there.
    pub(super) fn read(event: &Object<'_>, event_type: &str) -> Result<Self, Rejection> {
        let user = id(event, "userId", "/userId")?;
        let visitor = id(event, "anonymousId", "/anonymousId")?;
        if event_type == ALIAS {
            return Self::alias(user, id(event, "previousId", "/previousId")?.or(visitor));
        }
        match (user, visitor) {
            (Some(unit), other_id) => Ok(Self { unit, is_known: true, other_id }),
            (None, Some(unit)) => Ok(Self { unit, is_known: false, other_id: None }),
            (None, None) => nobody("/userId", "say whose event it is: `userId` or `anonymousId`"),
        }
    }

    /// Who is now known by one id and was by another.
    fn alias(user: Option<Box<str>>, previous: Option<Box<str>>) -> Result<Self, Rejection> {
        let Some(unit) = user else {
            return nobody("/userId", "an alias says in `userId` who it is from now on");
        };
        if previous.is_none() {
            return nobody("/previousId", "an alias says in `previousId` who it was until now");
        }
        Ok(Self { unit, is_known: true, other_id: previous })
    }
}

fn nobody<T>(pointer: &'static str, detail: &str) -> Result<T, Rejection> {
    reject("no_user_or_anonymous_id", pointer, detail)
}

/// An id, a text or a number; null and an empty text are none.
fn id(event: &Object<'_>, name: &str, pointer: &'static str) -> Result<Option<Box<str>>, Rejection> {
    match event.get(name).map(plain_text) {
        None => Ok(None),
        Some(Some(text)) if text.is_empty() => Ok(None),
        Some(Some(text)) if is_id(&text) => Ok(Some(text.into())),
        Some(_) => reject("bad_id", pointer, BAD_ID),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_ID: &str = "no_user_or_anonymous_id";

    fn read(json: &str) -> Result<(String, bool, Option<String>), (&'static str, &'static str)> {
        let event = Object::parse(json);
        let event_type = if json.contains("previousId") { ALIAS } else { "track" };
        let whose = Whose::read(&event, event_type).map_err(|why| (why.reason, why.pointer))?;
        Ok((whose.unit.into(), whose.is_known, whose.other_id.map(Into::into)))
    }

    #[test]
    fn a_user_comes_before_a_visitor_who_is_not_forgotten() {
        let is = |unit: &str, is_known, other: Option<&str>| {
            Ok((unit.to_owned(), is_known, other.map(str::to_owned)))
        };
        for (json, whose) in [
            (r#"{"userId": "u", "anonymousId": "a"}"#, is("u", true, Some("a"))),
            (r#"{"userId": 7}"#, is("7", true, None)),
            (r#"{"userId": "", "anonymousId": "a"}"#, is("a", false, None)),
            (r#"{"userId": null, "anonymousId": 7.50}"#, is("7.50", false, None)),
            (r#"{"previousId": "a", "userId": "u", "anonymousId": "b"}"#, is("u", true, Some("a"))),
            (r#"{"previousId": null, "userId": "u", "anonymousId": "b"}"#, is("u", true, Some("b"))),
            (r#"{"userId": null, "anonymousId": ""}"#, Err((NO_ID, "/userId"))),
            (r#"{"previousId": "a", "anonymousId": "b"}"#, Err((NO_ID, "/userId"))),
            (r#"{"previousId": "", "userId": "u"}"#, Err((NO_ID, "/previousId"))),
            (r#"{"userId": {}, "anonymousId": "a"}"#, Err(("bad_id", "/userId"))),
            (r#"{"userId": "u", "anonymousId": true}"#, Err(("bad_id", "/anonymousId"))),
            (r#"{"previousId": [1], "userId": "u"}"#, Err(("bad_id", "/previousId"))),
        ] {
            assert_eq!(read(json), whose, "{json}");
        }
    }
}
