//! The event generator: a stream of events of a given [`Shape`], and the results it must lead to.
//!
//! A [`Stream`] makes records one after the other from a seeded random generator; a [`RecordWriter`] takes
//! them; [`Answers`] watches them pass and writes the answer key, the exact rows the job has to produce.
//! The key is computed from what the generator knows about each record, never from its bytes, and shares no code
//! with the job: where the two agree, both are right.
//!
//! # What a seed fixes
//! * The same shape gives the same records, byte for byte, in every run.
//! * The number of partitions and their skew change where a record goes, never what it says. The one exception:
//!   the timestamps of records that are made late, which must lie behind the watermark of their partition.
//! * All arithmetic is on integers, or on floating point that IEEE 754 fixes to the last bit, but for the powers
//!   inside Zipf draws. Two platforms' mathematics libraries may differ there in the last bit, which moves a draw
//!   about once in 10^12. An exponent of 0 (uniform) avoids even that.
//!
//! ```
//! use dataflow::generate::{Generated, Shape, Stream};
//!
//! let mut stream = Stream::new(&Shape { events: Some(3), ..Shape::default() })?;
//! let mut record = Generated::default();
//! let mut records = 0;
//! while stream.next(&mut record) {
//!     assert!(schemas::decode(&record.value).is_ok());
//!     records += 1;
//! }
//! assert_eq!(records, 3);
//! # Ok::<(), dataflow::error::Error>(())
//! ```

mod answers;
mod args;
mod layout;
mod malformed;
mod placement;
mod run;
mod shape;
mod stream;
mod writers;

pub use answers::{AnswerKey, Answers, Summary};
pub use args::{Args, Destination};
pub use placement::{Placement, murmur2};
pub use run::{Outcome, run};
pub use shape::{DEFAULT_START, Shape, Timing};
pub use stream::{Content, Generated, Stream};
pub use writers::{Compression, DirectoryWriter, FileWriter, LocalDestination, RecordWriter, StdoutWriter};
