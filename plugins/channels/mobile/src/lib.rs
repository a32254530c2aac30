//! The bundled channel for phones and browsers: Web Push, Firebase Cloud Messaging, and Apple's push service.
//!
//! One channel, since to whoever writes a message it is one thing: a notification. Which provider it goes to is
//! said by the address: `{"web_push": SUBSCRIPTION}` with what `PushSubscription.toJSON` gives in a browser,
//! `{"fcm": {"token"}}`, or `{"apns": {"token", "topic"?}}`. The content of a variant is
//! `{"title", "body", "url"?, "image"?, "data"?}`, with texts in `data`.
//!
//! - *Browser*: the service worker gets `{"title", "body", "url"?, "image"?, "data"?, "tag", "decision_id"}` as
//!   JSON, and should give `tag` to `showNotification`.
//!
//!   ```js
//!   self.addEventListener('push', (event) => {
//!     const { title, body, image, tag, ...data } = event.data.json();
//!     event.waitUntil(self.registration.showNotification(title, { body, image, tag, data }));
//!   });
//!   ```
//!
//! - *App*: `url`, `decision_id` and the members of `data` come as data of the message; on Apple's devices
//!   beside `aps`, with `image` for the app's extension.
//!
//! A message that comes again replaces the earlier one. What it does not do: it never follows a redirect, uses no
//! proxy, and reaches an endpoint that came from a browser only on the public internet.

mod apns;
mod endpoint;
mod fcm;
mod http;
mod jwt;
mod moment;
mod notification;
mod web_push;

use apns::Apns;
use fcm::Fcm;
use moment::Moment;
use notification::{Draft, Notification};
use podium_plugin::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use web_push::{Subscription, WebPush};

export_plugin! { id: "podium.mobile", channels: [Mobile] }

/// How many messages are on their way at a time.
const PARALLEL: u32 = 16;

/// The providers; at least one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// For browsers.
    web_push: Option<web_push::Settings>,
    /// For Android, by Firebase.
    fcm: Option<fcm::Settings>,
    /// For Apple's devices.
    apns: Option<apns::Settings>,
    /// Certificates in PEM that are trusted besides the public ones: for endpoints of your own.
    trusted_roots: Option<String>,
}

/// Where a message goes: one of the three.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Address {
    WebPush(Subscription),
    Fcm(fcm::Device),
    Apns(apns::Device),
}

struct Mobile {
    /// `None` only while it ends.
    runtime: Option<Runtime>,
    web_push: Option<WebPush>,
    fcm: Option<Fcm>,
    apns: Option<Apns>,
}

impl Channel for Mobile {
    type Config = Settings;
    const INFO: ChannelInfo = ChannelInfo::new("mobile", "Push notification", Class::Coalescing)
        .description(
            "Notifications for browsers, Android and Apple's devices. One that comes twice is seen once.",
        )
        .parallel(PARALLEL);

    fn create(settings: Settings, _host: &Host) -> Result<Self> {
        let roots = roots(settings.trusted_roots.as_deref())?;
        let web_push =
            settings.web_push.as_ref().map(|settings| WebPush::new(settings, &roots)).transpose()?;
        let fcm = settings.fcm.as_ref().map(|settings| Fcm::new(settings, &roots)).transpose()?;
        let apns = settings.apns.as_ref().map(|settings| Apns::new(settings, &roots)).transpose()?;
        if web_push.is_none() && fcm.is_none() && apns.is_none() {
            return Err(Error::config("set at least one of `web_push`, `fcm` and `apns`"));
        }
        // One thread watches the sockets; each call waits on its own.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(PARALLEL as usize)
            .thread_name("mobile")
            .enable_all()
            .build()
            .map_err(|wrong| Error::internal(format!("no thread: {wrong}")))?;
        Ok(Self { runtime: Some(runtime), web_push, fcm, apns })
    }

    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        content.read::<Draft>()?.payload()
    }

    fn deliver(&self, message: &Message<'_>, call: &Call<'_>) -> Outcome {
        // Serde's own message would repeat what is there, and that is somebody's.
        let Ok(address) = message.address::<Address>() else {
            return Outcome::Rejected("the address has none of the forms of web_push, fcm and apns".into());
        };
        let moment = Moment::of(call);
        let notification = match Notification::of(message, call.now_ms()) {
            Ok(notification) => notification,
            Err(text) => return Outcome::Rejected(text),
        };
        let delivery = async {
            match (&address, &self.web_push, &self.fcm, &self.apns) {
                (Address::WebPush(to), Some(web_push), _, _) => {
                    web_push.deliver(to, &notification, &moment).await
                }
                (Address::Fcm(to), _, Some(fcm), _) => fcm.deliver(to, &notification, &moment).await,
                (Address::Apns(to), _, _, Some(apns)) => apns.deliver(to, &notification, &moment).await,
                _ => Outcome::Rejected(format!("the channel has no settings for {}", address.provider())),
            }
        };
        self.runtime.as_ref().map_or(Outcome::Cancelled, |runtime| runtime.block_on(delivery))
    }

    fn health(&self, call: &Call<'_>) -> Result<()> {
        let moment = Moment::of(call);
        let health = async {
            if let Some(fcm) = &self.fcm {
                fcm.health(&moment).await?;
            }
            match &self.apns {
                Some(apns) => apns.health(&moment).await,
                None => Ok(()),
            }
        };
        self.runtime.as_ref().map_or(Ok(()), |runtime| runtime.block_on(health))
    }
}

impl Drop for Mobile {
    fn drop(&mut self) {
        // A name that is still being looked up is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Address {
    fn provider(&self) -> &'static str {
        match self {
            Self::WebPush(_) => "web_push",
            Self::Fcm(_) => "fcm",
            Self::Apns(_) => "apns",
        }
    }
}

/// Whom to trust: who is trusted publicly, and whom the operator adds.
fn roots(trusted: Option<&str>) -> Result<RootCertStore> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let wrong = || Error::config("`trusted_roots` must be certificates in PEM");
    if let Some(trusted) = trusted {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(trusted.as_bytes()) {
            roots.add(certificate.map_err(|_| wrong())?).map_err(|_| wrong())?;
        }
        if roots.len() == before {
            return Err(wrong());
        }
    }
    Ok(roots)
}
