//! That the channel as it was built keeps every promise of the contract.

use podium_plugin_host::conformance::alone::{self, Job, Said};
use podium_plugin_host::conformance::channel::{Protocol, Trial, Verdict};
use std::collections::BTreeMap;
use std::path::Path;

/// By itself in this file, because a leak is noticed by the size of the process.
#[test]
fn every_promise_is_kept() {
    let test = std::env::current_exe().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("promises-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let copy = folder.join("shopify.so");
    std::fs::copy(test.parent().unwrap().join("libshopify_orders.so"), &copy).unwrap();
    let Said::Has { channels, .. } = alone::run(&copy, &Job::List { protocol: Protocol::Http }) else {
        panic!("the library is refused");
    };
    let [(channel_id, promises)] = &channels[..] else { panic!("{channels:?}") };
    assert_eq!(promises.len(), 5, "a channel that sends nothing has no promise of deliveries");
    let trial = Trial {
        config_json: r#"{"shop": "example.myshopify.com", "signing_secret": {"secret": "S"}}"#.into(),
        secrets: BTreeMap::new(),
        address_json: None,
        content_json: None,
        protocol: Protocol::Http,
    };
    for &promise in promises {
        let job = Job::Promise { channel_id: channel_id.clone(), trial: trial.clone(), promise };
        assert_eq!(alone::run(&copy, &job), Said::Verdict(Verdict::Kept), "{promise:?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
