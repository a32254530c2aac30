//! What events make of persons: what is known of them, and the audiences they enter and leave.

use super::joining::{Everybody, Joining};
use crate::rulebook::{CURRENCY, Rulebook};
use crate::shoppers::{Known, Shoppers};
use crate::store::audiences::Move;
use crate::store::identity::Member;
use crate::store::{Store, StoreError, audiences, identity, log, profiles};
use podium_core::id::AudienceId;
use podium_core::identity::Persons;
use podium_core::profile::{Outcome, Profile};
use podium_core::projection::{OrderBook, StoredEvent};
use podium_core::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// Persons that are other than before.
#[derive(Debug, Default)]
pub(super) struct People {
    /// What is known of them now.
    changed: BTreeMap<Box<str>, Known>,
    /// Those whose ids are another's now.
    gone: Vec<Box<str>>,
    /// Who entered or left which audience.
    moves: Vec<Move>,
}

/// What persons are made with.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    pub(super) db: &'a DatabaseConnection,
    pub(super) shoppers: &'a Shoppers,
    pub(super) book: &'a Rulebook,
    pub(super) now: Timestamp,
}

/// The new events that concern a person, and what they are called.
#[derive(Default)]
struct Theirs<'a> {
    events: Vec<Arc<StoredEvent>>,
    names: BTreeSet<&'a str>,
}

/// The audiences that are asked again.
enum Which {
    All,
    These(BTreeSet<AudienceId>),
}

impl People {
    /// Has nothing to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty() && self.moves.is_empty()
    }

    /// Writes them.
    pub(super) async fn write(&self, db: &impl ConnectionTrait) -> Result<(), StoreError> {
        if self.is_empty() {
            return Ok(());
        }
        profiles::remove(db, &self.gone).await?;
        profiles::put(db, self.changed.iter().map(|(person, known)| (&**person, known))).await?;
        audiences::note(db, &self.moves).await
    }

    /// Tells those who decide, once they are written.
    pub(super) fn tell(self, shoppers: &Shoppers) {
        for person in &self.gone {
            shoppers.forget_person(person);
        }
        for (person, known) in self.changed {
            shoppers.learn(&person, known);
        }
    }

    fn settle(&mut self, making: Making<'_>, person: &str, mut known: Known, which: &Which) {
        let audiences = &making.book.audiences;
        let is_due = known.due_at.is_some_and(|due_at| due_at <= making.now);
        let shopper = making.book.shopper(&known.profile, &Value::Null);
        let (mut entered, mut left) = (Vec::new(), Vec::new());
        let mut due_at = known.due_at.filter(|_| !is_due);
        let mut ask = |id: AudienceId, was_in: bool| {
            let Some(condition) = audiences.get(id).filter(|condition| !condition.needs_context()) else {
                if was_in {
                    left.push(id);
                }
                return;
            };
            match (was_in, audiences.holds(condition, &shopper, making.now)) {
                (false, true) => entered.push(id),
                (true, false) => left.push(id),
                (false, false) | (true, true) => {}
            }
            let change = audiences.next_change(condition, &shopper, making.now);
            due_at = due_at.into_iter().chain(change).min();
        };
        match which {
            Which::These(these) if !is_due => {
                for id in these {
                    ask(*id, known.audiences.contains_key(id));
                }
            }
            Which::These(_) | Which::All => {
                let standing = making.book.standing().map(|(id, _)| id);
                let all: BTreeSet<AudienceId> = standing.chain(known.audiences.keys().copied()).collect();
                for id in all {
                    ask(id, known.audiences.contains_key(&id));
                }
            }
        }
        let moved =
            |audience: AudienceId, entered| Move { audience, person: person.into(), entered, at: making.now };
        self.moves.extend(entered.iter().map(|id| moved(*id, true)));
        self.moves.extend(left.iter().map(|id| moved(*id, false)));
        known.audiences.extend(entered.into_iter().map(|id| (id, making.now)));
        known.audiences.retain(|id, _| !left.contains(id));
        known.due_at = due_at;
        self.changed.insert(person.into(), known);
    }

    /// Has somebody leave every audience who is no more.
    fn leave(&mut self, making: Making<'_>, person: &str, known: &Known) {
        let left = |audience: &AudienceId| Move {
            audience: *audience,
            person: person.into(),
            entered: false,
            at: making.now,
        };
        self.moves.extend(known.audiences.keys().map(left));
        self.gone.push(person.into());
    }
}

