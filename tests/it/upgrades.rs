//! Plugins are installed, upgraded and rolled back, and only what a list names is loaded; nobody notices but who looks.

mod world;

use self::world::{PLUGIN, World, arg, done, edition, libraries, podium, refused, text};
use crate::harness::events::{history, order, page, viewed};
use crate::harness::{Book, Built, Engine, Folder, Shop, experiment, named, soon};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The version of `fixture_edition_next`.
const NEXT: &str = "99.0.0";

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(what_is_installed_is_loaded_and_nothing_else));
    book.once(named!(a_folder_without_a_list_gets_one_of_all_that_is_there));
    book.once(named!(what_the_check_finds_is_not_installed));
    book.both(named!(an_upgrade_under_load_fails_and_doubles_nothing));
    book.once(named!(a_list_changed_by_hand_is_taken_over));
    book.once(named!(a_file_that_is_refused_leaves_everything_as_it_was));
    book.once(named!(without_a_server_an_upgrade_is_for_the_next_start));
    book.once(named!(an_upgrade_is_taken_back_in_the_server_and_in_the_list));
    book.both(named!(a_version_that_crashes_goes_away_by_itself));
    book.once(named!(nobody_is_ready_without_what_is_required));
}

pub(crate) fn what_is_installed_is_loaded_and_nothing_else(engine: Engine) {
    let mut world = World::open(engine);
    let status = world.status();
    assert_eq!((&status["locked"], &status["generation"]), (&json!(true), &json!(1)), "{status}");
    assert_eq!(
        (&status["metrics"], &status["channels"]),
        (&json!(["fixture_counts"]), &json!(["fixture_hands"]))
    );
    // What is installed already stays, and what nobody listed is not loaded.
    let first = world.edition("fixture_edition", "first");
    let again = done(&["install", arg(&first), "--to", arg(world.plugins.path()), "--force"]);
    assert_eq!(again["result"], "unchanged", "{again}");
    fs::copy(Built::example("gross_items"), world.plugins.path().join("gross_items.so")).unwrap();
    // Nor is what somebody changed.
    let [name, _] = &libraries(world.plugins.path())[..] else { panic!("{:?}", world.contents().keys()) };
    let file = world.plugins.path().join(name);
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    world.shop.restart();
    let listed = world.shop.admin.get("/api/v1/plugins").expect(200);
    let lines: Vec<&str> =
        listed["refused"].as_array().unwrap().iter().map(|each| each["line"].as_str().unwrap()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(&format!("{name}: sha256-mismatch: expected ")), "{lines:?}");
    assert!(lines[1].starts_with("gross_items.so: not-locked: "), "{lines:?}");
    let key = world.shop.podium.key("admin");
    let printed = podium(&["list", "--url", world.shop.podium.url(), "--key", &key]);
    assert!(lines.iter().all(|line| text(&printed).contains(line)), "{}", text(&printed));
    assert!(world.shop.podium.log().iter().any(|line| line.contains("sha256-mismatch")));
    assert_eq!(world.shop.decide("ann", "blast").reason, "SPLIT");
}

fn a_folder_without_a_list_gets_one_of_all_that_is_there() {
    let (plugins, files) = (Folder::new("plugins"), Folder::new("files"));
    fs::copy(Built::example("fixture_crash"), plugins.path().join("crash.so")).unwrap();
    fs::write(plugins.path().join("text.so"), "no library").unwrap();
    let first = edition(&files, "fixture_edition", "first");
    let installed = podium(&["install", arg(&first), "--to", arg(plugins.path()), "--force"]);
    let said = text(&installed);
    assert!(installed.status.success(), "{said}");
    assert!(said.contains("it lists what was there, too: crash.so"), "{said}");
    assert!(said.contains("not listed: text.so: not-a-library: "), "{said}");
    let shop = Shop::with_plugins(Engine::Sqlite, vec![plugins.path().to_owned()]);
    for plugin in [PLUGIN, "com.example.fixture-crash"] {
        assert_eq!(shop.plugin(plugin)["locked"], true);
    }
}

fn what_the_check_finds_is_not_installed() {
    let folder = Folder::new("nothing");
    let plugins = folder.path().join("plugins");
    let lawless = Built::example("fixture_lawless");
    let to = ["--to", arg(&plugins)];
    refused(&[&["install", arg(&lawless)][..], &to].concat(), "podium plugin check");
    refused(&[&["install", "nowhere.so"][..], &to].concat(), "cannot read nowhere.so");
    assert!(!plugins.exists(), "nothing was begun");
    let good = Built::example("gross_items");
    refused(&[&["upgrade", arg(&good)][..], &to].concat(), "`podium plugin install` puts it there");
    done(&[&["install", arg(&good), "--required", "--may-see", "A"][..], &to].concat());
    let entry = podium(&["check", arg(&good), "--lock", "--required", "--may-see", "A"]);
    let list = fs::read_to_string(plugins.join("plugins.lock")).unwrap();
    let name = format!("file = \"{}\"", good.file_name().unwrap().to_str().unwrap());
    let same = text(&entry).replace(&name, &format!("file = {:?}", libraries(&plugins)[0]));
    assert!(list.ends_with(&same) && same.starts_with("[[plugin]]"), "{list}, and by itself: {same}");
}

