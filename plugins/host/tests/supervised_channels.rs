//! Whatever a channel does to its process, what became of each message is known, or known to be unknown.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod child;
mod courier;
mod folder;
mod world;

use courier::{ACCEPTED, PLUGIN, courier, deliver, pids, soon, summary, wait_until, within, world};
use podium_plugin_host::{
    ChannelCall, ChannelCreateError, ChannelFault, Delivered, DeliveryWatch, Outcome, OutcomeStatus,
    PluginState, WebhookRequest,
};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use world::World;

const NOT_BEGUN: (bool, OutcomeStatus) = (false, OutcomeStatus::Cancelled);
const UNKNOWN: (bool, OutcomeStatus) = (true, OutcomeStatus::Unknown);

fn slug(delivered: &Delivered) -> Option<&'static str> {
    delivered.fault.as_ref().map(ChannelFault::slug)
}

/// A file beside the plugin.
fn beside(world: &World, name: &str) -> PathBuf {
    world.registry.plugins()[0].file.with_file_name(name)
}

/// Tells when a message has begun.
struct Begun(Mutex<Sender<usize>>);

impl DeliveryWatch for Begun {
    fn begun(&self, message_idx: usize) -> bool {
        self.0.lock().unwrap().send(message_idx).is_ok()
    }

    fn outcome(&self, _message_idx: usize, _outcome: &Outcome) {}
}

#[test]
fn a_crash_leaves_each_message_with_what_is_known_of_it() {
    let world = world("crash");
    let courier = courier(&world, r#"{"name": "Ann"}"#);
    for (addresses, said, expected) in [
        (&["x", "SEGV", "x"][..], "signal 11", &[ACCEPTED, UNKNOWN, NOT_BEGUN][..]),
        (&["x", "early SEGV", "x"], "signal 11", &[ACCEPTED, NOT_BEGUN, NOT_BEGUN]),
        (&["accept, then SEGV", "x"], "signal 11", &[ACCEPTED, NOT_BEGUN]),
        (&["EXIT", "x"], "exited with code 0", &[UNKNOWN, NOT_BEGUN]),
        (&["GARBAGE", "x"], "makes no sense", &[UNKNOWN, NOT_BEGUN]),
    ] {
        let delivered = deliver(&*courier, addresses, &soon());
        let Some(ChannelFault::Crashed { text }) = &delivered.fault else { panic!("{delivered:?}") };
        assert!(text.contains(said), "{addresses:?}: {text}");
        if addresses[0] == "GARBAGE" {
            // What it wrote before the server had read the garbage still counts.
            assert_ne!(summary(&delivered)[0], NOT_BEGUN);
        } else {
            assert_eq!(summary(&delivered), expected, "{addresses:?}");
        }
        // The instance is there again, with its settings.
        let delivered = deliver(&*courier, &["x"], &soon());
        assert_eq!((summary(&delivered), delivered.fault), (vec![ACCEPTED], None), "{addresses:?}");
        assert_eq!(delivered.deliveries[0].outcome.provider_id, "Ann");
        assert!(world.has_line(said), "{addresses:?}");
        world.registry.release(PLUGIN);
    }
}

#[test]
fn a_hanging_call_takes_no_other_with_it() {
    let world = world("hang");
    let courier = courier(&world, "{}");
    let [old] = pids(&world)[..] else { panic!("one child") };
    let file = beside(&world, "go");
    let address = format!("wait for {}", file.display());
    let (begun, has_begun) = mpsc::channel();
    let patient = ChannelCall { watch: Some(Arc::new(Begun(Mutex::new(begun)))), ..soon() };
    thread::scope(|scope| {
        let other = scope.spawn(|| deliver(&*courier, &[&address], &patient));
        has_begun.recv().unwrap();
        let delivered = deliver(&*courier, &["HANG", "x"], &within(Duration::from_millis(50)));
        assert_eq!((slug(&delivered), summary(&delivered)), (Some("late"), vec![UNKNOWN, NOT_BEGUN]));
        // New work goes to a fresh child while the other call still runs in the old one.
        assert_eq!(summary(&deliver(&*courier, &["x"], &soon())), [ACCEPTED]);
        assert!(!pids(&world).contains(&old) && is_alive(old));
        fs::write(&file, "").unwrap();
        let delivered = other.join().unwrap();
        assert_eq!((slug(&delivered), summary(&delivered)), (None, vec![ACCEPTED]));
    });
    wait_until("the old child ends with its last call", || !is_alive(old));
    assert!(world.has_line(&format!("child {old} of generation 1 has ended with its last call")));
}

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn calls_overlap() {
    let world = world("meet");
    let courier = courier(&world, "{}");
    thread::scope(|scope| {
        // None comes back before all of them are there.
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| deliver(&*courier, &["meet"], &soon()))).collect();
        for call in calls {
            assert_eq!(summary(&call.join().unwrap()), [ACCEPTED]);
        }
    });
    assert_eq!(world.registry.status(PLUGIN).unwrap().restarts, 0);
}

