//! Products in the database.

use service_kit::page::PageRequest;
use service_kit::{Id, fold};
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder};

use super::filters::Filters;
use crate::product::{Content, Record};

/// What a [`Record`] is read from. By name: a column that a later version adds must not break this one's statements.
macro_rules! columns {
    () => {
        "id, name, description, price, category, stock_quantity, version,
         floor(extract(epoch FROM created_at) * 1000)::bigint AS created_at_millis,
         floor(extract(epoch FROM updated_at) * 1000)::bigint AS updated_at_millis"
    };
}

/// A page of products, and one more where there is a next page.
pub(super) async fn list(pool: &PgPool, page: &PageRequest<Filters, Id>) -> Result<Vec<Record>, sqlx::Error> {
    let Filters { category, q, ids } = &page.filters;
    let mut query =
        QueryBuilder::<Postgres>::new(concat!("SELECT ", columns!(), " FROM products WHERE deleted_at IS NULL"));
    if let Some(category) = category {
        query.push(" AND category = ").push_bind(category);
    }
    if let Some(part) = q {
        // Not LIKE: `%` and `_` are characters like others.
        query.push(" AND strpos(folded_name, ").push_bind(fold(part)).push(") > 0");
    }
    if let Some(ids) = ids {
        query.push(" AND id = ANY(").push_bind(ids.iter().map(|id| id.get()).collect::<Vec<i64>>()).push(")");
    }
    if let Some(after) = page.after {
        query.push(" AND id > ").push_bind(after.get());
    }
    query.push(" ORDER BY id LIMIT ").push_bind(page.lookahead());
    query.build_query_as().fetch_all(pool).await
}

/// A product that is not deleted.
pub(super) async fn find(pool: &PgPool, id: Id) -> Result<Option<Record>, sqlx::Error> {
    sqlx::query_as(concat!("SELECT ", columns!(), " FROM products WHERE id = $1 AND deleted_at IS NULL"))
        .bind(id.get())
        .fetch_optional(pool)
        .await
}

/// The same, which nobody else can change until the transaction ends.
pub(super) async fn lock(connection: &mut PgConnection, id: Id) -> Result<Option<Record>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM products WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"
    ))
    .bind(id.get())
    .fetch_optional(connection)
    .await
}

/// Makes a product.
pub(super) async fn insert(connection: &mut PgConnection, content: &Content) -> Result<Record, sqlx::Error> {
    let Content { name, description, price, category, stock_quantity } = content;
    sqlx::query_as(concat!(
        "INSERT INTO products (name, description, price, category, stock_quantity, folded_name)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING ",
        columns!()
    ))
    .bind(name)
    .bind(description)
    .bind(price)
    .bind(category)
    .bind(stock_quantity)
    .bind(fold(name))
    .fetch_one(connection)
    .await
}

/// Gives a product that is locked what it is to have, and its next version.
pub(super) async fn update(connection: &mut PgConnection, id: Id, content: &Content) -> Result<Record, sqlx::Error> {
    let Content { name, description, price, category, stock_quantity } = content;
    sqlx::query_as(concat!(
        "UPDATE products SET name = $2, description = $3, price = $4, category = $5, stock_quantity = $6,
             folded_name = $7, version = version + 1, updated_at = clock_timestamp()
         WHERE id = $1 RETURNING ",
        columns!()
    ))
    .bind(id.get())
    .bind(name)
    .bind(description)
    .bind(price)
    .bind(category)
    .bind(stock_quantity)
    .bind(fold(name))
    .fetch_one(connection)
    .await
}

/// Deletes a product that is locked.
pub(super) async fn delete(connection: &mut PgConnection, id: Id) -> Result<(), sqlx::Error> {
    let deletion =
        sqlx::query("UPDATE products SET deleted_at = clock_timestamp(), version = version + 1 WHERE id = $1");
    deletion.bind(id.get()).execute(connection).await.map(drop)
}
