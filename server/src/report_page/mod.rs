//! The report as a page and as CSV, the list of experiments, audiences, and the events debugger.
//!
//! A report is rendered from [`Report`](podium_core::report::Report) alone, so the page, the CSV and the JSON show
//! the same digits. Pages work without script and under a content security policy that allows no inline style: charts
//! are inline SVG whose colors come from the one stylesheet.

mod audiences;
mod events;
mod interval_chart;
mod metric_view;
mod moment;
mod pages;
mod rules_table;
mod scale;
mod shares_chart;
mod table;

#[cfg(test)]
mod tests;

pub(crate) use audiences::{AudienceLine, Counted, FormView, audience_form, audiences};
pub(crate) use events::{EventLine, EventsView, events};
pub(crate) use pages::{Extras, IndexRow, Links, error, html, index, unsubscribe};
pub(crate) use rules_table::rules_csv;
pub(crate) use shares_chart::SharesAt;
pub(crate) use table::csv;

/// The stylesheet that every page links to as `/assets/podium.css`.
pub(crate) const STYLESHEET: &str = include_str!("../../assets/podium.css");
