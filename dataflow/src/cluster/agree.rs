//! What must be found out once for all workers, before they build the dataflow of the job.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Input;
use timely::dataflow::operators::generic::Operator;
use timely::worker::Worker;

use crate::control::Control;
use crate::error::Error;

/// How often a worker looks whether the job has failed while it waits for the answer.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The answer on its way.
#[derive(Serialize, Deserialize)]
enum Answer<T> {
    Found(T),
    Stopped,
    Failed(Error),
}

/// What the first worker of the first process has found out with `lead`. It may take its time, while the others wait.
/// `None`: the job was stopped before that. Every worker of every process must call this at the same place.
///
/// Only the first worker looks whether the job was stopped: if each did, some could leave a job that others begin, and
/// these would wait for them forever.
///
/// # Errors
/// The error of `lead`, on every worker.
pub fn agree<T: Serialize + DeserializeOwned>(
    worker: &mut Worker,
    control: &Control,
    lead: impl FnOnce() -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let received: Rc<RefCell<Option<String>>> = Rc::default();
    let answer = Rc::clone(&received);
    let mut input = InputHandle::<u64, CapacityContainerBuilder<Vec<(u64, String)>>>::new();
    let dataflow = worker.next_dataflow_index();
    worker.dataflow::<u64, _, _>(|scope| {
        let to_its_worker = Exchange::new(|(worker, _): &(u64, String)| *worker);
        scope.input_from(&mut input).sink(to_its_worker, "Agree", move |(input, _)| {
            input.for_each(|_, answers| {
                if let Some((_, text)) = answers.pop() {
                    *answer.borrow_mut() = Some(text);
                }
            });
        });
    });
    if worker.index() == 0 {
        let found = match control.is_stopping() {
            true => Answer::Stopped,
            false => lead().map_or_else(Answer::Failed, Answer::Found),
        };
        // Text, so that a number or a map of any kind survives.
        let text = serde_json::to_string(&found)
            .map_err(|error| Error::Internal(format!("cannot tell the workers what was found: {error}")))?;
        (0..worker.peers()).for_each(|worker| input.send((worker as u64, text.clone())));
        // It is held back until a time is complete.
        input.advance_to(1);
    }
    let text = loop {
        if let Some(text) = received.take() {
            break text;
        }
        if let Some(failure) = control.failure() {
            return Err(failure.clone());
        }
        worker.step_or_park(Some(LOOK_EVERY));
    };
    drop(input);
    worker.drop_dataflow(dataflow);
    match serde_json::from_str(&text) {
        Ok(Answer::Found(found)) => Ok(Some(found)),
        Ok(Answer::Stopped) => Ok(None),
        Ok(Answer::Failed(error)) => Err(error),
        Err(error) => Err(Error::Internal(format!("what the first worker found cannot be read: {error}"))),
    }
}
