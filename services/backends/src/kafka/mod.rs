//! Kafka: a broker in this process, which keeps its topics in a folder.
//!
//! The protocol, topics and groups are `tansu`'s, with its engine over SlateDB on local files. Four things are done here
//! instead, because readers rest on them:
//!
//! * a fetch that begins inside a batch gets that batch, and a fetch that finds nothing waits for news instead of the
//!   clock (`fetch`);
//! * the first offset is the first one, and a time is found by what batches hold (`offsets`);
//! * requests that write take turns (`front`): the engine's transactions overwrite one another where they overlap;
//! * producers go on after they have given up records (`epochs`).
//!
//! # What it cannot do
//! There are no transactions: an end of one is refused, and the text beside a committed offset is not kept. So what
//! writes here does it at least once, and keeps the place to go on from elsewhere. Nothing is ever deleted by age.

mod connections;
mod epochs;
mod fetch;
mod front;
mod log;
mod maintenance;
mod offsets;
mod store;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use slatedb::Db;
use tansu_broker::coordinator::group::administrator::Controller;
use tansu_storage::slate::Engine;
use tansu_storage::{BrokerRegistrationRequest, Storage as _};
use tokio::task::JoinHandle;
use url::Url;
use uuid::Uuid;

use self::front::Front;
use self::log::Log;
use crate::{Error, Lock, ports};

const NAME: &str = "Kafka";
const CLUSTER: &str = "footfall-local";
const NODE: i32 = 1;

/// A broker that listens on 127.0.0.1.
pub struct Kafka {
    address: SocketAddr,
    store: Arc<Db>,
    tasks: [JoinHandle<()>; 2],
    lock: Option<Lock>,
}

impl Kafka {
    /// Starts a broker on a folder, which is made where it is not there; port 0 for any. The lock is the folder's name
    /// with `.lock` at the end, beside it.
    ///
    /// # Errors
    /// Where the port or the folder is in use, or the folder cannot be read.
    pub async fn start(folder: &Path, port: u16) -> Result<Self, Error> {
        let lock = Lock::take(folder, &folder.with_added_extension("lock"))?;
        let (listener, address) = ports::listen_async(port, NAME)?;
        std::fs::create_dir_all(folder).map_err(Error::at("make", folder))?;
        let store = store::open(folder).await?;
        let failed = |doing: &str| failed(doing.to_owned());
        let url = Url::parse(&format!("tcp://{address}"));
        let url = url.map_err(|error| failed("tell its address")(&error))?;
        let engine = Engine::new(CLUSTER, NODE, url, Arc::clone(&store));
        let registration = BrokerRegistrationRequest {
            broker_id: NODE,
            cluster_id: CLUSTER.to_owned(),
            incarnation_id: Uuid::new_v4(),
            rack: None,
        };
        engine.register_broker(registration).await.map_err(|error| failed("register itself")(&error))?;
        let groups = Controller::with_storage(engine.clone()).map_err(|error| failed("keep groups")(&error))?;
        let log = Arc::new(Log::new(engine.clone()));
        let front = Front::new(engine, groups, Arc::clone(&log)).map_err(|error| failed("route requests")(&error))?;
        let turn = front.turn();
        let tasks = [
            tokio::spawn(connections::serve(listener, front)),
            tokio::spawn(maintenance::run(Arc::clone(&store), log, turn)),
        ];
        Ok(Kafka { address, store, tasks, lock: Some(lock) })
    }

    /// Where it listens, also for `bootstrap.servers`.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends connections and closes the store. What was acknowledged is kept.
    ///
    /// # Errors
    /// Where the store cannot be closed.
    pub async fn stop(mut self) -> Result<(), Error> {
        for task in &mut self.tasks {
            task.abort();
            // Aborted, or ended by a panic that was reported.
            let _ = task.await;
        }
        self.store.close().await.map_err(|error| failed("close its store".to_owned())(&error))?;
        drop(self.lock.take());
        Ok(())
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn failed(doing: String) -> impl FnOnce(&dyn fmt::Display) -> Error {
    |reason| Error::Kafka { doing, reason: reason.to_string() }
}
