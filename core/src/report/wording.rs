//! Figures as people read them: rounded, with their unit. The exact digits stand beside them on every surface.

use crate::experiment::UnitKind;
use crate::metric::{MetricKind, ValueUnit};
use crate::money::Currency;
use crate::time::Timestamp;

use super::figures::MetricReport;

/// The minus that is as wide as a plus.
const MINUS: char = '\u{2212}';

/// What units are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// One of them.
    pub one: &'static str,
    /// Many of them.
    pub many: &'static str,
}

impl Words {
    /// The words for a kind of unit.
    pub fn of(unit: UnitKind) -> Self {
        match unit {
            UnitKind::User => Self { one: "visitor", many: "visitors" },
            UnitKind::Device => Self { one: "device", many: "devices" },
            UnitKind::Session => Self { one: "visit", many: "visits" },
            UnitKind::Request => Self { one: "view", many: "views" },
        }
    }

    /// So many of them: `1 visitor`, `10,000 views`.
    pub fn counted(self, n: u64) -> String {
        let word = if n == 1 { self.one } else { self.many };
        format!("{} {word}", count(i128::from(n)))
    }
}

/// How a metric's figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A share, as a percentage.
    Percent,
    /// Minor units of a currency, as an amount of major units.
    Money(Currency),
    /// Milliseconds.
    Milliseconds,
    /// A plain number.
    Number,
}

impl Style {
    /// The style of a metric.
    pub fn of(metric: &MetricReport) -> Self {
        match (metric.kind, metric.unit, metric.currency) {
            (_, ValueUnit::CurrencyMinor, Some(currency)) => Self::Money(currency),
            (MetricKind::Proportion, _, _) | (_, ValueUnit::Proportion, _) => Self::Percent,
            (_, ValueUnit::Milliseconds, _) => Self::Milliseconds,
            (_, ValueUnit::CurrencyMinor | ValueUnit::Plain | ValueUnit::Count, _) => Self::Number,
        }
    }

    /// A figure: `$36.29`, `2.31%`, `412 ms`, `2.41`.
    pub fn value(self, value: f64) -> String {
        match self {
            Self::Percent => percent(value),
            Self::Money(currency) => money(value, currency),
            Self::Milliseconds => format!("{} ms", decimal(value, significant(value))),
            Self::Number => decimal(value, significant(value)),
        }
    }

    /// A difference without its sign; of percentages in points.
    pub fn gap(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{} points", percent(value.abs()).trim_end_matches('%')),
            Self::Money(_) | Self::Milliseconds | Self::Number => self.value(value.abs()),
        }
    }

    /// A difference, with its sign; of percentages in points.
    pub fn difference(self, value: f64) -> String {
        with_sign(value, &self.gap(value))
    }

    /// A sum that was computed and not counted, with its sign: whole things, or money.
    pub fn amount(self, value: f64) -> String {
        match self {
            Self::Money(_) => self.difference(value),
            Self::Percent | Self::Milliseconds | Self::Number => {
                with_sign(value, &count(value.abs().round() as i128))
            }
        }
    }

    /// A sum that is an estimate, to three digits and whole major units, with a minus where it is below zero: `€12,400`.
    pub fn round_amount(self, value: f64) -> String {
        let per_major = match self {
            Self::Money(currency) => currency.minor_per_major(),
            Self::Percent | Self::Milliseconds | Self::Number => 1.0,
        };
        let major = value / per_major;
        let step = 10_f64.powf((major.abs().max(1.0).log10().floor() - 2.0).max(0.0));
        let amount = grouped(&format!("{:.0}", (major.abs() / step).round() * step));
        match self {
            Self::Money(currency) => prefixed(major < 0.0 && amount != "0", currency, &amount),
            Self::Percent | Self::Milliseconds | Self::Number if major < 0.0 && amount != "0" => {
                format!("{MINUS}{amount}")
            }
            Self::Percent | Self::Milliseconds | Self::Number => amount,
        }
    }

    /// A sum: exact, in major units for money.
    pub fn total(self, numerator: i128) -> String {
        match self {
            Self::Money(currency) => {
                let text = currency.major_text(numerator);
                let (whole, rest) =
                    text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
                let point = if rest.is_empty() { "" } else { "." };
                let amount = format!("{}{point}{rest}", grouped(whole.trim_start_matches('-')));
                prefixed(numerator < 0, currency, &amount)
            }
            Self::Percent | Self::Milliseconds | Self::Number => count(numerator),
        }
    }
}

