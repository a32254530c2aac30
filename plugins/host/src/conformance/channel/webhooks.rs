//! Webhook requests that nobody sent.

use super::{ChannelSubject, Checked, Double, broken, call};
use crate::channel_instance::{ChannelFault, WebhookRequest};
use std::time::Duration;

/// What `ingest` may take.
const INGEST_MAX: Duration = Duration::from_secs(5);
const BODIES: [&[u8]; 8] = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"{\"a\": [{}, 1e999, \"\\u0000\"]}",
    b"\xff\xfe\x00",
    b"a=1&b=%zz",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

impl ChannelSubject<'_> {
    pub(super) fn webhooks(&self) -> Checked {
        let channel = self.create(Double::nobody()?)?;
        let long = "x".repeat(1024 * 1024);
        let headers = [("content-type", "application/json"), ("x-signature", "\u{fffd}=,;"), ("", "")];
        for body in BODIES.into_iter().chain([long.as_bytes()]) {
            for (method, path, headers) in
                [("POST", "/", &headers[..]), ("GET", "", &[]), ("", "//%zz", &headers[..1])]
            {
                let request = WebhookRequest { method, path, query: "a=%zz&&=", headers, body };
                match channel.ingest(&request, &call(INGEST_MAX)) {
                    Ok(_) | Err(ChannelFault::Refused { .. } | ChannelFault::Unsupported { .. }) => {}
                    Err(fault) => {
                        let end = body.len().min(30);
                        let body = String::from_utf8_lossy(body.get(..end).unwrap_or_default());
                        return broken(format!("{method} {path} with the body {body:?}: {fault}"));
                    }
                }
            }
        }
        Ok(())
    }
}
