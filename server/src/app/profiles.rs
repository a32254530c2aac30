//! What is known of a person, and which ids are theirs.

use super::App;
use crate::clock;
use crate::ingest::queue::IngestError;
use crate::store::{StoreError, identity};
use podium_core::identity::{ALIAS, PARTED};
use podium_core::projection::{StoredEvent, Trust};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A person as the API shows them.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// The id by which all of theirs are known.
    pub(crate) id: String,
    /// All of their ids, this one among them.
    pub(crate) ids: BTreeSet<String>,
}

impl App {
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
