//! What whoever sets up the channel says.

use crate::header::Mailbox;
use crate::letter::Sender;
use crate::smtp::{Login, Server, Tls};
use podium_plugin::prelude::*;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The mail server, who writes, and what is tracked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The mail server: `smtp.example.com`.
    host: String,
    /// Its port; the usual one if absent: 465 for `implicit`, 587 for `starttls`, 25 for `none`.
    port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    tls: Encryption,
    /// A private authority that signed the server's certificate: one or more certificates in PEM.
    ca: Option<String>,
    /// The name to log in with; without one, nobody logs in.
    user: Option<String>,
    /// The password to log in with.
    password: Option<Secret>,
    /// Who writes: `Shop <news@shop.example>`.
    from: String,
    /// Where answers go, if not to the sender: `Service <service@shop.example>`.
    reply_to: Option<String>,
    /// How long the server may take to take a message, in milliseconds. Its last word on it is awaited as long as
    /// there is time.
    #[serde(default = "timeout_ms")]
    timeout_ms: u32,
    /// Whether clicks on links are counted.
    #[serde(default = "yes")]
    track_clicks: bool,
    /// Whether opening is counted, by an image that nobody sees. Some mailboxes open everything.
    #[serde(default = "yes")]
    track_opens: bool,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Encryption {
    /// From the first byte.
    Implicit,
    /// After `STARTTLS`; a server that does not offer it gets nothing.
    #[default]
    Starttls,
    /// Not at all.
    None,
}

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) struct Tracking {
    pub(crate) clicks: bool,
    pub(crate) opens: bool,
}

fn timeout_ms() -> u32 {
    10_000
}

fn yes() -> bool {
    true
}

impl Settings {
    /// Who writes.
    pub(crate) fn sender(&self) -> Result<Sender> {
        let mailbox = |name: &str, text: &str| {
            Mailbox::parse(text).map_err(|wrong| Error::config(format!("`{name}`: {text:?}: {wrong}")))
        };
        let reply_to = self.reply_to.as_deref().map(|text| mailbox("reply_to", text)).transpose()?;
        Ok(Sender::new(mailbox("from", &self.from)?, reply_to))
    }

    pub(crate) fn tracking(&self) -> Tracking {
        Tracking { clicks: self.track_clicks, opens: self.track_opens }
    }

    pub(crate) fn timeout(&self) -> Result<Duration> {
        if self.timeout_ms == 0 {
            return Err(Error::config("`timeout_ms`: 0 leaves no time; leave it out for 10 seconds"));
        }
        Ok(Duration::from_millis(self.timeout_ms.into()))
    }

    /// The server, and the way in.
    pub(crate) fn server(self) -> Result<Server> {
        if ServerName::try_from(self.host.as_str()).is_err() {
            let text = format!("`host`: {:?} is no host, such as smtp.example.com", self.host);
            return Err(Error::config(text));
        }
        let usual_port = match self.tls {
            Encryption::Implicit => 465,
            Encryption::Starttls => 587,
            Encryption::None => 25,
        };
        let login = match (self.user, self.password) {
            (Some(user), Some(password)) => Some(login(user, password)?),
            (None, None) => None,
            _ => return Err(Error::config("`user` and `password` go together: set both or none")),
        };
        let is_here = self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if self.tls == Encryption::None && login.is_some() && !is_here {
            return Err(Error::config("`tls`: without it anybody could read the password; `starttls`"));
        }
        let tls = match self.tls {
            Encryption::Implicit => Tls::Implicit(client_config(self.ca.as_deref())?),
            Encryption::Starttls => Tls::Starttls(client_config(self.ca.as_deref())?),
            Encryption::None => Tls::None,
        };
        Ok(Server { host: self.host, port: self.port.unwrap_or(usual_port), tls, login })
    }
}

fn login(user: String, password: Secret) -> Result<Login> {
    if user.is_empty() || user.contains('\0') || password.reveal().contains('\0') {
        return Err(Error::config("`user`: a name and a password without a zero byte"));
    }
    Ok(Login { user, password })
}

/// Trusts the usual authorities, and the one of the settings.
fn client_config(ca: Option<&str>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(ca) = ca {
        let wrong = |text: String| Error::config(format!("`ca`: {text}"));
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(ca.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(error.to_string()))?;
        if certificates.is_empty() {
            return Err(wrong("there is no certificate in it; -----BEGIN CERTIFICATE-----".into()));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
