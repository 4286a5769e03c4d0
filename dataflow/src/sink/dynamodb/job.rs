//! The sink of a running job: it learns as whom it writes when the job has found out its epoch.

use std::sync::Arc;

use schemas::{ResultRow, Window};

use super::{DynamoDb, DynamoDbSink, JobControl, Keeper, WriteMode};
use crate::control::Control;
use crate::error::Error;
use crate::sink::Sink;

/// Takes the table over and writes to it.
#[derive(Debug)]
pub struct JobSink {
    state: State,
    control: Arc<Control>,
}

#[derive(Debug)]
enum State {
    Connected(Box<(DynamoDb, JobControl)>),
    Writing {
        sink: Box<DynamoDbSink>,
        /// Says every second how far the job is, as long as it lives.
        _keeper: Option<Keeper>,
    },
    /// Between the two.
    Gone,
}

impl JobSink {
    /// For the job that `control` belongs to. Checks that the control table is there.
    ///
    /// # Errors
    /// As [`DynamoDb::control`].
    pub fn new(dynamo: DynamoDb, control: &Arc<Control>) -> Result<Self, Error> {
        let job_control = dynamo.control()?;
        Ok(JobSink { state: State::Connected(Box::new((dynamo, job_control))), control: Arc::clone(control) })
    }

    fn sink(&mut self) -> Result<&mut DynamoDbSink, Error> {
        match &mut self.state {
            State::Writing { sink, .. } => Ok(sink),
            _ => Err(Error::Internal("a row for DynamoDB before the job has its epoch; please report it".to_owned())),
        }
    }
}

/// What readers are told: up to where all rows are in the table. None before the first window.
fn complete_through_millis(control: &Control) -> Option<i64> {
    let first_open = i64::try_from(control.committed()).ok().filter(|first_open| *first_open > 0)?;
    first_open.checked_mul(Window::MILLIS)
}

impl Sink for JobSink {
    fn recorded_epoch(&self) -> Result<u64, Error> {
        match &self.state {
            State::Connected(connected) => connected.1.recorded_epoch(),
            _ => Ok(0),
        }
    }

    fn begin(&mut self, epoch: u64, is_first: bool) -> Result<(), Error> {
        let State::Connected(connected) = std::mem::replace(&mut self.state, State::Gone) else { return Ok(()) };
        let (dynamo, job_control) = *connected;
        let keeper = if is_first {
            job_control.claim(epoch, complete_through_millis(&self.control))?;
            let (watched, failing) = (Arc::clone(&self.control), Arc::clone(&self.control));
            let watermark = move || complete_through_millis(&watched);
            Some(job_control.keep(epoch, watermark, move |error| failing.fail(error)))
        } else {
            None
        };
        let sink = Box::new(dynamo.into_sink(WriteMode::Job { epoch }));
        self.state = State::Writing { sink, _keeper: keeper };
        Ok(())
    }

    fn write_rows(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        self.sink()?.write_rows(rows)
    }

    fn write_windows(&mut self, windows: &[&[ResultRow]], durable: &mut dyn FnMut(usize)) -> Result<(), Error> {
        self.sink()?.write_windows(windows, durable)
    }

    fn write_live(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        self.sink()?.write_live(rows)
    }

    fn finish(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}
