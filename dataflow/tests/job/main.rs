//! The whole job, in this process: scripted partitions in, rows and quarantined records out, compared with a naive model.

mod fixture;
mod flow;
mod memory;
mod model;
mod properties;
mod time;
