//! What a process of its own costs a metric: batches of 4,096 orders, in our process and in a child, in turns.
#![expect(clippy::print_stdout, reason = "the figures are for whoever started it")]
#![expect(clippy::unwrap_used, reason = "without plugins there is nothing to measure")]

use podium_plugin_host::{Batch, ColumnType, HostLog, Isolation, Launcher, MetricInstance, Registry, Value};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const ROWS: usize = 4_096;
const ROUNDS: usize = 40;
const BATCHES_PER_ROUND: u32 = 50;

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let target = built();
    let folder = target.join("isolation-bench");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(target.join("libpodium_commerce_metrics.so"), folder.join("commerce.so")).unwrap();
    let program = target.join("examples/plugin_host");
    let staging = folder.join("staged");
    let child = Isolation::Child(Launcher { program, arguments: Vec::new(), staging });
    let load = |isolation| {
        Registry::load_with(std::slice::from_ref(&folder), isolation, &HostLog::discard())
            .create("aov", "{}")
            .unwrap()
    };
    let (here, there) = (load(&Isolation::InProcess), load(&child));
    let batch = orders();
    assert_eq!(here.observe(&batch).unwrap(), there.observe(&batch).unwrap());
    let (mut in_process, mut in_child): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        in_process.push(time(&*here, &batch));
        in_child.push(time(&*there, &batch));
    }
    let nothing = Batch::new(&[ColumnType::Money]);
    let mut idle: Vec<Duration> = (0..ROUNDS).map(|_| time(&*there, &nothing)).collect();
    println!("an empty call of a child              {:>9.1} us", median(&mut idle));
    let (here, there) = (median(&mut in_process), median(&mut in_child));
    println!(
        "observe {ROWS} orders in our process   {here:>9.1} us   {:>6.2} ns each",
        here * 1e3 / ROWS as f64
    );
    println!(
        "observe {ROWS} orders in a child       {there:>9.1} us   {:>6.2} ns each",
        there * 1e3 / ROWS as f64
    );
    println!("child to our process                  {:>9.2}  (at most 4)", there / here);
}

/// Builds the plugin and the child, and returns the folder they are in.
fn built() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for package in
        [&["-p", "podium-commerce-metrics"][..], &["-p", "podium-plugin-host", "--example", "plugin_host"]]
    {
        let status =
            Command::new(&cargo).args(["build", "--release", "--quiet"]).args(package).status().unwrap();
        assert!(status.success());
    }
    let bench = std::env::current_exe().unwrap();
    bench.ancestors().nth(2).map(Path::to_path_buf).unwrap()
}

fn orders() -> Batch {
    let mut batch = Batch::new(&[ColumnType::Money]);
    for row in (0..).take(ROWS) {
        let amount = 1_000 + (row * 7_919) % 20_000;
        batch.push_row(0, row, &[Value::Money(amount)]).unwrap();
    }
    batch
}

/// The mean time of a batch, over a round.
fn time(metric: &dyn MetricInstance, batch: &Batch) -> Duration {
    let begun = Instant::now();
    for _ in 0..BATCHES_PER_ROUND {
        std::hint::black_box(metric.observe(batch).unwrap());
    }
    begun.elapsed() / BATCHES_PER_ROUND
}

/// In microseconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}
