//! A server of a test's own, with three experiments and a channel in it, asked without a socket.
//!
//! No plugin is loaded: what needs a metric is tried on the real binary instead.

use super::check::faults;
use super::{document, operations};
use crate::api;
use crate::app::App;
use crate::auth::{KeyRecord, Scope};
use crate::delivery::tokens::Links;
use crate::ofrep::Gate;
use crate::outgoing::{Allowed, Reach};
use crate::secrets::Secrets;
use crate::store::channels::StoredChannel;
use crate::store::weights::StoredWeights;
use crate::store::{Store, channels, experiments, keys, weights};
use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, IF_MATCH};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web;
use podium_core::allocation::{AllocationInput, AllocatorConfig, ArmState, ArmStratum, next_weights};
use podium_core::experiment::{Definition, Experiment, Status};
use podium_core::id::{ChannelKey, ExperimentId, ExperimentKey};
use podium_core::metric::{Direction, MetricKind, VariantSums};
use podium_core::snapshot::WeightsVersion;
use podium_core::time::Timestamp;
use podium_plugin_host::{HostLog, Level, Registry};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

pub(super) struct Shop {
    app: Arc<App>,
    keys: BTreeMap<&'static str, String>,
    folder: PathBuf,
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Shop {
    pub(super) async fn open() -> Self {
        let folder = std::env::temp_dir().join(format!("podium-openapi-{}", uuid::Uuid::now_v7()));
        let plugins = folder.join("plugins");
        std::fs::create_dir_all(&plugins).unwrap();
        std::fs::write(plugins.join("broken.so"), "no library").unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.join("podium.sqlite").display())).await.unwrap();
        let mut keys = BTreeMap::new();
        for scope in [Scope::Admin, Scope::Server, Scope::Publishable] {
            let (record, key) = KeyRecord::generate(scope, "first", Timestamp::from_micros(0));
            keys::insert(store.writer(), &record).await.unwrap();
            keys.insert(scope.as_str(), key);
        }
        for (key, status) in
            [("banner", Status::Running), ("hero", Status::Draft), ("search", Status::Running)]
        {
            insert(&store, key, status).await;
        }
        channels::put(store.writer(), &mail()).await.unwrap();
        let registry = Registry::load(&[plugins], &HostLog::new(Level::Error, |_| {}));
        let links = Links { public_url: "https://shop.example".to_owned(), secret: [7; 32] };
        std::fs::create_dir_all(folder.join("secrets")).unwrap();
        let secret = "whsec_cG9kaXVtLXRlc3RzLW9ubHktMzItYnl0ZXMtbG9uZyE=";
        std::fs::write(folder.join("secrets").join("HOOK"), secret).unwrap();
        std::fs::write(folder.join("secrets").join("ERP_TOKEN"), "Bearer hush").unwrap();
        let secrets = Secrets::new(folder.join("secrets"));
        let limits = crate::limits::Limits::new(&crate::limits::LimitArgs::default());
        let allowed = Allowed { webhooks: Reach::Anywhere, external: Some(Reach::Anywhere) };
        let app = App::start(store, registry, links, (secrets, allowed), limits).await.unwrap();
        Self { app, keys, folder }
    }

    pub(super) async fn server(&self) -> Server<'_> {
        let app = actix_web::App::new().app_data(web::Data::from(Arc::clone(&self.app)));
        let app = app.app_data(web::Data::new(Gate::default()));
        let app = app.wrap(from_fn(api::measure::duration)).configure(api::routes);
        let service = Rc::new(init_service(app).await);
        let ask = move |request: TestRequest| -> Answering {
            let service = Rc::clone(&service);
            Box::pin(async move { Answer::of(call_service(&*service, request.to_request()).await).await })
        };
        let document = document();
        Server {
            shop: self,
            ask: Box::new(ask),
            operations: operations(&document),
            document,
            succeeded: RefCell::default(),
        }
    }
}

