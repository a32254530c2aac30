//! `/events`: the events debugger as a page.

use super::events::{Outcome, last};
use super::{Shared, allow, reports};
use crate::auth::Scope;
use crate::problem::Problem;
use crate::report_page::{self, EventLine, EventsView};
use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;

/// Events on a page.
const SHOWN: u64 = 100;

#[derive(Deserialize)]
pub(crate) struct PageQuery {
    /// Anything else than a word of ours shows what was rejected.
    #[serde(default)]
    status: String,
    #[serde(default)]
    name: String,
}

/// Shows the last events that were taken, or refused: 200.
pub(crate) async fn show(app: Shared, http: HttpRequest, query: Query<PageQuery>) -> HttpResponse {
    let shown = async {
        allow(&app, &http, Scope::Server)?;
        let outcome = if query.status == "accepted" { Outcome::Accepted } else { Outcome::Rejected };
        let name = query.name.trim();
        let events = last(&app, outcome, Some(name).filter(|name| !name.is_empty()), (None, SHOWN)).await?;
        let lines = events.into_iter().map(|event| EventLine {
            received_at: event.received_at,
            time: event.time,
            event_type: event.r#type,
            name: event.name,
            unit: event.unit,
            other_id: event.other_id,
            message_id: event.message_id,
            scope: event.scope.as_str(),
            reason: event.reason,
            pointer: event.pointer,
            detail: event.detail,
        });
        let is_accepted = outcome == Outcome::Accepted;
        let view = EventsView { is_accepted, name, lines: lines.collect(), shown_max: SHOWN };
        Ok::<_, Problem>(reports::form_page(report_page::events(&view)))
    };
    shown.await.unwrap_or_else(|problem| reports::problem_page(&problem))
}