/// Looks whether a message left before it was allowed to.
struct Early {
    provider: TcpListener,
    has_left: Mutex<Vec<bool>>,
}

impl DeliveryWatch for Early {
    fn begun(&self, _message_idx: usize) -> bool {
        // Time enough to leave, for one that does not wait.
        thread::sleep(Duration::from_millis(100));
        self.has_left.lock().unwrap().push(self.provider.accept().is_ok());
        true
    }

    fn outcome(&self, _message_idx: usize, _outcome: &Outcome) {
        self.has_left.lock().unwrap().push(self.provider.accept().is_ok());
    }
}

#[test]
fn a_message_leaves_only_after_it_was_written_down() {
    let world = world("begun");
    let courier = courier(&world, "{}");
    let provider = TcpListener::bind("127.0.0.1:0").unwrap();
    provider.set_nonblocking(true).unwrap();
    let address = format!("leave: {}", provider.local_addr().unwrap());
    let early = Arc::new(Early { provider, has_left: Mutex::default() });
    let call = ChannelCall { watch: Some(early.clone()), ..soon() };
    assert_eq!(summary(&deliver(&*courier, &[&address], &call)), [ACCEPTED]);
    assert_eq!(*early.has_left.lock().unwrap(), [false, true]);
}

#[test]
fn a_child_that_is_killed_in_a_call_is_replaced() {
    let world = world("kill");
    let courier = courier(&world, "{}");
    let [pid] = pids(&world)[..] else { panic!("one child") };
    let (begun, has_begun) = mpsc::channel();
    let call = ChannelCall { watch: Some(Arc::new(Begun(Mutex::new(begun)))), ..soon() };
    thread::scope(|scope| {
        let delivered = scope.spawn(|| deliver(&*courier, &["x", "HANG", "x"], &call));
        assert_eq!([has_begun.recv().unwrap(), has_begun.recv().unwrap()], [0, 1]);
        kill(pid);
        let delivered = delivered.join().unwrap();
        let expected = (Some("crashed"), vec![ACCEPTED, UNKNOWN, NOT_BEGUN]);
        assert_eq!((slug(&delivered), summary(&delivered)), expected);
    });
    assert_eq!(summary(&deliver(&*courier, &["x"], &soon())), [ACCEPTED]);
}

#[test]
fn a_child_that_dies_between_calls_is_started_anew() {
    let world = world("idle");
    let courier = courier(&world, "{}");
    let [pid] = pids(&world)[..] else { panic!("one child") };
    kill(pid);
    wait_until("it is back", || pids(&world).iter().any(|now| *now != pid));
    let delivered = deliver(&*courier, &["x"], &soon());
    assert_eq!((slug(&delivered), summary(&delivered)), (None, vec![ACCEPTED]));
    assert_eq!(world.registry.status(PLUGIN).unwrap().restarts, 1);
}

fn kill(pid: u32) {
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
}

#[test]
fn after_five_crashes_it_is_left_alone_until_it_is_released() {
    let world = world("quarantine");
    let courier = courier(&world, "{}");
    for _ in 0..5 {
        assert_eq!(slug(&deliver(&*courier, &["SEGV"], &soon())), Some("crashed"));
    }
    let delivered = deliver(&*courier, &["x"], &soon());
    assert_eq!((slug(&delivered), summary(&delivered)), (Some("away"), vec![NOT_BEGUN]));
    assert_eq!(world.registry.status(PLUGIN).unwrap().state, PluginState::Quarantined);
    assert!(world.has_line("left alone until it is released"));
    assert_eq!(world.registry.release(PLUGIN), Some(true));
    assert_eq!(summary(&deliver(&*courier, &["x"], &soon())), [ACCEPTED]);
}

