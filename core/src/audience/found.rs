//! What was found where a condition looks.

use super::span::Span;
use crate::money::Currency;
use crate::profile::CartLine;
use crate::time::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeMap;

/// A value, or that there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    Missing,
    /// What says whether there is one could not be had.
    Unknown,
    Json(&'a Value),
    Number(Decimal),
    Time(Timestamp),
    Flag(bool),
    Word(&'static str),
    Texts(Texts<'a>),
    /// Microseconds.
    Age(i64),
}

/// One text of each line of a cart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Texts<'a> {
    Products(&'a BTreeMap<Box<str>, CartLine>),
    Categories(&'a BTreeMap<Box<str>, CartLine>),
}

impl<'a> Texts<'a> {
    pub(crate) fn any(&self, mut is_right: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Products(lines) => lines.keys().any(|product| is_right(product)),
            Self::Categories(lines) => {
                lines.values().filter_map(|line| line.category.as_deref()).any(is_right)
            }
        }
    }

    pub(crate) fn found(self) -> Found<'a> {
        if self.any(|_| true) { Found::Texts(self) } else { Found::Missing }
    }
}

impl<'a> Found<'a> {
    pub(crate) fn json(value: Option<&'a Value>) -> Self {
        value.filter(|value| !value.is_null()).map_or(Self::Missing, Self::Json)
    }

    pub(crate) fn time(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Missing, Self::Time)
    }

    /// An amount in major units.
    pub(crate) fn money(minor: i128, currency: Currency) -> Self {
        let bound = if minor < 0 { Decimal::MIN } else { Decimal::MAX };
        Self::Number(Decimal::try_from_i128_with_scale(minor, currency.decimals()).unwrap_or(bound))
    }

    /// In words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Missing => "nothing".into(),
            Self::Unknown => "could not be had".into(),
            Self::Json(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Time(time) => time.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Word(word) => (*word).into(),
            Self::Age(micros) => Span::words(*micros),
            Self::Texts(texts) => {
                let mut all: Vec<String> = Vec::new();
                texts.any(|text| {
                    all.push(format!("{text:?}"));
                    false
                });
                all.join(", ")
            }
        }
    }
}
