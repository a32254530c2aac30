//! Amounts as whole minor units of an ISO 4217 currency; floating point never touches them.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The largest amount, in minor units: 2^53.
const MINOR_MAX: i64 = 1 << 53;

/// An ISO 4217 currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

/// A code that names no currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{code}` is not an ISO 4217 currency code such as USD")]
pub struct UnknownCurrency {
    /// What was given.
    pub code: String,
}

/// A text that is not an amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an amount: use a decimal number of major units such as 89.90, at most 2^53 minor units"
)]
pub struct NotAnAmount {
    /// What was given.
    pub text: String,
}

impl Currency {
    /// US dollars.
    pub const USD: Self = Self(iso_currency::Currency::USD);

    /// Finds a currency by its code, in either case.
    ///
    /// # Errors
    ///
    /// [`UnknownCurrency`] if ISO 4217 lists no such code.
    pub fn from_code(code: &str) -> Result<Self, UnknownCurrency> {
        iso_currency::Currency::from_code(&code.to_ascii_uppercase())
            .map(Self)
            .ok_or_else(|| UnknownCurrency { code: code.chars().take(16).collect() })
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimal places of the minor unit: 2 for USD, 0 for JPY.
    pub fn decimals(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }

    /// Reads an amount in major units, as JSON or a client wrote it (`89.9`, `"89.90"`, `1e3`), and rounds
    /// half to even to the minor unit.
    ///
    /// # Errors
    ///
    /// [`NotAnAmount`] if it is no decimal number or its magnitude exceeds 2^53 minor units.
    pub fn minor_units(self, text: &str) -> Result<i64, NotAnAmount> {
        let refuse = || NotAnAmount { text: text.chars().take(40).collect() };
        let trimmed = text.trim();
        let decimal = Decimal::from_str(trimmed)
            .or_else(|_| Decimal::from_scientific(trimmed))
            .map_err(|_| refuse())?;
        let minor = decimal
            .checked_mul(Decimal::from(10_i64.pow(self.decimals())))
            .map(|scaled| scaled.round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven))
            .and_then(|whole| i64::try_from(whole).ok())
            .ok_or_else(refuse)?;
        if minor.abs() <= MINOR_MAX { Ok(minor) } else { Err(refuse()) }
    }

    /// Writes minor units as a plain decimal of major units: `8990` USD is `89.90`.
    pub fn major_text(self, minor: i128) -> String {
        let scale = 10_i128.pow(self.decimals());
        let (whole, rest) =
            (minor.unsigned_abs() / scale.unsigned_abs(), minor.unsigned_abs() % scale.unsigned_abs());
        let sign = if minor < 0 { "-" } else { "" };
        match self.decimals() {
            0 => format!("{sign}{whole}"),
            decimals => format!("{sign}{whole}.{rest:0width$}", width = decimals as usize),
        }
    }

    /// How many minor units make one major unit.
    pub fn minor_per_major(self) -> f64 {
        10_f64.powi(self.decimals().cast_signed())
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;

    fn try_from(code: String) -> Result<Self, UnknownCurrency> {
        Self::from_code(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_round_half_to_even_at_the_minor_unit() {
        let jpy = Currency::from_code("jpy").unwrap();
        for (currency, text, minor) in [
            (Currency::USD, "89.9", 8990),
            (Currency::USD, "0.125", 12),
            (Currency::USD, "0.135", 14),
            (Currency::USD, "-3", -300),
            (Currency::USD, "1e3", 100_000),
            (Currency::USD, "0.1", 10),
            (jpy, "1200", 1200),
            (jpy, "0.5", 0),
        ] {
            assert_eq!(currency.minor_units(text), Ok(minor), "{text} {currency}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "abc", "NaN", "1,50", "1e400", "99999999999999999999", "90071992547409.93"] {
            assert!(Currency::USD.minor_units(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn minor_units_survive_being_written_and_read(minor in -MINOR_MAX..=MINOR_MAX) {
            let text = Currency::USD.major_text(i128::from(minor));
            prop_assert_eq!(Currency::USD.minor_units(&text), Ok(minor));
        }
    }
}
