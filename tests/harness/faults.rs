//! Many wrong requests in one run, and what is wrong with the answers.

use super::http::Answer;
use super::problem::Problem;
use super::shop::Shop;

/// Collects what is wrong with answers, so that one run shows all of it.
#[derive(Default)]
pub(crate) struct Faults(Vec<String>);

/// What an answer must be.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) statuses: &'a [u16],
    pub(crate) slug: Option<&'a str>,
    pub(crate) place: Option<&'a str>,
}

/// Any problem with one of these statuses.
pub(crate) fn any(statuses: &[u16]) -> Expected<'_> {
    Expected { statuses, slug: None, place: None }
}

/// A problem with one of these statuses that names this place.
pub(crate) fn at<'a>(statuses: &'a [u16], place: &'a str) -> Expected<'a> {
    Expected { statuses, slug: None, place: Some(place) }
}

/// A problem of this kind.
pub(crate) fn of_kind<'a>(statuses: &'a [u16], slug: &'a str) -> Expected<'a> {
    Expected { statuses, slug: Some(slug), place: None }
}

impl Faults {
    /// Adds what is wrong.
    pub(crate) fn add(&mut self, fault: String) {
        self.0.push(fault);
    }

    /// Checks an answer; a place that ends in `*` may go on.
    pub(crate) fn check(&mut self, what: &str, answer: &Answer, expected: Expected<'_>) {
        let Expected { statuses, slug, place } = expected;
        if !statuses.contains(&answer.status) {
            return self.0.push(format!("{what}: expected {statuses:?}, {answer}"));
        }
        let problem = match Problem::read(answer) {
            Ok(problem) => problem,
            Err(fault) => return self.0.push(format!("{what}: {fault}: {answer}")),
        };
        if slug.is_some_and(|slug| problem.slug != slug) {
            self.0.push(format!("{what}: the slug is {}, expected {slug:?}: {answer}", problem.slug));
        }
        let is_named = |place: &str| match place.strip_suffix('*') {
            Some(begin) => problem.pointers.iter().any(|pointer| pointer.starts_with(begin)),
            None => problem.pointers.iter().any(|pointer| pointer == place),
        };
        if place.is_some_and(|place| !is_named(place)) {
            self.0.push(format!("{what}: names {:?}, expected {place:?}: {answer}", problem.pointers));
        }
    }

    /// Fails if anything was wrong, or the server was hurt.
    #[track_caller]
    pub(crate) fn report(self, shop: &mut Shop) {
        let panicked: Vec<String> =
            shop.podium.log().into_iter().filter(|line| line.contains("panicked")).collect();
        assert!(self.0.is_empty(), "{} wrong answers:\n{}", self.0.len(), self.0.join("\n"));
        assert!(panicked.is_empty(), "{panicked:?}");
        assert!(shop.podium.is_running());
    }
}
