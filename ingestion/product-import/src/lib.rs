//! Products from CSV files into the catalogue.
//!
//! A file is read as it comes, never whole, and each row is sent to the gateway under a key made of where the file is and what
//! the row says. So an import can be cut off anywhere, and be repeated as often as one likes: a row makes one product.
//!
//! ```text
//! S3 event ─ event ─> handler ─> import ─┬─ file: encoding, dialect, header, records
//!                        │               ├─ row: values, key, body ─> duplicates
//!                        │               ├─ gateway: POST /products, pace
//!      Continue <────────┘               └─ errors_file, report ─> outputs (store, cli::local)
//! ```
//!
//! [`Importer`] handles events; the function in the cloud ([`lambda`], feature `lambda`) and the platform on one machine give it
//! their own way to [go on](Continue) later. The program for people is [`cli`], feature `cli`.

#[cfg(feature = "cli")]
pub mod cli;
mod duplicates;
mod error;
mod errors_file;
mod event;
mod file;
mod gateway;
mod handler;
mod import;
#[cfg(feature = "lambda")]
pub mod lambda;
mod outputs;
mod pace;
#[cfg(any(feature = "cli", feature = "lambda"))]
mod program;
mod report;
mod row;
mod settings;
mod store;
mod summary;

/// The name of the function, in logs and of its session.
pub const NAME: &str = "product-import";

pub use error::Error;
pub use event::Continuation;
pub use file::{Chunks, Encoding, MAX_RECORD_BYTES, Refusal};
pub use gateway::Gateway;
pub use handler::{Continue, Importer, MAX_HOPS};
pub use import::{Ending, Import, Task};
pub use outputs::Outputs;
pub use report::{ERRORS_SUFFIX, Progress, REPORT_SUFFIX, Report, Rows, Status};
pub use row::Origin;
pub use settings::{ImportArgs, TimeLimit, duration};
pub use store::{OUTPUT_MARK, Store};
pub use summary::Summary;
