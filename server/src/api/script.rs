//! `/podium.js`, the client for web pages: the committed file is what is served.

use crate::auth;
use actix_web::http::header::{self, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const SCRIPT: &str = include_str!("../../assets/podium.js");
/// How long a browser may go without asking again: as long as a mended script may take to reach everyone.
const CACHING: &str = "public, max-age=300";
static TAG: LazyLock<EntityTag> =
    LazyLock::new(|| EntityTag::new_strong(auth::hex(&Sha256::digest(SCRIPT.as_bytes())[..16])));

/// The script: 200; 304 for whoever has it.
pub(crate) async fn podium_js(request: HttpRequest) -> HttpResponse {
    let is_known = match IfNoneMatch::parse(&request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&TAG)),
        Err(_) => false,
    };
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(header::ETag(TAG.clone()))
        .insert_header((header::CACHE_CONTROL, CACHING))
        // Any page may load it, also one that is isolated or pins it by its hash.
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if is_known {
        return response.finish();
    }
    response.content_type("text/javascript; charset=utf-8").body(SCRIPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, web};

    #[actix_web::test]
    async fn whoever_has_the_script_does_not_get_it_again() {
        let app = App::new().service(web::resource("/podium.js").get(podium_js).head(podium_js));
        let app = init_service(app).await;
        let first = call_service(&app, TestRequest::get().uri("/podium.js").to_request()).await;
        assert_eq!(first.status(), 200);
        let headers = first.headers().clone();
        let header = |name: &str| headers.get(name).unwrap().to_str().unwrap();
        assert_eq!(header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(header("cache-control"), CACHING);
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("access-control-allow-origin"), "*");
        assert_eq!(read_body(first).await, SCRIPT);
        let tag = header("etag");
        assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
        for (asked, status) in [
            (tag, 304),
            (&*format!("W/{tag}"), 304),
            (&*format!("\"other\", {tag}"), 304),
            ("*", 304),
            ("\"other\"", 200),
        ] {
            let request = TestRequest::get().uri("/podium.js").insert_header(("if-none-match", asked));
            let again = call_service(&app, request.to_request()).await;
            assert_eq!(again.status(), status, "{asked}");
            assert_eq!(again.headers().get("etag").unwrap(), tag, "{asked}");
            assert_eq!(read_body(again).await.is_empty(), status == 304, "{asked}");
        }
    }
}
