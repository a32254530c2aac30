//! A metric that does to its process what the coupon says.
#![expect(unsafe_code, reason = "a wrong address and system calls are among its faults")]
#![expect(clippy::print_stdout, reason = "noise is one of its faults")]
#![expect(clippy::infinite_loop, reason = "an endless loop is one of its faults")]

use podium_plugin::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Settings {
    /// Whether it never becomes an instance.
    #[serde(default)]
    hangs: bool,
}

struct Crash;

impl Metric for Crash {
    type Config = Settings;
    type Sums = [f64; 1];
    const INFO: MetricInfo = MetricInfo::mean("fixture_crash", "Crash");

    fn create(settings: Settings) -> Result<Self> {
        if settings.hangs {
            loop {
                std::hint::spin_loop();
            }
        }
        Ok(Self)
    }

    fn fields(&self) -> Fields {
        Fields::new()
            .column("coupon", Column::Text)
            .read(Read::event("Order Completed").property("coupon", "coupon"))
    }

    fn observe(&self, event: &Event<'_>) -> [f64; 1] {
        match event.text(0) {
            Some("SEGV") => {
                // SAFETY: none; this is what is tested.
                unsafe { std::ptr::without_provenance_mut::<u64>(8).write_volatile(1) };
            }
            Some("ABORT") => std::process::abort(),
            Some("EXIT") => std::process::exit(0),
            Some("LOOP") => loop {
                std::hint::spin_loop();
            },
            Some("STACK") => {
                std::hint::black_box(deep(0));
            }
            Some("LEAK") => {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                loop {
                    kept.push(vec![1; 1 << 24]);
                    std::hint::black_box(&kept);
                }
            }
            Some("FORK") => {
                // SAFETY: the copy only sleeps.
                if unsafe { libc::fork() } == 0 {
                    std::thread::sleep(std::time::Duration::from_mins(1));
                }
                std::process::exit(0);
            }
            Some("THREAD") => drop(std::thread::spawn(|| {}).join()),
            Some("OPEN") => drop(std::fs::File::open("/etc/hosts")),
            Some("CONNECT") => drop(std::net::TcpStream::connect("127.0.0.1:9")),
            Some("EXEC") => drop(std::process::Command::new("/bin/true").status()),
            Some("KILL") => {
                // SAFETY: a system call without pointers, to see whether there is a parent.
                unsafe { libc::kill(libc::getppid(), 0) };
            }
            Some("CLOCK") => {
                let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
                // SAFETY: the struct lives through the call.
                unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_REALTIME, &raw mut now) };
            }
            Some("MEMORY") => {
                std::hint::black_box(std::collections::HashMap::from([(1, vec![0; 1 << 20])]));
            }
            Some("NOISE") => (0..10_000).for_each(|n| println!("noise {n}")),
            _ => {}
        }
        [1.0]
    }

    fn value(&self, [n]: [f64; 1]) -> (f64, f64) {
        (n, 1.0)
    }
}

#[expect(unconditional_recursion, reason = "a stack without end is one of its faults")]
fn deep(n: u64) -> u64 {
    let here = std::hint::black_box([n; 64]);
    deep(n + 1) + here[7]
}

export_plugin! { id: "com.example.fixture-crash", metrics: [Crash] }
