//! Somebody else's transactions in the topic of raw events: aborted ones, which must not be counted, and the markers that
//! end them, which leave gaps between offsets. The job is killed meanwhile.

use std::time::Duration;

use kit::Trouble;
use kit::generator::{Shape, event};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(20);
/// Records of each transaction in each partition.
const RECORDS: u32 = 10;

pub(super) fn play(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let rounds = stage.pick(8, 40);
    let shape = Shape { seconds: rounds, ..Shape::default() };
    let generator = stage.generate(shape)?;
    let other: BaseProducer = stage.suite.broker.client().set("transactional.id", "gaps-other").create()?;
    other.init_transactions(PATIENCE)?;
    let mut jobs = stage.supervise(stage.plan())?;
    for round in 1..=rounds {
        stage.say(&format!("round {round} of {rounds}"));
        let time = stage.seconds(0.3, 1.2);
        jobs.run_for(time, &mut stage.tally)?;
        stage.tally.faults += 1;
        abort_some(&other, &stage.names.raw, shape.partitions)?;
        if round % 3 == 0 {
            jobs.kill(&mut stage.tally)?;
            jobs.start_again()?;
        }
    }
    stage.finish(generator, jobs)
}

/// Valid events, far ahead in time: if they were read, rows and watermark would show it.
fn abort_some(producer: &BaseProducer, topic: &str, partitions: u32) -> Result<(), Trouble> {
    producer.begin_transaction()?;
    let far = Shape::default().closing_millis() + 3_600_000;
    for index in 0..RECORDS {
        let event = event(&format!("aborted{index}"), "1", far);
        for partition in 0..partitions {
            let record = BaseRecord::<str, str>::to(topic).partition(partition.cast_signed()).payload(&event);
            producer.send(record).map_err(|(error, _)| error)?;
        }
    }
    producer.flush(PATIENCE)?;
    Ok(producer.abort_transaction(PATIENCE)?)
}
