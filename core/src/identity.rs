//! Which ids are one person: a function of the set of what was said, whatever came first.
//!
//! An anonymous id belongs to one user: of all that it was seen with, the one of the smallest (trust, time, message
//! id), so that a device that changes hands stays with its first user, and what the second does under an id of their
//! own is theirs. Two known users are one person only where a server said so in an alias: nothing else joins them.

use crate::projection::{StoredEvent, Trust};
use crate::time::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// That two ids are of one person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// Who said it.
    pub trust: Trust,
    /// When it was so.
    pub time: Timestamp,
    /// The event that says it.
    pub message_id: Box<str>,
    /// The id of a known user.
    pub user: Box<str>,
    /// The other id.
    pub other: Box<str>,
    /// Whether it was said on purpose, and not just that both were seen together.
    pub is_alias: bool,
}

/// The event that says on purpose that two ids are of one person.
pub const ALIAS: &str = "alias";
/// The event that takes such a thing back: what was said of its two ids until then counts no more.
pub const PARTED: &str = "$parted";

impl Link {
    /// What an event says.
    pub fn of(event: &StoredEvent) -> Option<Self> {
        let other = event.other_id.as_ref().filter(|other| event.is_known && **other != event.unit)?;
        (&*event.name != PARTED).then(|| Self {
            trust: event.trust,
            time: event.time,
            message_id: event.message_id.clone(),
            user: event.unit.clone(),
            other: other.clone(),
            is_alias: &*event.name == ALIAS,
        })
    }

    /// Whether it may join two known users.
    pub fn joins_users(&self) -> bool {
        self.is_alias && self.trust == Trust::Server
    }
}

/// The ids that are not their person's own, each with the person: the id by which all of them are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Persons(HashMap<Box<str>, Arc<str>>);

impl Persons {
    /// Finds the persons of the ids in `links`.
    ///
    /// - `links`: everything that was said of these ids, and of those they lead to.
    /// - `is_known`: whether an id is some user's.
    pub fn of_links(links: &[Link], is_known: impl Fn(&str) -> bool) -> Self {
        let is_user = |link: &&Link| is_known(&link.other);
        let joined: Vec<&Link> = links.iter().filter(is_user).filter(|link| link.joins_users()).collect();
        let users = users(&joined);
        let person_of = |user: &str| users.get(user).map_or_else(|| user.into(), Arc::clone);
        let mut first: HashMap<&str, &Link> = HashMap::new();
        for link in links.iter().filter(|link| !is_user(link)) {
            let kept = first.entry(&link.other).or_insert(link);
            if link < *kept {
                *kept = link;
            }
        }
        let anonymous = first.into_iter().map(|(id, link)| (id.into(), person_of(&link.user)));
        let users = users.iter().map(|(id, person)| ((*id).into(), Arc::clone(person)));
        let all: HashMap<Box<str>, Arc<str>> = anonymous.chain(users).collect();
        Self::new(all)
    }

    /// Gathers ids with their persons.
    pub fn new(all: impl IntoIterator<Item = (Box<str>, Arc<str>)>) -> Self {
        Self(all.into_iter().filter(|(id, person)| **id != **person).collect())
    }

    /// The person that an id is of; the id itself if nothing else was said.
    pub fn of<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, |person| person)
    }

    /// The ids that are not their person's own, each with the person.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<str>)> {
        self.0.iter().map(|(id, person)| (&**id, person))
    }
}

