//! What is registered is documented, and the other way round.

use super::shop::Shop;
use super::{document, operations};
use actix_web::http::Method;
use actix_web::test::TestRequest;
use podium_core::experiment::Action;
use std::collections::BTreeSet;

/// What stands in place of `{action}`.
const ACTIONS: [&str; 4] = ["start", "pause", "conclude", "archive"];

/// The methods and paths that the source of `routes` registers.
fn registered() -> BTreeSet<(String, String)> {
    let source = include_str!("../../mod.rs").lines().filter(|line| !line.trim_start().starts_with("//"));
    let source: String = source.collect();
    let mut found = BTreeSet::new();
    for registration in source.split("resource(\"").skip(1) {
        let (path, methods) = registration.split_once('"').unwrap();
        let paths = match path.split_once("{action}") {
            Some((before, _)) => ACTIONS.map(|action| format!("{before}{action}")).to_vec(),
            None => vec![path.to_owned()],
        };
        for method in ["get", "post", "put", "patch", "delete"] {
            if methods.contains(&format!(".{method}(")) {
                found.extend(paths.iter().map(|path| (method.to_uppercase(), path.clone())));
            }
        }
    }
    found
}

#[test]
fn every_registered_route_is_documented_and_no_other() {
    let documented: BTreeSet<_> = operations(&document()).into_keys().collect();
    let registered = registered();
    let missing: Vec<_> = registered.difference(&documented).collect();
    assert!(missing.is_empty(), "not in the document: {missing:?}");
    let invented: Vec<_> = documented.difference(&registered).collect();
    assert!(invented.is_empty(), "not registered: {invented:?}");
    assert!(30 < registered.len(), "{registered:?}");
}

/// The source may be read wrongly, so the server is asked too.
#[actix_web::test]
async fn each_path_answers_to_its_methods_alone() {
    let shop = Shop::open().await;
    let server = shop.server().await;
    let documented: BTreeSet<_> = operations(&document()).into_keys().collect();
    let paths: BTreeSet<_> = documented.iter().map(|(_, path)| path.clone()).collect();
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let uri = path.replace(['{', '}'], "");
            let answer = server.ask(TestRequest::with_uri(&uri).method(method.clone())).await;
            let kind = answer.body["type"].as_str().unwrap_or_default();
            let is_there = kind != "/problems/method-not-allowed" && !answer.is_nowhere();
            let is_documented = documented.contains(&(method.to_string(), path.clone()));
            assert_eq!(is_there, is_documented, "{method} {uri}: {} {}", answer.status, answer.body);
            if let Some(allow) = answer.headers.get("allow") {
                // What HTTP and CORS bring along is not documented.
                let allowed = allow.split(", ").filter(|method| !["HEAD", "OPTIONS"].contains(method));
                let allowed: BTreeSet<_> = allowed.map(str::to_owned).collect();
                let of_path = documented.iter().filter(|(_, one)| *one == path);
                let of_path: BTreeSet<_> = of_path.map(|(method, _)| method.clone()).collect();
                assert_eq!(allowed, of_path, "{uri}");
            }
            assert_eq!(answer.status == 405, answer.headers.contains_key("allow"), "{method} {uri}");
        }
    }
    let nowhere = server.ask(TestRequest::get().uri("/api/v1/nowhere")).await;
    assert!(nowhere.is_nowhere(), "{}", nowhere.body);
}

#[test]
fn every_action_of_the_lifecycle_has_its_path() {
    let names = [Action::Start, Action::Pause, Action::Conclude, Action::Archive].map(Action::as_str);
    assert_eq!(names, ACTIONS);
}
