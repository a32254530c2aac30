//! A channel that does to its process what the address says.
#![expect(unsafe_code, reason = "a wrong address and copies of itself are among its faults")]

use podium_plugin::prelude::*;
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

/// How many calls meet.
const PARALLEL: usize = 8;

#[derive(Deserialize, JsonSchema)]
struct Settings {
    /// What it signs with.
    #[serde(default)]
    name: String,
    /// What nobody may see.
    #[serde(default)]
    token: Option<Secret>,
    /// Whether it never becomes an instance.
    #[serde(default)]
    hangs: bool,
    /// Whether it does not come back from the question how it is.
    #[serde(default)]
    unwell: bool,
}

struct Courier {
    settings: Settings,
    meeting: Barrier,
}

impl Channel for Courier {
    type Config = Settings;
    const INFO: ChannelInfo =
        ChannelInfo::new("fixture_courier", "Courier", Class::Blind).batch(10).parallel(PARALLEL as u32);

    fn create(settings: Settings, _host: &Host) -> Result<Self> {
        if settings.hangs {
            hang();
        }
        Ok(Self { settings, meeting: Barrier::new(PARALLEL) })
    }

    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        act(content.json()?.as_str().unwrap_or_default());
        Ok(Payload::json(content.json()?))
    }

    fn deliver(&self, message: &Message<'_>, call: &Call<'_>) -> Outcome {
        let address: String = message.address().unwrap_or_default();
        if address == "meet" {
            self.meeting.wait();
        }
        if address == "accept, then SEGV" {
            call.outcome(message, &Outcome::Accepted { provider_id: String::new() });
            act("SEGV");
        }
        if let Err(error) = attempt(&address) {
            return Outcome::Rejected(error.to_string());
        }
        if let Some(file) = address.strip_prefix("wait for ") {
            while !Path::new(file).exists() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        act(&address);
        let token = self.settings.token.as_ref().map_or("", Secret::reveal);
        Outcome::Accepted { provider_id: format!("{}{token}", self.settings.name) }
    }

    fn deliver_batch(&self, messages: &[Message<'_>], call: &Call<'_>) {
        for message in messages {
            let address: String = message.address().unwrap_or_default();
            if let Some(early) = address.strip_prefix("early ") {
                act(early);
            }
            let outcome = if call.begin(message) { self.deliver(message, call) } else { Outcome::Cancelled };
            call.outcome(message, &outcome);
        }
    }

    fn ingest(&self, request: &Request<'_>, _call: &Call<'_>) -> Result<()> {
        act(&String::from_utf8_lossy(request.body()));
        Ok(())
    }

    fn health(&self, _call: &Call<'_>) -> Result<()> {
        if self.settings.unwell {
            hang();
        }
        Ok(())
    }
}

/// Tries what it may not be able to.
fn attempt(address: &str) -> io::Result<()> {
    match address.split_once(": ") {
        Some(("leave", to)) => TcpStream::connect(to)?.write_all(b"it left"),
        Some(("read", file)) => std::fs::read(file).map(drop),
        Some(("write", file)) => std::fs::write(file, "it wrote"),
        Some(("run", program)) => Command::new(program).status().map(drop),
        Some(("copy", to)) => {
            copy(&TcpStream::connect(to)?);
            Ok(())
        }
        Some(("run away", to)) => {
            let held = TcpStream::connect(to)?;
            // SAFETY: the copies make nothing but system calls.
            unsafe {
                match libc::fork() {
                    0 => {
                        libc::setsid();
                        copy(&held);
                        libc::_exit(0);
                    }
                    first => libc::waitpid(first, std::ptr::null_mut(), 0),
                };
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Makes a copy of the process that holds the connection for ever, and tells through it which process that is.
fn copy(held: &TcpStream) {
    // SAFETY: system calls; the bytes live through them. The copy makes nothing else.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            loop {
                libc::pause();
            }
        }
        let pid = pid.to_ne_bytes();
        libc::write(held.as_raw_fd(), pid.as_ptr().cast(), pid.len());
    }
}

fn act(what: &str) {
    match what {
        // SAFETY: none; this is what is tested.
        "SEGV" => unsafe { std::ptr::without_provenance_mut::<u64>(8).write_volatile(1) },
        "EXIT" => std::process::exit(0),
        "HANG" => hang(),
        // SAFETY: the descriptor of the server's socket, and bytes that live through the call.
        "GARBAGE" => unsafe {
            let bytes = [0xab_u8; 64];
            libc::write(3, bytes.as_ptr().cast(), bytes.len());
        },
        _ => {}
    }
}

fn hang() -> ! {
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}

export_plugin! { id: "com.example.fixture-courier", channels: [Courier] }
