//! The hot path, stage by stage: what an event costs on its way from bytes to a row. `cargo bench -p dataflow`, or one
//! stage: `cargo bench -p dataflow -- decode`.
//!
//! Times depend on the machine and on what else it does; `loadtest/instructions` counts instructions, which do not.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use dataflow::block::{Block, BlockBuilder};
use dataflow::classify::{Classifier, Rules, Timing};
use dataflow::generate::{Generated, Shape, Stream};
use dataflow::job::{Job, SinkPlan};
use dataflow::output::Output;
use dataflow::sink::ndjson::NdjsonSink;
use dataflow::sink::operator::Spread;
use dataflow::source::file::FileReader;
use dataflow::source::operator::SourceSettings;
use dataflow::unique_users::UniqueUsers;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use schemas::{EventView, FastDecoder, ResultRow, RowEncoder};

/// Of one partition, within a minute or two of event time, as many as a busy job reads then.
const EVENTS: usize = 100_000;
const FILES: u32 = 2;

fn main() {
    divan::main();
}

/// Lines in the common layout.
fn lines() -> &'static [Vec<u8>] {
    static LINES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    LINES.get_or_init(|| {
        let shape = Shape { events: Some(EVENTS as u64), odd_layout_share: 0.0, ..Shape::default() };
        let mut stream = Stream::new(&shape).unwrap();
        let mut record = Generated::default();
        let mut lines = Vec::new();
        while stream.next(&mut record) {
            lines.push(record.value.clone());
        }
        lines
    })
}

fn events() -> Vec<EventView<'static>> {
    let mut decoder = FastDecoder::default();
    lines().iter().map(|line| decoder.decode(line).unwrap()).collect()
}

fn classifier() -> Classifier {
    Classifier::new(&Rules {
        out_of_orderness: Duration::from_secs(10),
        max_future_skew: None,
        allowed_lateness: Duration::ZERO,
        event_types: Vec::new(),
    })
}

/// The blocks of all events for each worker.
fn blocks(workers: usize) -> Vec<Block> {
    let (mut classifier, mut builder) = (classifier(), BlockBuilder::new(0, workers));
    for event in events() {
        if let Timing::OnTime { window, takes_effect } = classifier.judge(&event, None) {
            builder.push(&event, window, takes_effect);
        }
    }
    builder.take().collect()
}

/// Bytes to an event.
#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let lines = lines();
    bencher
        .counter(ItemsCount::new(lines.len()))
        .with_inputs(FastDecoder::default)
        .bench_refs(|decoder| lines.iter().filter(|line| black_box(decoder.decode(black_box(line))).is_some()).count());
}

/// An event to its window.
#[divan::bench]
fn classify(bencher: Bencher<'_, '_>) {
    let events = events();
    bencher.counter(ItemsCount::new(events.len())).with_inputs(classifier).bench_refs(|classifier| {
        for event in &events {
            black_box(classifier.judge(black_box(event), None));
        }
    });
}

/// Events to a block for each worker.
#[divan::bench(args = [1, 2, 8])]
fn exchange(bencher: Bencher<'_, '_>, workers: usize) {
    let events = events();
    let window = schemas::Window::of(events[0].timestamp);
    bencher.counter(ItemsCount::new(events.len())).with_inputs(|| BlockBuilder::new(0, workers)).bench_refs(
        |builder| {
            for event in &events {
                builder.push(black_box(event), window, u64::from(window.ordinal()));
            }
            builder.take().count()
        },
    );
}

/// A block to counts: every event in one window, whose set grows from nothing.
#[divan::bench]
fn distinct(bencher: Bencher<'_, '_>) {
    let blocks = blocks(1);
    let events: usize = blocks.iter().map(|block| block.looks.len()).sum();
    bencher.counter(ItemsCount::new(events)).with_inputs(UniqueUsers::default).bench_refs(|users| {
        for block in &blocks {
            for look in &block.looks {
                black_box(users.insert(look, &block.long_ids));
            }
        }
    });
}

/// Rows to JSON.
#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    let window = schemas::Window::from_ordinal(28_000_000);
    let row = |n: u64| ResultRow { product_id: n.to_string(), window, unique_user_count: n * 7, revision: 0 };
    let rows: Vec<_> = (1..=10_000).map(row).collect();
    bencher.counter(ItemsCount::new(rows.len())).with_inputs(|| Vec::with_capacity(2 << 20)).bench_refs(|out| {
        let mut encoder = RowEncoder::default();
        rows.iter().for_each(|row| encoder.encode(black_box(row), None, out));
    });
}

/// The whole job, from two files to a file of rows.
#[divan::bench(args = [1, 2], sample_count = 10)]
fn job(bencher: Bencher<'_, '_>, workers: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = |file: u32| -> PathBuf { folder.path().join(format!("{file}.ndjson")) };
    let mut files: Vec<_> = (0..FILES).map(|file| std::fs::File::create(path(file)).unwrap()).collect();
    for (line, file) in lines().iter().zip((0..FILES as usize).cycle()) {
        files[file].write_all(&[line, &b"\n"[..]].concat()).unwrap();
    }
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        let job = Job::new(workers, (0..FILES).map(|file| format!("{file}.ndjson")));
        let output = Output::create(&folder.path().join("rows")).unwrap();
        let sink = Box::new(NdjsonSink::new(output, job.metrics.sink("ndjson")));
        let plan = SinkPlan { sink, rows: Some(Spread::OneWriter), keeps_quarantined: false };
        let readers = (0..FILES).map(|file| FileReader::new(path(file))).collect();
        job.run(readers, SourceSettings::default(), vec![plan]).unwrap();
    });
}
