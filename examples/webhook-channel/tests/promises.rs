//! That the channel as it was built keeps every promise of the contract, against every double of an endpoint.

use podium_plugin_host::conformance::alone::{self, Job, Said};
use podium_plugin_host::conformance::channel::{Promise, Protocol, Trial, Verdict};
use std::collections::BTreeMap;
use std::path::Path;

/// By itself in this file, because a leak is noticed by the size of the process.
#[test]
fn every_promise_is_kept() {
    let test = std::env::current_exe().unwrap();
    let library = test.parent().unwrap().join("libwebhook_channel.so");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("promises-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let copy = folder.join("webhook.so");
    std::fs::copy(library, &copy).unwrap();
    let trial = Trial {
        config_json: r#"{"endpoint": "{{endpoint}}hook", "signing_secret": {"secret": "KEY"}}"#.into(),
        secrets: BTreeMap::from([("KEY".into(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())]),
        address_json: None,
        content_json: Some(r#"{"note": "Hi {{ name }}"}"#.into()),
        protocol: Protocol::Http,
    };
    for promise in Promise::ALL {
        let job = Job::Promise { channel_id: "webhook".into(), trial: trial.clone(), promise };
        assert_eq!(alone::run(&copy, &job), Said::Verdict(Verdict::Kept), "{promise:?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