impl Making<'_> {
    /// Makes of persons what new events make of them.
    ///
    /// - `orders`: what the log has about the orders in `fresh`.
    /// - `joining`: whose ids are whose, and since when.
    pub(super) async fn fold(
        self,
        fresh: &[Arc<StoredEvent>],
        orders: &OrderBook,
        joining: &Joining,
    ) -> Result<People, StoreError> {
        let mut people = People::default();
        let theirs = theirs(fresh, orders, &joining.persons);
        if theirs.is_empty() && joining.moved.is_empty() {
            return Ok(people);
        }
        let named: BTreeSet<&str> =
            theirs.keys().copied().chain(joining.moved.iter().map(|person| &**person)).collect();
        let mut known = self.known(&named).await?;
        let mut again: Vec<Box<str>> = Vec::new();
        for (person, theirs) in &theirs {
            if joining.moved.contains(*person) {
                continue;
            }
            let mut own = known.remove(*person).unwrap_or_default();
            let is_new = own.profile.first_seen.is_none();
            let is_mine = |unit: &str| joining.persons.of(unit) == *person;
            let outcome = own.profile.apply(&theirs.events, orders, &is_mine, &self.book.watched, CURRENCY);
            match outcome {
                Outcome::Done => {
                    let touched = theirs.names.iter().flat_map(|name| self.book.audiences.touched_by(name));
                    // Somebody new may also meet what their first event does not touch: that there is no order.
                    let which = if is_new { Which::All } else { Which::These(touched.copied().collect()) };
                    people.settle(self, person, own, &which);
                }
                Outcome::Refold => {
                    again.push((*person).into());
                    known.insert((*person).into(), own);
                }
            }
        }
        for person in &joining.moved {
            if joining.persons.of(person) == &**person {
                again.push(person.clone());
            } else if let Some(own) = known.get(person) {
                people.leave(self, person, own);
            }
        }
        let members = joining.members(self.db, &again, false).await?;
        for (person, profile) in self.made_anew(&again, members, fresh, log::END).await? {
            let own = known.remove(&person).unwrap_or_default();
            people.settle(self, &person, Known { profile, ..own }, &Which::All);
        }
        Ok(people)
    }

    /// Asks every audience again whether some persons are in it.
    ///
    /// - `members`: all of their ids, to have what is known of them made anew from the log.
    pub(super) async fn renew(
        self,
        persons: Vec<profiles::Row>,
        members: Option<Vec<Member>>,
    ) -> Result<People, StoreError> {
        let mut people = People::default();
        let ids: Vec<Box<str>> = persons.iter().map(|(person, _)| person.clone()).collect();
        let mut anew: HashMap<Box<str>, Profile> = match members {
            None => HashMap::new(),
            Some(members) => self.made_anew(&ids, members, &[], log::END).await?.into_iter().collect(),
        };
        for (person, stored) in persons {
            let profile = anew.remove(&person);
            let known = profile.map_or_else(|| stored.clone(), |profile| Known { profile, ..stored.clone() });
            people.settle(self, &person, known, &Which::All);
            if people.changed.get(&person) == Some(&stored) {
                people.changed.remove(&person);
            }
        }
        Ok(people)
    }

    /// What is known of persons, those left out of whom nothing is.
    async fn known(self, persons: &BTreeSet<&str>) -> Result<HashMap<Box<str>, Known>, StoreError> {
        let mut found = HashMap::with_capacity(persons.len());
        let mut missing = Vec::new();
        for person in persons {
            match self.shoppers.known(person) {
                Some(known) => drop(found.insert(Box::from(*person), Known::clone(&known))),
                None => missing.push(*person),
            }
        }
        found.extend(profiles::find(self.db, &missing).await?);
        Ok(found)
    }

    /// Folds all that the log and new events have of persons.
    ///
    /// - `members`: all of their ids.
    pub(super) async fn made_anew(
        self,
        persons: &[Box<str>],
        members: Vec<Member>,
        fresh: &[Arc<StoredEvent>],
        until: i64,
    ) -> Result<Vec<(Box<str>, Profile)>, StoreError> {
        if persons.is_empty() {
            return Ok(Vec::new());
        }
        let mut events = log::histories(self.db, members.iter().map(|(id, _)| &**id), until).await?;
        let ids: HashSet<&str> = members.iter().map(|(id, _)| &**id).collect();
        events.extend(fresh.iter().filter(|event| ids.contains(&*event.unit)).cloned());
        let order_ids: HashSet<&str> = events.iter().filter_map(|event| event.order_id.as_deref()).collect();
        let mut orders = log::orders(self.db, order_ids.iter().copied(), until).await?;
        for event in fresh {
            if let Some(order_id) = event.order_id.as_ref().filter(|id| order_ids.contains(&***id)) {
                orders.entry(order_id.clone()).or_default().push(Arc::clone(event));
            }
        }
        let whose = Persons::new(members.iter().cloned());
        let mut by_person: HashMap<&str, Vec<Arc<StoredEvent>>> = HashMap::new();
        for event in &events {
            by_person.entry(whose.of(&event.unit)).or_default().push(Arc::clone(event));
        }
        let made = |person: &str| {
            let events = by_person.get(person).map_or(&[][..], Vec::as_slice);
            let is_mine = |unit: &str| whose.of(unit) == person;
            (person.into(), Profile::of(events, &orders, &is_mine, &self.book.watched, CURRENCY))
        };
        Ok(persons.iter().map(|person| made(person)).collect())
    }
}

/// Persons made at once when the whole log is folded.
const PAGE: u32 = 500;

