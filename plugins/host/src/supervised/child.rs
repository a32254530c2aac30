//! What runs in the child: one library, and a loop that answers.

use super::child_channels::ChildChannels;
use super::confine::{self, Confinement};
use super::process::{RemoteLine, SHARED_FD, SOCKET_FD};
use super::record::Role;
use super::shared::Shared;
use super::wire::{Head, Kind, linger, read_batch, read_head, write_frame, write_shared};
use crate::instance::{CreateError, MetricFault, MetricInstance};
use crate::log::{HostLog, Level};
use crate::manifest::Manifest;
use crate::raw::bytes_of;
use crate::registry::Registry;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

const HEARTBEAT: Duration = Duration::from_secs(1);

/// What to make an instance of. The configuration may hold secrets: never printed.
#[derive(Serialize, Deserialize)]
pub(super) struct Create {
    pub(super) component: String,
    pub(super) config_json: String,
}

/// The instance of a metric that was made.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Created {
    pub(super) fields_json: String,
}

/// Answers calls about the plugin in `library` until the server goes away.
///
/// To be called first of all in a process that a [`Launcher`](super::Launcher) started.
///
/// # Errors
///
/// Those of the socket: the server is gone, or did not start this process.
pub fn serve(library: &Path) -> io::Result<()> {
    for fd in [SOCKET_FD, SHARED_FD] {
        // SAFETY: a system call without pointers.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            return Err(io::Error::other("only a server starts this"));
        }
    }
    // SAFETY: the parent put the socket there for us, and nothing else in this process knows of it.
    let stream = unsafe { UnixStream::from_raw_fd(SOCKET_FD) };
    // SAFETY: as above.
    let mut shared = Shared::map(&unsafe { OwnedFd::from_raw_fd(SHARED_FD) })?;
    let child = Arc::new(Socket { writer: Mutex::new(stream.try_clone()?) });
    let log = child.log();
    let registry = Arc::new(Registry::load_file(library, &log));
    let manifest = serde_json::to_vec(&Manifest::of(&registry))?;
    child.write(Head::new(Kind::Ready, 0, 0), &manifest)?;
    let mut reader = BufReader::new(stream);
    let Some(head) = read_head(&mut reader)?.filter(|head| head.kind == Kind::Confine) else { return Ok(()) };
    let role = serde_json::from_slice(&read(&mut reader, head.len)?)?;
    let confinement = confine(role, &child)?;
    child.write(Head::new(Kind::Confined, 0, head.call), &serde_json::to_vec(&confinement)?)?;
    let channels = ChildChannels::new(Arc::clone(&child), Arc::clone(&registry));
    let mut instances: HashMap<u32, Box<dyn MetricInstance>> = HashMap::new();
    while let Some(head) = read_head(&mut reader)? {
        let answer = |kind| Head::new(kind, head.about, head.call);
        match head.kind {
            Kind::Create => {
                let Create { component, config_json } =
                    serde_json::from_slice(&read(&mut reader, head.len)?)?;
                match registry.create(&component, &config_json) {
                    Ok(instance) => {
                        let created = Created { fields_json: instance.fields_json().to_owned() };
                        instances.insert(head.about, instance);
                        child.write(answer(Kind::Created), &serde_json::to_vec(&created)?)?;
                    }
                    Err(error) => child.fault::<CreateError>(answer(Kind::Fault), &error)?,
                }
            }
            Kind::CreateChannel | Kind::Render | Kind::Deliver | Kind::Ingest | Kind::Health => {
                channels.start(head, read(&mut reader, head.len)?)?;
            }
            Kind::Go | Kind::Stay => channels.word(head),
            Kind::Destroy => {
                drop(instances.remove(&head.about));
                channels.destroy(head.about);
            }
            Kind::Observe => {
                // SAFETY: the server made this call, and waits.
                let batch = read_batch(unsafe { shared.lend(head.len) })?;
                match with(&instances, head.about, |instance| instance.observe(&batch)) {
                    Ok(numbers) => child.numbers(answer(Kind::Numbers), &mut shared, bytes_of(&numbers))?,
                    Err(fault) => child.fault::<MetricFault>(answer(Kind::Fault), &fault)?,
                }
            }
            Kind::Value => {
                let sums: Vec<i64> = shared.take(head.len)?;
                match with(&instances, head.about, |instance| instance.value(&sums)) {
                    Ok(values) => {
                        let numbers: Vec<f64> =
                            values.into_iter().flat_map(|(num, den)| [num, den]).collect();
                        child.numbers(answer(Kind::Numbers), &mut shared, bytes_of(&numbers))?;
                    }
                    Err(fault) => child.fault::<MetricFault>(answer(Kind::Fault), &fault)?,
                }
            }
            kind => return Err(super::wire::nonsense(format!("a call of kind {kind:?}"))),
        }
        // A flush calls several metrics, one after another.
        linger(reader.get_ref());
    }
    Ok(())
}

