//! The example from the documentation, as it was built, through the host.

use podium_plugin_host::conformance::{Law, Subject};
use podium_plugin_host::{Batch, ColumnType, CreateError, HostLog, Registry, Value};
use std::fs;
use std::path::Path;

#[test]
fn the_example_loads_and_keeps_every_law() {
    let test = std::env::current_exe().unwrap();
    let library = test.parent().unwrap().parent().unwrap().join("examples/libaov.so");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aov");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(library, folder.join("aov.so")).unwrap();
    let registry = Registry::load(&[folder], &HostLog::discard());
    assert_eq!(registry.refusals(), []);
    let info = registry.find("aov").unwrap();
    assert_eq!((info.plugin_id.as_str(), info.plugin_version.as_str()), ("com.example.aov", "0.1.0"));
    assert_eq!((info.k, info.window_s, info.cap_quantile, info.revision), (2, 14 * 86_400, Some(0.999), 1));

    assert_eq!(info.beside, ["revenue_per_visitor"]);

    let subject = Subject::new(&registry, "aov", r#"{"amount": "total"}"#).unwrap();
    for law in Law::ALL {
        assert_eq!(subject.check(law), Ok(()));
    }

    let metric = registry.create("aov", r#"{"amount": "total"}"#).unwrap();
    assert_eq!(
        metric.fields_json(),
        r#"{"columns":[{"name":"amount","type":"money"}],"events":[{"name":"Order Completed","once_per":"order_id","read":{"amount":"total"}}]}"#
    );
    let mut batch = Batch::new(&[ColumnType::Money]);
    batch.push_row(0, 0, &[Value::Money(8_990)]).unwrap();
    batch.push_row(0, 0, &[Value::Null]).unwrap();
    assert_eq!(metric.observe(&batch).unwrap(), [8_990, 1, 0, 0]);
    assert_eq!(metric.value(&[8_990, 1, 0, 0]).unwrap(), [(8_990.0, 1.0), (0.0, 0.0)]);

    let error = registry.create("aov", "{}").map(|_| "an instance").unwrap_err();
    assert_eq!(error, CreateError::Config { text: "missing field `amount` at line 1 column 2".into() });
}
