//! Schemas against the types they mirror: members, names, defaults.

use super::super::examples;
use super::check::faults;
use super::{document, schema};
use crate::api::audiences::{self, AudienceChange, ExplainAsked, NewAudience, Previewed};
use crate::api::channels::{NewChannel, Offered};
use crate::api::events::{EventsQuery, Outcome};
use crate::api::experiences;
use crate::api::experiments::{ActQuery, Conclusion, HistoryQuery, ListQuery, VersionQuery};
use crate::api::history::{self, UndoBody};
use crate::api::keys::{NewKey, NewOrigins};
use crate::api::messages::MessagesQuery;
use crate::api::preview::{LinkWanted, PreviewWanted};
use crate::api::profiles::{self, NewAlias};
use crate::api::sources::NewSource;
use crate::api::suppressions::{self, LiftQuery, NewSuppression};
use crate::api::webhooks::NewWebhook;
use crate::app::history::tests::each;
use crate::app::history::{Entry, Happening, message};
use crate::app::{DecideRequest, PlanRequest, Promotion};
use crate::auth::Scope;
use crate::delivery::SendRequest;
use crate::delivery::message::MessageState;
use crate::external;
use crate::store::suppressions::SuppressionScope;
use crate::webhooks::Event;
use podium_core::allocation::{AllocatorConfig, Phase};
use podium_core::audience::RfmGroup;
use podium_core::experience;
use podium_core::experiment::{
    Automation, Definition, ExclusionGroup, Experiment, ExposureSource, MetricChoice, OnHarm, OnWinner,
    Schedule, Status, Stickiness, UnitKind, Variant,
};
use podium_core::metric::{Direction, MetricKind, ValueUnit};
use podium_core::report::{Method, Report, Role, State, WarningCode, Withheld};
use podium_core::snapshot::Reason;
use podium_core::time::Timestamp;
use podium_core::value_type::ValueType;
use podium_plugin_host::{ChannelInfo, ProviderClass};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

type Names = BTreeSet<String>;

