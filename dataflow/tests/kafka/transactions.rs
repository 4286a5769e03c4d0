//! Transactions that carry records and a group's offsets, each offset with a text.

mod outages;
mod rivals;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use dataflow::error::Error;
use dataflow::kafka::{CommittedOffset, Failure, Group, KafkaArgs, Producer, Property, Transactions};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, broker};
use crate::topics::read_committed;

const INPUT_PARTITIONS: u32 = 64;

/// The names that one test uses.
struct Names {
    input: String,
    output: String,
    group: String,
    id: String,
}

/// Creates the topics of a test.
fn prepare(broker: &Broker, test: &str) -> Names {
    let names = Names {
        input: format!("transactions-{test}-in"),
        output: format!("transactions-{test}-out"),
        group: format!("transactions-{test}"),
        id: format!("test-transactions-{test}"),
    };
    broker.create_topic(&names.input, INPUT_PARTITIONS.try_into().unwrap());
    broker.create_topic(&names.output, 3);
    names
}

fn args(broker: &Broker) -> KafkaArgs {
    KafkaArgs { bootstrap_servers: Some(broker.bootstrap().to_owned()), ..KafkaArgs::default() }
}

fn with_property(broker: &Broker, name: &str, value: &str) -> KafkaArgs {
    let property = Property { name: name.to_owned(), value: value.to_owned() };
    KafkaArgs { properties: vec![property], ..args(broker) }
}

impl Names {
    fn fence(&self, args: &KafkaArgs) -> Transactions {
        Transactions::fence(args, &self.id, &self.group, &self.input).unwrap()
    }

    /// What a group has, asked by a client of its own.
    fn committed(&self, broker: &Broker) -> Vec<Option<CommittedOffset>> {
        Group::connect(&args(broker), &self.group, &self.input).unwrap().committed(INPUT_PARTITIONS).unwrap()
    }

    /// Writes `values` to the output.
    fn write<'a>(&'a self, values: &'a [&str]) -> impl FnOnce(&mut Producer) -> Result<(), Error> + 'a {
        move |producer| {
            values.iter().try_for_each(|value| {
                producer.send(&self.output, None, Some(value.as_bytes()), Some(value.as_bytes()), None)
            })
        }
    }

    /// The values that readers of committed records see, sorted.
    fn visible(&self, broker: &Broker) -> Vec<String> {
        let stored = read_committed(broker, &self.output).into_iter();
        let mut values: Vec<_> = stored.map(|stored| String::from_utf8(stored.value.unwrap()).unwrap()).collect();
        values.sort();
        values
    }
}

fn offset(partition: u32, offset: u64, metadata: &str) -> CommittedOffset {
    CommittedOffset { partition, offset, metadata: metadata.to_owned() }
}

#[test]
fn records_and_offsets_with_their_text_are_committed_by_nobody() {
    let Some(broker) = broker() else { return };
    let names = prepare(broker, "nobody");
    let mut transactions = names.fence(&args(broker));

    assert_eq!(transactions.commit(names.write(&["a", "b"]), &[offset(3, 7, "v=1;w=5"), offset(4, 0, "")]), Ok(()));

    assert_eq!(names.visible(broker), ["a", "b"]);
    let committed = names.committed(broker);
    assert_eq!(committed, transactions.committed(INPUT_PARTITIONS).unwrap());
    let found: Vec<_> = committed.into_iter().flatten().collect();
    assert_eq!(found, [offset(3, 7, "v=1;w=5"), offset(4, 0, "")]);
}

#[test]
fn a_kibibyte_for_each_of_64_partitions_comes_back_as_it_was() {
    let Some(broker) = broker() else { return };
    let names = prepare(broker, "kibibytes");
    let mut transactions = names.fence(&args(broker));
    for round in 0..3 {
        let text = |partition: u32| format!("{round}-{partition};").repeat(1024)[..1024].to_owned();
        let offsets: Vec<_> =
            (0..INPUT_PARTITIONS).map(|partition| offset(partition, round, &text(partition))).collect();
        assert_eq!(transactions.commit(|_| Ok(()), &offsets), Ok(()));
        assert_eq!(names.committed(broker), offsets.into_iter().map(Some).collect::<Vec<_>>());
    }
}

