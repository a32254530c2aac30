//! Conditions on the clock: from one instant to another, or at hours of the week in a zone.

use super::members::Members;
use crate::fault::Fault;
use crate::time::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::{Map, Value, json};

/// When.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// `after <= now < before`; at least one of the two is there.
    Between {
        /// From here on.
        after: Option<Timestamp>,
        /// Until just before here.
        before: Option<Timestamp>,
    },
    /// At hours of the week.
    Weekly(Weekly),
}

/// Hours of the week. Hours that pass midnight belong to the day on which they begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Weekly {
    /// From Monday on.
    days: [bool; 7],
    from: Option<Time>,
    until: Option<Time>,
    zone: TimeZone,
    zone_name: Box<str>,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// How far a week's edges are looked for: the day before, for hours that pass midnight, and a week and a day.
const N_DAYS: usize = 9;

impl Schedule {
    pub(super) fn read(pointer: String, value: &Value, faults: &mut Vec<Fault>) -> Option<Self> {
        let known = ["after", "before", "days", "from", "until", "zone"];
        let members = Members::read(pointer, value, &known, faults)?;
        let is_there = |names: &[&str]| names.iter().any(|name| members.get(name).is_some());
        match (is_there(&["after", "before"]), is_there(&["days", "from", "until", "zone"])) {
            (true, false) => {
                let n_faults = faults.len();
                let mut instant = |name| {
                    let time = Timestamp::parse(members.get(name)?.as_str().unwrap_or_default());
                    let fault = || members.fault(name, "a time such as \"2026-11-27T09:30:00+01:00\"");
                    time.map_err(|_| faults.push(fault())).ok()
                };
                let (after, before) = (instant("after"), instant("before"));
                if after.zip(before).is_some_and(|(after, before)| before <= after) {
                    faults.push(members.fault("before", "a time later than `after`"));
                }
                (faults.len() == n_faults).then_some(Self::Between { after, before })
            }
            (false, true) => Weekly::read(&members, faults).map(Self::Weekly),
            _ => {
                let detail = "either `after` and `before`, or `days`, `from`, `until` and `zone`";
                faults.push(Fault::new(members.pointer.clone(), detail));
                None
            }
        }
    }

    pub(super) fn to_value(&self) -> Value {
        let mut members = Map::new();
        let mut put = |name: &str, text: Option<String>| {
            members.extend(text.map(|text| (name.to_owned(), Value::String(text))));
        };
        match self {
            Self::Between { after, before } => {
                put("after", after.map(|time| time.to_string()));
                put("before", before.map(|time| time.to_string()));
            }
            Self::Weekly(weekly) => {
                let hour = |time: Time| time.strftime("%H:%M").to_string();
                put("from", weekly.from.map(hour));
                put("until", weekly.until.map(hour));
                put("zone", Some(weekly.zone_name.to_string()));
                members.insert("days".into(), json!(weekly.day_names()));
            }
        }
        Value::Object(members)
    }

    pub(super) fn holds(&self, now: Timestamp) -> bool {
        match self {
            Self::Between { after, before } => {
                after.is_none_or(|after| after <= now) && before.is_none_or(|before| now < before)
            }
            Self::Weekly(weekly) => weekly.windows(now, 2).any(|(start, end)| start <= now && now < end),
        }
    }

    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Between { after, before } => {
                [*after, *before].into_iter().flatten().filter(|edge| now < *edge).min()
            }
            Self::Weekly(weekly) => weekly
                .windows(now, N_DAYS)
                .flat_map(|(start, end)| [start, end])
                .filter(|edge| now < *edge)
                .min(),
        }
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Between { after, before } => {
                let after = after.map(|after| format!("at or after {after}"));
                let before = before.map(|before| format!("before {before}"));
                format!(
                    "the time is {}",
                    [after, before].into_iter().flatten().collect::<Vec<_>>().join(" and ")
                )
            }
            Self::Weekly(weekly) => {
                let days = weekly.day_names();
                let hour =
                    |time: Option<Time>| time.unwrap_or(Time::midnight()).strftime("%H:%M").to_string();
                let (from, until) = (hour(weekly.from), hour(weekly.until));
                format!("the time is {from} to {until} on {} in {}", days.join(", "), weekly.zone_name)
            }
        }
    }

    /// The time as this condition sees it.
    pub(super) fn found(&self, now: Timestamp) -> String {
        match self {
            Self::Between { .. } => now.to_string(),
            Self::Weekly(weekly) => jiff::Timestamp::from_microsecond(now.as_micros()).map_or_else(
                |_| now.to_string(),
                |now| weekly.zone.to_datetime(now).strftime("%a %Y-%m-%d %H:%M:%S").to_string(),
            ),
        }
    }
}

