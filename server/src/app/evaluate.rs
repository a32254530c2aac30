//! One flag, or every flag, for one unit of which the client says what it knows.

use super::App;
use super::answer::{Answer, From};
use super::asker::Asker;
use super::choose::Behind;
use crate::catalog::Catalog;
use podium_core::experiment::Stickiness;
use podium_core::time::Timestamp;

/// What a typed client gets for a flag.
#[derive(Debug)]
pub(crate) struct Evaluation<'a> {
    /// What was decided.
    pub(crate) answer: Answer<'a>,
    /// Proves the assignment, where it is kept.
    pub(crate) sticky: Option<String>,
    /// Whether it was decided, but without all that should have been known, or the log could not be told.
    pub(crate) is_degraded: bool,
}

impl App {
    /// Decides one flag and hands the decision to the log; `None` if there is no such flag for who asks.
    ///
    /// - `exposure`: whether the answer is an exposure, where decisions count as such.
    pub(crate) fn evaluate_one<'a>(
        &self,
        catalog: &'a Catalog,
        flag_key: &'a str,
        asker: &Asker<'a>,
        (exposure, now): (bool, Timestamp),
    ) -> Option<Evaluation<'a>> {
        let behind = Behind::of(catalog, flag_key);
        let answer = self.answer(&behind, flag_key, asker, now)?;
        self.settle(&answer);
        let is_logged = self.log(self.events(&answer, exposure, catalog.snapshot.version, now));
        let sticky = self.sticky_token(&answer);
        let is_blind = behind.is_targeted() && asker.is_blind();
        let is_degraded = !is_logged || is_blind || answer.lacks_external();
        Some(Evaluation { answer, sticky, is_degraded })
    }

    /// Decides every flag that who asks may see, in the order of their keys. None of it is an exposure, and the log is
    /// told only of assignments that are new for the unit: pages ask for everything again and again.
    pub(crate) fn evaluate_all<'a>(
        &self,
        catalog: &'a Catalog,
        asker: &Asker<'a>,
        now: Timestamp,
    ) -> Vec<Evaluation<'a>> {
        let shoppers = &self.published.shoppers;
        let mut evaluations = Vec::new();
        let (mut events, mut noted) = (Vec::new(), Vec::new());
        for flag_key in catalog.flag_keys() {
            let Some(mut answer) = self.answer(&Behind::of(catalog, flag_key), flag_key, asker, now) else {
                continue;
            };
            if let From::Experiment { flag, decision, assigned, is_new, .. } = &mut answer.from
                && flag.stickiness == Stickiness::PerDecision
            {
                // What is drawn anew at every decision cannot be fetched beforehand.
                (*decision, *assigned, *is_new) = (flag.outside(), None, false);
            }
            self.settle(&answer);
            if let From::Experiment { flag, assigned: Some(assigned), drawn, is_new: true, .. } = &answer.from
            {
                shoppers.assign(flag.experiment, drawn.id(), *assigned);
                noted.push((flag.experiment, drawn.id().to_owned()));
                events.extend(answer.events(false, catalog.snapshot.version, now));
            }
            let sticky = self.sticky_token(&answer);
            evaluations.push(Evaluation { answer, sticky, is_degraded: false });
        }
        if !self.log(events) {
            // The next time they are new once more.
            for (experiment, id) in noted {
                shoppers.forget(experiment, &id);
            }
        }
        evaluations
    }
}
