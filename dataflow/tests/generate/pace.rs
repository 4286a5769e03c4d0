//! How fast a stream comes, and when it stops.

use dataflow::generate::{Answers, Outcome, Shape, Timing, run};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::fixture::{Memory, OOO, TestResult, colourful};
use crate::oracle::judge;

#[test]
fn an_endless_stream_keeps_its_rate_and_stops_when_told_to() -> TestResult {
    let live = Timing::Live { rate: 20_000, speed: 60.0 };
    let shape = Shape { events: None, timing: live, ..colourful(0) };
    let (memory, stop) = (Memory::default(), AtomicBool::new(false));
    let mut progress = Vec::new();
    let started = Instant::now();
    let answers = Answers::create(&shape, None, None)?;
    let (outcome, stopped_after) = thread::scope(|scope| {
        let stopper = scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            stop.store(true, Ordering::Relaxed);
            Instant::now()
        });
        let outcome = run(&shape, Box::new(memory.clone()), Some(answers), &stop, &mut |events| progress.push(events));
        (outcome, stopper.join().expect("it does not panic").elapsed())
    });
    let outcome = outcome?;
    let most = started.elapsed().as_secs_f64() * 20_000.0 + 1.0;
    assert!(stopped_after < Duration::from_secs(2), "{stopped_after:?}");
    assert!(outcome.events as f64 <= most && outcome.events > 1000, "{} of {most}", outcome.events);
    assert!(progress.is_sorted() && progress.last() == Some(&outcome.events));
    let written = memory.0.lock().expect("no thread panics");
    assert_eq!(outcome.summary, Some(judge(&written, OOO).1));
    Ok(())
}

#[test]
fn a_stream_that_is_not_paced_stops_when_told_to() -> TestResult {
    let outcome = run(&colourful(1_000_000), Box::new(Memory::default()), None, &AtomicBool::new(true), &mut |_| ())?;
    assert_eq!(outcome, Outcome { events: 0, summary: None });
    Ok(())
}
