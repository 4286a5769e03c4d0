//! Whatever happens to an import, in the end each valid row has made one product, and report and file of errors are right.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use crate::gateway::{Fault, is_amount};
use crate::s3::FakeS3;
use crate::world::{World, counts, created, within};

/// A row: its line in the file, and what must become of it.
#[derive(Clone, Debug)]
enum Line {
    /// Valid, with a name out of so few that some come twice.
    Product(u8),
    NoPrice(u8),
    TooFewCells,
    NotUtf8,
}

impl Line {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Line::Product(name) => format!("Product {name},{name}.50\n").into_bytes(),
            Line::NoPrice(name) => format!("Product {name},\n").into_bytes(),
            Line::TooFewCells => b"Product\n".to_vec(),
            Line::NotUtf8 => b"K\xe4se,1\n".to_vec(),
        }
    }
}

/// The file, the valid rows' names, and the failing rows' lines with their reasons: the naive model.
fn model(lines: &[Line]) -> (Vec<u8>, BTreeSet<String>, Vec<(u64, &'static str)>) {
    let (mut file, mut names, mut failed) = (b"name,price\n".to_vec(), BTreeSet::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (line, number) in lines.iter().zip(2..) {
        file.extend(line.bytes());
        match line {
            Line::NotUtf8 => failed.push((number, "not_utf8")),
            Line::TooFewCells => failed.push((number, "wrong_column_count")),
            Line::Product(_) | Line::NoPrice(_) if !seen.insert(line.bytes()) => failed.push((number, "duplicate_row")),
            Line::NoPrice(_) => failed.push((number, "required")),
            Line::Product(name) => drop(names.insert(format!("Product {name}"))),
        }
    }
    (file, names, failed)
}

/// What happens to one delivery of an event.
#[derive(Clone, Debug)]
enum Disturbance {
    /// The process dies when the gateway has got so many more requests.
    Crash(u64),
    /// The process dies after so long.
    Death(Duration),
    /// The time limit comes after so long.
    Stop(Duration),
    /// Nothing.
    None,
}

/// A delivery: of the object's event, or of a continuation that is waiting, which may stay to be delivered again.
#[derive(Clone, Debug)]
struct Delivery {
    continuation: Option<prop::sample::Index>,
    comes_again: bool,
    disturbance: Disturbance,
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        8 => (0_u8..60).prop_map(Line::Product),
        1 => (0_u8..60).prop_map(Line::NoPrice),
        1 => Just(Line::TooFewCells),
        1 => Just(Line::NotUtf8),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        12 => Just(Fault::None),
        1 => prop::sample::select(vec![
            Fault::Status(429, Some(0)),
            Fault::Status(503, None),
            Fault::StatusAfter(504),
            Fault::CutBefore,
            Fault::CutAfter,
        ]),
    ]
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let disturbance = prop_oneof![
        2 => (0_u64..40).prop_map(Disturbance::Crash),
        2 => (0_u64..60).prop_map(|millis| Disturbance::Death(Duration::from_millis(millis))),
        2 => (0_u64..40).prop_map(|millis| Disturbance::Stop(Duration::from_millis(millis))),
        1 => Just(Disturbance::None),
    ];
    (prop::option::weighted(0.6, any::<prop::sample::Index>()), any::<bool>(), disturbance)
        .prop_map(|(continuation, comes_again, disturbance)| Delivery { continuation, comes_again, disturbance })
}

async fn deliver(world: &World, waiting: &mut Vec<Value>, delivery: &Delivery) {
    let event = match &delivery.continuation {
        Some(index) if !waiting.is_empty() => {
            let place = index.index(waiting.len());
            if delivery.comes_again { waiting[place].clone() } else { waiting.swap_remove(place) }
        }
        _ => created(&["a.csv"]),
    };
    match delivery.disturbance {
        Disturbance::Crash(requests) => {
            let death = world.gateway.requests() + requests;
            tokio::select! {
                biased;
                () = world.gateway.wait_for_requests(death) => {}
                (_, result) = world.deliver(event, None) => result.unwrap(),
            }
        }
        Disturbance::Death(time) => {
            if let Ok((_, result)) = tokio::time::timeout(time, world.deliver(event, None)).await {
                result.unwrap();
            }
        }
        Disturbance::Stop(time) => world.deliver(event, within(time)).await.1.unwrap(),
        Disturbance::None => world.deliver(event, None).await.1.unwrap(),
    }
    waiting.extend(world.queue.take());
}

/// The lines and reasons of a file of errors.
fn lines_and_reasons(errors: &str) -> Vec<(u64, String)> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(errors.as_bytes());
    let line_and_reason = |record: csv::StringRecord| (record[0].parse().unwrap(), record[1].to_owned());
    reader.records().map(|record| line_and_reason(record.unwrap())).collect()
}

