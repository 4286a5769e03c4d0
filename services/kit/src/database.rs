//! PostgreSQL: one schema for each service, its migrations, and what database errors mean to clients.

use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection as _, PgPool, Postgres, Transaction};
use tokio_util::sync::CancellationToken;

use crate::{Error, Gate, Kind, Problem, Readiness};

/// How long a request waits for a free connection: a database that is down is told quickly.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is asked whether it is alive before it is used. The pool asks at every return, and to
/// ask again at once would cost as much as most statements.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long a statement may run.
const STATEMENT_TIMEOUT: &str = "5s";
/// How long to wait before the next try to migrate, doubled up to the most.
const RETRY_LEAST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);
/// The name of the database in problems.
const NAME: &str = "the database";

/// Where the database is.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// The host of PostgreSQL
    #[arg(long, env = "DB_HOST", value_name = "HOST")]
    pub db_host: String,

    /// The port of PostgreSQL
    #[arg(long, env = "DB_PORT", value_name = "PORT", default_value_t = 5432)]
    pub db_port: u16,

    /// The name of the database
    #[arg(long, env = "DB_NAME", value_name = "NAME", default_value = "footfall")]
    pub db_name: String,

    /// The user to log in as
    #[arg(long, env = "DB_USER", value_name = "USER")]
    pub db_user: String,

    /// The user's password
    #[arg(long, env = "DB_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub db_password: SecretString,

    /// Whether the connection is encrypted and the server's certificate verified
    #[arg(long, env = "DB_SSL_MODE", value_enum, default_value = "prefer")]
    pub db_ssl_mode: SslMode,

    /// How many connections are open at most
    #[arg(long, env = "DB_MAX_CONNECTIONS", value_name = "N", default_value_t = 16)]
    pub db_max_connections: u32,

    /// Bring the database's schema up to date, and end
    #[arg(long, env = "MIGRATE_ONLY", action = ArgAction::SetTrue)]
    pub migrate_only: bool,
}

/// How far the server is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SslMode {
    /// Not encrypted.
    Disable,
    /// Encrypted where the server can.
    Prefer,
    /// Always encrypted.
    Require,
    /// Encrypted, with a certificate for this host.
    VerifyFull,
}

/// A service's part of the database.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// Prepares connections to `schema`, without opening one.
    #[must_use]
    pub fn new(schema: &'static str, args: &DatabaseArgs) -> Self {
        let ssl_mode = match args.db_ssl_mode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Prefer => PgSslMode::Prefer,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        };
        let options = PgConnectOptions::new_without_pgpass()
            .host(&args.db_host)
            .port(args.db_port)
            .database(&args.db_name)
            .username(&args.db_user)
            .password(args.db_password.expose_secret())
            .ssl_mode(ssl_mode)
            .application_name(schema)
            .options([("search_path", schema), ("statement_timeout", STATEMENT_TIMEOUT)]);
        let pool = PgPoolOptions::new()
            .max_connections(args.db_max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, known| {
                Box::pin(async move {
                    if known.idle_for > TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Database { pool }
    }

    /// Connections for reads.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Tells the operator how many connections there are.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Connections(self.pool.clone())));
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// 503 where the database does not answer.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, Problem> {
        Ok(self.pool.begin().await?)
    }

    /// Brings the schema up to date, one service at a time by an advisory lock.
    ///
    /// # Errors
    /// Where the database does not answer, or a migration that it has is not ours.
    pub async fn migrate(&self, schema: &'static str, mut service: Migrator) -> Result<(), Error> {
        let failed = |error| Error::Failed(format!("cannot migrate the schema {schema}: {error}"));
        // The kit's tables in the service's schema, with a history of their own.
        let mut kit = sqlx::migrate!();
        kit.dangerous_set_table_name("_kit_migrations");
        kit.create_schema(schema);
        service.create_schema(schema);
        kit.run(&self.pool).await.map_err(failed)?;
        service.run(&self.pool).await.map_err(failed)
    }

    /// Migrates in the background, again and again until it succeeds: a database that comes later keeps no service from starting.
    pub fn migrate_in_background(
        &self,
        schema: &'static str,
        service: fn() -> Migrator,
        readiness: &Readiness,
        stop: CancellationToken,
    ) {
        let (database, gate) = (self.clone(), readiness.gate("database"));
        let migrate = async move { database.migrate_until_done(schema, service, &gate).await };
        tokio::spawn(async move { stop.run_until_cancelled(migrate).await });
    }

    async fn migrate_until_done(&self, schema: &'static str, service: fn() -> Migrator, gate: &Gate) {
        let mut wait = RETRY_LEAST;
        while let Err(error) = self.migrate(schema, service()).await {
            tracing::warn!(schema, %error, "trying again in {wait:?}");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_MOST);
        }
        gate.set(true);
    }
}

/// The connections of a pool, counted when somebody asks.
#[derive(Debug)]
struct Connections(PgPool);

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let idle = ConstGauge::new(i64::try_from(self.0.num_idle()).unwrap_or(i64::MAX));
        let open = ConstGauge::new(i64::from(self.0.size()));
        for (name, help, gauge) in [
            ("database_connections_idle", "Open connections to the database that nobody uses", idle),
            ("database_connections_open", "Open connections to the database", open),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_) => Problem::unavailable(NAME, error),
            // Codes: appendix A of PostgreSQL's manual.
            sqlx::Error::Database(database) => match database.code().as_deref() {
                Some("57014") => {
                    tracing::warn!(%error, "a statement took too long");
                    Problem::new(Kind::Timeout, "the database took too long; ask for less, or try again later")
                }
                Some(code) if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => {
                    Problem::unavailable(NAME, error)
                }
                // A text with a NUL character, such as in a cursor that somebody made up.
                Some("22021") => Problem::new(Kind::MalformedRequest, "the request has a NUL character; leave it out"),
                // Serialization failures and deadlocks: the same request succeeds when it is sent again.
                Some("40001" | "40P01") => Problem::unavailable(NAME, error),
                // No schema or table yet: the migration is on its way.
                Some("3F000" | "42P01") => Problem::unavailable(NAME, error),
                _ => Problem::internal(error),
            },
            _ => Problem::internal(error),
        }
    }
}
