//! Customers in the database.

use service_kit::page::PageRequest;
use service_kit::{Id, Kind, Problem, fold};
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder};

use super::LIST;
use super::filters::Filters;
use crate::customer::{Content, Record};

/// The constraint that no two customers have the same e-mail address.
const EMAIL_IS_UNIQUE: &str = "customers_email_is_unique";

/// What a [`Record`] is read from. By name: a column that a later version adds must not break this one's statements.
macro_rules! columns {
    () => {
        "id, name, email, phone, address, version,
         floor(extract(epoch FROM created_at) * 1000)::bigint AS created_at_millis,
         floor(extract(epoch FROM updated_at) * 1000)::bigint AS updated_at_millis"
    };
}

/// A page of customers, and one more where there is a next page.
pub(super) async fn list(pool: &PgPool, page: &PageRequest<Filters, Id>) -> Result<Vec<Record>, sqlx::Error> {
    let mut query =
        QueryBuilder::<Postgres>::new(concat!("SELECT ", columns!(), " FROM customers WHERE deleted_at IS NULL"));
    if let Some(email) = &page.filters.email {
        query.push(" AND folded_email = ").push_bind(fold(email));
    }
    if let Some(after) = page.after {
        query.push(" AND id > ").push_bind(after.get());
    }
    query.push(" ORDER BY id LIMIT ").push_bind(page.lookahead());
    query.build_query_as().fetch_all(pool).await
}

/// A customer that is not deleted.
pub(super) async fn find(pool: &PgPool, id: Id) -> Result<Option<Record>, sqlx::Error> {
    sqlx::query_as(concat!("SELECT ", columns!(), " FROM customers WHERE id = $1 AND deleted_at IS NULL"))
        .bind(id.get())
        .fetch_optional(pool)
        .await
}

/// The same, which nobody else can change until the transaction ends.
pub(crate) async fn lock(connection: &mut PgConnection, id: Id) -> Result<Option<Record>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM customers WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"
    ))
    .bind(id.get())
    .fetch_optional(connection)
    .await
}

/// Makes a customer.
///
/// # Errors
/// 409 where another one has its e-mail address.
pub(super) async fn insert(connection: &mut PgConnection, content: &Content, hash: &str) -> Result<Record, Problem> {
    let Content { name, email, phone, address } = content;
    let inserted = sqlx::query_as(concat!(
        "INSERT INTO customers (name, email, phone, address, folded_email, password_hash)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING ",
        columns!()
    ))
    .bind(name)
    .bind(email)
    .bind(phone)
    .bind(address)
    .bind(fold(email))
    .bind(hash)
    .fetch_one(connection)
    .await;
    inserted.map_err(of_email)
}

/// Gives a customer that is locked what it is to have, and its next version.
///
/// # Errors
/// 409 where another one has its e-mail address.
pub(super) async fn update(connection: &mut PgConnection, id: Id, content: &Content) -> Result<Record, Problem> {
    let Content { name, email, phone, address } = content;
    let updated = sqlx::query_as(concat!(
        "UPDATE customers SET name = $2, email = $3, phone = $4, address = $5, folded_email = $6,
             version = version + 1, updated_at = clock_timestamp()
         WHERE id = $1 RETURNING ",
        columns!()
    ))
    .bind(id.get())
    .bind(name)
    .bind(email)
    .bind(phone)
    .bind(address)
    .bind(fold(email))
    .fetch_one(connection)
    .await;
    updated.map_err(of_email)
}

fn of_email(error: sqlx::Error) -> Problem {
    let constraint = error.as_database_error().and_then(|error| error.constraint());
    if constraint == Some(EMAIL_IS_UNIQUE) {
        let detail = "another customer has this e-mail address; log in as that customer, or use another address";
        return Problem::new(Kind::EmailTaken, detail);
    }
    error.into()
}

/// Takes from a customer that is locked all that tells who it was, for good.
pub(crate) async fn erase(connection: &mut PgConnection, id: Id) -> Result<(), sqlx::Error> {
    let erasure = sqlx::query(
        "UPDATE customers SET name = '', email = NULL, folded_email = NULL, phone = '', address = '',
             password_hash = NULL, version = version + 1, updated_at = clock_timestamp(),
             deleted_at = clock_timestamp()
         WHERE id = $1",
    );
    erasure.bind(id.get()).execute(connection).await.map(drop)
}

/// Deletes the stored answer to the request that made a customer.
pub(crate) async fn forget_answers(connection: &mut PgConnection, id: Id) -> Result<(), sqlx::Error> {
    let deletion = sqlx::query("DELETE FROM idempotency_keys WHERE location = $1");
    deletion.bind(format!("{LIST}/{id}")).execute(connection).await.map(drop)
}
