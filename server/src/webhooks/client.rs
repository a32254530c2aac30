//! Posting to endpoints.

use super::{Outcome, Signer};
use crate::outgoing::{self, Reach};
use std::time::Duration;
use ureq::Agent;

/// The longest that an endpoint may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The most of an error that is kept, in characters.
const ERROR_LEN_MAX: usize = 300;

/// Posts to endpoints.
#[derive(Clone, Debug)]
pub(super) struct Client {
    agent: Agent,
}

/// One message to one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) url: String,
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) timestamp: i64,
    pub(super) body: String,
}

impl Client {
    pub(super) fn new(reach: Reach) -> Self {
        Self { agent: outgoing::agent(reach, TIMEOUT) }
    }

    /// Posts a message, and waits for what comes of it.
    pub(super) fn post(&self, message: &Message, signer: &Signer) -> Outcome {
        let timestamp = message.timestamp.to_string();
        let request = self
            .agent
            .post(&message.url)
            .header("content-type", "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", &timestamp)
            .header("webhook-signature", signer.sign(&message.id, &timestamp, &message.body));
        let response = match request.send(&message.body) {
            Ok(response) => response,
            Err(error) => {
                let error = error.to_string().chars().take(ERROR_LEN_MAX).collect();
                return Outcome::Failed { status: None, error, asked_s: None };
            }
        };
        let status = response.status();
        match status.as_u16() {
            status @ 410 => Outcome::Gone { status },
            taken if status.is_success() => Outcome::Taken { status: taken },
            code => {
                let is_elsewhere = status.is_redirection();
                let why = if is_elsewhere { "; redirects are not followed" } else { "" };
                let asked = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                Outcome::Failed {
                    status: Some(code),
                    error: format!("it answered {code}{why}"),
                    asked_s: asked.and_then(|text| text.trim().parse().ok()),
                }
            }
        }
    }

    /// Ends what is on its way; it is told again later.
    pub(super) fn shut_down(&self) {
        self.agent.clone().shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn post(url: &str, reach: Reach) -> Outcome {
        let signer = Signer::new("whsec_cG9kaXVtLXRlc3RzLW9ubHktMzItYnl0ZXMtbG9uZyE=").unwrap();
        let message =
            Message { url: url.to_owned(), id: "1".to_owned(), timestamp: 1, body: "{}".to_owned() };
        Client::new(reach).post(&message, &signer)
    }

    /// Nothing listens there: whoever gets as far as to connect is told so.
    #[test]
    fn what_leads_inside_is_not_connected_to_however_it_is_spelled() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "017700000001", "[::ffff:127.0.0.1]"] {
            let outcome = post(&format!("http://{host}:{port}/"), Reach::Public);
            let Outcome::Failed { status: None, error, .. } = outcome else { panic!("{host}: {outcome:?}") };
            assert!(error.contains("public internet"), "{host}: {error}");
        }
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "nobody came");
        drop(listener);
        let outcome = post(&format!("http://127.0.0.1:{port}/"), Reach::Anywhere);
        let Outcome::Failed { status: None, error, .. } = outcome else { panic!("{outcome:?}") };
        assert!(!error.contains("public internet"), "{error}");
    }
}
