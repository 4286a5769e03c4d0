//! A service that can be switched off for a while, and on again at the same addresses.

use std::net::SocketAddr;
use std::sync::Arc;

use service_kit::{Error, Listeners};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Whether a service is to run.
#[derive(Clone, Debug)]
pub(crate) struct Switch(Arc<watch::Sender<bool>>);

/// Of the services that can be switched off.
#[derive(Clone, Debug)]
pub(crate) struct Switches {
    pub(crate) catalog: Switch,
    pub(crate) gateway: Switch,
}

impl Switch {
    /// A switch that is on.
    pub(crate) fn new() -> Self {
        Switch(Arc::new(watch::Sender::new(true)))
    }

    /// Turns it on or off; the service follows.
    pub(crate) fn turn(&self, is_on: bool) {
        self.0.send_replace(is_on);
    }
}

impl Switches {
    /// All are on.
    pub(crate) fn new() -> Self {
        Switches { catalog: Switch::new(), gateway: Switch::new() }
    }
}

/// Runs a service until `stop`, whenever the switch is on.
///
/// # Errors
/// As the service ends with; where its addresses are taken when it is switched on again.
pub(crate) async fn run_switched<A, F>(
    run: fn(A, Listeners, CancellationToken) -> F,
    args: A,
    mut listeners: Listeners,
    switch: Switch,
    stop: CancellationToken,
) -> Result<(), Error>
where
    A: Clone,
    F: Future<Output = Result<(), Error>>,
{
    let address = |listener: &TcpListener| {
        listener.local_addr().map_err(|error| Error::Failed(format!("the listener has no address: {error}")))
    };
    let public = address(&listeners.public)?;
    let admin = listeners.admin.as_ref().map(address).transpose()?;
    let mut is_on = switch.0.subscribe();
    loop {
        let stop_service = stop.child_token();
        {
            let service = run(args.clone(), listeners, stop_service.clone());
            tokio::pin!(service);
            tokio::select! {
                ended = &mut service => return ended,
                // The sender lives as long as we do: there is always a last word.
                _ = is_on.wait_for(|is_on| !is_on) => stop_service.cancel(),
            }
            service.await?;
        }
        let until_on = async {
            let _ = is_on.wait_for(|is_on| *is_on).await;
        };
        if stop.run_until_cancelled(until_on).await.is_none() {
            return Ok(());
        }
        listeners = Listeners {
            public: bind(public).await?,
            admin: match admin {
                Some(address) => Some(bind(address).await?),
                None => None,
            },
        };
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::Failed(format!("cannot listen on {address} again: {error}; end the program that has taken it"))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// Says `hello` to everybody who connects.
    async fn hello(_: (), listeners: Listeners, stop: CancellationToken) -> Result<(), Error> {
        let serve = async {
            loop {
                let (mut stream, _) = listeners.public.accept().await.unwrap();
                stream.write_all(b"hello").await.unwrap();
            }
        };
        tokio::select! {
            () = serve => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    }

    async fn says_hello(address: SocketAddr) -> bool {
        let Ok(mut stream) = TcpStream::connect(address).await else { return false };
        let mut said = String::new();
        stream.read_to_string(&mut said).await.is_ok() && said == "hello"
    }

    async fn until(wanted: bool, address: SocketAddr) {
        let ask = async {
            while says_hello(address).await != wanted {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ask).await.unwrap();
    }

    #[tokio::test]
    async fn a_service_comes_back_where_it_was_and_ends_in_either_state() {
        for is_on_at_the_end in [true, false] {
            let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = public.local_addr().unwrap();
            let (switch, stop) = (Switch::new(), CancellationToken::new());
            let listeners = Listeners { public, admin: None };
            let service = tokio::spawn(run_switched(hello, (), listeners, switch.clone(), stop.clone()));
            until(true, address).await;
            switch.turn(false);
            until(false, address).await;
            if is_on_at_the_end {
                switch.turn(true);
                until(true, address).await;
            }
            stop.cancel();
            service.await.unwrap().unwrap();
        }
    }
}
