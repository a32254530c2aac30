//! Audiences as pages: the list, and the form that makes one.

use super::moment;
use crate::api::audience_form::{Asked, AudienceForm};
use crate::app::Preview;
use askama::Template;
use podium_core::report::wording;
use podium_core::time::Timestamp;

/// One line of the list of audiences.
#[derive(Clone, Debug)]
pub(crate) struct AudienceLine {
    /// Its key.
    pub(crate) key: String,
    /// What people read.
    pub(crate) name: Option<String>,
    /// How many are in it; none where only a request can tell.
    pub(crate) size: Option<i64>,
    /// What it asks, in words.
    pub(crate) words: String,
    /// When it last changed.
    pub(crate) updated_at: Timestamp,
}

/// Who meets what the form asks.
pub(crate) struct Counted {
    /// How many.
    pub(crate) preview: Preview,
    /// How many of the parts have to hold, in words.
    pub(crate) whole: String,
    /// What each part asks, in words.
    pub(crate) parts: Vec<String>,
}

/// What the form shows.
pub(crate) struct FormView<'a> {
    /// What was filled in.
    pub(crate) form: &'a AudienceForm,
    /// What can be asked.
    pub(crate) asked: &'a [Asked],
    /// How it can be compared.
    pub(crate) ops: &'a [(&'static str, &'static str)],
    /// What shows that the form is ours.
    pub(crate) token: String,
    /// Who meets it, once that was asked.
    pub(crate) counted: Option<Counted>,
    /// What is wrong with none of the rows.
    pub(crate) faults: Vec<String>,
    /// Whether there may be one more row.
    pub(crate) has_room: bool,
}

#[derive(Template)]
#[template(path = "audiences.html")]
struct AudiencesPage<'a> {
    lines: &'a [AudienceLine],
}

#[derive(Template)]
#[template(path = "audience_form.html")]
struct AudienceFormPage<'a> {
    view: &'a FormView<'a>,
}

/// Renders the list of audiences.
///
/// # Errors
///
/// [`askama::Error`] if rendering fails, which only a lack of memory makes it do.
pub(crate) fn audiences(lines: &[AudienceLine]) -> Result<String, askama::Error> {
    AudiencesPage { lines }.render()
}

/// Renders the form that makes an audience.
///
/// # Errors
///
/// [`askama::Error`] if rendering fails, which only a lack of memory makes it do.
pub(crate) fn audience_form(view: &FormView<'_>) -> Result<String, askama::Error> {
    AudienceFormPage { view }.render()
}

impl AudienceLine {
    fn people(&self) -> String {
        match self.size {
            Some(1) => "1 person".to_owned(),
            Some(size) => format!("{} people", wording::count(size.into())),
            None => "known only while they visit".to_owned(),
        }
    }

    fn changed(&self) -> String {
        moment::minute(self.updated_at)
    }
}

impl Counted {
    fn size(&self) -> String {
        wording::count(self.preview.size.into())
    }

    fn of(&self) -> String {
        wording::count(self.preview.of.into())
    }
}
