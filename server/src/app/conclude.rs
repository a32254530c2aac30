//! How an experiment ends: what everyone gets from then on, by the verdict or by a person.

use super::edit::{Conclusion, check_revision, control, fault};
use super::history::Happening;
use super::{App, EditError, now};
use crate::store::{StoreError, verdicts};
use podium_core::experiment::{Action, Experiment, Variant};
use podium_core::id::VariantKey;
use podium_core::report::{Report, Role, Verdict};

/// The longest reason, in bytes.
const REASON_LENGTH_MAX: usize = 2_000;

/// What whoever ends an experiment says of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// What everyone is to get.
    pub(crate) serve: Option<VariantKey>,
    /// Why.
    pub(crate) reason: Option<String>,
}

impl App {
    /// How an experiment ends that is to end now, by the data there is. Changes nothing.
    ///
    /// - `revision`: what the client saw; `None` takes what is there.
    pub(crate) async fn conclusion(
        &self,
        experiment: &Experiment,
        revision: Option<i64>,
        wish: Wish,
    ) -> Result<Conclusion, EditError> {
        check_revision(experiment, revision)?;
        experiment.status.after(Action::Conclude)?;
        check_reason(wish.reason.as_deref())?;
        chosen(experiment, &self.verdict(experiment).await?, wish)
    }

    /// What may be acted on: what the data decides, as far as every guardrail can be seen.
    pub(super) async fn verdict(&self, experiment: &Experiment) -> Result<Verdict, StoreError> {
        let report = self.report_of(experiment).await?;
        let unseen = unseen_guardrails(&report);
        if unseen.is_empty() {
            return Ok(report.verdict);
        }
        let noted = verdicts::noted(self.store.reader(), experiment.id).await?;
        Ok(held(&report.verdict, &noted, &unseen))
    }
}

/// The guardrails whose figures stand still, because no plugin that is there offers their metric.
fn unseen_guardrails(report: &Report) -> Vec<&str> {
    let guardrails = report.metrics.iter().filter(|metric| metric.role == Role::Guardrail);
    guardrails.filter(|metric| !metric.available).map(|metric| metric.metric.as_str()).collect()
}

/// A verdict while guardrails cannot be seen: what was found of them before holds on, and nobody wins who had not won
/// before. Harm that is seen is harm.
fn held(verdict: &Verdict, noted: &Verdict, unseen: &[&str]) -> Verdict {
    let of_unseen = noted.breaches.iter().filter(|breach| unseen.contains(&breach.metric.as_str()));
    Verdict {
        winner: verdict.winner.clone().filter(|winner| noted.winner.as_ref() == Some(winner)),
        breaches: verdict.breaches.iter().chain(of_unseen).cloned().collect(),
        ..verdict.clone()
    }
}

/// A reason has a text, and not too much of it.
pub(crate) fn check_reason(reason: Option<&str>) -> Result<(), EditError> {
    match reason.map(str::len) {
        None | Some(1..=REASON_LENGTH_MAX) => Ok(()),
        Some(length) => {
            let detail = format!("a reason has 1 to {REASON_LENGTH_MAX} bytes, this one {length}");
            Err(fault("/reason", detail))
        }
    }
}

/// What is served: what was wished for, else the winner, else the control. A winner that does harm is none.
fn chosen(experiment: &Experiment, verdict: &Verdict, wish: Wish) -> Result<Conclusion, EditError> {
    let control = control(experiment)?;
    let winner = winner(experiment, verdict);
    let Wish { serve, reason } = wish;
    let serve = serve.unwrap_or_else(|| winner.unwrap_or(control).clone());
    if experiment.variant_idx(serve.as_str()).is_none() {
        return Err(fault("/serve", format!("`{serve}` is no variant of it")));
    }
    if reason.is_none() && serve != *control && Some(&serve) != winner {
        let detail =
            format!("`{serve}` is neither the winner nor the control: say why everyone is to get it");
        return Err(fault("/reason", detail));
    }
    Ok(Conclusion { serve, reason })
}

