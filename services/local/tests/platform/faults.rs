//! Faults, made by a second process: each is told, seen in its metric, mended, and costs no count.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::harness::{COUNT_LIMIT, Footfall, PAUSE, STOP_LIMIT, folder};
use crate::key;

/// The value of the first metric before and after a fault.
fn values(said: &str) -> (f64, f64) {
    let value = |word: &str| {
        let line = said.lines().find(|line| line.starts_with(word)).unwrap_or_else(|| panic!("{word}\n{said}"));
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    (value("before "), value("after   "))
}

fn make(footfall: &Footfall, arguments: &[&str]) -> String {
    let (is_done, said) = footfall.ask(&[&["faults"], arguments].concat());
    assert!(is_done, "{arguments:?}\n{said}\n{}", footfall.said());
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_told_and_seen_and_costs_no_count() {
    let folder = folder();
    // So that it does not take half a minute until a partition counts as idle.
    let variables = [("FOOTFALL_IDLE_TIMEOUT", "5s".to_owned())];
    let mut footfall = Footfall::start_with(folder.path(), &["--demo-rate", "100"], &variables);
    footfall.wait_until_said("demo: 300 products");
    // Late is what comes after its minute was closed: there has to be one.
    key::wait_for_minutes(&footfall, 1).await;

    for moving in [&["late-burst", "--for", "2s"][..], &["poison", "--for", "1s"], &["clock-skew", "--for", "4s"]] {
        let said = make(&footfall, moving);
        let (before, after) = values(&said);
        assert!(after > before, "{said}");
    }
    let said = make(&footfall, &["idle-partition", "--for", "15s"]);
    assert!(said.contains("partition 3 counts as idle"), "{said}");
    for (part, trouble) in [
        ("kafka", "the gateway does not read results"),
        ("dynamodb", "GET /analytics/products/1/windows?limit=1 is answered 503: "),
        ("postgresql", "GET /products?limit=1 is answered 503: "),
        ("product-catalog", "GET /products?limit=1 is answered 503: "),
        ("api-gateway", "GET /readyz is not answered: "),
    ] {
        let said = make(&footfall, &["down", part, "--for", "6s"]);
        assert!(said.contains(trouble) && said.contains("later everything answers"), "{said}\n{}", footfall.said());
    }

    let known = key::minutes(&footfall).len();
    let minutes = key::wait_for_minutes(&footfall, known + 1).await;
    key::assert_equal(&footfall, &minutes).await;
    footfall.signal("TERM");
    assert!(footfall.wait(STOP_LIMIT).success(), "{}", footfall.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_ends_the_fault_and_a_stop_mends_it_first() {
    let folder = folder();
    let mut footfall = Footfall::start(folder.path(), &[]);
    let products = |footfall: &Footfall| reqwest::get(footfall.url("/products?limit=1"));
    let fault = || {
        Command::new(env!("CARGO_BIN_EXE_footfall"))
            .args(["faults", "down", "product-catalog", "--for", "60s", "--data"])
            .arg(folder.path().join("shop"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut client = fault();
    let until = async |status: u16, footfall: &Footfall| {
        let began = Instant::now();
        while products(footfall).await.unwrap().status() != status {
            assert!(began.elapsed() < COUNT_LIMIT, "{}", footfall.said());
            tokio::time::sleep(PAUSE).await;
        }
    };
    until(503, &footfall).await;
    let (is_done, said) = footfall.ask(&["faults", "poison"]);
    assert!(!is_done && said.contains("another fault runs"), "{said}");
    client.kill().unwrap();
    client.wait().unwrap();
    until(200, &footfall).await;
    // The catalog answers before the fault has been seen to be over.
    let began = Instant::now();
    while !footfall.ask(&["faults", "poison", "--for", "1s"]).0 {
        assert!(began.elapsed() < COUNT_LIMIT, "{}", footfall.said());
        tokio::time::sleep(PAUSE).await;
    }

    let mut client = fault();
    until(503, &footfall).await;
    footfall.signal("TERM");
    assert!(footfall.wait(STOP_LIMIT).success(), "{}", footfall.said());
    client.wait().unwrap();
    assert!(!footfall.data.join("footfall.sock").exists());
}

#[test]
fn faults_that_cannot_be_are_refused_with_the_remedy() {
    let folder = folder();
    let footfall = Footfall::start(folder.path(), &[]);
    for (arguments, sentence) in [
        (&["faults", "late-burst"][..], "there is no demo; start footfall without --no-demo"),
        (&["faults", "idle-partition"], "there is no demo; start footfall without --no-demo"),
        (&["demo", "key"], "there is no demo; start footfall without --no-demo"),
        (&["faults", "down", "kafka", "--for", "2m"], "down kafka cannot last 120 s; choose 1 to 60 s with --for"),
        (&["faults", "poison", "--data", "/nowhere"], "no footfall runs in /nowhere: "),
    ] {
        let (is_done, said) = footfall.ask(arguments);
        assert!(!is_done && said.contains(sentence), "{arguments:?}: {said}");
    }
    let (is_done, list) = footfall.ask(&["faults", "list"]);
    assert!(is_done && list.contains("down product-catalog"), "{list}");
}

#[test]
fn a_socket_that_a_killed_process_left_is_replaced_and_wrong_requests_are_answered() {
    let folder = folder();
    let mut footfall = Footfall::start(folder.path(), &[]);
    footfall.signal("KILL");
    footfall.wait(STOP_LIMIT);
    assert!(footfall.data.join("footfall.sock").exists());
    let (is_done, said) = footfall.ask(&["faults", "poison"]);
    assert!(!is_done && said.contains("no footfall runs; start one with `footfall`"), "{said}");

    let footfall = Footfall::start(folder.path(), &[]);
    let socket = footfall.data.join("footfall.sock");
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for wrong in ["no json\n", "{}\n", r#"{"want":"everything"}"#, "{\"want\":\"key\",\"minutes\":-1}\n"] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(wrong.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert!(answer.starts_with(r#"{"refused":"the request cannot be read: "#), "{wrong:?}: {answer:?}");
    }
    // Nothing at all is no request either, and the platform goes on.
    drop(UnixStream::connect(&socket).unwrap());
    let (is_done, said) = footfall.ask(&["faults", "poison", "--for", "1s"]);
    assert!(is_done, "{said}\n{}", footfall.said());
}