/// A whole number with a comma between thousands.
pub fn count(n: i128) -> String {
    let sign = if n < 0 { "\u{2212}" } else { "" };
    format!("{sign}{}", grouped(&n.unsigned_abs().to_string()))
}

/// A share as a percentage: `12.3%`, `2.31%`, `0.046%`, `<0.001%`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = match percent.abs() {
        0.0 => 0,
        magnitude if magnitude < 0.000_5 => return "<0.001%".to_owned(),
        magnitude if 10.0 <= magnitude => 1,
        magnitude if 0.1 <= magnitude => 2,
        _ => 3,
    };
    format!("{}%", decimal(percent, decimals))
}

/// A relative difference with one decimal, and a sign only below zero: `3.1%`, `−0.4%`.
pub fn plain_percent(share: f64) -> String {
    format!("{}%", decimal(share * 100.0, 1))
}

/// A relative difference with its sign and one decimal: `+3.1%`, `−0.4%`.
pub fn signed_percent(share: f64) -> String {
    with_sign(share, &format!("{}%", decimal(share.abs() * 100.0, 1)))
}

/// A chance, never rounded up to certainty or to a threshold: `87%`, `more than 99%`, `less than 1%`.
pub fn chance(probability: f64) -> String {
    match probability {
        p if p < 0.01 => "less than 1%".to_owned(),
        p if 0.99 < p => "more than 99%".to_owned(),
        // A hair above, so that 0.29 is not 28 %.
        p => format!("{}%", (p * 100.0 + 1e-9).floor()),
    }
}

/// A time span in the largest unit that says it in one or two digits: `6 days`, `30 minutes`.
pub fn span(seconds: i64) -> String {
    let (n, word) = match seconds {
        172_800.. => {
            (decimal(seconds as f64 / 86_400.0, u8::from(seconds < 864_000 && seconds % 86_400 != 0)), "days")
        }
        7_200.. => (decimal(seconds as f64 / 3_600.0, u8::from(seconds % 3_600 != 0)), "hours"),
        120.. => ((seconds / 60).to_string(), "minutes"),
        _ => (seconds.to_string(), "seconds"),
    };
    format!("{n} {word}")
}

/// A UTC day, given in days since 1970: `2026-11-27`.
pub fn day(day: i64) -> String {
    let begins = Timestamp::from_micros(day.saturating_mul(86_400_000_000)).to_string();
    begins.split('T').next().unwrap_or_default().to_owned()
}

/// An amount, given in minor units: to the minor unit, and finer below one major unit.
fn money(minor: f64, currency: Currency) -> String {
    let major = minor / currency.minor_per_major();
    let places = currency.decimals() as u8;
    let magnitude = major.abs();
    let finer = match magnitude {
        0.0 | 1.0.. => 0,
        0.1.. => 3,
        0.01.. => 4,
        0.000_005.. => 5,
        // Nothing, as far as money goes.
        _ => 0,
    };
    prefixed(major < 0.0, currency, &decimal(magnitude, places.max(finer)))
}

fn prefixed(negative: bool, currency: Currency, amount: &str) -> String {
    let sign = if negative { "\u{2212}" } else { "" };
    // A sign only where it means one currency; a dozen others write `$` too.
    let symbol = match currency.code() {
        "USD" => "$",
        "EUR" => "€",
        "GBP" => "£",
        "JPY" => "¥",
        "INR" => "₹",
        code => return format!("{sign}{code}\u{a0}{amount}"),
    };
    format!("{sign}{symbol}{amount}")
}

