//! That plugins in C load and keep the laws: the example, one of the first version, and one of a later version.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

#[path = "../../abi/tests/compiler/mod.rs"]
mod compiler;
mod folder;
mod here;

use folder::Folder;
use podium_plugin_abi::ABI_MINOR;
use podium_plugin_host::conformance::{Law, Subject};
use podium_plugin_host::{Batch, ColumnType, Registry, Slug, Value};
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const PLUGINS_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const EXAMPLE_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/c-metric");
const GCC: &str = "gcc";

/// Builds `source` against the headers of `include_dir`.
#[track_caller]
fn build(source: &Path, include_dir: &Path, library: &Path) {
    let include = format!("-I{}", include_dir.display());
    let arguments = ["-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", include.as_str(), "-o"];
    let files = [library.to_str().unwrap(), source.to_str().unwrap()];
    compiler::run(GCC, compiler::STRICT.into_iter().chain(arguments).chain(files));
}

/// One at a time, because a leak is noticed by the size of the process.
#[track_caller]
fn check_laws(registry: &Registry, metric_id: &str) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(registry.refusals(), []);
    let subject = Subject::new(registry, metric_id, "{}").unwrap();
    for law in Law::ALL {
        assert_eq!(subject.check(law), Ok(()));
    }
}

/// Adds up orders of 500 and -20, one without an amount, and an event that nobody asked for.
#[track_caller]
fn check_revenue(registry: &Registry) {
    check_laws(registry, "first_revenue");
    let metric = registry.create("first_revenue", "").unwrap();
    let mut batch = Batch::new(&[ColumnType::Money]);
    for (event, amount) in
        [(0, Value::Money(500)), (0, Value::Money(-20)), (0, Value::Null), (7, Value::Money(9))]
    {
        batch.push_row(event, 0, &[amount]).unwrap();
    }
    assert_eq!(metric.observe(&batch).unwrap(), [500, -20, 0, 0]);
    assert_eq!(metric.value(&[480]).unwrap(), [(480.0, 1.0)]);
}

/// By the line of its page, which a reader copies, and then as strictly as a compiler can be.
#[test]
fn the_example_in_c_keeps_the_laws() {
    if !compiler::is_there(GCC, "the metric in C") {
        return;
    }
    let folder = Folder::new("c-example");
    let library = folder.path().join("orders_per_visitor.so");
    let page = fs::read_to_string(format!("{EXAMPLE_DIR}/README.md")).unwrap();
    let line = page.lines().find(|line| line.starts_with("gcc ")).unwrap();
    let here = line.replace("-o orders_per_visitor.so", &format!("-o '{}'", library.display()));
    assert_ne!(here, line);
    compiler::run("sh", ["-c", &format!("cd '{EXAMPLE_DIR}' && {here}")]);
    let registry = folder.load();
    check_laws(&registry, "orders_per_visitor");
    let metric = registry.create("orders_per_visitor", " {\n} ").unwrap();
    let mut batch = Batch::new(&[]);
    for event in [0, 0, 1] {
        batch.push_row(event, 0, &[]).unwrap();
    }
    assert_eq!(metric.observe(&batch).unwrap(), [1, 1, 0]);
    assert_eq!(metric.value(&[2]).unwrap(), [(2.0, 1.0)]);

    let source = Path::new(EXAMPLE_DIR).join("orders_per_visitor.c");
    build(&source, &Path::new(PLUGINS_DIR).join("abi/include"), &folder.path().join("strict"));
}

#[test]
fn a_plugin_of_the_first_version_loads() {
    if !compiler::is_there(GCC, "a plugin built against the first header") {
        return;
    }
    let folder = Folder::new("c-first");
    let first = Path::new(PLUGINS_DIR).join("abi/tests/first");
    build(&first.join("revenue.c"), &first, &folder.path().join("first.so"));
    let registry = folder.load();
    check_revenue(&registry);
    assert!(registry.find("first_revenue").unwrap().beside.is_empty(), "what it could not say yet");
}

/// Every struct that can grow has a field more than this host knows, and the minor version is higher.
#[test]
fn a_plugin_of_a_later_minor_version_loads() {
    if !compiler::is_there(GCC, "a plugin built against a later header") {
        return;
    }
    let folder = Folder::new("c-later");
    let first = Path::new(PLUGINS_DIR).join("abi/tests/first");
    let header = fs::read_to_string(Path::new(PLUGINS_DIR).join("abi/include/podium_plugin.h")).unwrap();
    let minor = format!("#define PODIUM_ABI_MINOR {ABI_MINOR}\n");
    assert!(header.contains(&minor), "{minor}");
    let mut later = header.replace(&minor, &format!("#define PODIUM_ABI_MINOR {}\n", ABI_MINOR + 1));
    let grown =
        ["error", "outcome", "host", "column", "batch", "metric", "call", "message", "channel", "component"];
    for name in grown.into_iter().chain(["plugin"]) {
        let end = format!("}} podium_{name};");
        assert!(later.contains(&end), "{end}");
        later = later.replace(&end, &format!("    int32_t (*later)(void *self);\n{end}"));
    }
    fs::write(folder.path().join("podium_plugin_1_0.h"), later).unwrap();
    // A descriptor that uses what is new, and not just is longer.
    let source = fs::read_to_string(first.join("revenue.c")).unwrap();
    let used = source.replace(".fields = fields,", ".fields = fields, .later = later,");
    let used = used.replace(
        "static const podium_metric metric",
        "static int32_t later(void *self) { return self != NULL; }\n\nstatic const podium_metric metric",
    );
    assert!(used.contains(".later = later") && used.contains("int32_t later("));
    let file = folder.path().join("later.c");
    fs::write(&file, used).unwrap();
    build(&file, folder.path(), &folder.path().join("later.so"));
    check_revenue(&folder.load());
}

/// The note of the header is where the host looks for it: the code of this library ends the process.
#[test]
fn a_note_written_in_c_is_read_without_running_code() {
    if !compiler::is_there(GCC, "the note of the header") {
        return;
    }
    let folder = Folder::new("c-note").with(&["gross_items"]);
    let file = folder.path().join("note.c");
    let source = "#include \"podium_plugin.h\"\n\
        #include <stdlib.h>\n\
        #undef PODIUM_ABI_MAJOR\n\
        #undef PODIUM_ABI_MINOR\n\
        #define PODIUM_ABI_MAJOR 9\n\
        #define PODIUM_ABI_MINOR 3\n\
        PODIUM_PLUGIN_NOTE;\n\
        __attribute__((constructor)) static void end(void) { abort(); }\n\
        const podium_plugin *podium_plugin_entry_v1(void) { return NULL; }\n";
    fs::write(&file, source).unwrap();
    build(&file, &Path::new(PLUGINS_DIR).join("abi/include"), &folder.path().join("note.so"));
    let registry = folder.load();
    let [refusal] = registry.refusals() else { panic!("{registry:?}") };
    assert_eq!(refusal.slug, Slug::AbiMajor);
    assert!(
        refusal.to_string().starts_with("note.so: abi-major: expected 1, found 9 (minor 3)"),
        "{refusal}"
    );
    assert!(registry.find("gross_items").is_some());
}