/// A channel whose plugin is not there.
fn mail() -> StoredChannel {
    StoredChannel {
        key: ChannelKey::new("mail").unwrap(),
        channel: "email".to_owned(),
        settings: serde_json::Map::from_iter([("host".to_owned(), json!("smtp.example.com"))]),
        revision: 1,
        created_at: Timestamp::from_micros(0),
        updated_at: Timestamp::from_micros(0),
        paused_why: None,
    }
}

async fn insert(store: &Store, key: &str, status: Status) {
    let definition = json!({
        "name": "A banner",
        "variants": [
            {"key": "control"}, {"key": "red", "name": "Red", "content": {"color": "red"}}, {"key": "blue"}
        ],
        "primary_metric": {"metric": "conversion", "direction": "increase", "window_s": 3_600},
        "secondary_metrics": ["revenue_per_visitor"],
        "allocator": {"type": "thompson", "floor": 0.05},
        "exclusion_group": {"key": key, "share": 1.0, "start": 0.0},
        "salt": "s",
        "schedule": {"end_at": "2126-11-27T09:30:00Z"}
    });
    let mut experiment = Experiment {
        id: ExperimentId(0),
        key: ExperimentKey::new(key).unwrap(),
        version: 1,
        definition: serde_json::from_value::<Definition>(definition).unwrap().checked().unwrap(),
        status,
        served: None,
        revision: 1,
        created_at: Timestamp::from_micros(0),
        updated_at: Timestamp::from_micros(0),
        started_at: (status == Status::Running).then(|| Timestamp::from_micros(1)),
        concluded_at: None,
    };
    experiments::insert(store.writer(), &mut experiment).await.unwrap();
    for (version, beliefs) in [(1, None), (2, Some(beliefs()))] {
        let weights = WeightsVersion {
            version,
            salt: "s".to_owned(),
            traffic: 1.0,
            slot: None,
            weights: ["control", "red", "blue"].map(|key| (key.to_owned(), 1.0 / 3.0)).into(),
        };
        let cause = if version == 1 { "registered" } else { "allocated" }.to_owned();
        let stored = StoredWeights { weights, created_at: Timestamp::from_micros(0), cause, beliefs };
        weights::insert(store.writer(), experiment.id, &stored).await.unwrap();
    }
}

/// What is believed of three variants, as it is stored with their weights.
fn beliefs() -> String {
    let sums = |n: i64, y: i64| {
        let (yes, all) = (i128::from(y), i128::from(n));
        VariantSums { n, n_nonzero: y, y: yes, d: all, yy: yes, yd: yes, dd: all }
    };
    let known = [(1_000, 100), (1_000, 130), (0, 0)].map(|(n, y)| sums(n, y));
    let input = AllocationInput {
        kind: MetricKind::Proportion,
        direction: Direction::Increase,
        control_idx: Some(0),
        arms: &[ArmState { strata: 3, share: 1.0 }; 3],
        strata: &[ArmStratum { age_days: 1.0, sums: known.to_vec() }],
    };
    let draft = next_weights(&AllocatorConfig::default(), &input).unwrap();
    json!({ "phase": draft.phase, "beliefs": draft.beliefs }).to_string()
}

type Answering = Pin<Box<dyn Future<Output = Answer>>>;

/// Routes with this shop behind them.
pub(super) struct Server<'a> {
    shop: &'a Shop,
    ask: Box<dyn Fn(TestRequest) -> Answering>,
    document: Value,
    operations: BTreeMap<(String, String), Value>,
    /// The operations that answered well.
    pub(super) succeeded: RefCell<BTreeSet<String>>,
}

/// An answer, its body as JSON if it is that.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Value,
}

impl Answer {
    async fn of(response: ServiceResponse<impl MessageBody>) -> Self {
        let status = response.status().as_u16();
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let content_type = response.headers().get(CONTENT_TYPE).map(text).unwrap_or_default();
        let headers =
            response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let bytes = read_body(response).await;
        let body = if content_type.contains("json") {
            serde_json::from_slice(&bytes).unwrap()
        } else {
            Value::String(String::from_utf8_lossy(&bytes).into_owned())
        };
        Self { status, content_type, headers, body }
    }

