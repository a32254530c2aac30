//! What a plugin's child has, what the kernel keeps it from, and that it leaves nobody behind.
#![expect(clippy::unwrap_used, reason = "what a test builds its world with must not fail")]

mod child;
mod courier;
mod folder;
mod world;

use courier::{ACCEPTED, PLUGIN, courier, deliver, pids, soon, summary, wait_until, world};
use podium_plugin_host::{Batch, ChannelInstance, ColumnType, Confinement, MetricFault, Value};
use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use world::World;

const CRASH: &str = "com.example.fixture-crash";
const WAIT: Duration = Duration::from_secs(10);

/// A batch of one order with this coupon.
fn order(coupon: &str) -> Batch {
    let mut batch = Batch::new(&[ColumnType::Text]);
    batch.push_row(0, 0, &[Value::Text(coupon)]).unwrap();
    batch
}

/// Whether the kernel can do what is to be tried; says so where it cannot.
#[expect(clippy::print_stderr, reason = "who reads that a test passed must know when it tried nothing")]
fn is_confined(world: &World, plugin: &str) -> bool {
    let confinement = world.registry.status(plugin).unwrap().confinement;
    let has_said = world.has_line("this kernel keeps it from less than it must not do");
    assert_eq!(has_said, confinement != Confinement::Full);
    if confinement != Confinement::Full {
        eprintln!("SKIPPED: this kernel confines {plugin} {}", confinement.as_str());
    }
    confinement == Confinement::Full
}

#[test]
fn a_system_call_that_a_metric_may_not_make_ends_its_child() {
    let world = World::new("calls", &["fixture_crash"]);
    let metric = world.registry.create("fixture_crash", "{}").unwrap();
    if !is_confined(&world, CRASH) {
        return;
    }
    let said = "signal 31 (SIGSYS, a system call that a metric may not make)";
    for coupon in ["OPEN", "CONNECT", "FORK", "THREAD", "EXEC", "KILL", "CLOCK"] {
        let fault = metric.observe(&order(coupon)).unwrap_err();
        let MetricFault::Crashed { text } = &fault else { panic!("{coupon}: {fault:?}") };
        assert!(text.contains(said), "{coupon}: {text}");
        assert!(world.has_line(said), "{coupon}");
        assert_eq!(metric.observe(&order("fine")).unwrap(), [1], "{coupon}");
        world.registry.release(CRASH);
    }
}

#[test]
fn a_metric_may_use_memory_and_speak() {
    let world = World::new("may", &["fixture_crash"]);
    let metric = world.registry.create("fixture_crash", "{}").unwrap();
    for coupon in ["MEMORY", "NOISE"] {
        assert_eq!(metric.observe(&order(coupon)).unwrap(), [1], "{coupon}");
    }
    assert_eq!(world.registry.status(CRASH).unwrap().restarts, 0);
}

#[test]
fn a_channel_reaches_its_provider_and_no_file_or_program() {
    let world = world("files");
    let courier = courier(&world, "{}");
    let here = world.registry.plugins()[0].file.clone();
    let provider = TcpListener::bind("127.0.0.1:0").unwrap();
    let leave = format!("leave: {}", provider.local_addr().unwrap());
    assert_eq!(summary(&deliver(&*courier, &[&leave], &soon())), [ACCEPTED]);
    let mut message = String::new();
    accept(&provider).read_to_string(&mut message).unwrap();
    assert_eq!(message, "it left");
    if !is_confined(&world, PLUGIN) {
        return;
    }
    let beside = here.with_file_name("written");
    for address in [
        format!("write: {}", beside.display()),
        format!("write: {}", here.display()),
        "write: /tmp/podium-confined".to_owned(),
        format!("read: {}", here.display()),
        "read: /etc/passwd".to_owned(),
        "run: /bin/true".to_owned(),
    ] {
        let delivered = deliver(&*courier, &[&address], &soon());
        assert_eq!(
            delivered.deliveries[0].outcome.detail, "Permission denied (os error 13)",
            "{address}: {delivered:?}"
        );
    }
    assert!(!beside.exists());
    assert_eq!(summary(&deliver(&*courier, &["read: /etc/hosts"], &soon())), [ACCEPTED]);
    assert_eq!(world.registry.status(PLUGIN).unwrap().restarts, 0);
}

