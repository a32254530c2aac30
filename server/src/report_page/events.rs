//! The events debugger as a page: what arrived last, and what was wrong with it.

use super::moment;
use askama::Template;
use podium_core::time::Timestamp;

/// What the page shows.
#[derive(Clone, Debug)]
pub(crate) struct EventsView<'a> {
    /// Whether events are shown that were taken, not those that were rejected.
    pub(crate) is_accepted: bool,
    /// The name that was asked for; empty for all.
    pub(crate) name: &'a str,
    /// The events, newest first.
    pub(crate) lines: Vec<EventLine>,
    /// How many are shown at most.
    pub(crate) shown_max: u64,
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct EventLine {
    /// When it came.
    pub(crate) received_at: Timestamp,
    /// When it happened, if that could be read.
    pub(crate) time: Option<Timestamp>,
    /// What sort of event it is.
    pub(crate) event_type: String,
    /// What happened.
    pub(crate) name: Option<String>,
    /// Whose it is.
    pub(crate) unit: Option<String>,
    /// Another id of the same person.
    pub(crate) other_id: Option<String>,
    /// Its id.
    pub(crate) message_id: Option<String>,
    /// What sort of key it was sent with.
    pub(crate) scope: &'static str,
    /// Why it was rejected, as a slug.
    pub(crate) reason: Option<String>,
    /// Where the fault is.
    pub(crate) pointer: Option<String>,
    /// What is wrong and what would be right.
    pub(crate) detail: Option<String>,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage<'a> {
    view: &'a EventsView<'a>,
}

/// Renders the events debugger.
///
/// # Errors
///
/// [`askama::Error`] if rendering fails, which only a lack of memory makes it do.
pub(crate) fn events(view: &EventsView<'_>) -> Result<String, askama::Error> {
    EventsPage { view }.render()
}

impl EventLine {
    fn came(&self) -> String {
        moment::second(self.received_at)
    }

    fn happened(&self) -> String {
        self.time.map_or_else(|| "unknown".to_owned(), moment::second)
    }
}