    /// Whether there is no such path.
    pub(super) fn is_nowhere(&self) -> bool {
        let detail = self.body["detail"].as_str().unwrap_or_default();
        self.status == 404 && detail.starts_with("there is nothing at")
    }
}

impl Server<'_> {
    /// Asks as it stands.
    pub(super) async fn ask(&self, request: TestRequest) -> Answer {
        (self.ask)(request).await
    }

    /// Asks with a key, and holds the answer against the document: path, status, content type, headers, body.
    ///
    /// - `asked`: method and URI.
    pub(super) async fn try_out(&self, scope: Option<&str>, asked: &str, body: Option<Value>) -> Answer {
        let (method, uri) = asked.split_once(' ').unwrap();
        let operation = self.documented(method, uri.split('?').next().unwrap());
        let operation = operation.unwrap_or_else(|| panic!("{asked} is not documented"));
        let mut request = TestRequest::with_uri(uri).method(method.parse().unwrap());
        if let Some(scope) = scope {
            request = request.insert_header(("x-api-key", self.shop.keys[scope].as_str()));
        }
        let key = uuid::Uuid::now_v7().to_string();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            match parameter["name"].as_str() {
                Some("If-Match") => request = request.insert_header((IF_MATCH, "*")),
                Some(name @ "Idempotency-Key") => request = request.insert_header((name, key.as_str())),
                _ => {}
            }
        }
        if let Some(body) = body {
            request = request.set_json(body);
        }
        let answer = self.ask(request).await;
        self.check(asked, operation, &answer);
        if answer.status < 400 {
            self.succeeded.borrow_mut().insert(operation["operationId"].as_str().unwrap().to_owned());
        }
        answer
    }

    /// The operation that the document has for this; of several the one with the fewest parameters.
    fn documented(&self, method: &str, path: &str) -> Option<&Value> {
        let fits = |template: &str| {
            let (wanted, found) = (template.split('/'), path.split('/'));
            wanted.clone().count() == found.clone().count()
                && wanted.zip(found).all(|(wanted, found)| wanted.starts_with('{') || wanted == found)
        };
        let all = self.operations.iter().filter(|((one, template), _)| one == method && fits(template));
        all.min_by_key(|((_, template), _)| template.matches('{').count()).map(|(_, operation)| operation)
    }

    fn check(&self, asked: &str, operation: &Value, answer: &Answer) {
        let mut documented = &operation["responses"][answer.status.to_string()];
        assert!(documented.is_object(), "{asked}: {} {}", answer.status, answer.body);
        if let Some(to) = documented["$ref"].as_str() {
            documented = self.document.pointer(&to[1..]).unwrap();
        }
        for (name, _) in documented["headers"].as_object().into_iter().flatten() {
            let is_optional = ["Link", "Idempotency-Replayed"].contains(&name.as_str())
                || (name == "ETag" && answer.status == 412);
            let is_there = answer.headers.contains_key(&name.to_lowercase());
            assert!(is_there || is_optional, "{asked}: {} has no {name}", answer.status);
        }
        let Some(contents) = documented["content"].as_object() else {
            assert_eq!(answer.body, "", "{asked}");
            return;
        };
        let content = contents.get(&answer.content_type);
        let content = content.unwrap_or_else(|| panic!("{asked}: {}", answer.content_type));
        let found = faults(&self.document, &content["schema"], &answer.body);
        assert!(found.is_empty(), "{asked}: {found:#?} in {:#}", answer.body);
    }

    /// What makes the links in the shop's messages.
    pub(super) fn links(&self) -> &Links {
        &self.shop.app.links
    }

    /// The operations of the document, by method and path.
    pub(super) fn operations(&self) -> &BTreeMap<(String, String), Value> {
        &self.operations
    }
}
