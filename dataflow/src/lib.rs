//! The Footfall job: how many different people looked at each product, exactly, minute by minute.
//!
//! # The idea
//!
//! Events carry the time at which they happened. They come in partitions, roughly in order, and each partition has a
//! **[watermark](partitions::Watermark)**: the time up to which its events are taken to be complete. The job's
//! watermark is that of the slowest partition. When it passes the end of a **[window](schemas::Window)** of one minute,
//! the window's counts are final and are written; an event that comes after its own partition's watermark has passed
//! its window is **late** and is kept, not counted. So the same partitions give the same rows, whatever the number of
//! workers and the order in which partitions are read.
//!
//! # As the data flows
//!
//! | step | where |
//! |---|---|
//! | a reader hands out the records of a partition, and never waits | [`source`] |
//! | a record is decoded, or rejected with a reason | [`schemas::decode`] |
//! | an event is on time, late, or filtered; the watermark moves | [`classify`] |
//! | events travel in blocks to the worker of their product and user | [`block`] |
//! | of a user's looks at a product in a window, the first one counts | [`distinct`] |
//! | counts, and what else can be seen in them, as differential collections | [`views`] |
//! | counts of open windows are told, at most once per interval | [`live`] |
//! | rows, late and rejected records are written and acknowledged | [`sink`] |
//! | what is written, and the place to go on from, become durable together | [`commit`] |
//!
//! [`job`] wires the steps into one timely dataflow on every worker. Its timestamp is the window's ordinal, and its
//! frontier is the job's watermark: time in the dataflow is event time, rounded to windows. What workers must know of
//! each other outside of event time is in [`partitions`], [`windows`] and [`control`], and [`cluster`] brings it, and the
//! dataflow, to several processes. [`generate`] makes streams whose
//! results are known, and [`cli`] is the program.

pub mod admin;
pub mod block;
pub mod classify;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod commit;
pub mod control;
pub mod distinct;
pub mod duration;
pub mod error;
pub mod generate;
pub mod id;
pub mod job;
pub mod kafka;
pub mod live;
pub mod metrics;
pub mod output;
pub mod partitions;
pub mod record;
pub mod sink;
pub mod source;
pub mod unique_users;
pub mod views;
pub mod windows;
