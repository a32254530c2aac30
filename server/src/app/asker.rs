//! Who asks for flags, and whether they meet conditions.

use super::forced::Links;
use super::sticky::Claims;
use crate::auth::Scope;
use crate::rulebook::Rulebook;
use crate::shoppers::Remembered;
use podium_core::audience::{Clause, External, Shopper};
use podium_core::experience::{CompiledRule, Visitor};
use podium_core::id::ExperimentId;
use podium_core::profile::Profile;
use podium_core::time::Timestamp;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// For whom flags are asked, and by whom.
#[derive(Debug)]
pub(crate) struct Asker<'a> {
    pub(super) unit: &'a str,
    scope: Scope,
    /// What it was assigned, as the client can prove.
    pub(super) claims: Claims,
    /// The links that it came by.
    pub(super) links: Links,
    context: &'a Value,
    known: Option<Arc<Remembered>>,
    /// What other systems say of it, as far as it could be had.
    external: External,
    /// What is known was asked for and could not be had in time.
    pub(super) is_blind: bool,
}

/// What is known of somebody of whom nothing is.
static NOTHING: LazyLock<Profile> = LazyLock::new(Profile::default);

impl<'a> Asker<'a> {
    /// Gathers what decisions depend on.
    pub(crate) fn new(unit: &'a str, scope: Scope) -> Self {
        let (claims, links, context) = (Claims::default(), Links::default(), &Value::Null);
        Self { unit, scope, claims, links, context, known: None, external: External::new(), is_blind: false }
    }

    /// The same with what the client knows of the unit: an object.
    pub(crate) fn with_context(self, context: &'a Value) -> Self {
        let members = context.as_object();
        let (claims, links) = (members.map(Claims::of), members.map(Links::of));
        Self { claims: claims.unwrap_or_default(), links: links.unwrap_or_default(), context, ..self }
    }

    /// Takes what the server knows of the person; `None` if that could not be had in time.
    pub(super) fn know(&mut self, known: Option<Arc<Remembered>>) {
        (self.is_blind, self.known) = (known.is_none(), known);
    }

    /// Takes what other systems say of it.
    pub(super) fn hear(&mut self, external: External) {
        self.external = external;
    }

    /// Whether decisions for it go on without what should be known.
    pub(crate) fn is_blind(&self) -> bool {
        self.is_blind
    }

    fn profile(&self) -> &Profile {
        self.known.as_ref().map_or(&NOTHING, |known| &known.profile)
    }
}

/// Who asks, with the conditions that may be asked of them.
pub(super) struct Asking<'a, 'b> {
    asker: &'b Asker<'a>,
    book: &'b Rulebook,
    pub(super) now: Timestamp,
}

impl<'a, 'b> Asking<'a, 'b> {
    /// Asks at a moment.
    pub(super) fn new(asker: &'b Asker<'a>, book: &'b Rulebook, now: Timestamp) -> Self {
        Self { asker, book, now }
    }

    /// What became of each part of a condition, if there is one.
    pub(super) fn explain(&self, id: ExperimentId) -> Option<Clause> {
        self.book.explain(id, &self.shopper(), self.now)
    }

    /// Whether the condition of an experiment or of a rule holds; `None` if that cannot be told.
    pub(super) fn meets_condition(&self, id: ExperimentId) -> Option<bool> {
        self.book.meets(id, &self.shopper(), self.now)
    }

    fn shopper(&self) -> Shopper<'_> {
        let Asker { external, context, .. } = self.asker;
        Shopper { external, ..self.book.shopper(self.asker.profile(), context) }
    }
}

impl Visitor for Asking<'_, '_> {
    fn is_server(&self) -> bool {
        Scope::Server <= self.asker.scope
    }

    fn dismissed_at(&self, key: &str) -> Option<Timestamp> {
        self.asker.profile().dismissed.get(key).copied()
    }

    fn meets(&mut self, rule: &CompiledRule) -> Option<bool> {
        if rule.when.is_none() { Some(true) } else { self.meets_condition(rule.figures) }
    }
}