#[test]
fn a_text_longer_than_the_broker_takes_is_final_and_takes_the_records_with_it() {
    let Some(broker) = broker() else { return };
    let names = prepare(broker, "long");
    let mut transactions = names.fence(&args(broker));

    assert_eq!(transactions.commit(|_| Ok(()), &[offset(0, 1, &"x".repeat(4096))]), Ok(()));
    let refused = transactions.commit(names.write(&["lost"]), &[offset(0, 2, &"x".repeat(4097))]);

    let Err(Failure::Final(Error::Unavailable(text))) = &refused else { panic!("{refused:?}") };
    assert!(text.contains("offset.metadata.max.bytes"), "{text}");
    assert_eq!(names.visible(broker), [""; 0]);
    assert_eq!(names.committed(broker)[0].as_ref().unwrap().offset, 1);
}

#[test]
fn what_cannot_be_written_is_aborted_at_once_and_the_next_transaction_works() {
    let Some(broker) = broker() else { return };
    let names = prepare(broker, "own-error");
    let mut transactions = names.fence(&args(broker));

    let started = std::time::Instant::now();
    let failed = transactions.commit(
        |producer| {
            names.write(&["lost"])(producer)?;
            Err(Error::Io("no more".to_owned()))
        },
        &[offset(0, 1, "lost")],
    );
    assert_eq!(failed, Err(Failure::Final(Error::Io("no more".to_owned()))));
    assert!(started.elapsed().as_secs() < 3, "{:?}", started.elapsed());

    assert_eq!(transactions.commit(names.write(&["kept"]), &[offset(0, 1, "kept")]), Ok(()));
    assert_eq!(names.visible(broker), ["kept"]);
    assert_eq!(names.committed(broker)[0], Some(offset(0, 1, "kept")));
}

#[test]
fn a_record_that_the_topic_refuses_is_final() {
    let Some(broker) = broker() else { return };
    let names = prepare(broker, "too-large");
    let mut transactions = names.fence(&args(broker));
    // Random bytes are not compressed below the broker's megabyte.
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let write = |producer: &mut Producer| {
        names.write(&["lost"])(producer)?;
        producer.send(&names.output, None, None, Some(&large), None)
    };

    let refused = transactions.commit(write, &[]);
    let Err(Failure::Final(Error::Io(text))) = &refused else { panic!("{refused:?}") };
    assert!(text.contains("max.message.bytes"), "{text}");
    assert_eq!(names.visible(broker), [""; 0]);
}

#[test]
fn offsets_that_nobody_committed_are_none_and_those_of_others_are_told_with_whatever_text() {
    let Some(broker) = broker() else { return };
    let names = prepare(broker, "others");
    let transactions = names.fence(&args(broker));
    assert_eq!(transactions.committed(INPUT_PARTITIONS), Ok(vec![None; 64]));

    // As tools commit: without a text.
    let other: BaseConsumer = broker.client().set("group.id", &names.group).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&names.input, 0, Offset::Offset(5)).unwrap();
    other.commit(&list, CommitMode::Sync).unwrap();
    commit_raw(broker, &names, 1, 6, b"caf\xe9 \xff");

    let committed = transactions.committed(INPUT_PARTITIONS).unwrap();
    assert_eq!(committed[0], Some(offset(0, 5, "")));
    let foreign = committed[1].as_ref().unwrap();
    assert!(foreign.offset == 6 && foreign.metadata.contains('\u{fffd}'), "{foreign:?}");
    assert_eq!(committed[2], None);
}

/// Commits a text that is not UTF-8, which no client library lets through: OffsetCommit, version 2, byte by byte.
fn commit_raw(broker: &Broker, names: &Names, partition: i32, offset: i64, metadata: &[u8]) {
    let string = |bytes: &[u8]| [&i16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let request = [
        [8_i16.to_be_bytes(), 2_i16.to_be_bytes()].concat(),
        1_i32.to_be_bytes().to_vec(),
        string(b"test"),
        string(names.group.as_bytes()),
        (-1_i32).to_be_bytes().to_vec(),
        string(b""),
        (-1_i64).to_be_bytes().to_vec(),
        1_i32.to_be_bytes().to_vec(),
        string(names.input.as_bytes()),
        1_i32.to_be_bytes().to_vec(),
        partition.to_be_bytes().to_vec(),
        offset.to_be_bytes().to_vec(),
        string(metadata),
    ]
    .concat();
    let mut connection = TcpStream::connect(broker.bootstrap()).unwrap();
    connection.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    connection.write_all(&request).unwrap();
    let mut length = [0; 4];
    connection.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(answer[answer.len() - 2..], [0, 0], "the error code of the one partition");
}
