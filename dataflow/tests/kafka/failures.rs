//! What does not work, and the sentence that says so.

use std::process::Command;

use crate::broker::broker;
use crate::program::{dataflow, finish};

/// Exit code and standard error of a command that fails.
fn failure(command: &mut Command) -> (Option<i32>, String) {
    let output = finish(command);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_missing_topic_is_named_with_the_command_that_creates_it() {
    let Some(broker) = broker() else { return };
    let (code, said) = failure(&mut dataflow(broker, &["replay", "--input-topic", "no-such-topic"]));
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("no-such-topic") && said.contains("--create"), "{said}");
}

#[test]
fn missing_topics_are_created_when_asked() {
    let Some(broker) = broker() else { return };
    let names = ["--input-topic", "made-raw", "--output-topic", "made-results", "--late-topic", "made-late"];
    let mut arguments = vec!["replay", "--sink", "kafka", "--create-topics", "--rejected-topic", "made-rejected"];
    arguments.extend(names);
    let output = finish(&mut dataflow(broker, &arguments));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("replayed 0 records in 4 partitions"), "{said}");
}

#[test]
fn a_broker_that_nobody_runs_is_named() {
    let Some(broker) = broker() else { return };
    // Port 9 (discard) is served by nobody.
    let mut command = dataflow(broker, &["run", "--admin-addr", "off"]);
    let (code, said) = failure(command.env("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9"));
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("127.0.0.1:9") && said.contains("KAFKA_BOOTSTRAP_SERVERS"), "{said}");
}

#[test]
fn two_variables_that_name_different_input_topics_are_refused() {
    let Some(broker) = broker() else { return };
    let mut command = dataflow(broker, &["replay"]);
    let (code, said) = failure(command.env("KAFKA_TOPIC", "one").env("KAFKA_INPUT_TOPIC", "two"));
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("KAFKA_TOPIC") && said.contains("\"one\"") && said.contains("\"two\""), "{said}");
}
