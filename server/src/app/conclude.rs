//! How an experiment ends: what everyone gets from then on, by the verdict or by a person.

use super::edit::{Conclusion, check_revision, control, fault};
use super::history::Happening;
use super::{App, EditError, now};
use podium_core::experiment::{Action, Experiment, Variant};
use podium_core::id::VariantKey;
use podium_core::report::Verdict;

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
        let report = self.report_of(experiment).await?;
        chosen(experiment, &report.verdict, wish)
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
    fn a_winner_that_was_taken_out_is_none() {
        let won = Verdict { winner: Some(key("b")), ..Verdict::default() };
        let mut taken_out = experiment(&["control", "b", "c"]);
        taken_out.definition.variants[1].removed_at = Some(now());
        let conclusion = chosen(&taken_out, &won, Wish::default()).unwrap();
        assert_eq!(conclusion.serve, key("control"));
    }
}
