//! Files of many rows: never whole in memory.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::gateway::{FakeGateway, TOKEN};
use crate::world::counts;

/// What the whole program may take, in KiB: what the smallest fitting function has.
const MEMORY_KIB: u64 = 256 * 1024;
/// How often the memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Writes rows as long as those of a real catalogue: about 200 bytes.
fn write(path: &Path, count: usize) {
    let mut file = BufWriter::new(std::fs::File::create(path).unwrap());
    file.write_all(b"name,description,price,category,stock_quantity\n").unwrap();
    let mut line = String::new();
    for row in 0..count {
        line.clear();
        let description = "It is made to last, and can be repaired with a screwdriver. ".repeat(2);
        writeln!(line, "Product {row},\"{description}\",{row}.50,category {},{}", row % 100, row % 1_000).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
    file.flush().unwrap();
}

/// Waits for the program's end; returns the most memory that it had, in KiB.
async fn peak(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id().unwrap());
    let mut peak = 0;
    loop {
        if let Ok(ended) = tokio::time::timeout(LOOK_EVERY, child.wait()).await {
            assert!(ended.unwrap().success());
            return peak;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let high_water = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = high_water.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kib.unwrap_or(0));
    }
}

/// Imports so many rows by the program; returns its peak memory in KiB.
async fn import(count: usize) -> u64 {
    let (gateway, folder) = (FakeGateway::forgetful().await, TempDir::new().unwrap());
    write(&folder.path().join("a.csv"), count);
    let mut command = Command::new(env!("CARGO_BIN_EXE_product-import"));
    command.env_clear().env("PRODUCT_API_TOKEN", TOKEN).current_dir(folder.path()).kill_on_drop(true);
    command.args(["a.csv", "--gateway", gateway.url().as_str()]).stdout(std::process::Stdio::null());
    let began = Instant::now();
    let peak = peak(&mut command.spawn().unwrap()).await;
    let took = began.elapsed();
    println!(
        "{count} rows in {took:.1?}: {:.0} rows/s, at most {} MiB",
        count as f64 / took.as_secs_f64(),
        peak / 1_024
    );
    let report = std::fs::read(folder.path().join("a.csv.report.json")).unwrap();
    assert_eq!(counts(&serde_json::from_slice(&report).unwrap()), [count as u64, count as u64, 0, 0]);
    peak
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_rows_take_little_memory() {
    let peak = import(20_000).await;
    assert!(peak > 0 && peak < MEMORY_KIB / 4, "{peak} KiB");
}

/// Some minutes: `cargo test --release -p product-import --test import -- --ignored --nocapture a_million_rows`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn a_million_rows_fit_a_small_function() {
    let peak = import(1_000_000).await;
    assert!(peak < MEMORY_KIB, "{peak} KiB");
}
