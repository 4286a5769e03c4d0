//! From flags to shapes.

use clap::{Args as _, CommandFactory, Parser};
use dataflow::error::Error;
use dataflow::generate::{Args, LocalDestination, Shape, Stream, Timing};
use std::time::Duration;

use crate::fixture::TestResult;

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
