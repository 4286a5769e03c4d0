//! The database of one test, on a server that the tests share.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use backends::Postgres;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::Mutex;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// How many connections a service opens.
pub(crate) const MAX_CONNECTIONS: usize = 8;

/// A database server and its folder.
pub(crate) struct Server {
    // Ends before the folder goes.
    pub(crate) postgres: Postgres,
    _folder: TempDir,
}

/// A folder that the server's user may enter.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap()
}

impl Server {
    /// The server that tests share. It ends with the last of them.
    async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let folder = folder();
        let postgres = Postgres::start(&folder.path().join("data"), None).await.unwrap();
        let server = Arc::new(Server { postgres, _folder: folder });
        *shared = Arc::downgrade(&server);
        server
    }
}

/// A database that nobody else uses.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) server: Arc<Server>,
    pub(crate) name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = Server::shared().await;
        server.postgres.create_database(&name).await.unwrap();
        Database { server, name }
    }

    /// How a service is told where it is.
    pub(crate) fn flags(&self) -> Vec<String> {
        flags(&self.server.postgres, &self.name)
    }

    /// A connection that sees the service's tables.
    pub(crate) async fn connect(&self) -> PgConnection {
        let options = self.server.postgres.connect_options(&self.name).options([("search_path", "order_service")]);
        PgConnection::connect_with(&options).await.unwrap()
    }

    /// The one number that a query answers.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.connect().await).await.unwrap()
    }

    /// Makes a change that no client can.
    pub(crate) async fn execute(&self, statement: &'static str) -> u64 {
        sqlx::query(statement).execute(&mut self.connect().await).await.unwrap().rows_affected()
    }

    /// From now on, this kind of change of this table waits until the [`Held`] is dropped or let go.
    pub(crate) async fn hold(&self, trigger: &'static str) -> Held {
        let mut connection = self.connect().await;
        sqlx::query("SELECT pg_advisory_lock(1, 1)").execute(&mut connection).await.unwrap();
        let function = "CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                        'BEGIN PERFORM pg_advisory_xact_lock_shared(1, 1); RETURN NEW; END'";
        self.execute(function).await;
        self.execute(trigger).await;
        Held { connection, database: self.clone() }
    }
}

/// How many wait for a [`Held`].
const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 1
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// A change that waits for us.
pub(crate) struct Held {
    connection: PgConnection,
    database: Database,
}

impl Held {
    /// Waits until somebody wants to make the change.
    pub(crate) async fn reached(&self) {
        crate::harness::until("somebody waits", async || self.database.number(WAITING).await > 0).await;
    }

    /// The change is not made: whoever waits to make it was killed, which the server would notice only after it.
    pub(crate) async fn call_off(self) {
        let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks
                     WHERE locktype = 'advisory' AND NOT granted AND classid = 1
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        crate::harness::until("nobody waits", async || self.database.number(ended).await == 0).await;
        self.let_go().await;
    }

    /// The change goes on.
    pub(crate) async fn let_go(self) {
        self.connection.close().await.unwrap();
    }
}

/// How a service is told where a database is.
pub(crate) fn flags(postgres: &Postgres, name: &str) -> Vec<String> {
    let (port, password) = (postgres.port().to_string(), postgres.password());
    let max_connections = MAX_CONNECTIONS.to_string();
    [
        ("--db-host", postgres.host()),
        ("--db-port", &port),
        ("--db-name", name),
        ("--db-user", postgres.user()),
        ("--db-password", password),
        ("--db-ssl-mode", "disable"),
        ("--db-max-connections", &max_connections),
        ("--internal-token-secret", SECRET),
        ("--idempotency-secret", SECRET),
    ]
    .into_iter()
    .flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()])
    .collect()
}
