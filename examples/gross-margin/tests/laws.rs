//! That the metric as it was built keeps every law, wherever costs come from.

use podium_plugin_host::conformance::Law;
use podium_plugin_host::conformance::alone::{self, Job, Said};
use podium_plugin_host::conformance::channel::Verdict;
use std::path::Path;

/// By itself in this file, because a leak is noticed by the size of the process.
#[test]
fn every_law_is_kept() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("laws-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let built = std::env::current_exe().unwrap().parent().unwrap().join("libgross_margin.so");
    let copy = folder.join("gross_margin.so");
    std::fs::copy(built, &copy).unwrap();
    for config_json in [r#"{"costs": {"11": 400}, "otherwise": 100}"#, r#"{"line_cost": "cost"}"#] {
        for law in Law::ALL {
            let (metric_id, config_json) = ("gross_margin".to_owned(), config_json.to_owned());
            let job = Job::Law { metric_id, config_json, law };
            assert_eq!(alone::run(&copy, &job), Said::Verdict(Verdict::Kept), "{law:?}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
