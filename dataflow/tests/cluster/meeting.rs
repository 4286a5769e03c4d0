//! The processes of a job find each other, and refuse to work together where they would not count alike.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::harness::Cluster;
use crate::process::{SETTING, VERSION, WORKERS};

#[test]
fn a_mix_is_refused_on_every_process() {
    let cases = [
        (VERSION, "0.0.9", " runs version "),
        (SETTING, "20s", "--setting is not set on process "),
        (WORKERS, "3", "process 2 has 3"),
    ];
    for (variable, value, why) in cases {
        let cluster = Cluster::of(3, 2);
        let other = [(variable, value)];
        let all = [0, 1, 2].map(|it| cluster.start(it, if it == 2 { &other } else { &[] }));
        for process in all {
            let number = process.number;
            let said = process.ends_with(78);
            let last = said.lines().next_back().unwrap_or_default();
            let is_named = last.contains("process 2") && (variable == WORKERS || last.contains(why));
            assert!(last.starts_with("dataflow: ") && is_named, "process {number} does not say {why:?}:\n{said}");
        }
    }
}

#[test]
fn who_is_missing_is_said_and_the_wait_can_be_ended() {
    let cluster = Cluster::of(3, 1);
    let mut first = cluster.start(0, &[]);
    let mut second = cluster.start(1, &[]);
    let missing = format!("waiting for process 2 at {}", cluster.addresses[2]);
    first.waits_until_says(&missing);
    second.waits_until_says(&missing);
    assert!(!first.said().contains("waiting for process 1"));
    for mut process in [first, second] {
        process.tell("stop");
        assert!(process.ends_with(0).contains("stopped before all were there"));
    }
}

#[test]
fn a_process_that_is_started_again_meanwhile_takes_its_place() {
    let cluster = Cluster::of(3, 1);
    let mut first = cluster.start(0, &[]);
    let mut second = cluster.start(1, &[]);
    first.waits_until_says("waiting for process 2");
    second.waits_until_says("waiting for process 2");
    second.kill();
    let second = cluster.start(1, &[]);
    let mut all = [first, second, cluster.start(2, &[])];
    all.iter_mut().for_each(|process| process.waits_until_says("knows"));
    all.iter_mut().for_each(|process| process.tell("stop"));
    all.into_iter().for_each(|process| drop(process.ends_with(0)));
}

#[test]
fn strangers_are_ignored() {
    let cluster = Cluster::of(2, 1);
    let mut first = cluster.start(0, &[]);
    let call = || loop {
        // Before anybody listens, a connection to a port may be one from the same port.
        match TcpStream::connect(&cluster.addresses[0]) {
            Ok(stream) if stream.local_addr().unwrap() != stream.peer_addr().unwrap() => break stream,
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    // One that says nothing, one that leaves, and one that speaks another language.
    let _silent = call();
    drop(call());
    let mut other = call();
    other.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    other.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let answer = other.read(&mut [0; 100]);
    assert!(!matches!(answer, Ok(1..)), "a stranger is told nothing");
    first.waits_until_says("speaks another language");
    let mut second = cluster.start(1, &[]);
    second.waits_until_says("knows");
    let mut all = [first, second];
    all.iter_mut().for_each(|process| process.tell("stop"));
    all.into_iter().for_each(|process| drop(process.ends_with(0)));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let cluster = Cluster::of(2, 1);
    let _taken = TcpListener::bind(&cluster.addresses[0]).unwrap();
    cluster.start(0, &[]).fails_with(69, &format!("cannot listen on {}", cluster.addresses[0]));
}
