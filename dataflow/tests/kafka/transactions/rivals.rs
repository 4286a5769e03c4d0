//! Others who want the same: a second job, a broker that loses patience, members of the group.

use std::time::{Duration, Instant};

use dataflow::error::Error;
use dataflow::kafka::{Failure, Producer};
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::{Names, args, offset, prepare, with_property};
use crate::broker::{Broker, broker};

const TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn the_last_to_come_fences_all_before_and_nothing_of_theirs_is_seen() {
    let Some(broker) = broker() else { return };
    let names = prepare(broker, "fencing");
    let mut first = names.fence(&args(broker));
    assert_eq!(first.commit(names.write(&["first"]), &[offset(0, 1, "first")]), Ok(()));
    let mut second = None;

    // The second comes while the first has a transaction open, with records of it in the topic.
    let fenced = first.commit(
        |producer| {
            names.write(&["zombie"])(producer)?;
            producer.flush()?;
            second = Some(names.fence(&args(broker)));
            Ok(())
        },
        &[offset(0, 2, "zombie")],
    );
    assert!(matches!(fenced, Err(Failure::Fenced(_))), "{fenced:?}");
    let again = first.commit(names.write(&["zombie again"]), &[offset(0, 3, "zombie")]);
    assert!(matches!(again, Err(Failure::Fenced(_))), "{again:?}");

    let mut second = second.unwrap();
    assert_eq!(second.committed(1), Ok(vec![Some(offset(0, 1, "first"))]));
    assert_eq!(second.commit(names.write(&["second"]), &[offset(0, 2, "second")]), Ok(()));
    assert_eq!(names.visible(broker), ["first", "second"]);
    assert_eq!(names.committed(broker)[0], Some(offset(0, 2, "second")));
}

#[test]
fn one_who_was_idle_is_fenced_too() {
    let Some(broker) = broker() else { return };
    let names = prepare(broker, "idle");
    let mut first = names.fence(&args(broker));
    let mut second = names.fence(&args(broker));
    for round in 1..3 {
        let fenced = first.commit(names.write(&["zombie"]), &[offset(0, round, "zombie")]);
        assert!(matches!(fenced, Err(Failure::Fenced(_))), "{fenced:?}");
    }
    assert_eq!(second.commit(|_| Ok(()), &[offset(0, 9, "second")]), Ok(()));
    assert_eq!(names.visible(broker), [""; 0]);
    // An offset alone is refused as well: it is the transaction that is fenced, not the record.
    let mut third = names.fence(&args(broker));
    let fenced = second.commit(|_| Ok(()), &[offset(0, 10, "zombie")]);
    assert!(matches!(fenced, Err(Failure::Fenced(_))), "{fenced:?}");
    assert_eq!(third.commit(|_| Ok(()), &[]), Ok(()));
    assert_eq!(names.committed(broker)[0], Some(offset(0, 9, "second")));
}

#[test]
fn a_transaction_that_the_broker_gave_up_fences_its_own_producer_and_a_new_one_goes_on() {
    let Some(broker) = broker() else { return };
    let hasty = with_property(broker, "transaction.timeout.ms", "2000");
    let names = ["timeout-sending", "timeout-silent"].map(|test| prepare(broker, test));
    let [mut sending, mut silent] = names.each_ref().map(|names| names.fence(&hasty));
    let begin = |names: &Names, producer: &mut Producer| {
        producer.send(&names.output, Some(0), None, Some(b"too late"), None)?;
        producer.flush()
    };

    // Both wait at once, because the broker looks after its transactions only every ten seconds.
    let mut given_up = Vec::new();
    let sending_failed = sending.commit(
        |producer| {
            begin(&names[0], producer)?;
            given_up.push(silent.commit(
                |producer| {
                    begin(&names[1], producer)?;
                    names.iter().for_each(|names| await_end(broker, names, 0));
                    Ok(())
                },
                &[offset(0, 2, "too late")],
            ));
            names[0].write(&["even later"])(producer)
        },
        &[offset(0, 2, "too late")],
    );
    given_up.insert(0, sending_failed);
    given_up.extend([&mut sending, &mut silent].map(|old| old.commit(|_| Ok(()), &[offset(0, 2, "again")])));
    for given_up in given_up {
        assert!(matches!(given_up, Err(Failure::Fenced(_))), "{given_up:?}");
    }

    for names in names {
        let mut successor = names.fence(&hasty);
        assert_eq!(successor.committed(1), Ok(vec![None]));
        assert_eq!(successor.commit(names.write(&["after"]), &[offset(0, 2, "after")]), Ok(()));
        assert_eq!(names.visible(broker), ["after"]);
    }
}

/// Waits until the open transaction in a partition of the output has ended: readers of committed records see past it.
fn await_end(broker: &Broker, names: &Names, partition: i32) {
    let reader = |isolation: &str| -> BaseConsumer {
        broker.client().set("group.id", "test-ends").set("isolation.level", isolation).create().unwrap()
    };
    let (stable, all) = (reader("read_committed"), reader("read_uncommitted"));
    let end = |reader: &BaseConsumer| reader.fetch_watermarks(&names.output, partition, TIMEOUT).unwrap().1;
    let deadline = Instant::now() + TIMEOUT;
    while end(&stable) < end(&all) {
        assert!(Instant::now() < deadline, "the transaction does not end");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_group_with_a_member_is_refused_with_the_members_name() {
    let Some(broker) = broker() else { return };
    // The broker tells members of the older protocol and of that of KIP-848 in different ways.
    for protocol in ["classic", "consumer"] {
        let names = prepare(broker, &format!("members-{protocol}"));
        let mut transactions = names.fence(&args(broker));
        assert_eq!(transactions.group().refuse_members(), Ok(()));
        let member: BaseConsumer = broker
            .client()
            .set("group.id", &names.group)
            .set("client.id", "somebody-else")
            .set("group.protocol", protocol)
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        member.subscribe(&[&names.input]).unwrap();
        let deadline = Instant::now() + TIMEOUT;
        while member.assignment().unwrap().count() == 0 {
            assert!(Instant::now() < deadline, "no assignment");
            assert!(member.poll(Duration::from_millis(100)).is_none());
        }

        let refused = transactions.group().refuse_members();
        assert_eq!(transactions.committed(1), Ok(vec![None]), "asking leaves no trace");
        // The broker itself does not refuse.
        assert_eq!(transactions.commit(|_| Ok(()), &[offset(0, 1, "beside")]), Ok(()));
        let Err(Error::Refused(text)) = &refused else { panic!("{refused:?}") };
        let who = if protocol == "classic" { "somebody-else at /127.0.0.1" } else { "of the protocol \"consumer\"" };
        assert!(text.contains(&names.group) && text.contains(who) && text.contains("another --group"), "{text}");

        drop(member);
        let deadline = Instant::now() + TIMEOUT;
        while transactions.group().refuse_members().is_err() {
            assert!(Instant::now() < deadline, "the member does not leave");
        }
    }
}
