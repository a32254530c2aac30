//! Another file of a plugin takes over while calls run, and nobody notices; or it does not, and nobody notices.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod child;
mod folder;
mod world;

use folder::built;
use podium_plugin_host::{
    Batch, ChannelCall, ChannelInstance, ChannelMessage, ColumnType, Delivered, Filled, HostLog,
    OutcomeStatus, Payload, PluginState, PluginStatus, Purpose, Registry, UpgradeError, Value,
};
use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};
use world::World;

const PLUGIN: &str = "com.example.fixture-edition";

fn world(test: &str) -> World {
    World::new(&format!("upgrade-{test}"), &["fixture_edition"])
}

fn status(world: &World) -> PluginStatus {
    world.registry.status(PLUGIN).unwrap()
}

fn beside(world: &World, name: &str) -> PathBuf {
    world.registry.plugins()[0].file.with_file_name(name)
}

/// Makes another file of the plugin, which does what its name says.
fn edition(world: &World, name: &str) -> PathBuf {
    let mut bytes = fs::read(built("fixture_edition")).unwrap();
    let mark = b"podium-edition: first           ";
    let at = bytes.windows(mark.len()).position(|window| window == mark).unwrap();
    bytes[at..at + mark.len()].copy_from_slice(format!("podium-edition: {name:16}").as_bytes());
    let file = beside(world, &format!("{}.so", name.replace(' ', "-")));
    fs::write(&file, bytes).unwrap();
    file
}

fn upgrade(world: &World, name: &str) -> Result<PluginStatus, UpgradeError> {
    world.registry.upgrade(PLUGIN, &edition(world, name))
}

fn hands(world: &World) -> Box<dyn ChannelInstance> {
    world.registry.create_channel("fixture_hands", "{}").unwrap()
}

fn payload() -> Filled {
    let json = r#"{"parts": [{"name": "body", "escaping": "plain", "text": "Hi"}]}"#;
    Payload::from_json(json).unwrap().fill(|_| None, |_, to| to.into()).unwrap()
}

fn deliver(channel: &dyn ChannelInstance, idempotency_key: &str) -> Delivered {
    let end = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_mins(1);
    let message = ChannelMessage {
        purpose: Purpose::Marketing,
        attempt: 1,
        expires_ms: i64::MAX,
        idempotency_key,
        collapse_key: "",
        decision_id: "d-1",
        address_json: "\"x\"",
        payload: &payload(),
        unsubscribe_url: "",
    };
    let call = ChannelCall { deadline_ms: end.as_millis() as i64, ..ChannelCall::default() };
    channel.deliver(&[message], &call)
}

/// Takes messages, one after another.
struct Provider {
    address: SocketAddr,
    taking: JoinHandle<Vec<String>>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let take = move || {
            let (connection, _) = listener.accept().unwrap();
            let mut key = String::new();
            BufReader::new(&connection).read_line(&mut key).unwrap();
            // Whoever ended meanwhile does not want to know.
            let _ = (&connection).write_all(b"!");
            (key != "stop\n").then_some(key)
        };
        Self { address, taking: thread::spawn(|| std::iter::from_fn(take).collect()) }
    }

    /// Stops it, and returns the keys of what it took.
    fn stop(self) -> Vec<String> {
        TcpStream::connect(self.address).unwrap().write_all(b"stop\n").unwrap();
        self.taking.join().unwrap()
    }
}

/// Which edition took a message.
#[track_caller]
fn taken_by(channel: &dyn ChannelInstance) -> String {
    let delivered = deliver(channel, "key-1");
    assert_eq!(delivered.fault, None);
    delivered.deliveries[0].outcome.provider_id.clone()
}

fn orders(n: usize) -> Batch {
    let mut batch = Batch::new(&[ColumnType::Text]);
    (0..n).for_each(|_| batch.push_row(0, 0, &[Value::Text("a")]).unwrap());
    batch
}