/// The names that serde says it would have taken.
#[track_caller]
fn expected_by<'de, T: Deserialize<'de>>(probe: &'de str) -> Names {
    let Err(error) = serde_json::from_str::<T>(probe) else { panic!("{probe} was taken") };
    let message = error.to_string();
    let (_, expected) = message.split_once("expected").unwrap_or_else(|| panic!("{message}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn members(schema: &Value) -> Names {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn members_that_are_read_are_those_that_are_declared() {
    #[track_caller]
    fn check<'de, T: Deserialize<'de>>(schema: &Value) {
        assert_eq!(members(schema), expected_by::<T>(r#"{"?": 0}"#));
        assert_eq!(schema["additionalProperties"], json!(false));
    }
    let document = document();
    let named = |name| schema(&document, name);
    check::<Variant>(&with_member(&with_member(named("NewVariant"), "removed_at"), "absences"));
    check::<MetricChoice>(&named("MetricWanted")["oneOf"][1]);
    check::<MetricChoice>(&named("MetricPatch")["oneOf"][1]);
    check::<ExclusionGroup>(named("ExclusionGroup"));
    check::<ExclusionGroup>(named("ExclusionGroupPatch"));
    check::<Automation>(named("Automation"));
    check::<Schedule>(named("Schedule"));
    check::<Definition>(named("ExperimentPatch"));
    check::<Definition>(&without_member(named("NewExperiment"), "key"));
    check::<AllocatorConfig>(named("AllocatorPatch"));
    check::<DecideRequest<'_>>(named("DecideRequest"));
    check::<PlanRequest>(named("PlanRequest"));
    check::<PreviewWanted>(named("PreviewRequest"));
    check::<LinkWanted>(named("NewPreviewLink"));
    check::<SendRequest>(named("NewMessages"));
    check::<NewSuppression>(named("NewSuppression"));
    check::<NewChannel>(named("NewChannel"));
    check::<Conclusion>(named("Conclusion"));
    check::<UndoBody>(named("Undoing"));
    check::<experience::Variant>(named("ExperienceVariant"));
    check::<experience::Rule>(named("Rule"));
    check::<experience::Rule>(&without_member(named("NewRule"), "experiment"));
    check::<experience::Definition>(&without_member(named("NewExperience"), "key"));
    check::<experience::Definition>(&without_member(named("ExperienceDefinition"), "key"));
    check::<Promotion>(named("Promotion"));
    check::<NewWebhook>(named("NewWebhook"));
    check::<NewSource>(named("NewSource"));
    check::<external::Definition>(named("SourceChange"));
    check::<NewAudience>(named("NewAudience"));
    check::<AudienceChange>(named("AudienceChange"));
    check::<Previewed>(named("SizeRequest"));
    check::<ExplainAsked>(named("AudienceQuestion"));
    check::<NewAlias>(named("NewAlias"));
    check::<NewKey>(named("NewApiKey"));
    check::<NewOrigins>(named("KeyOrigins"));
    let of_recipient = expected_by::<SendRequest>(r#"{"to": {"?": 0}}"#);
    assert_eq!(members(named("Recipient")), of_recipient);
    assert_eq!(named("Recipient")["additionalProperties"], json!(false));
    let of_allocators = named("Allocator")["oneOf"].as_array().unwrap().iter().flat_map(members);
    assert_eq!(of_allocators.collect::<Names>(), expected_by::<AllocatorConfig>(r#"{"?": 0}"#));
}

/// A new variant has not been taken out, so that member is not offered.
fn with_member(schema: &Value, name: &str) -> Value {
    let mut schema = schema.clone();
    assert!(schema["properties"].as_object_mut().unwrap().insert(name.to_owned(), Value::Null).is_none());
    schema
}

/// The key of a new experiment stands beside its definition.
fn without_member(schema: &Value, name: &str) -> Value {
    let mut schema = schema.clone();
    assert!(schema["properties"].as_object_mut().unwrap().remove(name).is_some());
    schema
}

#[test]
fn query_parameters_are_those_that_are_read() {
    let document = document();
    let check_method = |path: &str, method: &str, read: Names| {
        let parameters = document["paths"][path][method]["parameters"].as_array().unwrap();
        let of_query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let names = of_query.map(|parameter| parameter["name"].as_str().unwrap().to_owned());
        assert_eq!(names.collect::<Names>(), read, "{path}");
    };
    let check = |path: &str, read: Names| check_method(path, "get", read);
    check("/api/v1/experiments", expected_by::<ListQuery>(r#"{"?": 0}"#));
    check("/api/v1/experiments/{key}", expected_by::<VersionQuery>(r#"{"?": 0}"#));
    check("/api/v1/experiments/{key}/report", expected_by::<VersionQuery>(r#"{"?": 0}"#));
    check("/api/v1/experiments/{key}/shadow", expected_by::<VersionQuery>(r#"{"?": 0}"#));
    check("/api/v1/experiments/{key}/weights", expected_by::<HistoryQuery>(r#"{"?": 0}"#));
    check("/api/v1/experiments/{key}/history", expected_by::<history::ListQuery>(r#"{"?": 0}"#));
    let act = expected_by::<ActQuery>(r#"{"?": 0}"#);
    check_method("/api/v1/experiments/{key}/conclude", "post", act);
    check("/api/v1/experiences", expected_by::<experiences::ListQuery>(r#"{"?": 0}"#));
    check("/api/v1/experiences/{key}/history", expected_by::<experiences::HistoryQuery>(r#"{"?": 0}"#));
    check("/api/v1/audiences/{key}/moves", expected_by::<audiences::MovesQuery>(r#"{"?": 0}"#));
    check("/api/v1/profiles/{id}/moves", expected_by::<profiles::MovesQuery>(r#"{"?": 0}"#));
    check("/api/v1/events", expected_by::<EventsQuery>(r#"{"?": 0}"#));
    check("/api/v1/messages", expected_by::<MessagesQuery>(r#"{"?": 0}"#));
    check("/api/v1/suppressions", expected_by::<suppressions::ListQuery>(r#"{"?": 0}"#));
    check_method("/api/v1/suppressions", "delete", expected_by::<LiftQuery>(r#"{"?": 0}"#));
}

#[test]
fn words_that_are_read_are_those_that_are_declared() {
    #[track_caller]
    fn check<'de, T: Deserialize<'de>>(document: &Value, name: &str) {
        let declared = schema(document, name)["enum"].as_array().unwrap().iter();
        let declared: Names = declared.map(|word| word.as_str().unwrap().to_owned()).collect();
        assert_eq!(declared, expected_by::<T>(r#""?""#), "{name}");
    }
    let document = document();
    check::<Status>(&document, "Status");
    check::<UnitKind>(&document, "UnitKind");
    check::<experience::Status>(&document, "ExperienceStatus");
    check::<experience::HitPolicy>(&document, "HitPolicy");
    check::<experience::Aggregator>(&document, "Aggregator");
    check::<experience::Violation>(&document, "Violation");
    check::<ValueType>(&document, "ValueType");
    check::<Stickiness>(&document, "Stickiness");
    check::<ExposureSource>(&document, "ExposureSource");
    check::<OnWinner>(&document, "OnWinner");
    check::<OnHarm>(&document, "OnHarm");
    check::<Direction>(&document, "Direction");
    check::<MetricKind>(&document, "MetricKind");
    check::<ValueUnit>(&document, "ValueUnit");
    check::<State>(&document, "State");
    check::<Role>(&document, "Role");
    check::<Method>(&document, "Method");
    check::<WarningCode>(&document, "WarningCode");
    check::<Withheld>(&document, "Withheld");
    check::<Reason>(&document, "Reason");
    check::<Phase>(&document, "Phase");
    check::<Scope>(&document, "Scope");
    check::<Outcome>(&document, "Outcome");
    check::<MessageState>(&document, "MessageState");
    check::<SuppressionScope>(&document, "SuppressionScope");
    check::<Event>(&document, "WebhookEvent");
    check::<RfmGroup>(&document, "RfmGroup");
    let kinds = schema(&document, "HistoryKind")["enum"].as_array().unwrap().iter();
    let kinds: Names = kinds.map(|word| word.as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, expected_by::<Happening>(r#"{"kind": "?", "detail": {}}"#));
    let purposes = schema(&document, "Purpose")["enum"].as_array().unwrap().iter();
    let purposes: Names = purposes.map(|word| word.as_str().unwrap().to_owned()).collect();
    assert_eq!(purposes, expected_by::<SendRequest>(r#"{"purpose": "?"}"#));
    let types = &schema(&document, "AllocatorType")["enum"];
    let types = types.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
    assert_eq!(types.collect::<Names>(), expected_by::<AllocatorConfig>(r#"{"type": "?"}"#));
}

#[test]
fn a_channel_on_offer_is_what_its_schema_says() {
    let document = document();
    let classes = [
        ProviderClass::Keyed { key_ttl_s: 9 },
        ProviderClass::Coalescing,
        ProviderClass::Blind,
        ProviderClass::Pull,
    ];
    for class in classes {
        let info = ChannelInfo {
            id: "email".to_owned(),
            title: "Email".to_owned(),
            description: String::new(),
            plugin_id: "podium.email".to_owned(),
            plugin_version: "1.0.0".to_owned(),
            file: "email.so".into(),
            config_schema: r#"{"type": "object"}"#.to_owned(),
            class,
            batch_max: 1,
            parallel_max: 8,
            payload_limit: None,
            takes_webhooks: false,
        };
        let body = serde_json::to_value(Offered::from(&info)).unwrap();
        let found = faults(&document, schema(&document, "OfferedChannel"), &body);
        assert!(found.is_empty(), "{class:?}: {found:?}");
    }
}

#[test]
fn what_webhooks_are_told_is_what_its_schema_says() {
    let experiment: Experiment = serde_json::from_value(json!({
        "id": 1, "key": "banner", "version": 2, "status": "running", "served": null, "revision": 1,
        "created_at": "1970-01-01T00:00:00Z", "updated_at": "1970-01-01T00:00:00Z",
        "started_at": "1970-01-01T00:00:00Z", "concluded_at": null,
        "definition": {"variants": [{"key": "a", "control": true}, {"key": "b"}], "primary_metric": "m"}
    }))
    .unwrap();
    let document = document();
    let told = schema(&document, "WebhookMessage");
    let mut events = Names::new();
    for happening in each() {
        let Some(event) = happening.event() else { continue };
        let (actor, at) = ("podium".to_owned(), Timestamp::default());
        let entry = Entry { id: 7, experiment: experiment.id, at, actor, happening, undone_by: None };
        let body = message(event, &experiment, &entry, "https://podium.example").unwrap();
        assert_eq!(faults(&document, told, &body), [""; 0], "{body}");
        events.insert(event.as_str().to_owned());
    }
    assert_eq!(events, expected_by::<Event>(r#""?""#), "each is told of something");
    for (name, body) in examples::told() {
        assert_eq!(faults(&document, told, &body), [""; 0], "{name}");
    }
}

#[test]
fn reasons_for_refusing_an_event_are_those_in_its_source() {
    let sources = [
        include_str!("../../../ingest/event.rs"),
        include_str!("../../../ingest/body.rs"),
        include_str!("../../../ingest/joining.rs"),
        include_str!("../../../ingest/whose.rs"),
    ];
    let mut said = Names::new();
    for source in sources {
        for before in ["reject(", "reason: "] {
            for after in source.split(before).skip(1) {
                let Some(text) = after.trim_start().strip_prefix('"') else { continue };
                said.insert(text.split('"').next().unwrap().to_owned());
            }
        }
    }
    let document = document();
    let declared = schema(&document, "RejectionReason")["enum"].as_array().unwrap().iter();
    assert_eq!(declared.map(|reason| reason.as_str().unwrap().to_owned()).collect::<Names>(), said);
}

#[test]
fn defaults_are_what_serde_fills_in() {
    let document = document();
    let smallest = json!({"variants": [{"key": "a"}, {"key": "b"}], "primary_metric": "m"});
    let filled: Definition = serde_json::from_value(smallest).unwrap();
    let filled = serde_json::to_value(filled).unwrap();
    let check = |schema: &Value, filled: &Value| {
        let mut n_checked = 0;
        for (name, property) in schema["properties"].as_object().unwrap() {
            if let Some(default) = property.get("default") {
                assert_eq!(default, &filled[name], "{name}");
                n_checked += 1;
            }
        }
        n_checked
    };
    assert_eq!(check(schema(&document, "NewExperiment"), &filled), 10);
    assert_eq!(check(schema(&document, "NewVariant"), &filled["variants"][0]), 2);
    let smallest = json!({"variants": [{"key": "a", "content": 1}], "fallback": "a"});
    let filled: experience::Definition = serde_json::from_value(smallest).unwrap();
    let filled = serde_json::to_value(filled).unwrap();
    assert_eq!(check(schema(&document, "NewExperience"), &filled), 4);
    for allocator in schema(&document, "Allocator")["oneOf"].as_array().unwrap() {
        let name = &allocator["properties"]["type"]["enum"][0];
        let filled: AllocatorConfig = serde_json::from_value(json!({ "type": name })).unwrap();
        check(allocator, &serde_json::to_value(filled).unwrap());
    }
}

#[test]
fn a_report_has_no_member_that_can_be_left_out() {
    let document = document();
    let report = schema(&document, "Report");
    let required: Names =
        report["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(required, members(report));
    // Each is missed in turn.
    let body = |left_out: &str| {
        let all = members(report).into_iter().filter(|name| name != left_out);
        Value::Object(all.map(|name| (name, Value::Null)).collect())
    };
    for name in ["sentence", "state", "metrics"] {
        assert!(serde_json::from_value::<Report>(body(name)).is_err(), "{name}");
    }
}
