//! Looking before anybody is shown anything.

use super::super::endpoint::{Endpoint, JSON, none};
use super::super::examples;
use super::super::schema::{NewPreviewLink, Preview, PreviewLink, PreviewRequest, Spread};
use super::{DECIDING, REPORTS, get, key, post};
use crate::auth::Scope;

pub(super) fn previewing() -> Vec<Endpoint> {
    vec![
        post("/api/v1/preview", "preview")
            .tag(DECIDING)
            .says(
                "Say what a unit would get, and why",
                "Decides as always and changes nothing: nothing is logged, counted or remembered. With every experience \
                 and rule on the flag, what became of each condition, and where the unit stands in the experiment.",
            )
            .needs(Scope::Server)
            .takes::<PreviewRequest>(true, &[JSON], examples::preview)
            .answers::<Preview>(200, "What it would get.", none)
            .stores(),
        post("/api/v1/previews/links", "createPreviewLink")
            .tag(DECIDING)
            .says(
                "Make a link to one variant",
                "Whoever comes by it gets this variant of the flag, of a draft too, until it expires. Such an answer has \
                 `forced: true` and the reason `STATIC`; it is not logged, is no exposure, and counts in no figure.",
            )
            .needs(Scope::Admin)
            .takes::<NewPreviewLink>(true, &[JSON], examples::preview_link)
            .answers::<PreviewLink>(201, "The link.", none)
            .stores(),
        get("/api/v1/experiments/{key}/shadow", "readSpread")
            .tag(REPORTS)
            .param(key())
            .of_version()
            .stores()
            .says(
                "Read how units spread over variants",
                "All units that are assigned, whether they were shown anything or not: made for experiments in the shadow.",
            )
            .needs(Scope::Server)
            .answers::<Spread>(200, "The spread.", none),
    ]
}
