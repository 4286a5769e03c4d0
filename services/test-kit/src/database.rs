//! The database of one test, on a server that the tests of a program share.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use backends::Postgres;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::SECRET;

/// How many connections a service opens.
pub const MAX_CONNECTIONS: usize = 8;

/// A database server and its folder.
#[derive(Debug)]
pub struct Server {
    // Ends before the folder goes.
    /// The server.
    pub postgres: Postgres,
    _folder: TempDir,
}

/// A folder that the server's user may enter.
#[must_use]
pub fn folder() -> TempDir {
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
#[derive(Clone, Debug)]
pub struct Database {
    /// The server that it is on.
    pub server: Arc<Server>,
    /// Its name there.
    pub name: String,
    schema: &'static str,
}

impl Database {
    /// A new one, for a service whose tables are in this schema.
    pub async fn create(schema: &'static str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = Server::shared().await;
        server.postgres.create_database(&name).await.unwrap();
        Database { server, name, schema }
    }

    /// How a service is told where it is.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        flags(&self.server.postgres, &self.name)
    }

    /// A connection of the test's own, which sees the service's tables.
    pub async fn connect(&self) -> PgConnection {
        let options = self.server.postgres.connect_options(&self.name).options([("search_path", self.schema)]);
        PgConnection::connect_with(&options).await.unwrap()
    }

    /// The one number that a query answers.
    pub async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.connect().await).await.unwrap()
    }

    /// Makes a change that no client can; returns how many rows it changed.
    pub async fn execute(&self, statement: &'static str) -> u64 {
        sqlx::query(statement).execute(&mut self.connect().await).await.unwrap().rows_affected()
    }
}

/// How a service is told where a database is, and the secrets that go with one.
#[must_use]
pub fn flags(postgres: &Postgres, name: &str) -> Vec<String> {
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
