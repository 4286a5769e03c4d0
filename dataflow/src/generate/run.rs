//! From the stream to the writer, at its pace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::answers::{Answers, Summary};
use super::shape::{Shape, Timing};
use super::stream::{Generated, Stream};
use super::writers::RecordWriter;
use crate::error::Error;

/// After so many records at most the stop flag is looked at.
const BATCH: u64 = 1024;
/// Shorter pauses would cost more than the records between them.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// Longer pauses would let the one who stops the stream wait.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// What was generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many records were written.
    pub events: u64,
    /// What becomes of them; `None` where no answers were asked for.
    pub summary: Option<Summary>,
}

/// Generates the stream into the writer, and its answer key beside it, until the stream ends or `stop` is set.
///
/// A stopped stream is complete in itself: the answers are those of the records that were written. With a
/// [rate](Timing::Live) each record has its time on the wall clock; a writer that was too slow is caught up with.
/// `progress` is told the number of records so far, after each small batch.
///
/// # Errors
/// [`Error::Usage`] where the shape is not valid; otherwise the writer's error, or that of the answers.
pub fn run(
    shape: &Shape,
    mut writer: Box<dyn RecordWriter>,
    mut answers: Option<Answers>,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64),
) -> Result<Outcome, Error> {
    let mut stream = Stream::new(shape)?;
    let pace = Pace::start(shape.timing);
    let mut record = Generated::default();
    let (mut events, mut flushed) = (0, 0);
    let mut has_ended = false;
    while !has_ended && !stop.load(Ordering::Relaxed) {
        let until = pace.due().min(events + BATCH);
        if until <= events {
            if flushed < events {
                writer.flush()?;
                flushed = events;
            }
            thread::sleep(pace.time_until(events).clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
            continue;
        }
        while events < until && !has_ended {
            if stream.next(&mut record) {
                writer.write(record.partition, &record.key, &record.value)?;
                if let Some(answers) = &mut answers {
                    answers.observe(&record);
                }
                events += 1;
            } else {
                has_ended = true;
            }
        }
        if let Some(answers) = &mut answers {
            answers.write_closed()?;
        }
        progress(events);
    }
    writer.finish()?;
    Ok(Outcome { events, summary: answers.map(Answers::finish).transpose()? })
}

/// When each record is due.
struct Pace {
    started: Instant,
    /// Records per second; `None` = all at once.
    rate: Option<u64>,
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

impl Pace {
    fn start(timing: Timing) -> Self {
        let rate = match timing {
            Timing::Spread(_) => None,
            Timing::Live { rate, .. } => Some(rate),
        };
        Pace { started: Instant::now(), rate }
    }

    /// How many records are due by now; the first one at once.
    fn due(&self) -> u64 {
        let Some(rate) = self.rate else { return u64::MAX };
        let due = self.started.elapsed().as_nanos() * u128::from(rate) / NANOS_PER_SECOND + 1;
        u64::try_from(due).unwrap_or(u64::MAX)
    }

    /// How long it is until the record with this index is due.
    fn time_until(&self, index: u64) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let due = u128::from(index) * NANOS_PER_SECOND / u128::from(rate.max(1));
        let due = Duration::from_nanos(u64::try_from(due).unwrap_or(u64::MAX));
        due.saturating_sub(self.started.elapsed())
    }
}