/// Keeps this process from what its kind need not do, with a heart that beats.
fn confine(role: Role, child: &Arc<Socket>) -> io::Result<Confinement> {
    // Every thread has what this one had when it was started.
    let confinement = confine::files_and_sockets(role);
    beat(Arc::clone(child))?;
    Ok(match role {
        // Where no system call can open anything, it does not matter what may be opened.
        Role::Metrics => confine::system_calls().max(confinement.min(Confinement::Partial)),
        Role::Channels => confinement,
    })
}

/// Tells the server each second that we live. Returns once the first is told: then the thread needs nothing more that a
/// metric may not have.
fn beat(child: Arc<Socket>) -> io::Result<()> {
    let (sender, beats) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("heartbeat".to_owned()).spawn(move || {
        while child.write(Head::new(Kind::Heartbeat, 0, 0), &[]).is_ok() {
            let _ = sender.try_send(());
            std::thread::sleep(HEARTBEAT);
        }
        // Nobody is there any more. A plugin that does not come back must not stay behind.
        std::process::exit(0);
    })?;
    beats.recv().map_err(io::Error::other)
}

fn read(reader: &mut impl Read, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn with<T>(
    instances: &HashMap<u32, Box<dyn MetricInstance>>,
    instance: u32,
    call: impl FnOnce(&dyn MetricInstance) -> Result<T, MetricFault>,
) -> Result<T, MetricFault> {
    let found = instances.get(&instance);
    let lost = || MetricFault::Lost { text: format!("there is no instance {instance}") };
    call(&**found.ok_or_else(lost)?)
}

/// The socket, for whoever has something to say.
pub(super) struct Socket {
    writer: Mutex<UnixStream>,
}

impl Socket {
    pub(super) fn write(&self, head: Head, bytes: &[u8]) -> io::Result<()> {
        write_frame(&mut *self.lock(), head, bytes)
    }

    fn numbers(&self, head: Head, shared: &mut Shared, bytes: &[u8]) -> io::Result<()> {
        let len = shared.put(&[bytes])?;
        write_shared(&mut *self.lock(), head, len)
    }

    fn lock(&self) -> MutexGuard<'_, UnixStream> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fault<T: Serialize>(&self, head: Head, fault: &T) -> io::Result<()> {
        self.write(head, &serde_json::to_vec(fault)?)
    }

    /// Sends the plugin's lines to the server.
    fn log(self: &Arc<Self>) -> HostLog {
        let socket = Arc::clone(self);
        HostLog::new(Level::Debug, move |line| {
            let line = RemoteLine {
                level: line.level.code(),
                target: line.target.to_owned(),
                message: line.message.to_owned(),
                fields_json: line.fields_json.to_owned(),
            };
            if let Ok(json) = serde_json::to_vec(&line) {
                // Without a server there is nobody to tell.
                drop(socket.write(Head::new(Kind::Log, 0, 0), &json));
            }
        })
    }
}
