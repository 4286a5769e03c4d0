//! Ports of 127.0.0.1.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::Error;

/// Takes a port; 0 takes a free one.
pub(crate) fn listen(port: u16, backend: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::PortInUse { port, backend },
        _ => Error::Io { doing: format!("listen on 127.0.0.1:{port} for {backend}"), source: error },
    })
}

/// The same, for tasks of tokio.
pub(crate) fn listen_async(port: u16, backend: &'static str) -> Result<(tokio::net::TcpListener, SocketAddr), Error> {
    let listener = listen(port, backend)?;
    let failed = || Error::io(format!("listen for {backend}"));
    let address = listener.local_addr().map_err(failed())?;
    listener.set_nonblocking(true).map_err(failed())?;
    Ok((tokio::net::TcpListener::from_std(listener).map_err(failed())?, address))
}

/// A port that nobody listens on at the moment, for a program that has to be told its port; the given one, if it is free.
pub(crate) fn choose(port: Option<u16>, backend: &'static str) -> Result<u16, Error> {
    let listener = listen(port.unwrap_or(0), backend)?;
    Ok(listener.local_addr().map_err(Error::io(format!("find a port for {backend}")))?.port())
}
