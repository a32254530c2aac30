//! What `podium demo` does: it runs shops on real and on simulated shoppers, over HTTP, and checks what comes out.

mod banners;
mod events;
mod expected;
mod extract;
mod impressions;
mod mail;
mod orders;
mod shop;

pub(crate) use mail::MailTo;
pub(crate) use shop::{DemoError, Keys, Shop};

use extract::Policy;
use podium_core::money::Currency;
use podium_core::report::wording::Style;

/// How amounts are written.
const DOLLARS: Style = Style::Money(Currency::USD);

/// One report page with what it says.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// What it is of.
    pub(crate) title: &'static str,
    /// Where it is.
    pub(crate) url: String,
    /// The report's sentence.
    pub(crate) verdict: String,
    /// What was compared with what.
    pub(crate) note: String,
}

/// Runs every shop, one after the other, and tells of each page.
///
/// - `seed`: which shoppers come, and how the replay draws.
/// - `mail_to`: where mails go, if any are to be sent.
///
/// # Errors
///
/// [`DemoError`] if the server refuses anything, or a report is not what the data says.
pub(crate) fn run(shop: &Shop, seed: u64, mail_to: Option<&MailTo>) -> Result<Vec<Page>, DemoError> {
    shop.check_metrics(&orders::METRICS)?;
    shop.check_metrics(&[impressions::METRIC])?;
    let mails = mail_to.map(|to| mail::run(shop, to)).transpose()?;
    let mut pages = vec![
        orders::run(shop)?,
        impressions::run(shop, Policy::Random)?,
        impressions::run(shop, Policy::Bts)?,
        impressions::replay(shop, seed)?,
        banners::run(shop, seed)?,
    ];
    pages.extend(mails);
    Ok(pages)
}