/// The winner, if it may be served: it is in the test, and does no harm.
pub(super) fn winner<'a>(experiment: &Experiment, verdict: &'a Verdict) -> Option<&'a VariantKey> {
    let variants = &experiment.definition.variants;
    let is_active = |key: &VariantKey| variants.iter().any(|one| one.key == *key && Variant::is_active(one));
    verdict.winner.as_ref().filter(|key| is_active(key) && !verdict.harming().contains(key))
}

impl Conclusion {
    /// Ends an experiment so.
    pub(crate) fn apply(self, experiment: &mut Experiment) -> Result<Happening, EditError> {
        let before = experiment.status;
        experiment.apply(Action::Conclude, now())?;
        experiment.served = Some(self.serve.clone());
        Ok(Happening::Concluded { served: self.serve, reason: self.reason, before })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::watch::tests::{breach, experiment, key};

    #[track_caller]
    fn check(verdict: &Verdict, (serve, reason): (Option<&str>, Option<&str>), expected: Result<&str, &str>) {
        let wish = Wish { serve: serve.map(key), reason: reason.map(str::to_owned) };
        let found = chosen(&experiment(&["control", "b", "c"]), verdict, wish);
        let found = found.map(|conclusion| conclusion.serve.to_string()).map_err(|error| match error {
            EditError::Invalid(crate::app::RegisterError::Invalid(faults)) => faults[0].pointer.clone(),
            error => error.to_string(),
        });
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{serve:?} {reason:?} {verdict:?}");
    }

    #[test]
    fn everyone_gets_the_winner_or_else_the_control() {
        let won = Verdict { winner: Some(key("b")), ..Verdict::default() };
        let harmful = Verdict { harmful: vec![key("b")], ..Verdict::default() };
        let harmed = Verdict { winner: Some(key("b")), breaches: vec![breach("b")], ..Verdict::default() };
        check(&won, (None, None), Ok("b"));
        check(&won, (Some("b"), None), Ok("b"));
        check(&won, (Some("control"), None), Ok("control"));
        for verdict in [&Verdict::default(), &harmful, &harmed] {
            check(verdict, (None, None), Ok("control"));
            check(verdict, (Some("b"), None), Err("/reason"));
            check(verdict, (Some("b"), Some("the boss likes it")), Ok("b"));
        }
        check(&won, (Some("c"), None), Err("/reason"));
        check(&won, (Some("c"), Some("cheaper")), Ok("c"));
        check(&won, (Some("d"), Some("cheaper")), Err("/serve"));
    }

    #[test]
    fn nobody_wins_unseen_by_a_guardrail() {
        let won = Verdict { winner: Some(key("b")), ..Verdict::default() };
        let harmed = Verdict { breaches: vec![breach("b")], ..won.clone() };
        let harmful = Verdict { harmful: vec![key("c")], ..won.clone() };
        let none = Verdict::default();
        assert_eq!(held(&won, &none, &["aov"]), none);
        assert_eq!(held(&won, &won, &["aov"]), won, "it had won while all could be seen");
        assert_eq!(held(&won, &harmed, &["aov"]), harmed, "what is not seen is not over");
        assert_eq!(held(&won, &harmed, &["conversion"]), won, "what is seen is");
        assert_eq!(held(&harmful, &none, &["aov"]).harmful, [key("c")], "harm that is seen is harm");
    }

    #[test]
    fn a_winner_that_was_taken_out_is_none() {
        let won = Verdict { winner: Some(key("b")), ..Verdict::default() };
        let mut taken_out = experiment(&["control", "b", "c"]);
        taken_out.definition.variants[1].removed_at = Some(now());
        let conclusion = chosen(&taken_out, &won, Wish::default()).unwrap();
        assert_eq!(conclusion.serve, key("control"));
    }
}