/// For each person a number that is other where other things are known, or where they are in other audiences.
pub(super) async fn fingerprints(store: &Store) -> Result<BTreeMap<Box<str>, u64>, StoreError> {
    let (mut found, mut last) = (BTreeMap::new(), Box::from(""));
    loop {
        let page = profiles::page(store.reader(), &last, PAGE).await?;
        let Some((person, _)) = page.last() else { return Ok(found) };
        last = person.clone();
        found.extend(page.into_iter().map(|(person, known)| (person, fingerprint(&known))));
    }
}

fn fingerprint(known: &Known) -> u64 {
    let audiences: Vec<_> = known.audiences.keys().collect();
    let text = serde_json::to_string(&(&known.profile, audiences)).unwrap_or_default();
    XxHash3_64::oneshot(text.as_bytes())
}

/// Folds everybody anew from the whole log, and returns their fingerprints.
///
/// - `into`: where to write them; nowhere if `None`. Then what has been due since is taken as it was written.
pub(super) async fn replay(
    store: &Store,
    everybody: &Everybody,
    (book, now): (&Rulebook, Timestamp),
    into: Option<&DatabaseTransaction>,
) -> Result<BTreeMap<Box<str>, u64>, StoreError> {
    let db = store.reader();
    let shoppers = Shoppers::default();
    let making = Making { db, shoppers: &shoppers, book, now };
    let (mut found, mut last) = (BTreeMap::new(), Box::from(""));
    loop {
        let units = log::units(db, &last, PAGE).await?;
        let Some(unit) = units.last() else { break };
        last = unit.clone();
        let persons: BTreeSet<Box<str>> =
            units.iter().map(|unit| Box::from(everybody.persons().of(unit))).collect();
        let persons: Vec<Box<str>> =
            persons.into_iter().filter(|person| !found.contains_key(person)).collect();
        let named: Vec<&str> = persons.iter().map(|person| &**person).collect();
        let stored: HashMap<Box<str>, Known> = profiles::find(db, &named).await?.into_iter().collect();
        let made = making.made_anew(&persons, everybody.members(&persons), &[], log::END).await?;
        let mut people = People::default();
        for (person, profile) in made.into_iter().filter(|(_, profile)| profile.first_seen.is_some()) {
            let was = stored.get(&person).cloned().unwrap_or_default();
            let is_due = into.is_none() && was.due_at.is_some_and(|due_at| due_at <= now);
            let known = Known { profile, ..was.clone() };
            if is_due {
                people.changed.insert(person, known);
            } else {
                people.settle(making, &person, known, &Which::All);
            }
        }
        found.extend(people.changed.iter().map(|(person, known)| (person.clone(), fingerprint(known))));
        if let Some(transaction) = into {
            people.write(transaction).await?;
        }
    }
    if into.is_some() {
        let gone: Vec<Box<str>> =
            fingerprints(store).await?.into_keys().filter(|person| !found.contains_key(person)).collect();
        if let Some(transaction) = into {
            profiles::remove(transaction, &gone).await?;
        }
    }
    Ok(found)
}

/// Makes what is known of persons anew with all that a book wants to know, for a question.
pub(crate) async fn look_back(
    db: &DatabaseConnection,
    book: &Rulebook,
    persons: &mut [profiles::Row],
) -> Result<(), StoreError> {
    let ids: Vec<Box<str>> = persons.iter().map(|(person, _)| person.clone()).collect();
    let named: Vec<&str> = ids.iter().map(|id| &**id).collect();
    let own = ids.iter().map(|id| (id.clone(), Arc::from(&**id)));
    let members = own.chain(identity::ids(db, &named).await?).collect();
    let (shoppers, now) = (Shoppers::default(), Timestamp::default());
    let making = Making { db, shoppers: &shoppers, book, now };
    let made = making.made_anew(&ids, members, &[], log::END).await?;
    for ((_, known), (_, profile)) in persons.iter_mut().zip(made) {
        known.profile = profile;
    }
    Ok(())
}

/// The new events of each person, and what is new about orders that they have a part in.
fn theirs<'a>(
    fresh: &'a [Arc<StoredEvent>],
    orders: &'a OrderBook,
    persons: &'a Persons,
) -> HashMap<&'a str, Theirs<'a>> {
    let mut theirs: HashMap<&str, Theirs<'_>> = HashMap::new();
    let mut about: HashMap<&str, (Vec<&Arc<StoredEvent>>, BTreeSet<&str>)> = HashMap::new();
    for event in fresh.iter().filter(|event| !event.name.starts_with('$')) {
        let person = persons.of(&event.unit);
        match event.order_id.as_deref() {
            None => {
                let theirs = theirs.entry(person).or_default();
                theirs.events.push(Arc::clone(event));
                theirs.names.insert(&event.name);
            }
            Some(order_id) => {
                let (events, parties) = about.entry(order_id).or_default();
                events.push(event);
                parties.insert(person);
            }
        }
    }
    for (order_id, (events, mut parties)) in about {
        parties.extend(orders.get(order_id).into_iter().flatten().map(|event| persons.of(&event.unit)));
        for person in parties {
            let theirs = theirs.entry(person).or_default();
            theirs.events.extend(events.iter().map(|event| Arc::clone(event)));
            theirs.names.extend(events.iter().map(|event| &*event.name));
        }
    }
    theirs
}
