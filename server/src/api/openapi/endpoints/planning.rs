//! Planning an experiment that is not there yet.

use super::super::endpoint::{Endpoint, JSON};
use super::super::examples;
use super::super::schema::{Plan, PlanRequest};
use super::{EXPERIMENTS, post};
use crate::auth::Scope;

pub(super) fn planning() -> Vec<Endpoint> {
    vec![
        post("/api/v1/plan", "planExperiment")
            .tag(EXPERIMENTS)
            .says(
                "Plan an experiment",
                "How many units and days a lift needs, or which lift so many units or days find. With any number of \
                 looks the verdict is that of the confidence sequence, which needs about twice the units of a single \
                 look; an earlier look may find the lift, too.",
            )
            .needs(Scope::Server)
            .takes::<PlanRequest>(true, &[JSON], examples::plan)
            .answers::<Plan>(200, "The plan.", examples::planned),
    ]
}
