//! A page of a list, and where the next one is.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::json;
use std::fmt::Display;

/// Cuts what was found to `limit` rows, and says where the next page begins, if one more row was found.
pub(super) fn cut<T, C>(found: &mut Vec<T>, limit: u64, cursor: impl FnOnce(&T) -> C) -> Option<C> {
    let has_more = limit < found.len() as u64;
    found.truncate(limit as usize);
    found.last().filter(|_| has_more).map(cursor)
}

/// Answers a page of a list: 200, with a `Link` to the next one if there is one.
pub(super) fn page<T: Serialize, C: Serialize + Display>(
    http: &HttpRequest,
    data: &[T],
    next_cursor: Option<&C>,
) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if let Some(cursor) = next_cursor {
        // The next page is of the same list.
        let pairs = http.query_string().split('&').filter(|pair| !pair.is_empty());
        let mut query: Vec<&str> = pairs.filter(|pair| !pair.starts_with("cursor=")).collect();
        let cursor = format!("cursor={cursor}");
        query.push(&cursor);
        let next = format!("<{}?{}>; rel=\"next\"", http.path(), query.join("&"));
        response.insert_header((header::LINK, next));
    }
    response.json(json!({ "data": data, "next_cursor": next_cursor }))
}
