//! Makes the C header from the sources of the crate.

use podium_plugin_abi::{ENTRY_SYMBOL, note};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const CRATE_DIR: &str = env!("CARGO_MANIFEST_DIR");

/// The modules with what C authors see, in the order of the header.
const MODULES: [&str; 7] = ["lib", "codes", "text", "host", "metric", "channel", "plugin"];

/// The modules that mean nothing to C authors; the note is a macro for them.
const OTHER_MODULES: [&str; 2] = ["growable", "note"];

/// Where in the documentation of the crate the rules begin that hold for C as well.
const RULES_BEGIN: &str = "//! What holds everywhere:";

static TRANSLATING: Mutex<()> = Mutex::new(());

/// What C authors need and no Rust item says.
const END: &str = include_str!("end.h");

/// Writes the header as it must be.
pub(crate) fn header() -> String {
    let mut config = config();
    let names = Names(config.export.rename.clone());
    let sources = MODULES.map(|module| {
        let source = fs::read_to_string(format!("{CRATE_DIR}/src/{module}.rs")).unwrap();
        (module, source)
    });
    config.header = Some(front(&sources[0].1, &names));
    config.after_includes = Some("\n#ifdef __cplusplus\nextern \"C\" {\n#endif".into());
    // cbindgen reads files: the sources in the words of C.
    let _one_at_a_time = TRANSLATING.lock().unwrap_or_else(PoisonError::into_inner);
    let translated_dir =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("header-{}", std::process::id()));
    fs::create_dir_all(&translated_dir).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for (module, source) in &sources {
        let file = translated_dir.join(format!("{module}.rs"));
        fs::write(&file, translate(source, &names)).unwrap();
        builder = builder.with_src(file);
    }
    let mut bytes = Vec::new();
    builder.generate().unwrap().write(&mut bytes);
    fs::remove_dir_all(&translated_dir).unwrap();
    format!("{}\n{}", finish(&String::from_utf8(bytes).unwrap()), end())
}

/// Lists the types of the contract by their names in Rust.
pub(crate) fn types() -> Vec<String> {
    let mut types = Vec::new();
    for file in fs::read_dir(format!("{CRATE_DIR}/src")).unwrap() {
        let file = file.unwrap().path();
        if OTHER_MODULES.iter().any(|module| file.file_stem() == Some(module.as_ref())) {
            continue;
        }
        let source = fs::read_to_string(file).unwrap();
        let declared = source.lines().filter_map(|line| {
            let rest = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub type "))?;
            rest.split(|c: char| !c.is_ascii_alphanumeric()).next().map(str::to_owned)
        });
        types.extend(declared);
    }
    types
}

/// Translates the name of a type.
pub(crate) fn name_in_c(of_rust: &str) -> String {
    Names(config().export.rename).of(of_rust)
}

fn config() -> cbindgen::Config {
    cbindgen::Config::from_file(format!("{CRATE_DIR}/cbindgen.toml")).unwrap()
}

/// Makes the comment at the top.
fn front(lib: &str, names: &Names) -> String {
    let rules =
        lib.lines().skip_while(|line| *line != RULES_BEGIN).take_while(|line| line.starts_with("//!"));
    let rules: Vec<String> = rules.map(|line| names.doc(&line.replacen("//!", "//", 1))).collect();
    assert!(rules.len() > 5, "src/lib.rs does not say {RULES_BEGIN:?}");
    let opening = "// The C contract between Podium and its plugins.\n\
         //\n\
         // Generated from the crate `podium-plugin-abi`; do not edit. A plugin is a shared library that exports one\n\
         // function, `podium_plugin_entry_v1`, and has one line `PODIUM_PLUGIN_NOTE;` in one of its files.";
    let guard = "#ifndef PODIUM_PLUGIN_H\n#define PODIUM_PLUGIN_H";
    format!("{opening}\n//\n{}\n\n{guard}", rules.join("\n"))
}

fn end() -> String {
    END.replace("@SECTION@", note::SECTION)
        .replace("@OWNER@", note::OWNER.escape_ascii().to_string().trim_end_matches("\\x00"))
        .replace("@OWNER_SIZE@", &note::OWNER.len().to_string())
        .replace("@TYPE_VERSION@", &note::TYPE_VERSION.to_string())
        .replace("@ENTRY_SYMBOL@", ENTRY_SYMBOL)
}

/// Translates a source file: what a function may be absent from is a plain pointer in C, and names are C's.
fn translate(source: &str, names: &Names) -> String {
    let mut translated = String::new();
    for line in source.lines() {
        let is_doc = line.trim_start().starts_with("///");
        let line = if is_doc { names.doc(line) } else { without_option(line).replace("type_:", "r#type:") };
        translated.push_str(&line);
        translated.push('\n');
    }
    translated
}

/// Takes `Option<…>` off a named function type, which cbindgen does not look through.
fn without_option(line: &str) -> String {
    match line.split_once("Option<").and_then(|(before, rest)| Some((before, rest.split_once("Fn>")?))) {
        Some((before, (name, after))) => format!("{before}{name}Fn{after}"),
        None => line.to_owned(),
    }
}

/// Brings what cbindgen wrote into the form that we want: `this` is a word of C++, and `x - -1` should not depend on
/// a space.
fn finish(header: &str) -> String {
    let lines = header.lines().map(|line| {
        let line = line.replace("*this,", "*self,").replace("*this)", "*self)");
        match line.strip_prefix("#define ").and_then(|define| define.split_once(" -")) {
            Some((name, magnitude)) => format!("#define {name} (-{magnitude})\n"),
            None => format!("{}\n", line.trim_end()),
        }
    });
    lines.collect()
}

/// What things are called in C.
struct Names(HashMap<String, String>);

impl Names {
    /// Translates a line of documentation: links become names, and names become those of C.
    fn doc(&self, line: &str) -> String {
        let line = line
            .replace("One of the `METRIC_` numbers", "`PODIUM_PROPORTION`, `PODIUM_MEAN` or `PODIUM_RATIO`")
            .replace("`*this`", "`*self`")
            .replace("`f64`", "`double`")
            .replace("[`codes`]", "constants");
        let mut translated = String::new();
        let mut rest = line.as_str();
        while let Some((before, (name, after))) =
            rest.split_once("[`").and_then(|(before, rest)| Some((before, rest.split_once("`]")?)))
        {
            translated.push_str(before);
            translated.extend(["`", &self.of(name), "`"]);
            rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
                Some((_, after)) => after,
                None => after,
            };
        }
        translated.push_str(rest);
        let groups =
            ["UNIT_", "DIRECTION_", "POSTERIOR_", "COLUMN_", "OUTCOME_", "PURPOSE_", "PROVIDER_", "KIND_"];
        groups
            .iter()
            .fold(translated, |line, group| line.replace(&format!("`{group}`"), &format!("`PODIUM_{group}`")))
    }

    /// Translates the name of an item, or of a field of one.
    fn of(&self, rust: &str) -> String {
        let rust = rust.trim_start_matches("codes::");
        match rust.split_once("::") {
            Some((item, field)) => format!("{}.{field}", self.of(item)),
            None => self.0.get(rust).cloned().unwrap_or_else(|| format!("PODIUM_{rust}")),
        }
    }
}