/// The person of each user that is joined with another: the user that no alias replaces, of several the smallest.
fn users<'a>(joined: &[&'a Link]) -> HashMap<&'a str, Arc<str>> {
    let mut beside: HashMap<&str, Vec<&str>> = HashMap::new();
    for link in joined {
        beside.entry(&link.user).or_default().push(&link.other);
        beside.entry(&link.other).or_default().push(&link.user);
    }
    let replaced: BTreeSet<&str> = joined.iter().map(|link| &*link.other).collect();
    let mut persons = HashMap::new();
    for start in beside.keys() {
        if persons.contains_key(start) {
            continue;
        }
        let (mut component, mut open) = (BTreeSet::from([*start]), vec![*start]);
        while let Some(id) = open.pop() {
            for next in beside.get(id).into_iter().flatten() {
                if component.insert(next) {
                    open.push(next);
                }
            }
        }
        let kept = component.iter().find(|id| !replaced.contains(**id)).or_else(|| component.first());
        let person: Arc<str> = kept.map_or_else(|| (*start).into(), |id| (*id).into());
        persons.extend(component.into_iter().map(|id| (id, Arc::clone(&person))));
    }
    persons
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(user: &str, other: &str, (trust, second): (Trust, i64), is_alias: bool) -> Link {
        let message_id = format!("{user}-{other}-{second}").into();
        let time = Timestamp::from_micros(second * 1_000_000);
        Link { trust, time, message_id, user: user.into(), other: other.into(), is_alias }
    }

    fn is_user(id: &str) -> bool {
        id.starts_with('u')
    }

    #[test]
    fn a_device_stays_with_its_first_user() {
        let page = |second| (Trust::Publishable, second);
        let links = [link("u2", "a", page(9), false), link("u1", "a", page(5), false)];
        let persons = Persons::of_links(&links, is_user);
        assert_eq!(persons.of("a"), "u1");
        assert_eq!(persons.of("u2"), "u2", "and does not make one of two users");
        let by_server = [links.as_slice(), &[link("u2", "a", (Trust::Server, 20), false)]].concat();
        assert_eq!(Persons::of_links(&by_server, is_user).of("a"), "u2", "a server knows better");
    }

    #[test]
    fn two_users_are_joined_by_a_servers_alias_and_by_nothing_else() {
        for (trust, is_alias, joins) in [
            (Trust::Server, true, true),
            (Trust::Server, false, false),
            (Trust::Publishable, true, false),
            (Trust::Publishable, false, false),
        ] {
            let persons = Persons::of_links(&[link("u2", "u1", (trust, 1), is_alias)], is_user);
            assert_eq!(persons.of("u1"), if joins { "u2" } else { "u1" }, "{trust:?} {is_alias}");
        }
    }

    #[test]
    fn an_alias_leads_to_the_newest_name_and_takes_devices_along() {
        let server = |second| (Trust::Server, second);
        let links = [
            link("u2", "u1", server(1), true),
            link("u3", "u2", server(2), true),
            link("u1", "a", (Trust::Publishable, 3), false),
        ];
        let persons = Persons::of_links(&links, is_user);
        assert_eq!(["u1", "u2", "u3", "a"].map(|id| persons.of(id)), ["u3"; 4]);
        let circle = [links.as_slice(), &[link("u1", "u3", server(4), true)]].concat();
        assert_eq!(Persons::of_links(&circle, is_user).of("a"), "u1", "in a circle the smallest");
    }

    proptest! {
        #[test]
        fn what_came_first_does_not_matter(
            said in proptest::collection::vec((0_u8..4, 0_u8..8, any::<bool>(), 0_i64..9, any::<bool>()), 1..20),
            order in any::<u64>(),
        ) {
            let id = |number: u8| if number < 4 { format!("u{number}") } else { format!("a{number}") };
            let links: Vec<_> = said
                .iter()
                .filter(|(user, other, ..)| user != other)
                .map(|(user, other, is_server, second, is_alias)| {
                    let trust = if *is_server { Trust::Server } else { Trust::Publishable };
                    link(&id(*user), &id(*other), (trust, *second), *is_alias)
                })
                .collect();
            let mut shuffled = links.clone();
            let n = shuffled.len().max(1);
            shuffled.rotate_left(order as usize % n);
            shuffled.reverse();
            prop_assert_eq!(Persons::of_links(&links, is_user), Persons::of_links(&shuffled, is_user));
        }
    }
}
