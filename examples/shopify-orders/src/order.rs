//! Orders and refunds as Shopify writes them, as far as they are read. Amounts and ids keep their text.

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::value::RawValue;

/// A number or a text, to the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verbatim(pub(crate) String);

/// An order, as `orders/create` and `orders/cancelled` tell it.
#[derive(Deserialize)]
pub(crate) struct Order {
    pub(crate) id: Verbatim,
    pub(crate) currency: String,
    pub(crate) created_at: String,
    pub(crate) cancelled_at: Option<String>,
    /// What the things cost, less discounts; with tax if `taxes_included`.
    pub(crate) subtotal_price: Verbatim,
    pub(crate) total_price: Verbatim,
    pub(crate) total_tax: Option<Verbatim>,
    pub(crate) total_discounts: Option<Verbatim>,
    pub(crate) total_shipping_price_set: Option<PriceSet>,
    #[serde(default)]
    pub(crate) taxes_included: bool,
    /// Whether nobody pays for it.
    #[serde(default)]
    pub(crate) test: bool,
    pub(crate) customer: Option<Customer>,
    #[serde(default)]
    pub(crate) note_attributes: Vec<Attribute>,
    #[serde(default)]
    pub(crate) discount_codes: Vec<DiscountCode>,
    #[serde(default)]
    pub(crate) line_items: Vec<LineItem>,
}

#[derive(Deserialize)]
pub(crate) struct PriceSet {
    pub(crate) shop_money: ShopMoney,
}

#[derive(Deserialize)]
pub(crate) struct ShopMoney {
    pub(crate) amount: Verbatim,
}

#[derive(Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: Option<Verbatim>,
}

#[derive(Deserialize)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) value: Option<Verbatim>,
}

#[derive(Deserialize)]
pub(crate) struct DiscountCode {
    pub(crate) code: String,
}

#[derive(Deserialize)]
pub(crate) struct LineItem {
    pub(crate) product_id: Option<Verbatim>,
    pub(crate) sku: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) variant_title: Option<String>,
    pub(crate) price: Verbatim,
    pub(crate) quantity: u32,
    #[serde(default)]
    pub(crate) tax_lines: Vec<TaxLine>,
}

#[derive(Deserialize)]
pub(crate) struct TaxLine {
    pub(crate) price: Verbatim,
}

/// A refund, as `refunds/create` tells it.
#[derive(Deserialize)]
pub(crate) struct Refund {
    pub(crate) order_id: Verbatim,
    pub(crate) created_at: String,
    #[serde(default)]
    pub(crate) transactions: Vec<Transaction>,
}

#[derive(Deserialize)]
pub(crate) struct Transaction {
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) amount: Verbatim,
    pub(crate) currency: Option<String>,
}

impl Order {
    /// What the things brought, less discounts and tax; `None` if an amount is no amount.
    pub(crate) fn revenue(&self) -> Option<String> {
        if !self.taxes_included {
            return Some(self.subtotal_price.0.clone());
        }
        let taxes = self.line_items.iter().flat_map(|item| &item.tax_lines);
        let tax = taxes.map(|line| line.price.amount()).sum::<Option<Decimal>>()?;
        Some((self.subtotal_price.amount()?.checked_sub(tax)?).to_string())
    }

    /// What a theme wrote into the cart under this name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let is_it = |attribute: &&Attribute| attribute.name == name;
        self.note_attributes.iter().find(is_it)?.value.as_ref().map(|value| value.0.as_str())
    }
}

impl Refund {
    /// What was paid back, and in which currency; `None` if nothing was, or an amount is no amount.
    pub(crate) fn paid_back(&self) -> Option<(String, Option<&str>)> {
        let is_paid =
            |transaction: &&Transaction| transaction.kind == "refund" && transaction.status == "success";
        let mut paid = self.transactions.iter().filter(is_paid).peekable();
        let currency = paid.peek()?.currency.as_deref();
        let total = paid.map(|transaction| transaction.amount.amount()).sum::<Option<Decimal>>()?;
        (Decimal::ZERO < total).then(|| (total.to_string(), currency))
    }
}

impl Verbatim {
    /// Reads it as an amount.
    fn amount(&self) -> Option<Decimal> {
        Decimal::from_str_exact(&self.0).ok()
    }
}

impl<'de> Deserialize<'de> for Verbatim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get()).map(Self).map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(raw.get().to_owned())),
            _ => Err(D::Error::custom("a number or a text")),
        }
    }
}