#[test]
fn a_child_has_no_environment_no_terminal_and_nothing_open_but_its_own() {
    let (metrics, channels) = (World::new("bare", &["fixture_crash"]), world("bare"));
    let metric = metrics.registry.create("fixture_crash", "{}").unwrap();
    let courier = courier(&channels, "{}");
    for pid in [metrics.registry.status(CRASH).unwrap().pids, pids(&channels)].concat() {
        let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
        assert_eq!(environment, "MIMALLOC_ARENA_RESERVE=65536\0");
        let mut open: Vec<(u32, String)> = fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let target = fs::read_link(entry.path()).unwrap().display().to_string();
                (entry.file_name().to_str().unwrap().parse().unwrap(), target)
            })
            .collect();
        open.sort_unstable();
        let kinds: Vec<(u32, &str)> =
            open.iter().map(|(fd, target)| (*fd, target.split(':').next().unwrap_or_default())).collect();
        // The last is the same socket again, for writing.
        assert_eq!(
            kinds,
            [(0, "/dev/null"), (1, "pipe"), (2, "pipe"), (3, "socket"), (4, "socket")],
            "{open:?}"
        );
        assert_eq!((&open[1].1, &open[3].1), (&open[2].1, &open[4].1));
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        // Its group, its session, and no terminal.
        assert_eq!(fields[2..5], [&pid.to_string(), &pid.to_string(), "0"]);
    }
    assert_eq!(metric.observe(&order("fine")).unwrap(), [1]);
    assert_eq!(summary(&deliver(&*courier, &["x"], &soon())), [ACCEPTED]);
}

#[test]
fn a_copy_of_a_child_ends_with_it() {
    let world = world("copy");
    let courier = courier(&world, "{}");
    let (mut held, copy) = copied(&*courier, "copy");
    let delivered = deliver(&*courier, &["EXIT"], &soon());
    assert_eq!(delivered.fault.unwrap().slug(), "crashed");
    // The connection ends when nobody holds it any more.
    assert_eq!(held.read(&mut [0]).unwrap(), 0);
    wait_until("nobody is left", || !Path::new(&format!("/proc/{copy}")).exists());
    assert_eq!(summary(&deliver(&*courier, &["x"], &soon())), [ACCEPTED]);
}

#[test]
fn a_copy_that_leaves_its_child_and_its_session_is_ended() {
    let world = world("runaway");
    let courier = courier(&world, "{}");
    let [child] = pids(&world)[..] else { panic!("one child") };
    let (mut held, copy) = copied(&*courier, "run away");
    assert_eq!(held.read(&mut [0]).unwrap(), 0);
    wait_until("nobody is left", || !Path::new(&format!("/proc/{copy}")).exists());
    assert_eq!(pids(&world), [child]);
    assert_eq!(summary(&deliver(&*courier, &["x"], &soon())), [ACCEPTED]);
}

#[test]
fn processes_of_others_are_left_alone() {
    let world = world("others");
    let courier = courier(&world, "{}");
    // Its parent is gone, so that it becomes a child of ours.
    let shell = Command::new("sh").args(["-c", "sleep 60 >/dev/null 2>&1 & echo $!"]).output().unwrap();
    let other = String::from_utf8(shell.stdout).unwrap().trim().to_owned();
    let state = || {
        let stat = fs::read_to_string(format!("/proc/{other}/stat")).unwrap();
        stat.rsplit(") ").next().unwrap().split(' ').take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    wait_until("it is ours", || state()[1] == std::process::id().to_string());
    let (mut held, _) = copied(&*courier, "run away");
    assert_eq!(held.read(&mut [0]).unwrap(), 0);
    assert_eq!(state()[0], "S");
    assert!(Command::new("kill").arg(&other).status().unwrap().success());
}

/// Has the courier copy its process; returns the connection that the copy holds, and its number.
fn copied(courier: &dyn ChannelInstance, how: &str) -> (TcpStream, u32) {
    let provider = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("{how}: {}", provider.local_addr().unwrap());
    assert_eq!(summary(&deliver(courier, &[&address], &soon())), [ACCEPTED]);
    let mut held = accept(&provider);
    let mut pid = [0; 4];
    held.read_exact(&mut pid).unwrap();
    (held, u32::from_ne_bytes(pid))
}

/// The next connection. Whoever waits on it too long fails.
fn accept(provider: &TcpListener) -> TcpStream {
    let (connection, _) = provider.accept().unwrap();
    connection.set_read_timeout(Some(WAIT)).unwrap();
    connection
}