impl Weekly {
    fn read(members: &Members<'_>, faults: &mut Vec<Fault>) -> Option<Self> {
        let n_faults = faults.len();
        let mut hour = |name| {
            let text = members.get(name)?.as_str().unwrap_or_default();
            let time = Time::strptime("%H:%M", text).ok().filter(|_| text.len() == 5);
            if time.is_none() {
                faults.push(members.fault(name, "an hour such as \"09:00\""));
            }
            time
        };
        let (from, until) = (hour("from"), hour("until"));
        if from.is_some() && from == until {
            faults.push(members.fault("until", "another hour than `from`; without both it is the whole day"));
        }
        let days = days(members, faults);
        if ["days", "from", "until"].into_iter().all(|name| members.get(name).is_none()) {
            faults.push(members.fault("days", format!("a list of {}", DAYS.join(", "))));
        }
        let zone = members.text("zone").and_then(|name| TimeZoneDatabase::bundled().get(name).ok());
        if zone.is_none() {
            faults.push(members.fault("zone", "the IANA name of a zone, such as \"Europe/Berlin\""));
        }
        let zone = zone.filter(|_| faults.len() == n_faults)?;
        Some(Self { days: days?, from, until, zone_name: members.text("zone")?.into(), zone })
    }

    /// The windows that begin on the day before `now` and on those after it.
    fn windows(&self, now: Timestamp, n_days: usize) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let instant = jiff::Timestamp::from_microsecond(now.as_micros()).ok();
        let today = instant.map(|now| self.zone.to_datetime(now).date());
        let first = today.and_then(|today| today.yesterday().ok());
        let days = std::iter::successors(first, |day| day.tomorrow().ok()).take(n_days);
        days.filter(|day| self.is_on(day.weekday())).filter_map(|day| {
            let from = self.from.unwrap_or(Time::midnight());
            let until = self.until.unwrap_or(Time::midnight());
            let last_day = if from < until { day } else { day.tomorrow().ok()? };
            Some((self.instant(day, from)?, self.instant(last_day, until)?))
        })
    }

    fn day_names(&self) -> Vec<&'static str> {
        DAYS.into_iter().zip(self.days).filter(|(_, on)| *on).map(|(day, _)| day).collect()
    }

    fn is_on(&self, weekday: Weekday) -> bool {
        self.days.get(weekday.to_monday_zero_offset().cast_unsigned() as usize).is_some_and(|on| *on)
    }

    /// An hour that the clock skips is as much later as is skipped; of one that comes twice it is the first.
    fn instant(&self, day: Date, hour: Time) -> Option<Timestamp> {
        let instant = self.zone.to_timestamp(day.to_datetime(hour)).ok()?;
        Some(Timestamp::from_micros(instant.as_microsecond()))
    }
}

fn days(members: &Members<'_>, faults: &mut Vec<Fault>) -> Option<[bool; 7]> {
    let Some(list) = members.get("days") else { return Some([true; 7]) };
    let mut days = [false; 7];
    let names = list.as_array().map_or(&[][..], Vec::as_slice);
    let all_known = names.iter().all(|name| {
        let day = DAYS.iter().zip(&mut days).find(|(day, _)| name.as_str() == Some(day));
        day.map(|(_, on)| *on = true).is_some()
    });
    if names.is_empty() || !all_known {
        faults.push(members.fault("days", format!("a list of {}", DAYS.join(", "))));
        return None;
    }
    Some(days)
}
