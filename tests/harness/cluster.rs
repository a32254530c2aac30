//! A private PostgreSQL: one cluster for the process, one database for each test.

use super::folder::Folder;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const SUPERUSER: &str = "podium";
/// The oldest major version that the server supports.
const MAJOR_MIN: u32 = 14;
const PORTS_TRIED_MAX: u32 = 5;

static CLUSTER: Mutex<Option<Cluster>> = Mutex::new(None);

struct Cluster {
    programs: PathBuf,
    port: u16,
    server: Child,
    folder: Folder,
}

/// The folder of the newest PostgreSQL that is installed.
pub(crate) fn programs() -> Option<PathBuf> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().flatten();
    let packaged = packaged.map(|version| version.path().join("bin"));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = packaged.chain(std::env::split_paths(&on_path).collect::<Vec<_>>());
    let usable = candidates.filter_map(|folder| Some((major(&folder)?, folder)));
    usable.max_by_key(|(major, _)| *major).filter(|(major, _)| MAJOR_MIN <= *major).map(|(_, folder)| folder)
}

fn major(folder: &std::path::Path) -> Option<u32> {
    if !["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).exists()) {
        return None;
    }
    let version = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let version = String::from_utf8(version.stdout).ok()?;
    version.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}

/// Makes an empty database, starting the cluster if this is the first; returns its name and URL.
pub(crate) fn new_database() -> (String, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut cluster = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = cluster.get_or_insert_with(Cluster::start_and_keep);
    cluster.run(&format!("CREATE DATABASE {name}"));
    let url = format!("postgres://{SUPERUSER}@127.0.0.1:{}/{name}", cluster.port);
    (name, url)
}

pub(crate) fn drop_database(name: &str) {
    let cluster = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cluster) = &*cluster {
        cluster.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    }
}

/// Stops the cluster, if there is one, and removes its files.
pub(crate) fn stop() {
    CLUSTER.lock().unwrap_or_else(PoisonError::into_inner).take();
}

impl Cluster {
    /// Starts it from a thread that never ends: it is told to stop when the thread that started it is gone, and
    /// that must not be before all tests are done.
    fn start_and_keep() -> Self {
        let (sender, started) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _ = sender.send(Self::start());
            loop {
                std::thread::park();
            }
        });
        started.recv().expect("the thread says why PostgreSQL does not start")
    }

    fn start() -> Self {
        let programs = programs().unwrap();
        let folder = Folder::new("postgres");
        if let Some((user, group)) = owner() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let data = folder.path().join("data");
        let initialized = as_owner(&programs.join("initdb"))
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", SUPERUSER])
            .arg("--pgdata")
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(initialized.status.success(), "initdb: {}", String::from_utf8_lossy(&initialized.stderr));
        for _ in 0..PORTS_TRIED_MAX {
            let port = free_port();
            let log = File::create(folder.path().join("postgres.log")).unwrap();
            // `fsync` and the like keep their defaults: the server insists on them.
            let mut server = as_owner(&programs.join("postgres"))
                .arg("-D")
                .arg(&data)
                .arg("-k")
                .arg(folder.path())
                .args([
                    "-p",
                    &port.to_string(),
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-c",
                    "max_connections=200",
                ])
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let ready = super::soon("PostgreSQL answers", || {
                let gone = server.try_wait().unwrap().is_some();
                (gone || probe(&programs, port)).then_some(!gone)
            });
            if ready {
                return Self { programs, port, server, folder };
            }
        }
        let log = std::fs::read_to_string(folder.path().join("postgres.log")).unwrap_or_default();
        panic!("PostgreSQL does not start: {log}");
    }

    fn run(&self, sql: &str) {
        let done = psql(&self.programs, self.port).args(["-c", sql]).output().unwrap();
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown.
        super::podium::signal("INT", self.server.id());
        let limit = Duration::from_secs(15);
        let begun = std::time::Instant::now();
        while begun.elapsed() < limit && matches!(self.server.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = self.folder.path();
    }
}

fn probe(programs: &std::path::Path, port: u16) -> bool {
    psql(programs, port).args(["-c", "SELECT 1"]).output().is_ok_and(|done| done.status.success())
}

fn psql(programs: &std::path::Path, port: u16) -> Command {
    let mut psql = Command::new(programs.join("psql"));
    psql.args(["-X", "-q", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", SUPERUSER, "-d", "postgres"]);
    psql.env("PGCONNECT_TIMEOUT", "5");
    psql
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whom to be instead of root, whom PostgreSQL refuses: user and group. `None` if we are not root.
fn owner() -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let ids = |wanted: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(wanted))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).unwrap())
}

/// A command that runs as the owner of the cluster and ends with us.
fn as_owner(program: &std::path::Path) -> Command {
    let Some((user, group)) = owner() else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"]);
    command.args(["--pdeathsig", "INT", "--"]).arg(program);
    command
}
