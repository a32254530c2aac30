//! What the events of a flush say of ids: which are one person from now on.

use crate::shoppers::Shoppers;
use crate::store::identity::{self, Member, Written};
use crate::store::rejected::RejectedEvent;
use crate::store::{StoreError, log};
use podium_core::identity::{ALIAS, Link, PARTED, Persons};
use podium_core::projection::StoredEvent;
use podium_core::time::Timestamp;
use sea_orm::DatabaseConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// The ids of a flush, and what it changes of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Joining {
    /// Whose all ids of the flush are, from now on.
    pub(super) persons: Persons,
    /// Whose they were.
    pub(super) before: Persons,
    /// The persons whose ids are not the same as before.
    pub(super) moved: BTreeSet<Box<str>>,
    /// What is to be written.
    pub(super) written: Written,
    /// Two known users that are not joined for want of a server's word.
    pub(super) refused: Vec<RejectedEvent>,
}

/// Everybody's ids, in memory: for folding the whole log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Everybody {
    persons: Persons,
    ids: HashMap<Arc<str>, Vec<Box<str>>>,
}

impl Everybody {
    /// Finds everybody's ids in the log.
    pub(crate) async fn of_log(db: &DatabaseConnection) -> Result<(Self, Written), StoreError> {
        let mut links: BTreeMap<LinkKey, Link> = BTreeMap::new();
        for event in log::of_two_ids(db).await? {
            take(&event, &mut links);
        }
        let links: Vec<Link> = links.into_values().collect();
        let users = users(db, &links, &HashSet::new(), log::END).await?;
        let persons = Persons::of_links(&links, |id| users.contains(id));
        let mut ids: HashMap<Arc<str>, Vec<Box<str>>> = HashMap::new();
        for (id, person) in persons.iter() {
            ids.entry(Arc::clone(person)).or_default().push(id.into());
        }
        let members = persons.iter().map(|(id, person)| (id.into(), Arc::clone(person))).collect();
        Ok((Self { persons, ids }, Written { links, members, ..Written::default() }))
    }

    /// Whose ids are whose.
    pub(super) fn persons(&self) -> &Persons {
        &self.persons
    }

    /// All ids of some persons.
    pub(super) fn members(&self, persons: &[Box<str>]) -> Vec<Member> {
        let of = |person: &str| {
            let shared: Arc<str> = person.into();
            let others = self.ids.get(&shared).into_iter().flatten().cloned();
            let all: Vec<Member> = std::iter::once(Box::from(person))
                .chain(others)
                .map(|id| (id, Arc::clone(&shared)))
                .collect();
            all
        };
        persons.iter().flat_map(|person| of(person)).collect()
    }
}

/// What makes two statements the same: of these the first counts.
type LinkKey = (Box<str>, Box<str>, bool, u8);

fn key(link: &Link) -> LinkKey {
    (link.user.clone(), link.other.clone(), link.is_alias, link.trust as u8)
}

/// Adds what an event says, or takes away what it takes back.
fn take(event: &StoredEvent, links: &mut BTreeMap<LinkKey, Link>) {
    if let Some(link) = Link::of(event) {
        let kept = links.entry(key(&link)).or_insert_with(|| link.clone());
        if link < *kept {
            *kept = link;
        }
    } else if let (PARTED, Some(other)) = (&*event.name, &event.other_id) {
        links.retain(|_, link| event.time < link.time || !is_of(link, &event.unit, other));
    }
}

fn list<'a>(ids: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>) -> Vec<&'a str> {
    ids.into_iter().map(AsRef::as_ref).collect()
}

fn is_of(link: &Link, one: &str, other: &str) -> bool {
    let (user, beside) = (&*link.user, &*link.other);
    (user, beside) == (one, other) || (user, beside) == (other, one)
}

/// Which of the ids beside a user's are users' themselves.
///
/// - `fresh`: those that the log does not have yet.
async fn users(
    db: &DatabaseConnection,
    links: &[Link],
    fresh: &HashSet<&str>,
    until: i64,
) -> Result<HashSet<Box<str>>, StoreError> {
    let mut users = log::users(db, links.iter().map(|link| &*link.other), until).await?;
    users.extend(links.iter().map(|link| link.user.clone()));
    users.extend(fresh.iter().map(|id| Box::from(*id)));
    Ok(users)
}

