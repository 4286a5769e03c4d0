//! Brokers that go and come back while transactions are written.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dataflow::error::Error;
use dataflow::kafka::Failure;

use super::{args, offset, prepare, with_property};
use crate::broker::OwnBroker;

const LIMIT: Duration = Duration::from_secs(180);
/// Transactions that have to work before an outage, and after it.
const SOME: u64 = 10;

#[test]
fn a_broker_that_is_stopped_for_15_seconds_is_ridden_out() {
    let Some(own) = OwnBroker::start() else { return };
    survive(&own, "stopped", |outage| {
        outage.own.stop();
        thread::sleep(Duration::from_secs(15));
        outage.own.start_again();
    });
}

#[test]
fn a_broker_that_is_killed_again_and_again_is_ridden_out() {
    let Some(own) = OwnBroker::start() else { return };
    survive(&own, "killed", |outage| {
        for _ in 0..2 {
            outage.own.kill();
            outage.own.start_again();
            outage.wait_for(SOME);
        }
    });
}

#[test]
fn a_transaction_that_is_open_while_the_broker_is_killed_ends_well() {
    let Some(own) = OwnBroker::start() else { return };
    let names = prepare(own.broker(), "open");
    let mut transactions = names.fence(&args(own.broker()));
    let mut is_killed = false;
    loop {
        let done = transactions.commit(
            |producer| {
                names.write(&["a", "b"])(producer)?;
                producer.flush()?;
                if !is_killed {
                    own.kill();
                    own.start_again();
                    is_killed = true;
                }
                Ok(())
            },
            &[offset(0, 1, "open")],
        );
        match done {
            Ok(()) => break,
            Err(Failure::Aborted(_)) => {}
            Err(failure) => panic!("{failure:?}"),
        }
    }
    assert_eq!(names.visible(own.broker()), ["a", "b"]);
    assert_eq!(names.committed(own.broker())[0], Some(offset(0, 1, "open")));
}

#[test]
fn records_whose_time_ran_out_are_aborted_and_can_be_sent_again() {
    let Some(own) = OwnBroker::start() else { return };
    let names = prepare(own.broker(), "hasty");
    let mut transactions = names.fence(&with_property(own.broker(), "delivery.timeout.ms", "1500"));
    thread::scope(|scope| {
        let aborted = transactions.commit(
            |producer| {
                own.stop();
                names.write(&["once"])(producer)?;
                let out_of_time = producer.flush().unwrap_err();
                // The abort has to wait for the broker.
                scope.spawn(|| own.start_again());
                Err(out_of_time)
            },
            &[offset(0, 1, "lost")],
        );
        assert!(matches!(&aborted, Err(Failure::Aborted(reason)) if reason.contains("1 s")), "{aborted:?}");
    });
    assert_eq!(names.committed(own.broker())[0], None);

    assert_eq!(transactions.commit(names.write(&["once"]), &[offset(0, 1, "kept")]), Ok(()));
    assert_eq!(names.visible(own.broker()), ["once"]);
    assert_eq!(names.committed(own.broker())[0], Some(offset(0, 1, "kept")));
}

/// What an outage knows of the transactions that are written meanwhile.
struct Outage<'a> {
    own: &'a OwnBroker,
    committed: &'a AtomicU64,
}

impl Outage<'_> {
    /// Waits until so many more transactions are committed.
    fn wait_for(&self, more: u64) {
        let deadline = Instant::now() + LIMIT;
        let enough = self.committed.load(Ordering::Acquire) + more;
        while self.committed.load(Ordering::Acquire) < enough {
            assert!(Instant::now() < deadline, "transactions do not go on");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Commits one transaction after the other while the broker goes and comes back. What was aborted is sent again; in the
/// end each record is there once, and the offset is that of the last transaction.
fn survive(own: &OwnBroker, test: &str, outage: impl FnOnce(&Outage<'_>) + Send) {
    let names = prepare(own.broker(), test);
    let mut transactions = names.fence(&args(own.broker()));
    let (committed, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut written = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let known = Outage { own, committed: &committed };
            known.wait_for(SOME);
            outage(&known);
            known.wait_for(SOME);
            is_over.store(true, Ordering::Release);
        });
        let deadline = Instant::now() + LIMIT;
        for round in 1.. {
            if is_over.load(Ordering::Acquire) {
                break;
            }
            let values = [0, 1, 2].map(|record| format!("{round}-{record}"));
            let records = values.each_ref().map(String::as_str);
            loop {
                assert!(Instant::now() < deadline, "transaction {round} does not come to an end");
                let done = transactions.commit(names.write(&records), &[offset(0, round, &round.to_string())]);
                match done {
                    Ok(()) => break,
                    Err(Failure::Aborted(_)) => {}
                    // A broker that was killed in the midst of a commit may not know how it ended. A job is then started
                    // again, and learns it from its records.
                    Err(Failure::Final(Error::Restart(_))) => {
                        transactions = names.fence(&args(own.broker()));
                        if names.committed(own.broker())[0] == Some(offset(0, round, &round.to_string())) {
                            break;
                        }
                    }
                    Err(failure) => panic!("transaction {round}: {failure:?}"),
                }
            }
            committed.store(round, Ordering::Release);
            written.extend(values);
        }
    });
    written.sort();
    assert_eq!(names.visible(own.broker()), written);
    let last = committed.into_inner();
    assert_eq!(names.committed(own.broker())[0], Some(offset(0, last, &last.to_string())));
}
