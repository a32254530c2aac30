//! `/audiences`: the list of audiences with their sizes, and the form that makes one, both as pages without script.

use super::audience_form::{ASKED, AudienceForm, OPS, ROWS_MAX};
use super::{Shared, admin, allow, audiences, reports, request};
use crate::auth::{self, Scope};
use crate::links;
use crate::problem::{Kind, Problem};
use crate::report_page::{self, AudienceLine, Counted, FormView};
use crate::store;
use actix_web::http::header;
use actix_web::web::{self, Query};
use actix_web::{HttpRequest, HttpResponse};
use podium_core::audience::Fault;
use podium_core::id::AudienceKey;

/// Rows that an empty form begins with.
const ROWS: usize = 2;

/// Shows every audience with its size and its condition in words: 200.
pub(crate) async fn list(app: Shared, http: HttpRequest) -> HttpResponse {
    let shown = async {
        allow(&app, &http, Scope::Server)?;
        let sizes = store::audiences::sizes(app.store.reader(), None).await?;
        let lines =
            store::audiences::all(app.store.reader()).await?.into_iter().map(|audience| AudienceLine {
                size: audiences::size(&app, &audience, sizes.get(&audience.id).copied()),
                words: sentence(app.words(&audience.condition)),
                key: audience.key.to_string(),
                name: audience.name,
                updated_at: audience.updated_at,
            });
        Ok::<_, Problem>(reports::form_page(report_page::audiences(&lines.collect::<Vec<_>>())))
    };
    shown.await.unwrap_or_else(|problem| reports::problem_page(&problem))
}

fn sentence((whole, parts): (String, Vec<String>)) -> String {
    if parts.is_empty() { whole } else { format!("{whole}: {}", parts.join("; ")) }
}

/// Shows the empty form: 200.
pub(crate) async fn form(app: Shared, http: HttpRequest) -> HttpResponse {
    let shown = || {
        admin(&app, &http)?;
        let mut form = AudienceForm::default();
        for _ in 0..ROWS {
            form.add_row();
        }
        Ok::<_, Problem>(page(&app, &http, &form, (None, Vec::new())))
    };
    shown().unwrap_or_else(|problem| reports::problem_page(&problem))
}

/// Adds a row, counts, or saves, by the button that was pressed: 200 with the form; 303 to the list once it is saved; 403
/// for a form that is not ours.
pub(crate) async fn submit(app: Shared, http: HttpRequest, payload: web::Payload) -> HttpResponse {
    let done = async {
        admin(&app, &http)?;
        let body = request::body(payload).await?;
        let text = std::str::from_utf8(&body)
            .map_err(|error| Problem::new(Kind::InvalidField, error.to_string()))?;
        let fields = Query::<Vec<(String, String)>>::from_query(text);
        let fields = fields.map_err(|error| Problem::new(Kind::InvalidField, error.to_string()))?;
        let form = AudienceForm::read(fields.into_inner());
        // A browser sends the key along with whatever another site has it post.
        let key = auth::presented(&http).unwrap_or_default();
        if !links::is_of_form(&app.links.secret, &key, &form.token) {
            return Err(Problem::new(
                Kind::Forbidden,
                "this form is not from here, or too old: open it again",
            ));
        }
        answer(&app, &http, form).await
    };
    done.await.unwrap_or_else(|problem| reports::problem_page(&problem))
}

async fn answer(app: &Shared, http: &HttpRequest, mut form: AudienceForm) -> Result<HttpResponse, Problem> {
    if form.pressed == "add" {
        form.add_row();
        return Ok(page(app, http, &form, (None, Vec::new())));
    }
    form.tidy();
    if form.rows.is_empty() {
        form.add_row();
        return Ok(page(app, http, &form, (None, vec!["say at least one condition".to_owned()])));
    }
    let condition = match app.checked_condition(&form.condition()) {
        Ok(condition) => condition,
        Err(faults) => {
            let blame = |fault: Fault| form.blame(&fault.pointer, fault.detail);
            let others = faults.into_iter().filter_map(blame).collect();
            return Ok(page(app, http, &form, (None, others)));
        }
    };
    let mut faults = Vec::new();
    if form.pressed == "save" {
        match saved(app, &form, condition.clone()).await {
            Ok(()) => {
                let mut response = HttpResponse::SeeOther();
                response.insert_header((header::LOCATION, "/audiences"));
                return Ok(response.finish());
            }
            // What the store or we have done wrong is no fault of the form.
            Err(problem) if problem.kind().row().0.is_server_error() => return Err(problem),
            Err(problem) => faults.push(problem.to_string()),
        }
    }
    let preview = app.preview(&condition).await?;
    let (whole, parts) = app.words(&condition);
    let counted = Counted { preview, whole, parts };
    Ok(page(app, http, &form, (Some(counted), faults)))
}

async fn saved(
    app: &Shared,
    form: &AudienceForm,
    condition: podium_core::audience::Condition,
) -> Result<(), Problem> {
    let key = form.key();
    if key.is_empty() {
        return Err(Problem::new(Kind::InvalidField, "give the audience a name"));
    }
    let key = AudienceKey::new(&key).map_err(|error| Problem::new(Kind::InvalidField, error.to_string()))?;
    let name = Some(form.name.trim().to_owned()).filter(|name| !name.is_empty());
    audiences::add(app, key, name, condition).await.map(drop)
}

fn page(
    app: &Shared,
    http: &HttpRequest,
    form: &AudienceForm,
    (counted, faults): (Option<Counted>, Vec<String>),
) -> HttpResponse {
    let key = auth::presented(http).unwrap_or_default();
    let token = links::of_form(&app.links.secret, &key);
    let has_room = form.rows.len() < ROWS_MAX;
    let view = FormView { form, asked: &ASKED, ops: &OPS, token, counted, faults, has_room };
    reports::form_page(report_page::audience_form(&view))
}
