//! The event generator keeps its promises: the seed fixes every byte, the answer key is right, shares are what was
//! asked for, and it stops when told to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args as _, CommandFactory, Parser};
use dataflow::error::Error;
use dataflow::generate::{
    Answers, Args, Compression, Content, Generated, LocalDestination, Outcome, Placement, RecordWriter, Shape, Stream,
    Summary, Timing, murmur2, run,
};
use proptest::prelude::*;
use proptest::test_runner::Config;
use schemas::{Reason, ResultRow, Window, decode_fast, decode_general};
use sha2::{Digest, Sha256};

type TestResult = Result<(), Box<dyn StdError>>;

const OOO: Duration = Duration::from_secs(10);

fn generate(shape: &Shape) -> Vec<Generated> {
    let mut stream = Stream::new(shape).expect("the shape is valid");
    let mut record = Generated::default();
    let mut records = Vec::new();
    while stream.next(&mut record) {
        records.push(record.clone());
    }
    records
}

fn summary_of(shape: &Shape) -> Summary {
    let mut key = dataflow::generate::AnswerKey::new(shape);
    generate(shape).iter().for_each(|record| key.observe(record));
    key.finish().1
}

/// A stream with some of everything.
fn colourful(events: u64) -> Shape {
    Shape {
        events: Some(events),
        late_share: 0.05,
        malformed_share: 0.05,
        odd_layout_share: 0.2,
        partitions: 4,
        products: 50,
        users: 300,
        ..Shape::default()
    }
}

fn run_to_end(shape: &Shape, writer: Box<dyn RecordWriter>, answers: Option<Answers>) -> Result<Outcome, Error> {
    run(shape, writer, answers, &AtomicBool::new(false), &mut |_| ())
}

/// Keeps each partition's values in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<u32, Vec<Vec<u8>>>>>);

