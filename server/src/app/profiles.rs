//! What is known of a person, and which ids are theirs.

use super::App;
use super::asker::Asker;
use crate::auth::Scope;
use crate::catalog::Needs;
use crate::clock;
use crate::ingest::queue::IngestError;
use crate::shoppers::{Known, Remembered};
use crate::store::{StoreError, identity, profiles};
use podium_core::identity::{ALIAS, PARTED};
use podium_core::projection::{StoredEvent, Trust};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// How long a decision waits for what the database knows of somebody, once for each who is not in memory.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// A person as the API shows them.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// The id by which all of theirs are known.
    pub(crate) id: String,
    /// All of their ids, this one among them.
    pub(crate) ids: BTreeSet<String>,
}

impl App {
    /// Finds what has to be known of those who ask, here and in other systems at the same time. If that takes too long,
    /// decisions go on without and say so.
    pub(crate) async fn acquaint(&self, askers: &mut [Asker<'_>], needs: &Needs) {
        if !needs.is_targeted {
            return;
        }
        if needs.sources.is_empty() {
            return self.recognize(askers).await;
        }
        let units: Vec<&str> = askers.iter().map(|asker| asker.unit).collect();
        let (said, ()) = tokio::join!(self.external.ask(&needs.sources, &units), self.recognize(askers));
        for (asker, external) in askers.iter_mut().zip(said) {
            asker.hear(external);
        }
    }

    /// Finds what is known here of those who ask: in memory, else once in the database.
    async fn recognize(&self, askers: &mut [Asker<'_>]) {
        let shoppers = &self.published.shoppers;
        let mut missing: Vec<(usize, Arc<str>)> = Vec::new();
        for (asker_idx, asker) in askers.iter_mut().enumerate() {
            let joined = shoppers.person_of(asker.unit);
            match shoppers.known(joined.as_deref().unwrap_or(asker.unit)) {
                Some(known) => asker.know(Some(known)),
                None => missing.push((asker_idx, joined.unwrap_or_else(|| asker.unit.into()))),
            }
        }
        if missing.is_empty() {
            return;
        }
        let persons: BTreeSet<&str> = missing.iter().map(|(_, person)| &**person).collect();
        let found = self.load(&persons).await;
        for (asker_idx, person) in &missing {
            let known = found.get(&**person).map(Arc::clone);
            if known.is_none() {
                metrics::counter!("podium_decisions_blind_total").increment(1);
            }
            if let Some(asker) = askers.get_mut(*asker_idx) {
                asker.know(known);
            }
        }
    }

    /// Loads what the database knows of persons; nothing if that takes too long.
    async fn load<'a>(&self, persons: &BTreeSet<&'a str>) -> HashMap<&'a str, Arc<Remembered>> {
        let asked: Vec<&str> = persons.iter().copied().collect();
        match timeout(WAIT_MAX, profiles::find(self.store.reader(), &asked)).await {
            Ok(Ok(rows)) => {
                let mut rows: HashMap<Box<str>, Known> = rows.into_iter().collect();
                let recalled = |person: &&'a str| {
                    let row = rows.remove(*person).unwrap_or_default();
                    (*person, self.published.shoppers.recall(person, row))
                };
                persons.iter().map(recalled).collect()
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "decided without what is known of the unit");
                HashMap::new()
            }
            Err(_) => {
                tracing::warn!("decided without what is known of the unit: the database is too slow");
                HashMap::new()
            }
        }
    }

    /// A unit with what the client and the server know of it.
    ///
    /// - `needs`: what the answer depends on.
    pub(crate) async fn asker<'a>(
        &self,
        (unit, context): (&'a str, &'a Value),
        scope: Scope,
        needs: &Needs,
    ) -> Asker<'a> {
        let mut askers = [Asker::new(unit, scope).with_context(context)];
        self.acquaint(&mut askers, needs).await;
        let [asker] = askers;
        asker
    }

    /// The person that an id is of; an id that nothing is known of is a person of its own.
    pub(crate) async fn person(&self, id: &str) -> Result<Person, StoreError> {
        let db = self.store.reader();
        let found = identity::persons(db, &[id]).await?;
        let person = found.first().map_or_else(|| id.to_owned(), |(_, person)| person.to_string());
        let members = identity::ids(db, &[&person]).await?;
        let others = members.into_iter().map(|(id, _)| id.to_string());
        let ids = others.chain([person.clone()]).collect();
        Ok(Person { id: person, ids })
    }

    /// The person that an id is of, and what is known of them.
    pub(crate) async fn known(&self, id: &str) -> Result<(Person, Arc<Remembered>), StoreError> {
        let person = self.person(id).await?;
        if let Some(known) = self.published.shoppers.known(&person.id) {
            return Ok((person, known));
        }
        let mut rows = profiles::find(self.store.reader(), &[&person.id]).await?;
        let row = rows.pop().map(|(_, known)| known).unwrap_or_default();
        let known = self.published.shoppers.recall(&person.id, row);
        Ok((person, known))
    }

    /// Makes one person of a user and another id, on a server's word.
    pub(crate) async fn join(&self, user: &str, other: &str) -> Result<(), IngestError> {
        self.tell_of_ids(vec![said(ALIAS, user, other)]).await
    }

    /// Takes back what was said of an id and a person; says whether there was anything.
    pub(crate) async fn part(&self, person: &Person, other: &str) -> Result<bool, IngestError> {
        let db = self.store.reader();
        let mut links = identity::links_of_others(db, &[other]).await?;
        links.extend(identity::joins_of(db, &[other]).await?);
        let is_theirs = |link: &&podium_core::identity::Link| {
            let beside = if *link.user == *other { &link.other } else { &link.user };
            person.ids.contains(&**beside)
        };
        let pairs: BTreeSet<_> =
            links.iter().filter(is_theirs).map(|link| (&link.user, &link.other)).collect();
        let events: Vec<_> = pairs.iter().map(|(user, other)| said(PARTED, user, other)).collect();
        if events.is_empty() {
            return Ok(false);
        }
        self.tell_of_ids(events).await?;
        Ok(true)
    }

    async fn tell_of_ids(&self, events: Vec<StoredEvent>) -> Result<(), IngestError> {
        const BYTES_EACH: usize = 256;
        let bytes = events.len() * BYTES_EACH;
        self.queue.events_on_disk(events, Vec::new(), bytes).await?;
        Ok(())
    }
}

fn said(name: &str, user: &str, other: &str) -> StoredEvent {
    StoredEvent {
        message_id: Uuid::now_v7().to_string().into(),
        name: name.into(),
        unit: user.into(),
        is_known: true,
        other_id: Some(other.into()),
        order_id: None,
        trust: Trust::Server,
        time: clock::now(),
        sighting: None,
        body: r#"{"properties":{},"context":{}}"#.into(),
    }
}