/// What a run came to.
#[derive(Debug, PartialEq)]
struct Figures {
    counts: i64,
    conversions: i64,
    n_sent: usize,
}

/// Says at its end, whatever that is, that it is over.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends orders and messages and decides, while `meanwhile` runs again and again; returns how often it did, too.
fn run_load(world: &World, meanwhile: impl Fn(usize)) -> (Figures, usize) {
    const N_ORDERS: usize = 3_000;
    const N_MESSAGES: usize = 400;
    const DECISIONS_PER_PAGE: usize = 100;
    let shop = &world.shop;
    let is_over = AtomicBool::new(false);
    let n_times = std::thread::scope(|scope| {
        let over = Over(&is_over);
        let deciding = scope.spawn(|| {
            for number in 0.. {
                for _ in 0..DECISIONS_PER_PAGE {
                    assert_eq!(shop.decide("visitor", "banner").reason, "SPLIT");
                }
                // Is answered when all of these are written: faster than that, decisions would fill the queue.
                shop.log(&[page("visitor", history() + number)]);
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let sending = scope.spawn(|| {
            for first in (0..N_MESSAGES).step_by(20) {
                let to: Vec<Value> = (first..first + 20)
                    .map(|n| json!({"unit": format!("u{n}"), "address": format!("to-{n}")}))
                    .collect();
                let request = json!({"channel": "hands", "flag": "blast", "to": to});
                shop.send_messages(&format!("blast-{first}"), &request);
            }
        });
        let ordering = scope.spawn(|| {
            for first in (0..N_ORDERS).step_by(50) {
                let events: Vec<Value> = (first..first + 50).flat_map(shopper).collect();
                shop.log(&events);
            }
        });
        let mut n_times = 0;
        while n_times < 3 || !(sending.is_finished() && ordering.is_finished()) {
            meanwhile(n_times);
            n_times += 1;
        }
        drop(over);
        for thread in [deciding, sending, ordering] {
            thread.join().unwrap();
        }
        n_times
    });
    soon("every message is sent", || shop.all_messages_ended());
    let sent = world.provider.taken.lock().unwrap().clone();
    let keys: HashSet<&String> = sent.iter().collect();
    assert_eq!((sent.len(), keys.len()), (N_MESSAGES, N_MESSAGES), "each was sent, and none twice");
    let report = shop.report("banner");
    let figure = |metric| report.figure(metric, "b").numerator;
    let n_sent = keys.len();
    (Figures { counts: figure("fixture_counts"), conversions: figure("conversion"), n_sent }, n_times)
}

/// A shopper who sees a variant and orders.
fn shopper(number: usize) -> [Value; 2] {
    let unit = format!("unit-{number}");
    let told = order(&unit, &format!("o-{number}"), 100, history() + 1 + number as i64);
    [viewed(&unit, "banner", "b", history()), told]
}

pub(crate) fn an_upgrade_under_load_fails_and_doubles_nothing(engine: Engine) {
    let quiet = World::open(engine);
    let (expected, _) = run_load(&quiet, |_| std::thread::sleep(Duration::from_millis(5)));
    drop(quiet);
    let mut world = World::open(engine);
    let editions = [world.edition("fixture_edition_next", "next"), world.edition("fixture_edition", "first")];
    let before = world.status()["version"].clone();
    let (figures, n_upgrades) = run_load(&world, |n| {
        let upgraded = world.upgrade(&editions[n % 2]);
        assert_eq!(upgraded["result"], "upgraded", "{upgraded}");
        let version = world.status()["version"].clone();
        assert_eq!(version, if n % 2 == 0 { json!(NEXT) } else { before.clone() });
    });
    assert_eq!(figures, expected);
    let status = world.status();
    assert_eq!((&status["generation"], &status["restarts"]), (&json!(n_upgrades + 1), &json!(0)), "{status}");
    println!("{n_upgrades} upgrades under load");
    // The folder has what runs and what ran before, and no more; the next start loads the same.
    assert_eq!(world.contents().len(), 3, "{:?}", world.contents().keys());
    world.shop.restart();
    assert_eq!(world.status()["sha256"], status["sha256"]);
    world.shop.check_rebuild();
}

fn a_list_changed_by_hand_is_taken_over() {
    let world = World::open(Engine::Sqlite);
    let next = world.edition("fixture_edition_next", "next");
    fs::copy(&next, world.plugins.path().join("fixture_edition_next-next.so")).unwrap();
    let entry = podium(&["check", arg(&next), "--lock"]);
    let other = Built::example("gross_items");
    let other_entry = text(&podium(&["check", arg(&other), "--lock"]));
    let entry = String::from_utf8(entry.stdout).unwrap();
    fs::write(world.plugins.path().join("plugins.lock"), format!("{entry}\n{other_entry}")).unwrap();
    soon("the file of the list runs", || (world.status()["version"] == NEXT).then_some(()));
    assert_eq!(world.status()["generation"], 2);
    let says_so =
        |line: &String| line.contains("com.example.gross-items") && line.contains("restart to load it");
    let n_lines = || world.shop.podium.log().iter().filter(|line| says_so(line)).count();
    soon("what is new is said", || (n_lines() == 1).then_some(()));
    // A list that makes no sense changes nothing.
    fs::write(world.plugins.path().join("plugins.lock"), "plugin = 1").unwrap();
    let reloaded = world.shop.admin.post("/api/v1/plugins/reload", &Value::Null).expect(200);
    assert_eq!(reloaded["refused"][0]["slug"], "bad-lock", "{reloaded}");
    fs::write(world.plugins.path().join("plugins.lock"), &entry).unwrap();
    let reloaded = world.shop.admin.post("/api/v1/plugins/reload", &Value::Null).expect(200);
    assert_eq!(reloaded["data"].as_array().unwrap().len(), 1, "{reloaded}");
    assert_eq!(reloaded["data"][0]["result"], "unchanged", "{reloaded}");
    assert_eq!((n_lines(), &world.status()["generation"]), (1, &json!(2)), "it is said once");
}

fn a_file_that_is_refused_leaves_everything_as_it_was() {
    let world = World::open(Engine::Sqlite);
    let (key, wrong) = (world.shop.podium.key("admin"), "podium_adm_wrong");
    let (status, contents) = (world.status(), world.contents());
    let no_library = world.files.path().join("text.so");
    fs::write(&no_library, "no library").unwrap();
    let other = Built::example("gross_items");
    let revised = Built::example("fixture_edition_revised");
    let reads_other = world.edition("fixture_edition_next", "reads other");
    for (file, more, key, said) in [
        (&no_library, "--force", key.as_str(), "not-a-library"),
        (&other, "--force", &key, "com.example.gross-items is not in"),
        (&revised, "--json", &key, "--force takes it all the same"),
        (&revised, "--force", wrong, "401"),
    ] {
        refused(&world.with_server(&["upgrade", arg(file), more], key), said);
        assert_eq!((world.contents(), world.status()), (contents.clone(), status.clone()), "{said}");
    }
    // What only the server can know.
    for (file, said) in [(&revised, "other-components"), (&reads_other, "other-settings")] {
        refused(&world.with_server(&["upgrade", arg(file), "--force"], &key), said);
        assert_eq!((world.contents(), world.status()), (contents.clone(), status.clone()), "{said}");
    }
    let reloaded = world.shop.admin.post("/api/v1/plugins/reload", &Value::Null).expect(200);
    assert_eq!(reloaded["data"][0]["result"], "unchanged", "{reloaded}");
    // If that is asked for, it waits for the next start.
    let waits = done(&world.with_server(&["upgrade", arg(&revised), "--force", "--next-start"], &key));
    assert_eq!((&waits["result"], world.status()), (&json!("at_next_start"), status), "{waits}");
}

fn without_a_server_an_upgrade_is_for_the_next_start() {
    let mut world = World::open(Engine::Sqlite);
    let status = world.status();
    assert!(world.shop.podium.stop().success());
    let next = world.edition("fixture_edition_next", "next");
    let upgraded = world.upgrade(&next);
    assert_eq!(upgraded["result"], "at_next_start", "{upgraded}");
    world.shop.restart();
    assert_eq!((&world.status()["version"], &world.status()["generation"]), (&json!(NEXT), &json!(1)));
    assert_eq!(upgraded["from"]["sha256"], status["sha256"]);
}

fn an_upgrade_is_taken_back_in_the_server_and_in_the_list() {
    let mut world = World::open(Engine::Sqlite);
    let key = world.shop.podium.key("admin");
    let (before, list) = (world.status(), world.list());
    refused(&world.with_server(&["rollback", PLUGIN], &key), "409");
    world.upgrade(&world.edition("fixture_edition_next", "next"));
    let next = world.status();
    assert_eq!((&next["version"], &next["previous_sha256"]), (&json!(NEXT), &before["sha256"]), "{next}");
    let back = done(&world.with_server(&["rollback", PLUGIN], &key));
    assert_eq!((&back["sha256"], &back["listed"]), (&before["sha256"], &json!(true)), "{back}");
    let after = world.status();
    assert_eq!((&after["version"], &after["generation"]), (&before["version"], &json!(3)), "{after}");
    assert_eq!(after["previous_sha256"], Value::Null);
    assert_eq!(world.list(), list);
    let rollback = |id: &str| world.shop.admin.post(&format!("/api/v1/plugins/{id}/rollback"), &Value::Null);
    assert_eq!(rollback(PLUGIN).problem(409).slug, "nothing-to-roll-back");
    assert_eq!(rollback("nobody").problem(404).slug, "not-found");
    refused(&world.with_server(&["rollback", PLUGIN], &key), "409");
    world.shop.restart();
    assert_eq!(world.status()["sha256"], before["sha256"]);
    assert_eq!(world.shop.admin.get("/api/v1/plugins").expect(200)["refused"], json!([]));
}

pub(crate) fn a_version_that_crashes_goes_away_by_itself(engine: Engine) {
    let mut world = World::open(engine);
    let before = world.status();
    let events = |numbers: std::ops::Range<usize>| numbers.flat_map(shopper).collect::<Vec<_>>();
    world.shop.log(&events(0..100));
    world.upgrade(&world.edition("fixture_edition_next", "crashes"));
    assert_eq!(world.status()["version"], NEXT);
    world.shop.log(&events(100..200));
    let after = soon("the version of before runs again", || {
        Some(world.status())
            .filter(|status| status["sha256"] == before["sha256"] && status["state"] == "running")
    });
    assert_eq!(after["generation"], 3, "{after}");
    world.shop.log(&events(200..300));
    let report = world.shop.report("banner");
    assert_eq!(report.figure("fixture_counts", "b").numerator, 300, "nothing is lost");
    assert_eq!(report.figure("conversion", "b").numerator, 300);
    assert!(world.shop.podium.log().iter().any(|line| line.contains("crashed too often after the upgrade")));
    // The list still says the other; that alone does not bring it back, and it can be put right.
    let key = world.shop.podium.key("admin");
    let back = done(&world.with_server(&["rollback", PLUGIN], &key));
    assert_eq!((&back["sha256"], &back["listed"]), (&before["sha256"], &json!(true)), "{back}");
    assert_eq!(world.status()["generation"], 3);
    world.shop.restart();
    assert_eq!(world.status()["sha256"], before["sha256"]);
    world.shop.check_rebuild();
}

fn nobody_is_ready_without_what_is_required() {
    let plugins = Folder::new("plugins");
    let (good, crash) = (Built::example("gross_items"), Built::example("fixture_crash"));
    let to = ["--required", "--force", "--to", arg(plugins.path())];
    let installed = done(&[&["install", arg(&good)][..], &to].concat());
    done(&[&["install", arg(&crash)][..], &to].concat());
    let file = plugins.path().join(installed["file"].as_str().unwrap());
    let away = file.with_extension("away");
    fs::rename(&file, &away).unwrap();
    let mut shop = Shop::with_plugins(Engine::Sqlite, vec![plugins.path().to_owned()]);
    let ready = shop.admin.get("/readyz").expect(503);
    let missing = json!([installed["file"]]);
    assert_eq!((&ready["ready"], &ready["required_plugins_down"]), (&json!(false), &missing), "{ready}");
    assert_eq!(shop.admin.get("/api/v1/plugins").expect(200)["missing"], missing);
    fs::rename(&away, &file).unwrap();
    shop.restart();
    let ready = shop.admin.get("/readyz").expect(200);
    assert_eq!((&ready["ready"], &ready["required_plugins_down"]), (&json!(true), &json!([])), "{ready}");
    // One that crashed too often is as good as missing.
    let mut definition = experiment("banner", &["control", "b"]);
    definition["primary_metric"] = json!({"metric": "fixture_crash", "window_s": 86_400});
    definition["exposure"] = json!("event");
    shop.run(&definition);
    for number in 0..5 {
        let [seen, mut bad] = shopper(number);
        bad["properties"]["coupon"] = json!("SEGV");
        shop.log(&[seen, bad]);
    }
    let id = "com.example.fixture-crash";
    assert_eq!(shop.plugin(id)["state"], "quarantined");
    assert_eq!(shop.admin.get("/readyz").expect(503)["required_plugins_down"], json!([id]));
    assert_eq!(shop.admin.post(&format!("/api/v1/plugins/{id}/release"), &Value::Null).status, 204);
    assert_eq!(shop.admin.get("/readyz").status, 200);
}