#[test]
fn a_crash_in_many_calls_is_one_crash() {
    let world = world("many");
    let courier = courier(&world, "{}");
    let (begun, has_begun) = mpsc::channel();
    let call = ChannelCall { watch: Some(Arc::new(Begun(Mutex::new(begun)))), ..soon() };
    thread::scope(|scope| {
        let hanging: Vec<_> = (0..7).map(|_| scope.spawn(|| deliver(&*courier, &["HANG"], &call))).collect();
        assert_eq!(has_begun.iter().take(7).collect::<Vec<_>>(), [0; 7]);
        assert_eq!(slug(&deliver(&*courier, &["SEGV"], &soon())), Some("crashed"));
        for delivered in hanging {
            let delivered = delivered.join().unwrap();
            assert_eq!((slug(&delivered), summary(&delivered)), (Some("crashed"), vec![UNKNOWN]));
        }
    });
    assert_eq!(summary(&deliver(&*courier, &["x"], &soon())), [ACCEPTED]);
    let status = world.registry.status(PLUGIN).unwrap();
    assert_eq!((status.state, status.restarts), (PluginState::Running, 1));
}

#[test]
fn what_is_no_message_fails_and_works_again() {
    let world = world("others");
    let courier = courier(&world, "{}");
    assert_eq!(courier.render(r#""SEGV""#, &soon()).unwrap_err().slug(), "crashed");
    assert!(courier.render(r#""x""#, &soon()).is_ok());
    let mut request = WebhookRequest { method: "POST", path: "/", query: "", headers: &[], body: b"EXIT" };
    assert_eq!(courier.ingest(&request, &soon()).unwrap_err().slug(), "crashed");
    request.body = b"x";
    assert_eq!(courier.ingest(&request, &soon()), Ok(Vec::new()));
    let large = vec![b'x'; 9 * 1024 * 1024];
    request.body = &large;
    assert_eq!(courier.ingest(&request, &soon()).unwrap_err().slug(), "too-much");
}

#[test]
fn a_channel_that_does_not_come_back_is_given_up() {
    let world = world("late");
    let courier = courier(&world, "{}");
    let error = world.registry.create_channel("fixture_courier", r#"{"hangs": true}"#).map(|_| "an instance");
    assert!(matches!(error, Err(ChannelCreateError::Lost { .. })), "{error:?}");
    let unwell = world.registry.create_channel("fixture_courier", r#"{"unwell": true}"#).unwrap();
    assert_eq!(unwell.health(&soon()).unwrap_err().slug(), "late");
    assert_eq!(courier.health(&soon()), Ok(()));
}

#[test]
fn a_secret_is_seen_by_the_plugin_alone() {
    let world = world("secret");
    let find = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
    let config = r#"{"token": {"secret": "TOKEN"}}"#;
    let courier = world.registry.create_channel_with("fixture_courier", config, &find).unwrap();
    let delivered = deliver(&*courier, &["EXIT"], &soon());
    assert_eq!(slug(&delivered), Some("crashed"));
    let delivered = deliver(&*courier, &["x"], &soon());
    assert_eq!(delivered.deliveries[0].outcome.provider_id, "hunter2");
    let [pid] = pids(&world)[..] else { panic!("one child") };
    for about in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{pid}/{about}")).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "{about}");
    }
    assert!(!world.has_line("hunter2"));
}

#[test]
fn what_metrics_do_to_their_child_does_not_concern_channels() {
    let world = World::new("both", &["fixture_channels"]);
    let metric = world.registry.create("fixture_orders", "{}").unwrap();
    let desk = world.registry.create_channel("fixture_desk", "{}").unwrap();
    let status = || world.registry.status("com.example.fixture-channels").unwrap();
    let [metrics, channels] = status().pids[..] else { panic!("two children") };
    kill(channels);
    wait_until(
        "it is back",
        || matches!(status().pids[..], [same, now] if now != channels && same == metrics),
    );
    let [_, channels] = status().pids[..] else { panic!("two children") };
    kill(metrics);
    wait_until(
        "it is back",
        || matches!(status().pids[..], [now, same] if now != metrics && same == channels),
    );
    assert_eq!(summary(&deliver(&*desk, &["front"], &soon())), [ACCEPTED]);
    assert_eq!(metric.value(&[3]).unwrap(), [(3.0, 1.0)]);
}
