//! A TCP proxy between the job and the broker: a network that can be cut.

use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;

use kit::Trouble;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// The state of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// Bytes pass.
    Up,
    /// Connections are closed, new ones too.
    Cut,
    /// Connections stay, and nothing passes: what a lost route looks like.
    Silent,
}

/// A proxy on a free port. Where it leads to is told later, because the broker has to know its address first.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    network: watch::Sender<Network>,
    target: &'static OnceLock<SocketAddr>,
}

impl Proxy {
    /// Starts to listen.
    pub(crate) fn start(runtime: &Handle) -> Result<Self, Trouble> {
        static TARGET: OnceLock<SocketAddr> = OnceLock::new();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let network = watch::Sender::new(Network::Up);
        runtime.spawn(accept(listener, network.clone(), &TARGET));
        Ok(Proxy { address, network, target: &TARGET })
    }

    /// Says where connections lead to.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        // There is one proxy, and it is told once.
        let _ = self.target.set(target);
    }

    /// Changes the state of the network, for the connections that there are as well.
    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn accept(listener: TcpListener, network: watch::Sender<Network>, target: &'static OnceLock<SocketAddr>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let (state, target) = (network.subscribe(), target.get().copied());
        if *state.borrow() == Network::Cut {
            continue;
        }
        tokio::spawn(async move {
            let Some(target) = target else { return };
            let Ok(server) = TcpStream::connect(target).await else { return };
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            // Where one direction ends, the other one does too: a half-open connection helps nobody here.
            tokio::select! {
                _ = pump(from_client, to_server, state.clone()) => {}
                _ = pump(from_server, to_client, state) => {}
            }
        });
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut network: watch::Receiver<Network>,
) -> io::Result<()> {
    let mut cut = network.clone();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = tokio::select! {
            read = from.read(&mut buffer) => read?,
            _ = cut.wait_for(|state| *state == Network::Cut) => return Ok(()),
        };
        // What was read waits here while the network is silent.
        let is_cut =
            network.wait_for(|state| *state != Network::Silent).await.map_or(true, |state| *state == Network::Cut);
        if length == 0 || is_cut {
            return Ok(());
        }
        to.write_all(&buffer[..length]).await?;
    }
}
