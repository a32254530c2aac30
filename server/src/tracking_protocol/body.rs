//! Bodies as clients send them: under any content type, compressed or not, but never more than fits.

use super::refusal::Refusal;
use crate::api::BODY_MAX;
use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::web::{Bytes, Payload};
use flate2::read::MultiGzDecoder;
use std::io::Read;
use std::time::Duration;
use tokio::time::timeout;

/// How long a body may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(15);
/// What a gzip stream begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a body of at most 1 MiB, also when it is decompressed.
pub(super) async fn read(http: &HttpRequest, payload: Payload) -> Result<Bytes, Refusal> {
    let arrived = timeout(ARRIVES_WITHIN, payload.to_bytes_limited(BODY_MAX)).await;
    let arrived = arrived.map_err(|_| Refusal::body_too_slow(ARRIVES_WITHIN.as_secs()))?;
    let body = arrived.map_err(|_| Refusal::body_too_large(BODY_MAX))?;
    let body = body.map_err(|error| Refusal::bad_json(format!("the body broke off: {error}")))?;
    let encoding = http.headers().get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    let says_gzip = encoding.is_some_and(|encoding| encoding.trim().eq_ignore_ascii_case("gzip"));
    // Some say nothing of it; JSON never begins so.
    if says_gzip || body.starts_with(&GZIP) { inflate(&body, BODY_MAX) } else { Ok(body) }
}

/// Decompresses, and stops as soon as it is too much.
fn inflate(body: &[u8], most: usize) -> Result<Bytes, Refusal> {
    let mut inflated = Vec::new();
    let mut reader = MultiGzDecoder::new(body).take(most as u64 + 1);
    match reader.read_to_end(&mut inflated) {
        Ok(_) if inflated.len() <= most => Ok(inflated.into()),
        Ok(_) => Err(Refusal::body_too_large(most)),
        Err(error) => Err(Refusal::bad_json(format!("the body is not gzip: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::ResponseError;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn status(body: &[u8]) -> u16 {
        inflate(body, 1_000).map_or_else(|refusal| refusal.status_code().as_u16(), |_| 200)
    }

    #[test]
    fn what_inflates_to_more_than_fits_is_stopped() {
        assert_eq!(inflate(&gzip(b"{}"), 1_000).unwrap(), "{}");
        assert_eq!(status(&gzip(&[b' '; 1_000])), 200);
        assert_eq!(status(&gzip(&[b' '; 1_001])), 413);
        let bomb = gzip(&vec![b' '; 10_000_000]);
        assert!(bomb.len() < 20_000);
        assert_eq!(status(&bomb), 413);
        let in_parts = [gzip(b"{\"a\":"), gzip(b"1}")].concat();
        assert_eq!(inflate(&in_parts, 1_000).unwrap(), "{\"a\":1}");
    }

    #[test]
    fn what_is_not_gzip_is_no_body() {
        let whole = gzip(b"{\"batch\": []}");
        assert_eq!(status(&whole[..whole.len() - 1]), 400, "cut off");
        assert_eq!(status(b"{\"batch\": []}"), 400);
        assert_eq!(status(&[0x1f, 0x8b]), 400);
        let mut wrong_sum = whole.clone();
        let last = wrong_sum.len() - 5;
        wrong_sum[last] ^= 1;
        assert_eq!(status(&wrong_sum), 400);
    }
}
