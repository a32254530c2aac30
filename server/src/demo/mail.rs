//! Mails with two subjects, through a mail server that whoever runs the demo has.

use super::Page;
use super::shop::{DemoError, Shop, list, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const KEY: &str = "winter-mail";
const CHANNEL: &str = "mail";
/// Enough for both subjects to be seen, as a rule.
const N_MAILS: usize = 4;
const SENT_WITHIN: Duration = Duration::from_secs(30);
const SOURCE: &str = "Mails of the demo: nobody has asked for them, and nothing is learned from them.";

/// Where the demo's mails go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailTo {
    /// The mail server, which is spoken to without encryption.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// Whom the mails are for.
    pub(crate) address: String,
}

/// Sets up the channel, sends the mails, and waits until the server has taken them.
pub(super) fn run(shop: &Shop, to: &MailTo) -> Result<Page, DemoError> {
    let settings =
        json!({"host": to.host, "port": to.port, "tls": "none", "from": "Podium demo <demo@shop.example>"});
    shop.set_up_channel(CHANNEL, &json!({"channel": "email", "settings": settings}))?;
    shop.run_experiment(&definition())?;
    let recipients: Vec<Value> = (1..=N_MAILS).map(|n| recipient(n, &to.address)).collect();
    let asked = json!({"channel": CHANNEL, "flag": KEY, "to": recipients});
    let answer = shop.server("/api/v1/messages", &asked)?;
    let ids: Vec<&str> = list(&answer, "/data").iter().map(|message| text(message, "/id")).collect();
    let begun = Instant::now();
    for id in ids {
        loop {
            let message = shop.message(id)?;
            match text(&message, "/state") {
                "sent" => break,
                "queued" | "claimed" | "begun" if begun.elapsed() < SENT_WITHIN => {
                    shop.check_stop()?;
                    std::thread::sleep(Duration::from_millis(50));
                }
                _ => return Err(DemoError::Unexpected(format!("a mail was not sent: {message}"))),
            }
        }
    }
    Ok(Page {
        title: "Mails with two subjects",
        url: shop.link(KEY)?,
        verdict: text(&shop.report(KEY)?, "/sentence").to_owned(),
        note: format!(
            "{N_MAILS} mails for {} were taken by {}:{}, each with a one-click way out.",
            to.address, to.host, to.port
        ),
    })
}

/// A person of their own, with an address that leads to the same mailbox: one address gets one mail of a request.
fn recipient(n: usize, address: &str) -> Value {
    let (mailbox, host) = address.split_once('@').unwrap_or((address, ""));
    json!({
        "unit": format!("demo-shopper-{n}"),
        "address": {"email": format!("{mailbox}+{n}@{host}")},
        "fields": {"name": format!("Shopper {n}")},
    })
}

fn definition() -> Value {
    let html = "<p>Hi {{ name }},</p><p><a href=\"https://shop.example/sale\">Everything warm is half the price</a>.</p>\
        <p><a href=\"{{ podium.unsubscribe_url }}\">No more such mails</a></p>";
    let variant =
        |key: &str, subject: &str| json!({"key": key, "content": {"subject": subject, "html": html}});
    json!({
        "key": KEY,
        "name": "Mails with two subjects",
        "variants": [variant("plain", "Our winter sale"), variant("personal", "{{ name }}, it is cold outside")],
        "primary_metric": {"metric": "click_through", "config": {"events": ["Message Clicked"]}},
        "source_note": SOURCE,
    })
}
