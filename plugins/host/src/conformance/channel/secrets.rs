//! That nobody is told a secret.

use super::delivery::AMPLE;
use super::double::{Does, Protocol};
use super::{ChannelSubject, Checked, Double, Failed, broken, call};
use crate::channel_info::ProviderClass;
use crate::channel_instance::WebhookRequest;
use crate::channel_secrets::resolve_secrets;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

/// What `health` and `ingest` may take here.
const CALL_MAX: Duration = Duration::from_secs(2);
/// A shorter secret is found in any text.
const SECRET_LEN_MIN: usize = 4;
/// A value that no secret has, whatever its form.
const WRONG: &str = "podium-check-wrong-value";

impl ChannelSubject<'_> {
    pub(super) fn secrets(&self) -> Checked {
        let nobody = Double::nobody()?;
        let secrets = self.named_secrets(nobody);
        if secrets.iter().any(|secret| secret.len() < SECRET_LEN_MIN) {
            let text = format!(
                "a secret of less than {SECRET_LEN_MIN} bytes stands in any text: give a longer one by --secret"
            );
            return Err(Failed::NotTried(text));
        }
        if secrets.is_empty() {
            let has_some = self.info.config_schema.contains("\"x-podium-secret\"");
            let text = "the settings name no secret, but the channel takes some: name one by --config";
            return if has_some { Err(Failed::NotTried(text.into())) } else { Ok(()) };
        }
        let mut told = Vec::new();
        let wrong = |_: &str| Some(WRONG.to_owned());
        let config_json = self.config(nobody);
        if let Err(error) = self.registry.create_channel_with(&self.info.id, &config_json, &wrong) {
            told.push(error.to_string());
        }
        let channel = self.create(nobody)?;
        told.extend(channel.health(&call(CALL_MAX)).err().map(|fault| fault.to_string()));
        let forged = WebhookRequest { method: "POST", path: "/", query: "", headers: &[], body: b"{}" };
        told.extend(channel.ingest(&forged, &call(CALL_MAX)).err().map(|fault| fault.to_string()));
        let all = match self.trial.protocol {
            _ if self.info.class == ProviderClass::Pull => &[],
            Protocol::Http => &[
                Does::Answers("200 OK"),
                Does::Answers("400 Bad Request"),
                Does::Answers("401 Unauthorized"),
                Does::Answers("500 Internal Server Error"),
                Does::Resets,
            ][..],
            Protocol::Tcp => &[Does::Closes, Does::Resets],
        };
        for &does in all {
            let (outcome, _) = self.sender(does)?.deliver_one(AMPLE)?;
            told.extend([outcome.detail, outcome.provider_id]);
        }
        let holds = |text: &String| {
            secrets.iter().map(String::as_str).chain([WRONG]).any(|secret| text.contains(secret))
        };
        if told.iter().any(holds) {
            return broken("a secret stands in an outcome, or in the text of an error");
        }
        if self.lines.texts().iter().any(holds) {
            return broken("a secret stands in a line of the log");
        }
        Ok(())
    }

    /// The values of the secrets that the settings name.
    fn named_secrets(&self, address: SocketAddr) -> Vec<String> {
        let found = RefCell::new(Vec::new());
        let find = |name: &str| {
            let value = self.secret(name);
            found.borrow_mut().push(value.clone());
            Some(value)
        };
        // What it comes to does not matter: settings that are refused are so without secrets, too.
        drop(resolve_secrets(&self.info.config_schema, &self.config(address), &find));
        found.into_inner()
    }
}
