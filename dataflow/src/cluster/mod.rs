//! Several processes that run one job together.
//!
//! A process is started with its number and the addresses of all ([`args`]). It [connects](connect()) to every other and
//! compares its [`hello`] with theirs: processes of different versions or settings would count differently, so a mix is
//! refused. Over these connections timely runs the workers of all processes as one dataflow ([`workers`]). What has to
//! be found out once is found out by the first worker and told to all ([`agree()`]); what changes while the job runs, and
//! is no event time, is told by each process to the others ([`gossip()`]).
//!
//! A process cannot go on without another: the state of a worker that is gone is gone as well. So when a connection
//! breaks, every process ends with exit code 75, to be started again together. Connections are plain TCP without
//! authentication: they belong on the loopback interface or a private network.

pub mod agree;
pub mod args;
pub mod connect;
pub mod gossip;
pub mod hello;
pub mod news;
mod panics;
mod peer;
pub mod workers;

pub use agree::agree;
pub use args::{ClusterArgs, Members};
pub use connect::{Links, connect};
pub use gossip::{Nudge, gossip};
pub use hello::Hello;
pub use workers::{Workers, start};
