//! The pages: a report, the list of experiments, an error.

use super::metric_view::MetricView;
use super::moment;
use super::shares_chart::{SharesAt, SharesChart};
use askama::Template;
use podium_core::experiment::Status;
use podium_core::report::wording::{self, Words};
use podium_core::report::{Report, State};

/// What a page needs besides the report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// Where the same figures are found in other forms.
    pub(crate) links: Links,
    /// The weights that were in force, in ascending order of time; empty leaves the chart out.
    pub(crate) shares_over_time: Vec<SharesAt>,
}

/// Addresses on this server; an empty one is left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// The list of experiments.
    pub(crate) index: String,
    /// The report as JSON.
    pub(crate) json: String,
    /// The report as CSV.
    pub(crate) csv: String,
}

/// One line of the list of experiments.
#[derive(Clone, Debug)]
pub(crate) struct IndexRow {
    /// The experiment's key.
    pub(crate) key: String,
    /// What people read.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) status: Status,
    /// How far the evidence goes.
    pub(crate) state: State,
    /// What may be quoted.
    pub(crate) sentence: String,
    /// What must be known of the data before the figures.
    pub(crate) source_note: Option<String>,
    /// Where its report is.
    pub(crate) href: String,
}

/// Renders the report as a page.
///
/// # Errors
///
/// [`askama::Error`] if rendering fails, which only a lack of memory makes it do.
pub(crate) fn html(report: &Report, extras: &Extras) -> Result<String, askama::Error> {
    let metrics = report.metrics.iter().enumerate();
    let page = ReportPage {
        report,
        badge: Badge::of(report.state),
        tiles: tiles(report),
        metrics: metrics.map(|(metric_idx, metric)| MetricView::of(report, metric, metric_idx)).collect(),
        any_corrected: report
            .metrics
            .iter()
            .flat_map(|metric| &metric.variants)
            .any(|variant| variant.corrected.is_some()),
        any_gain: report.metrics.iter().any(|metric| metric.gain.is_some()),
        shares: SharesChart::of(report, &extras.shares_over_time),
        links: &extras.links,
        words: Words::of(report.unit),
        window: report.primary().map(|metric| wording::span(metric.window_s)).unwrap_or_default(),
        generated_at: moment::minute(report.generated_at),
        as_of: report.as_of.map(moment::minute),
    };
    page.render()
}

/// Renders the list of experiments.
///
/// # Errors
///
/// [`askama::Error`] if rendering fails, which only a lack of memory makes it do.
pub(crate) fn index(rows: &[IndexRow]) -> Result<String, askama::Error> {
    let lines = rows.iter().map(|row| IndexLine { row, badge: Badge::of(row.state) });
    IndexPage { lines: lines.collect() }.render()
}

/// Renders an error as a page, for people; programs get a problem document.
///
/// - `status`: the HTTP status code.
/// - `title`, `detail`: what is wrong, and what to do.
///
/// # Errors
///
/// [`askama::Error`] if rendering fails, which only a lack of memory makes it do.
pub(crate) fn error(status: u16, title: &str, detail: &str) -> Result<String, askama::Error> {
    ErrorPage { status, title, detail }.render()
}

/// Renders the page on which a person ends messages, or reads that they have ended.
///
/// # Errors
///
/// [`askama::Error`] if rendering fails, which only a lack of memory makes it do.
pub(crate) fn unsubscribe(is_done: bool) -> Result<String, askama::Error> {
    let title = if is_done { "You are unsubscribed" } else { "End these messages?" };
    UnsubscribePage { title, is_done }.render()
}

#[derive(Template)]
#[template(path = "unsubscribe.html")]
struct UnsubscribePage<'a> {
    title: &'a str,
    is_done: bool,
}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage<'a> {
    report: &'a Report,
    badge: Badge,
    tiles: Vec<Tile>,
    metrics: Vec<MetricView>,
    /// Whether some metric says what moving the traffic earned.
    any_gain: bool,
    /// Whether some figure has the effect of moving weights taken out.
    any_corrected: bool,
    shares: Option<SharesChart>,
    links: &'a Links,
    words: Words,
    window: String,
    generated_at: String,
    as_of: Option<String>,
}

#[derive(Template)]
#[template(path = "index.html")]
struct IndexPage<'a> {
    lines: Vec<IndexLine<'a>>,
}

struct IndexLine<'a> {
    row: &'a IndexRow,
    badge: Badge,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    status: u16,
    title: &'a str,
    detail: &'a str,
}

/// The state in words and color.
struct Badge {
    class: &'static str,
    text: &'static str,
}

impl Badge {
    fn of(state: State) -> Self {
        let (class, text) = match state {
            State::Leading => ("badge leading", "Leading · no verdict yet"),
            State::Winner => ("badge winner", "Winner"),
            State::Harmful => ("badge harmful", "Harmful"),
            State::Inconclusive => ("badge inconclusive", "Inconclusive"),
            // A state of a later version still has a readable page.
            _ => ("badge collecting", "Collecting"),
        };
        Self { class, text }
    }
}

/// A figure about the whole experiment.
struct Tile {
    label: String,
    text: String,
    note: String,
}

fn tiles(report: &Report) -> Vec<Tile> {
    let health = &report.health;
    let words = Words::of(report.unit);
    let exposed = Tile {
        label: format!("{} exposed", capitalized(words.many)),
        text: wording::count(health.units.into()),
        note: format!("in {} variants", report.variants.iter().filter(|variant| !variant.removed).count()),
    };
    let matured = Tile {
        label: "With complete results".to_owned(),
        text: health.matured_share.map_or_else(|| "–".to_owned(), wording::percent),
        note: wording::count(health.matured_units.into()),
    };
    let run = Tile {
        label: "Running time".to_owned(),
        text: wording::span(health.run_s),
        note: report.first_exposed_at.map(|at| format!("since {}", moment::day(at))).unwrap_or_default(),
    };
    let allocation = Tile {
        label: "Traffic is split by".to_owned(),
        text: match report.allocator.as_str() {
            "fixed" => "Fixed shares".to_owned(),
            "thompson" => "Thompson sampling".to_owned(),
            "top_two" => "Top-two sampling".to_owned(),
            "epsilon_greedy" => "ε-greedy".to_owned(),
            "ucb1" => "UCB1".to_owned(),
            other => other.to_owned(),
        },
        note: report.weights_version.map(|version| format!("weights version {version}")).unwrap_or_default(),
    };
    let outlook = &report.outlook;
    let left = Tile {
        label: "Planned for".to_owned(),
        text: words.counted(outlook.planned_units),
        note: match (outlook.days_left, outlook.units_per_day) {
            (Some(days), _) => format!("about {} left", wording::span((days * 86_400.0) as i64)),
            (None, Some(units)) => format!("{} a day", wording::count(units.round() as i128)),
            (None, None) => String::new(),
        },
    };
    vec![exposed, matured, run, left, allocation]
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
