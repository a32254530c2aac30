//! What a verdict has turned to, and what the automation of its experiment wants then: pure functions.

use super::super::conclude::winner;
use super::super::history::{Automatic, Entry, Finding, Happening};
use podium_core::experiment::{Experiment, OnHarm, OnWinner, Status, Variant};
use podium_core::id::VariantKey;
use podium_core::report::{Verdict, Withheld};

/// The kinds of entries that tell what the automation has done, or would have.
pub(super) const KINDS: [&str; 4] = ["concluded", "variant_removed", "paused", "dry_run"];

/// What a verdict finds that is written down.
fn findings(verdict: &Verdict) -> Vec<Finding> {
    let winner = verdict.winner.iter().map(|variant| Finding::Winner { variant: variant.clone() });
    let harmful = verdict.harmful.iter().map(|variant| Finding::Harmful { variant: variant.clone() });
    let breaches = verdict.breaches.iter().map(|breach| Finding::GuardrailBreached {
        variant: breach.variant.clone(),
        metric: breach.metric.clone(),
    });
    let imbalance = verdict.withheld.contains(&Withheld::SampleRatio).then_some(Finding::Imbalance {});
    winner.chain(harmful).chain(breaches).chain(imbalance).collect()
}

/// What is to be written down: first what does not hold any more, then what is found anew. Harm that nothing is
/// heard of because its variant was taken out is not taken back.
pub(super) fn turns(experiment: &Experiment, before: &Verdict, now: &Verdict) -> Vec<Happening> {
    let (before, now) = (findings(before), findings(now));
    let is_out = |key: &VariantKey| !variant(experiment, key).is_some_and(Variant::is_active);
    let is_settled = |finding: &Finding| match finding {
        Finding::Harmful { variant } | Finding::GuardrailBreached { variant, .. } => is_out(variant),
        Finding::Winner { .. } | Finding::Imbalance {} => false,
    };
    let gone = before.iter().filter(|finding| !now.contains(finding) && !is_settled(finding));
    let gone = gone.cloned().map(Happening::Retracted);
    let new = now.iter().filter(|finding| !before.contains(finding)).cloned();
    gone.chain(new.map(Happening::from)).collect()
}

/// What the automation wants, the most important first. The control is never taken out, and a variant is not either if
/// only the control would be left.
pub(super) fn wanted(experiment: &Experiment, verdict: &Verdict) -> Vec<Automatic> {
    let automation = experiment.definition.automation;
    let mut wanted = Vec::new();
    if automation.on_winner == OnWinner::Conclude
        && let Some(serve) = winner(experiment, verdict)
    {
        wanted.push(Automatic::Conclude { serve: serve.clone() });
    }
    if automation.on_harm == OnHarm::Stop {
        let is_last = experiment.definition.variants.iter().filter(|one| one.is_active()).count() <= 2;
        for key in verdict.harming() {
            let may_go = variant(experiment, key).is_some_and(|one| one.is_active() && !one.control);
            let variant = key.clone();
            match (may_go, is_last) {
                (true, false) => wanted.push(Automatic::RemoveVariant { variant }),
                (true, true) if experiment.status == Status::Running => {
                    wanted.push(Automatic::Pause { variant });
                }
                _ => {}
            }
        }
    }
    wanted
}

/// The first of what is wanted that was not done before, be it undone since or not.
pub(super) fn not_yet_done(wanted: Vec<Automatic>, past: &[Entry]) -> Option<Automatic> {
    let is_done = |action: &Automatic| {
        past.iter().any(|entry| entry.is_automatic() && answers(&entry.happening, action))
    };
    wanted.into_iter().find(|action| !is_done(action))
}

/// Those of what is wanted that were not told before.
pub(super) fn not_yet_told(wanted: Vec<Automatic>, past: &[Entry]) -> Vec<Automatic> {
    let is_told = |action: &Automatic| {
        past.iter().any(|entry| matches!(&entry.happening, Happening::DryRun { would } if would == action))
    };
    wanted.into_iter().filter(|action| !is_told(action)).collect()
}

/// Whether what happened is what an action is for: a variant won, or does harm.
fn answers(happening: &Happening, action: &Automatic) -> bool {
    match (action, happening) {
        (Automatic::Conclude { serve }, Happening::Concluded { served, .. }) => serve == served,
        (
            Automatic::RemoveVariant { variant } | Automatic::Pause { variant },
            Happening::VariantRemoved { variant: harming, .. } | Happening::Paused { harming: Some(harming) },
        ) => variant == harming,
        _ => false,
    }
}

fn variant<'a>(experiment: &'a Experiment, key: &VariantKey) -> Option<&'a Variant> {
    experiment.definition.variants.iter().find(|variant| variant.key == *key)
}