impl Joining {
    /// Looks up whose the ids of a flush are, and what its events change of that.
    ///
    /// - `ids`: what else is asked about.
    pub(super) async fn of<'a>(
        (db, shoppers): (&DatabaseConnection, &Shoppers),
        events: &'a [Arc<StoredEvent>],
        ids: Vec<&'a str>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut named = ids;
        for event in events {
            named.push(&event.unit);
            named.extend(event.other_id.as_deref());
        }
        // All of them are in memory, and of most there is nothing to know.
        let of_other = |id: &&str| Some((Box::from(*id), shoppers.person_of(id)?));
        let before = Persons::new(named.iter().filter_map(of_other));
        let fresh_users: HashSet<&str> =
            events.iter().filter(|event| event.is_known).map(|event| &*event.unit).collect();
        let said: Vec<_> = events.iter().filter(|event| event.other_id.is_some()).collect();
        let became_known = fresh_users.iter().copied().filter(|id| before.of(id) != *id);
        let others: BTreeSet<&str> =
            said.iter().filter_map(|event| event.other_id.as_deref()).chain(became_known).collect();
        if others.is_empty() {
            return Ok(Self { persons: before.clone(), before, ..Self::default() });
        }
        let told = identity::links_of_others(db, &list(&others)).await?;
        let stored: BTreeMap<LinkKey, Link> = told.into_iter().map(|link| (key(&link), link)).collect();
        let mut links = stored.clone();
        for event in &said {
            take(event, &mut links);
        }
        if links == stored && others.iter().all(|id| !fresh_users.contains(id)) {
            return Ok(Self { persons: before.clone(), before, ..Self::default() });
        }
        let mut joining = Self { before, ..Self::default() };
        joining.written.links =
            links.values().filter(|link| stored.get(&key(link)) != Some(*link)).cloned().collect();
        joining.written.dropped =
            stored.into_iter().filter(|(key, _)| !links.contains_key(key)).map(|(_, link)| link).collect();
        joining.resolve(db, links, &others, &fresh_users).await?;
        joining.refused = said
            .into_iter()
            .filter(|event| joining.refuses(event))
            .map(|event| refusal(event, now))
            .collect();
        Ok(joining)
    }

    /// Finds everybody whom links and what they lead to make one person, and who is not the same as before.
    async fn resolve(
        &mut self,
        db: &DatabaseConnection,
        mut links: BTreeMap<LinkKey, Link>,
        others: &BTreeSet<&str>,
        fresh_users: &HashSet<&str>,
    ) -> Result<(), StoreError> {
        let dropped: BTreeSet<LinkKey> = self.written.dropped.iter().map(key).collect();
        // Users that a server joined, however far that leads.
        let mut reached: BTreeSet<Box<str>> = others.iter().map(|id| Box::from(*id)).collect();
        let ends = |link: &Link| [link.user.clone(), link.other.clone()];
        reached.extend(links.values().flat_map(ends));
        reached.extend(self.written.dropped.iter().flat_map(ends));
        let mut open: Vec<Box<str>> = reached.iter().cloned().collect();
        while !open.is_empty() {
            let found = identity::joins_of(db, &list(&open)).await?;
            open = Vec::new();
            for link in found.into_iter().filter(|link| !dropped.contains(&key(link))) {
                open.extend(ends(&link).into_iter().filter(|id| reached.insert(id.clone())));
                links.entry(key(&link)).or_insert(link);
            }
        }
        // The devices of all users whose person may be another one now.
        let known = identity::persons(db, &list(&reached)).await?;
        let mut before: BTreeMap<Box<str>, Arc<str>> = known.into_iter().collect();
        let all: Vec<Link> = links.values().cloned().collect();
        let users_now = users(db, &all, fresh_users, log::END).await?;
        let now = Persons::of_links(&all, |id| users_now.contains(id));
        let of = |before: &BTreeMap<Box<str>, Arc<str>>, id: &str| {
            before.get(id).map_or_else(|| id.into(), Arc::clone)
        };
        let changed = reached.iter().filter(|id| users_now.contains(*id) && *of(&before, id) != *now.of(id));
        let persons: BTreeSet<Box<str>> = changed
            .flat_map(|id| [Box::from(&*of(&before, id)), Box::from(now.of(id)), id.clone()])
            .collect();
        if !persons.is_empty() {
            let members = identity::ids(db, &list(persons.iter())).await?;
            let devices: Vec<&str> = members.iter().map(|(id, _)| &**id).collect();
            let beside = identity::links_of_others(db, &devices).await?;
            for link in beside.into_iter().filter(|link| !dropped.contains(&key(link))) {
                links.entry(key(&link)).or_insert(link);
            }
            reached.extend(members.iter().map(|(id, _)| id.clone()));
            before.extend(members);
        }
        let all: Vec<Link> = links.into_values().collect();
        let users_now = users(db, &all, fresh_users, log::END).await?;
        let now = Persons::of_links(&all, |id| users_now.contains(id));
        for id in reached {
            let (old, new) = (of(&before, &id), now.of(&id));
            if *old == *new {
                continue;
            }
            self.moved.extend([Box::from(&*old), Box::from(new)]);
            if *id == *new {
                self.written.own.push(id);
            } else {
                self.written.members.push((id.clone(), new.into()));
            }
        }
        let stays = |(id, _): &(&str, &Arc<str>)| !self.written.own.iter().any(|own| **own == **id);
        let kept: Vec<_> =
            self.before.iter().filter(stays).map(|(id, person)| (id.into(), Arc::clone(person))).collect();
        let before: Vec<_> = before
            .into_iter()
            .chain(self.before.iter().map(|(id, person)| (id.into(), Arc::clone(person))))
            .collect();
        self.persons = Persons::new(kept.into_iter().chain(self.written.members.iter().cloned()));
        self.before = Persons::new(before);
        Ok(())
    }

    /// Whether an alias joins nothing, because both are users and no server said it.
    fn refuses(&self, event: &StoredEvent) -> bool {
        let other = event.other_id.as_deref().unwrap_or_default();
        let is_alias = &*event.name == ALIAS && Link::of(event).is_some_and(|link| !link.joins_users());
        is_alias && self.persons.of(&event.unit) != self.persons.of(other)
    }

    /// All ids of some persons, their own among them where it is.
    ///
    /// - `is_before`: as they were before the flush.
    pub(super) async fn members(
        &self,
        db: &DatabaseConnection,
        persons: &[Box<str>],
        is_before: bool,
    ) -> Result<Vec<Member>, StoreError> {
        let whose = if is_before { &self.before } else { &self.persons };
        let own = persons.iter().filter(|person| whose.of(person) == &***person);
        let mut members: BTreeMap<Box<str>, Arc<str>> =
            own.map(|person| (person.clone(), Arc::from(&**person))).collect();
        members.extend(identity::ids(db, &list(persons.iter())).await?);
        if !is_before {
            let Written { members: moved, own, .. } = &self.written;
            for id in own {
                if persons.contains(id) {
                    members.insert(id.clone(), Arc::from(&**id));
                } else {
                    members.remove(id);
                }
            }
            for (id, person) in moved {
                if persons.iter().any(|wanted| **wanted == **person) {
                    members.insert(id.clone(), Arc::clone(person));
                } else {
                    members.remove(id);
                }
            }
        }
        Ok(members.into_iter().collect())
    }
}

fn refusal(event: &StoredEvent, now: Timestamp) -> RejectedEvent {
    let other = event.other_id.as_deref().unwrap_or_default();
    RejectedEvent {
        received_at: now,
        message_id: Some(event.message_id.to_string()),
        event_type: event.name.to_string(),
        name: None,
        unit: Some(event.unit.to_string()),
        other_id: Some(other.to_owned()),
        time: Some(event.time),
        trust: event.trust,
        reason: "merge_refused".to_owned(),
        pointer: "/previousId".to_owned(),
        detail: format!(
            "`{other}` is a user of its own, or another's device; only a server key joins two users"
        ),
    }
}
