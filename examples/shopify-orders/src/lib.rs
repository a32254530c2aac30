//! A channel that sends nothing and takes Shopify's webhooks: what was ordered, refunded and cancelled.
//!
//! Of the topics `orders/create`, `refunds/create` and `orders/cancelled` it makes `Order Completed`, `Order
//! Refunded` and `Order Cancelled`; others are taken and ignored. A request counts if it is signed with the shop's
//! secret and names the shop. Its `X-Shopify-Webhook-Id` becomes the message id, so that one that Shopify repeats
//! counts once.
//!
//! Whose order it is: the customer's id, or the cart attribute `podium_id`, which a theme sets to the id that the
//! page decided for. Amounts stay the texts that Shopify sent.

mod event;
mod order;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use event::Naming;
use hmac::{Hmac, KeyInit, Mac};
use podium_plugin::prelude::*;
use sha2::Sha256;

export_plugin! { id: "com.example.shopify-orders", channels: [Shopify] }

/// The longest webhook id; with our prefix it still is a message id.
const WEBHOOK_ID_LEN_MAX: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The shop's own domain, such as `example.myshopify.com`.
    #[schemars(length(min = 1))]
    shop: String,
    /// What Shopify signs webhooks with: the client secret of the app, or the one below the list of webhooks.
    signing_secret: Secret,
    /// Under which name orders count: that under which the experiments of the shop decide.
    #[serde(default)]
    shopper: Naming,
}

struct Shopify {
    shop: String,
    mac: Hmac<Sha256>,
    naming: Naming,
}

impl Channel for Shopify {
    type Config = Settings;
    const INFO: ChannelInfo = ChannelInfo::new("shopify_orders", "Orders from Shopify", Class::Pull)
        .description("Takes Shopify's webhooks of orders, refunds and cancellations.")
        .parallel(8);

    fn create(settings: Settings, _host: &Host) -> Result<Self> {
        let Settings { shop, signing_secret, shopper } = settings;
        if shop.is_empty() || shop.contains(['/', ':', ' ']) {
            return Err(Error::config("`shop` is a domain such as example.myshopify.com"));
        }
        if signing_secret.reveal().is_empty() {
            return Err(Error::config("`signing_secret` is empty: anybody could send orders"));
        }
        let mac = Hmac::new_from_slice(signing_secret.reveal().as_bytes())
            .map_err(|_| Error::config("`signing_secret` is no key"))?;
        Ok(Self { shop, mac, naming: shopper })
    }

    /// Nothing is shown by this channel; content stays what it is.
    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        Ok(Payload::json(content.json()?))
    }

    fn deliver(&self, _message: &Message<'_>, _call: &Call<'_>) -> Outcome {
        Outcome::Rejected("orders come from Shopify; nothing is sent there".into())
    }

    fn ingest(&self, request: &Request<'_>, call: &Call<'_>) -> Result<()> {
        self.check_signature(request)?;
        if !header(request, "X-Shopify-Shop-Domain")?.eq_ignore_ascii_case(&self.shop) {
            return Err(Error::content(format!("the request is not of {}", self.shop)));
        }
        let webhook_id = header(request, "X-Shopify-Webhook-Id")?;
        if webhook_id.is_empty() || WEBHOOK_ID_LEN_MAX < webhook_id.len() {
            return Err(Error::content("`X-Shopify-Webhook-Id` is empty or too long"));
        }
        let message_id = format!("shopify-{webhook_id}");
        let topic = header(request, "X-Shopify-Topic")?;
        match event::of_request(topic, request.body(), &message_id, self.naming)? {
            Some(event) => call.track(&event),
            None => Ok(()),
        }
    }
}

impl Shopify {
    /// Compares in constant time, over the bytes as they came.
    fn check_signature(&self, request: &Request<'_>) -> Result<()> {
        let wrong = || Error::content("the signature is wrong");
        let signature = BASE64_STANDARD.decode(header(request, "X-Shopify-Hmac-Sha256")?);
        let mac = self.mac.clone().chain_update(request.body());
        mac.verify_slice(&signature.map_err(|_| wrong())?).map_err(|_| wrong())
    }
}

fn header<'r>(request: &'r Request<'_>, name: &str) -> Result<&'r str> {
    request.header(name).ok_or_else(|| Error::content(format!("the request has no `{name}`")))
}
