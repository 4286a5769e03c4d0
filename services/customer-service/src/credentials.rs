//! What a customer proves itself by: its e-mail address and its password, and how guesses at the password are judged.

use secrecy::SecretString;
use service_kit::{Id, Problem};
use sqlx::{PgConnection, PgPool};

use crate::guesses::Guesses;
use crate::hashing::Hasher;

/// A customer's address and hash, as the database has them.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Credentials {
    pub(crate) id: i64,
    /// Without the difference of small and capital letters.
    pub(crate) folded_email: String,
    pub(crate) password_hash: String,
}

/// Judges guesses.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) hasher: Hasher,
    guesses: Guesses,
}

impl Judge {
    /// With so many wrong guesses a minute for each e-mail address; 0 for no limit.
    pub(crate) fn new(hasher: Hasher, limit: u32) -> Self {
        Judge { hasher, guesses: Guesses::new(limit) }
    }

    /// Whether it is of any use to look for an address.
    ///
    /// # Errors
    /// 429 after too many wrong guesses.
    pub(crate) fn check(&self, folded_email: &str) -> Result<(), Problem> {
        self.guesses.check(self.guesses.place(folded_email))
    }

    /// Whether the password is that of the hash. Where there is none, a hash is computed all the same: the time tells nobody
    /// which addresses there are.
    ///
    /// # Errors
    /// 429 after too many wrong guesses, before the password is looked at; 503 where too many wait for a hash.
    pub(crate) async fn is_right(
        &self,
        folded_email: &str,
        password: &SecretString,
        stored: Option<&str>,
    ) -> Result<bool, Problem> {
        let place = self.guesses.place(folded_email);
        let turn = self.hasher.turn().await?;
        // Only now: while it waited for its turn, others may have failed.
        self.guesses.check(place)?;
        let stored = stored.map_or_else(|| self.hasher.of_nobody(), str::to_owned);
        let (turn, is_right) = turn.verify(password, stored).await?;
        if !is_right {
            // Before the next one has its turn.
            self.guesses.fail(place);
        }
        drop(turn);
        Ok(is_right)
    }
}

/// The credentials that go with an e-mail address, given without the difference of small and capital letters.
pub(crate) async fn of_email(pool: &PgPool, folded_email: &str) -> Result<Option<Credentials>, sqlx::Error> {
    sqlx::query_as("SELECT id, folded_email, password_hash FROM customers WHERE folded_email = $1")
        .bind(folded_email)
        .fetch_optional(pool)
        .await
}

/// Those of a customer that is not deleted.
pub(crate) async fn of_customer(pool: &PgPool, id: Id) -> Result<Option<Credentials>, sqlx::Error> {
    sqlx::query_as("SELECT id, folded_email, password_hash FROM customers WHERE id = $1 AND deleted_at IS NULL")
        .bind(id.get())
        .fetch_optional(pool)
        .await
}

/// The same, which nobody else can change until the transaction ends.
pub(crate) async fn lock(connection: &mut PgConnection, id: Id) -> Result<Option<Credentials>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, folded_email, password_hash FROM customers WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
    )
    .bind(id.get())
    .fetch_optional(connection)
    .await
}

/// Sets the hash of a customer that is locked.
pub(crate) async fn set_hash(connection: &mut PgConnection, id: Id, hash: &str) -> Result<(), sqlx::Error> {
    let update = sqlx::query("UPDATE customers SET password_hash = $2 WHERE id = $1");
    update.bind(id.get()).bind(hash).execute(connection).await.map(drop)
}

/// Replaces a hash by another one of the same password, unless somebody else has changed it.
pub(crate) async fn replace_hash(pool: &PgPool, id: Id, present: &str, new: &str) -> Result<(), sqlx::Error> {
    let update = sqlx::query("UPDATE customers SET password_hash = $3 WHERE id = $1 AND password_hash = $2");
    update.bind(id.get()).bind(present).bind(new).execute(pool).await.map(drop)
}