async fn check(s3: FakeS3, lines: Vec<Line>, faults: Vec<Fault>, deliveries: Vec<Delivery>, ends_by_hop: bool) {
    let (file, names, failed) = model(&lines);
    let mut world = World::of(s3).await;
    world.importer.args.import_checkpoint_rows = 7;
    world.gateway.delay(Duration::from_millis(1));
    world.s3.put("a.csv", file).await;
    world.gateway.fail(move |request| faults[usize::try_from(request).unwrap() % faults.len()]);
    let mut waiting = Vec::new();
    for delivery in &deliveries {
        deliver(&world, &mut waiting, delivery).await;
    }
    world.gateway.heal();
    // The undisturbed end: of the whole file, or of what was left to a continuation.
    let last = if ends_by_hop { waiting.pop() } else { None };
    world.deliver(last.unwrap_or_else(|| created(&["a.csv"])), None).await.1.unwrap();

    let made = world.gateway.names();
    assert_eq!(made, names.iter().cloned().collect::<Vec<_>>(), "each valid row once");
    let report = world.s3.report("a.csv").await;
    assert_eq!(report["status"], "finished");
    let [read, created, unchanged, failures] = counts(&report);
    assert_eq!((read, created + unchanged, failures), (lines.len() as u64, names.len() as u64, failed.len() as u64));
    let expected: Vec<_> = failed.iter().map(|(line, reason)| (*line, (*reason).to_owned())).collect();
    assert_eq!(lines_and_reasons(&world.s3.errors("a.csv").await), expected);
    for (reason, count) in report["reasons"].as_object().unwrap() {
        assert_eq!(count, failed.iter().filter(|(_, failed)| failed == reason).count());
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn redeliveries_stops_crashes_and_faults_make_each_valid_row_exactly_once(
        lines in prop::collection::vec(line(), 0..80),
        faults in prop::collection::vec(fault(), 1..60),
        deliveries in prop::collection::vec(delivery(), 0..6),
        ends_by_hop in any::<bool>(),
    ) {
        runtime().block_on(async { check(FakeS3::start().await, lines, faults, deliveries, ends_by_hop).await });
    }

    #[test]
    fn of_any_bytes_every_record_is_accounted_for(
        bytes in prop::collection::vec(prop_oneof![prop::sample::select(b",\"\r\nab1.\xff".to_vec()), any::<u8>()], 0..300),
    ) {
        runtime().block_on(async {
            let world = World::new().await;
            let report = world.import_file("a.csv", [b"name,price\n", &bytes[..]].concat()).await;
            // The counts add up, and the file of errors has as many rows as failed.
            let failed = counts(&report)[3];
            assert_eq!(lines_and_reasons(&world.s3.errors("a.csv").await).len() as u64, failed);
            assert_eq!(world.gateway.made().len() as u64, counts(&report)[1]);
            assert!(world.gateway.made().iter().all(|product| is_amount(product["price"].as_str().unwrap())));
        });
    }
}