impl RecordWriter for Memory {
    fn write(&mut self, partition: u32, _key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.0.lock().expect("no thread panics").entry(partition).or_default().push(value.into());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}

/// The results of written partitions, worked out from their bytes alone: a second opinion on the answer key.
fn judge(partitions: &BTreeMap<u32, Vec<Vec<u8>>>, out_of_orderness: Duration) -> (Vec<ResultRow>, Summary) {
    let mut summary = Summary::default();
    let mut seen = BTreeSet::new();
    for values in partitions.values() {
        let mut watermark = i64::MIN;
        for value in values {
            summary.received += 1;
            match decode_general(value) {
                Err(reason) => *summary.rejected.entry(reason).or_default() += 1,
                Ok(event) => {
                    let window = Window::of(event.timestamp);
                    if window.end_millis() <= watermark {
                        summary.late += 1;
                    } else {
                        summary.counted += 1;
                        seen.insert((window, event.product_id.into_owned(), event.user_id.into_owned()));
                    }
                    watermark = watermark.max(event.timestamp.millis() - out_of_orderness.as_millis() as i64);
                }
            }
        }
    }
    let mut rows: Vec<ResultRow> = Vec::new();
    for (window, product_id, _) in seen {
        match rows.last_mut() {
            Some(row) if row.window == window && row.product_id == product_id => row.unique_user_count += 1,
            _ => rows.push(ResultRow { product_id, window, unique_user_count: 1, revision: 0 }),
        }
    }
    summary.rows = rows.len() as u64;
    summary.windows = rows.iter().map(|row| row.window).collect::<BTreeSet<_>>().len() as u64;
    (rows, summary)
}

prop_compose! {
    fn shapes()(
        seed: u64,
        events in 0..2000_u64,
        minutes in 0..20_u64,
        rate in proptest::option::of(1..200_u64),
        products in 1..40_u64,
        users in 1..200_u64,
        (product_exponent, user_exponent) in (0.0..2.0, prop_oneof![Just(0.0), 0.1..2.0]),
        partitions in 1..6_u32,
        partition_skew in prop_oneof![Just(0.0), 0.0..0.99],
        (jitter, out_of_orderness) in (0..200_u64, 0..60_u64),
        (late_share, malformed_share, odd_layout_share) in (0.0..0.5, 0.0..0.5, 0.0..1.0),
    ) -> Shape {
        let duration = Duration::from_secs(minutes * 60);
        Shape {
            seed,
            events: Some(events),
            // In tests that do not run at its pace, only the event times of a live stream show.
            timing: rate.map_or(Timing::Spread(duration), |rate| Timing::Live { rate, speed: 20.5 }),
            products, product_exponent, users, user_exponent, partitions, partition_skew,
            jitter: Duration::from_secs(jitter),
            out_of_orderness: Duration::from_secs(out_of_orderness),
            late_share, malformed_share, odd_layout_share,
            ..Shape::default()
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 32, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_answer_key_is_what_the_bytes_say(mut shape in shapes()) {
        if matches!(shape.timing, Timing::Live { .. }) {
            shape.timing = Timing::Live { rate: 1_000_000, speed: 500_000.0 };
        }
        let folder = tempfile::tempdir()?;
        let (rows, counts) = (folder.path().join("rows.ndjson"), folder.path().join("summary.json"));
        let memory = Memory::default();
        let answers = Answers::create(&shape, Some(&rows), Some(&counts))?;
        let outcome = run_to_end(&shape, Box::new(memory.clone()), Some(answers))?;

        let (expected_rows, expected) = judge(&memory.0.lock().expect("no thread panics"), shape.out_of_orderness);
        prop_assert_eq!(outcome.summary.as_ref(), Some(&expected));
        prop_assert_eq!(Some(outcome.events), shape.events);
        let mut expected_text = String::new();
        for row in expected_rows {
            expected_text += &(serde_json::to_string(&row)? + "\n");
        }
        prop_assert_eq!(fs::read_to_string(&rows)?, expected_text);
        prop_assert_eq!(fs::read_to_string(&counts)?, serde_json::to_string(&expected)? + "\n");
        prop_assert_eq!(
            expected.received,
            expected.counted + expected.late + expected.filtered + expected.rejected.values().sum::<u64>()
        );
    }

    #[test]
    fn the_seed_fixes_every_byte(shape in shapes()) {
        prop_assert_eq!(generate(&shape), generate(&shape));
    }

    #[test]
    fn every_record_is_one_line_and_says_what_the_generator_knows(shape in shapes()) {
        for record in generate(&shape) {
            prop_assert!(!record.value.contains(&b'\n') && !record.value.contains(&b'\r'));
            prop_assert!(record.value.iter().any(|byte| !byte.is_ascii_whitespace()));
            prop_assert!(record.partition < shape.partitions);
            match (decode_general(&record.value), record.content) {
                (Err(reason), Content::Malformed(expected)) => {
                    prop_assert_eq!(reason, expected);
                    prop_assert!(record.key.is_empty());
                }
                (Ok(event), Content::Event { user, product, time }) => {
                    prop_assert_eq!(event.user_id.as_bytes(), &record.key);
                    prop_assert_eq!(event.user_id, format!("u{user}"));
                    prop_assert_eq!(event.product_id, product.to_string());
                    prop_assert_eq!(event.timestamp, time);
                    prop_assert!((1..=shape.users).contains(&user) && (1..=shape.products).contains(&product));
                }
                (decoded, content) => prop_assert!(false, "{decoded:?} is not {content:?}"),
            }
        }
    }

    #[test]
    fn without_a_late_share_and_with_small_jitter_nothing_is_late(shape in shapes(), jitter_millis in 0..=10_000_u64) {
        let jitter = Duration::from_millis(jitter_millis);
        let shape = Shape { late_share: 0.0, jitter, out_of_orderness: OOO, ..shape };
        prop_assert_eq!(summary_of(&shape).late, 0);
    }

    #[test]
    fn partitions_move_records_without_changing_them(shape in shapes()) {
        let shape = Shape { late_share: 0.0, ..shape };
        let values = |shape: &Shape| generate(shape).into_iter().map(|record| record.value).collect::<Vec<_>>();
        let one = Shape { partitions: 1, partition_skew: 0.0, ..shape.clone() };
        prop_assert_eq!(values(&shape), values(&one));
    }

    #[test]
    fn a_user_stays_in_one_partition(shape in shapes()) {
        let mut partition_of = BTreeMap::new();
        for record in generate(&shape).into_iter().filter(|record| !record.key.is_empty()) {
            prop_assert_eq!(*partition_of.entry(record.key).or_insert(record.partition), record.partition);
        }
    }
}

#[test]
fn an_event_is_late_from_the_moment_the_watermark_reaches_its_windows_end() {
    // Event time in steps of ten seconds: watermarks stand at the end of a window, to the millisecond.
    let timing = Timing::Live { rate: 1, speed: 10.0 };
    let shape = Shape { timing, jitter: Duration::ZERO, late_share: 0.5, partitions: 1, ..colourful(2_000) };
    let values = generate(&shape).into_iter().map(|record| record.value).collect();
    let by_bytes = judge(&BTreeMap::from([(0, values)]), OOO).1;
    assert_eq!(summary_of(&shape), by_bytes);
    assert!((900..1100).contains(&by_bytes.late), "{by_bytes:?}");
}

#[test]
fn another_seed_gives_other_records() {
    assert_ne!(generate(&colourful(10)), generate(&Shape { seed: 2, ..colourful(10) }));
}

/// A change here changes every stream that anybody ever generated: it belongs into the changelog.
#[test]
fn the_streams_of_today_are_those_of_the_first_release() {
    let mut digest = Sha256::new();
    for record in generate(&colourful(20_000)) {
        digest.update(record.partition.to_le_bytes());
        digest.update(&record.value);
        digest.update(b"\n");
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "0b438829df5d818c034834254d02477fa2578580786c5bf3aad3bfe6b2fdca4e");
}

#[test]
fn shares_come_out_as_asked_for() {
    // Many users, so that partitions come out even too.
    let shape = Shape { add_to_cart_share: 0.3, purchase_share: 0.2, users: 1_000_000, ..colourful(100_000) };
    let records = generate(&shape);
    let summary = summary_of(&shape);
    let near = |name: &str, count: usize, share: f64, whole: usize| {
        let actual = count as f64 / whole as f64;
        assert!((actual - share).abs() < 0.01, "{name}: {actual} is not {share}");
    };
    let rejected: u64 = summary.rejected.values().sum();
    let valid: Vec<_> = records.iter().filter(|record| record.event_time().is_some()).collect();
    near("malformed", rejected as usize, 0.05, records.len());
    near("late", summary.late as usize, 0.05, records.len());
    near("odd", valid.iter().filter(|record| decode_fast(&record.value).is_none()).count(), 0.2, valid.len());
    for (event_type, share) in [("ADD_TO_CART", 0.3), ("PURCHASE", 0.2), ("VIEW_PRODUCT", 0.5)] {
        let is_it =
            |record: &Generated| decode_general(&record.value).is_ok_and(|event| event.event_type == event_type);
        near(event_type, valid.iter().filter(|record| is_it(record)).count(), share, valid.len());
    }
    for partition in 0..4 {
        near("partition", records.iter().filter(|record| record.partition == partition).count(), 0.25, records.len());
    }
}

#[test]
fn malformed_records_have_every_reason_that_a_file_can_have() {
    let shape = Shape { malformed_share: 1.0, late_share: 0.0, ..colourful(20_000) };
    let found: Vec<Reason> = summary_of(&shape).rejected.into_keys().collect();
    // A blank line is no record, and nothing in a file is in the future.
    let expected: Vec<Reason> =
        Reason::ALL.into_iter().filter(|reason| !matches!(reason, Reason::Empty | Reason::Future)).collect();
    assert_eq!(found, expected);
}

#[test]
fn events_lie_between_the_start_and_the_end_of_the_duration() {
    let shape = Shape { events: Some(10_000), timing: Timing::Spread(Duration::from_secs(600)), ..Shape::default() };
    let end = shape.start.millis() + 600_000;
    for record in generate(&shape) {
        let time = record.event_time().expect("nothing is malformed").millis();
        assert!((shape.start.millis()..end).contains(&time));
    }
    assert_eq!(summary_of(&shape).windows, 10);
}

#[test]
fn users_are_placed_as_kafka_places_them() {
    // From Apache Kafka's own test, UtilsTest.testMurmur2.
    for (key, hash) in [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ] {
        assert_eq!(murmur2(key.as_bytes()), hash as u32, "{key}");
        assert_eq!(Placement::new(7, 0.0).of_key(key.as_bytes()), (hash as u32 & 0x7fff_ffff) % 7, "{key}");
    }
}

#[test]
fn skewed_partitions_fall_geometrically() {
    let shape = Shape { partition_skew: 0.5, partitions: 3, users: 1_000_000, ..colourful(70_000) };
    let mut sizes = [0_i64; 3];
    for record in generate(&shape) {
        sizes[record.partition as usize] += 1;
    }
    for (size, expected) in sizes.into_iter().zip([40_000, 20_000, 10_000]) {
        assert!((size - expected).abs() < 1000, "{sizes:?}");
    }
}

#[test]
fn an_endless_stream_keeps_its_rate_and_stops_when_told_to() -> TestResult {
    let live = Timing::Live { rate: 20_000, speed: 60.0 };
    let shape = Shape { events: None, timing: live, ..colourful(0) };
    let (memory, stop) = (Memory::default(), AtomicBool::new(false));
    let mut progress = Vec::new();
    let started = Instant::now();
    let answers = Answers::create(&shape, None, None)?;
    let (outcome, stopped_after) = thread::scope(|scope| {
        let stopper = scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            stop.store(true, Ordering::Relaxed);
            Instant::now()
        });
        let outcome = run(&shape, Box::new(memory.clone()), Some(answers), &stop, &mut |events| progress.push(events));
        (outcome, stopper.join().expect("it does not panic").elapsed())
    });
    let outcome = outcome?;
    let most = started.elapsed().as_secs_f64() * 20_000.0 + 1.0;
    assert!(stopped_after < Duration::from_secs(2), "{stopped_after:?}");
    assert!(outcome.events as f64 <= most && outcome.events > 1000, "{} of {most}", outcome.events);
    assert!(progress.is_sorted() && progress.last() == Some(&outcome.events));
    let written = memory.0.lock().expect("no thread panics");
    assert_eq!(outcome.summary, Some(judge(&written, OOO).1));
    Ok(())
}

#[test]
fn a_stream_that_is_not_paced_stops_when_told_to() -> TestResult {
    let outcome = run(&colourful(1_000_000), Box::new(Memory::default()), None, &AtomicBool::new(true), &mut |_| ())?;
    assert_eq!(outcome, Outcome { events: 0, summary: None });
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Box<dyn StdError>> {
    let file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    match Compression::of_path(path) {
        Compression::None => { file }.read_to_end(&mut bytes)?,
        Compression::Gzip => flate2::read::GzDecoder::new(file).read_to_end(&mut bytes)?,
        Compression::Zstd => zstd::Decoder::new(file)?.read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

#[test]
fn files_hold_a_line_for_each_record() -> TestResult {
    let folder = tempfile::tempdir()?;
    let shape = Shape { partitions: 1, ..colourful(5_000) };
    let expected: Vec<u8> =
        generate(&shape).into_iter().flat_map(|record| [record.value, b"\n".into()].concat()).collect();
    for name in ["events.ndjson", "events.ndjson.gz", "events.ndjson.zst"] {
        let path = folder.path().join(name);
        run_to_end(&shape, LocalDestination::File(path.clone()).open(1)?, None)?;
        assert!(read(&path)? == expected, "{name}");
    }
    Ok(())
}

#[test]
fn directories_hold_a_file_for_each_partition() -> TestResult {
    let folder = tempfile::tempdir()?;
    let shape = colourful(5_000);
    for (compression, suffix) in [(Compression::None, ""), (Compression::Gzip, ".gz"), (Compression::Zstd, ".zst")] {
        let directory = folder.path().join(format!("events{suffix}"));
        // A second run replaces the files of the first.
        for _ in 0..2 {
            run_to_end(&shape, LocalDestination::Directory(directory.clone(), compression).open(4)?, None)?;
        }
        let records = generate(&shape);
        for partition in 0..4 {
            let own = records.iter().filter(|record| record.partition == partition);
            let expected: Vec<u8> = own.flat_map(|record| [&record.value[..], b"\n"].concat()).collect();
            let path = directory.join(format!("part-{partition:05}.ndjson{suffix}"));
            assert!(read(&path)? == expected, "{}", path.display());
        }
        assert_eq!(fs::read_dir(&directory)?.count(), 4);
    }
    Ok(())
}

#[test]
fn a_directory_with_other_files_is_refused_untouched() -> TestResult {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("part-00004.ndjson"), "{}\n")?;
    let destination = LocalDestination::Directory(folder.path().into(), Compression::None);
    let error = destination.open(4).err().expect("it is refused");
    assert!(matches!(&error, Error::Usage(sentence) if sentence.contains("part-00004.ndjson")), "{error}");
    assert_eq!(fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

#[test]
fn what_cannot_be_written_is_named() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("missing/events.ndjson");
    let error = LocalDestination::File(path.clone()).open(1).err().expect("there is no such folder");
    assert!(error.to_string().starts_with(&format!("cannot write {}: ", path.display())), "{error}");
    if cfg!(target_os = "linux") {
        let full = LocalDestination::File("/dev/full".into()).open(1)?;
        let error = run_to_end(&colourful(5_000), full, None).expect_err("the device is full");
        assert_eq!(error, Error::Io("cannot write /dev/full: No space left on device (os error 28)".into()));
        let answers = Answers::create(&colourful(10), Some(Path::new("/dev/full")), None)?;
        let error = run_to_end(&colourful(10), Box::new(Memory::default()), Some(answers));
        assert_eq!(error, Err(Error::Io("cannot write /dev/full: No space left on device (os error 28)".into())));
    }
    Ok(())
}

#[test]
fn shapes_that_cannot_be_are_refused_by_name() {
    let fine = Shape::default;
    for (shape, named) in [
        (Shape { events: None, ..fine() }, "give a rate"),
        (Shape { timing: Timing::Live { rate: 0, speed: 1.0 }, ..fine() }, "rate 0"),
        (Shape { timing: Timing::Live { rate: 1, speed: 0.0 }, ..fine() }, "speed 0"),
        (Shape { timing: Timing::Live { rate: 1, speed: f64::NAN }, ..fine() }, "speed NaN"),
        (Shape { timing: Timing::Spread(Duration::MAX), ..fine() }, "year 9999"),
        (Shape { products: 0, ..fine() }, "0 products"),
        (Shape { users: u64::MAX, ..fine() }, "users"),
        (Shape { partitions: 0, ..fine() }, "0 partitions"),
        (Shape { product_exponent: -1.0, ..fine() }, "product exponent -1"),
        (Shape { user_exponent: f64::INFINITY, ..fine() }, "user exponent inf"),
        (Shape { partition_skew: 1.0, ..fine() }, "partition skew 1"),
        (Shape { jitter: Duration::MAX, ..fine() }, "jitter"),
        (Shape { late_share: 1.5, ..fine() }, "late share 1.5"),
        (Shape { late_share: 0.6, malformed_share: 0.6, ..fine() }, "malformed share 0.6"),
        (Shape { odd_layout_share: -0.1, ..fine() }, "odd-layout share -0.1"),
        (Shape { purchase_share: 0.95, ..fine() }, "purchase share 0.95"),
    ] {
        let error = Stream::new(&shape).expect_err("it is refused");
        assert!(matches!(&error, Error::Usage(sentence) if sentence.contains(named)), "{error} does not name {named}");
    }
}

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn parse(flags: &[&str]) -> Args {
    Command::try_parse_from([&["generate"], flags].concat()).expect("the flags are fine").args
}

#[test]
fn the_flags_default_to_the_default_shape() -> TestResult {
    let args = parse(&[]);
    assert_eq!(args.shape()?, Shape::default());
    assert_eq!(args.local_destination()?, Some(LocalDestination::Stdout));
    assert!(args.answers(&args.shape()?)?.is_none());
    Ok(())
}

#[test]
fn every_flag_is_documented_and_has_a_variable() {
    Command::command().debug_assert();
    for flag in Args::augment_args(clap::Command::new("generate")).get_arguments() {
        let long = flag.get_long().expect("all are flags");
        assert!(flag.get_help().is_some(), "--{long}");
        let variable = format!("FOOTFALL_GENERATE_{}", long.to_uppercase().replace('-', "_"));
        assert_eq!(flag.get_env(), Some(variable.as_ref()));
    }
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    for flags in [&["--duration", "5m", "--rate", "10"][..], &["--speed", "2"], &["--to", "file"], &["--jitter", "8"]] {
        assert!(Command::try_parse_from([&["generate"], flags].concat()).is_err(), "{flags:?}");
    }
    for (flags, named) in [
        (&["--events", "0"][..], "--rate"),
        (&["--rate", "0", "--speed", "2"], "--rate"),
        (&["--partitions", "2"], "standard output is one partition"),
        (&["--compress", "gzip"], "standard output"),
        (&["--to", "ndjson:a.zst", "--compress", "gzip"], "a.zst"),
        (&["--to", "ndjson:out", "--partitions", "2", "--answers", "out/rows.ndjson"], "out/rows.ndjson"),
    ] {
        let args = parse(flags);
        let result = args.shape().and_then(|shape| args.local_destination().and_then(|_| args.answers(&shape)));
        let error = result.expect_err("it is refused");
        assert!(matches!(&error, Error::Usage(sentence) if sentence.contains(named)), "{error} does not name {named}");
    }
}

#[test]
fn a_live_demo_starts_now() -> TestResult {
    let shape = parse(&["--start", "now", "--events", "0", "--rate", "50", "--to", "kafka"]).shape()?;
    assert_eq!((shape.events, shape.timing), (None, Timing::Live { rate: 50, speed: 1.0 }));
    assert!(shape.start > dataflow::generate::DEFAULT_START);
    Ok(())
}