#[test]
fn another_file_takes_over_with_the_same_instances() {
    let world = world("takes-over");
    let (channel, metric) = (hands(&world), world.registry.create("fixture_counts", "{}").unwrap());
    let before = status(&world);
    assert_eq!((before.generation, &before.previous_sha256), (1, &None));
    assert_eq!(taken_by(&*channel), "first");
    let after = upgrade(&world, "second").unwrap();
    assert_eq!((after.generation, after.restarts, after.state), (2, 0, PluginState::Running));
    assert_eq!(after.previous_sha256.as_ref(), Some(&before.sha256));
    assert!(after.pids.len() == 2 && after.pids.iter().all(|pid| !before.pids.contains(pid)), "{after:?}");
    assert_eq!((taken_by(&*channel).as_str(), metric.observe(&orders(2))), ("second", Ok(vec![1, 1])));
    // A child of the new generation that dies is started anew from the new file.
    for pid in after.pids {
        std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    }
    let begun = Instant::now();
    while status(&world).restarts < 2 || status(&world).state != PluginState::Running {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", status(&world));
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!((taken_by(&*channel).as_str(), metric.observe(&orders(1))), ("second", Ok(vec![1])));
    for line in ["generation 2 starts beside generation 1", "with 2 instances", "generation 2 has taken over"]
    {
        assert!(world.has_line(line), "{line}: {:?}", world.lines);
    }
}

/// Says at its end, whatever that is, that it is over.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn under_load_no_call_fails_and_none_is_doubled() {
    const N_MESSAGES: usize = 150;
    let world = world("load");
    let provider = Provider::start();
    let config = serde_json::json!({ "provider": provider.address }).to_string();
    let channel = world.registry.create_channel("fixture_hands", &config).unwrap();
    let metric = world.registry.create("fixture_counts", "{}").unwrap();
    let is_over = AtomicBool::new(false);
    let mut n_upgrades = 0;
    thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(metric.observe(&orders(3)), Ok(vec![1, 1, 1]));
                assert_eq!(metric.value(&[4]), Ok(vec![(4.0, 1.0)]));
            }
        });
        let channel = &channel;
        let delivering: Vec<_> = (0..3)
            .map(|thread| {
                scope.spawn(move || {
                    (0..N_MESSAGES).all(|n| {
                        let delivered = deliver(&**channel, &format!("{thread}-{n}"));
                        assert_eq!(delivered.fault, None, "{delivered:?}");
                        delivered.deliveries[0].outcome.status == OutcomeStatus::Accepted
                    })
                })
            })
            .collect();
        while n_upgrades < 5 || !delivering.iter().all(thread::ScopedJoinHandle::is_finished) {
            upgrade(&world, if n_upgrades % 2 == 0 { "second" } else { "third" }).unwrap();
            n_upgrades += 1;
        }
        for delivered in delivering {
            assert!(delivered.join().unwrap());
        }
    });
    let sent = provider.stop();
    let keys: HashSet<&String> = sent.iter().collect();
    assert_eq!((sent.len(), keys.len()), (3 * N_MESSAGES, 3 * N_MESSAGES));
    let status = status(&world);
    assert_eq!((status.generation, status.restarts, status.last_crash), (n_upgrades + 1, 0, None));
}

#[track_caller]
fn check_refused(world: &World, file: &str, line: &str) {
    let (before, channel) = (status(world), hands(world));
    let file = beside(world, file);
    let refused = world.registry.upgrade(PLUGIN, &file).unwrap_err();
    assert!(matches!(refused, UpgradeError::Refused(_)), "{refused:?}");
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(refused.to_string().starts_with(&format!("{name}: {line}")), "{refused}");
    assert_eq!(status(world), before);
    assert_eq!(taken_by(&*channel), "first");
}