/// Decimals that leave about four digits of a small number, and two of a large one.
fn significant(value: f64) -> u8 {
    match value.abs() {
        0.0 => 0,
        magnitude if 1000.0 <= magnitude => 1,
        magnitude if 1.0 <= magnitude => 2,
        magnitude if 0.01 <= magnitude => 4,
        _ => 6,
    }
}

fn decimal(value: f64, decimals: u8) -> String {
    let text = format!("{:.*}", usize::from(decimals), value.abs());
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let point = if rest.is_empty() { "" } else { "." };
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if value < 0.0 && !is_zero { "\u{2212}" } else { "" };
    format!("{sign}{}{point}{rest}", grouped(whole))
}

fn with_sign(value: f64, magnitude: &str) -> String {
    let is_zero = !magnitude.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    match (is_zero, value < 0.0) {
        (true, _) => magnitude.to_owned(),
        (false, true) => format!("{MINUS}{magnitude}"),
        (false, false) => format!("+{magnitude}"),
    }
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (digit_idx, digit) in digits.chars().enumerate() {
        if digit_idx != 0 && (digits.len() - digit_idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        let jpy = Currency::from_code("JPY").unwrap();
        let cad = Currency::from_code("CAD").unwrap();
        for (written, expected) in [
            (Style::Money(Currency::USD).value(3_589.364_805_7), "$35.89"),
            (Style::Money(Currency::USD).value(-123_456_789.0), "−$1,234,567.89"),
            (Style::Money(Currency::USD).value(3.2), "$0.0320"),
            (Style::Money(Currency::USD).value(0.0), "$0.00"),
            (Style::Money(jpy).value(1_234.5), "¥1,234"),
            (Style::Money(cad).value(100.0), "CAD\u{a0}1.00"),
            (Style::Money(Currency::USD).total(250_031_563), "$2,500,315.63"),
            (Style::Money(jpy).total(-1_250), "−¥1,250"),
            (Style::Money(Currency::USD).difference(-75.0), "−$0.750"),
            (Style::Money(Currency::USD).value(0.2), "$0.00200"),
            (Style::Percent.value(0.023_14), "2.31%"),
            (Style::Percent.value(0.000_46), "0.046%"),
            (Style::Percent.value(1.0), "100.0%"),
            (Style::Percent.value(2e-9), "<0.001%"),
            (Style::Percent.gap(-0.012_2), "1.22 points"),
            (Style::Percent.value(0.0), "0%"),
            (Style::Percent.difference(0.003_1), "+0.31 points"),
            (Style::Number.value(2.409_9), "2.41"),
            (Style::Milliseconds.value(1412.34), "1,412.3 ms"),
            (signed_percent(-0.000_4), "0.0%"),
            (signed_percent(-0.031_2), "−3.1%"),
            (signed_percent(0.5), "+50.0%"),
            (count(1_000), "1,000"),
            (count(-999), "−999"),
        ] {
            assert_eq!(written, expected, "{expected}");
        }
    }

    #[test]
    fn a_chance_is_never_rounded_up() {
        for (probability, expected) in [
            (0.799_9, "79%"),
            (0.8, "80%"),
            (0.29, "29%"),
            (0.999_9, "more than 99%"),
            (1.0, "more than 99%"),
            (0.002, "less than 1%"),
            (0.0, "less than 1%"),
        ] {
            assert_eq!(chance(probability), expected, "{probability}");
        }
    }

    #[test]
    fn spans_are_short() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1_800, "30 minutes"),
            (86_400, "24 hours"),
            (259_200, "3 days"),
            (518_400 + 43_200, "6.5 days"),
            (46_900_000, "543 days"),
        ] {
            assert_eq!(span(seconds), expected, "{seconds}");
        }
    }
}
