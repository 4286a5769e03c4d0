//! The socket in the folder of data, by which other processes of the same user reach a platform that runs.

pub(crate) mod client;
pub(crate) mod protocol;
pub(crate) mod running;
mod server;

pub(crate) use self::server::Control;

/// The socket's name in the folder.
pub(crate) const SOCKET: &str = "footfall.sock";