#[test]
fn what_cannot_take_over_is_refused_and_what_runs_goes_on() {
    let world = world("refused");
    let _instances = (hands(&world), world.registry.create("fixture_counts", "{}").unwrap());
    fs::copy(built("fixture_edition_revised"), beside(&world, "revised.so")).unwrap();
    fs::copy(built("gross_items"), beside(&world, "gross_items.so")).unwrap();
    fs::write(beside(&world, "text.so"), "no library").unwrap();
    edition(&world, "refuses");
    edition(&world, "reads other");
    let revised = "other-components: expected revision 1 of fixture_counts, found revision 2, which gives other \
                   numbers; restart the server";
    check_refused(&world, "revised.so", revised);
    let other =
        "other-components: expected plugin com.example.fixture-edition, found plugin com.example.gross-items";
    check_refused(&world, "gross_items.so", other);
    check_refused(
        &world,
        "text.so",
        "not-a-library: expected a shared library, found a file that is cut off",
    );
    check_refused(&world, "nowhere.so", "not-a-library: ");
    let settings =
        "other-settings: expected one that takes the settings of fixture_hands, found not these; change";
    check_refused(&world, "refuses.so", settings);
    let fields = "other-settings: expected one that takes the settings of fixture_counts, found it wants other \
                  fields read";
    check_refused(&world, "reads-other.so", fields);
    assert!(world.has_line("generation 2 is refused: other-settings"));
}

#[test]
fn a_file_that_keeps_crashing_is_rolled_back() {
    let world = world("rolled-back");
    let (channel, metric) = (hands(&world), world.registry.create("fixture_counts", "{}").unwrap());
    let before = status(&world);
    upgrade(&world, "crashes").unwrap();
    for _ in 0..3 {
        let delivered = deliver(&*channel, "key-1");
        let Delivered { deliveries, fault } = delivered;
        assert_eq!(fault.unwrap().slug(), "crashed");
        assert_eq!((deliveries[0].begun, deliveries[0].outcome.status), (true, OutcomeStatus::Unknown));
    }
    assert_eq!((taken_by(&*channel).as_str(), metric.observe(&orders(1))), ("first", Ok(vec![1])));
    let after = status(&world);
    assert_eq!((after.generation, &after.sha256, after.previous_sha256), (3, &before.sha256, None));
    assert!(world.has_line("crashed too often after the upgrade; generation 3 is"));
}

#[test]
fn an_upgrade_can_be_taken_back_once() {
    let world = world("taken-back");
    let channel = hands(&world);
    let before = status(&world);
    let nothing = world.registry.rollback(PLUGIN).unwrap_err();
    assert_eq!(nothing, UpgradeError::NothingBefore { plugin_id: PLUGIN.to_owned() });
    upgrade(&world, "second").unwrap();
    // The original is not needed for that.
    fs::remove_file(beside(&world, "fixture_edition.so")).unwrap();
    let after = world.registry.rollback(PLUGIN).unwrap();
    assert_eq!((after.generation, &after.sha256, &after.previous_sha256), (3, &before.sha256, &None));
    assert_eq!(taken_by(&*channel), "first");
    assert_eq!(world.registry.rollback(PLUGIN).unwrap_err(), nothing);
}

#[test]
fn an_upgrade_ends_a_quarantine() {
    let world = world("quarantine");
    let channel = hands(&world);
    upgrade(&world, "crashes").unwrap();
    upgrade(&world, "crashes").unwrap();
    // What can be gone back to crashes as well.
    for _ in 0..8 {
        assert!(deliver(&*channel, "key-1").fault.is_some());
    }
    assert_eq!(status(&world).state, PluginState::Quarantined);
    upgrade(&world, "second").unwrap();
    assert_eq!((status(&world).state, taken_by(&*channel).as_str()), (PluginState::Running, "second"));
}

#[test]
fn what_runs_in_our_own_process_needs_a_restart() {
    let world = world("here");
    let folder = world.registry.plugins()[0].file.parent().unwrap().to_owned();
    let registry = Registry::load(&[folder], &HostLog::discard());
    assert_eq!(registry.plugins()[0].id, PLUGIN);
    let error = registry.upgrade(PLUGIN, &built("fixture_edition")).unwrap_err();
    assert_eq!(error, UpgradeError::NotInChild { plugin_id: PLUGIN.to_owned() });
}
