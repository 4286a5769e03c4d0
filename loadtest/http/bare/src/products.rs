//! `GET /products/{id}`: the statement and the answer of product-catalog.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemas::{EventTime, Money};
use serde::Serialize;

use crate::server::{Limit, failed};

/// That of `services/product-catalog/src/products/store.rs`.
const FIND: &str = "SELECT id, name, description, price, category, stock_quantity, version,
         floor(extract(epoch FROM created_at) * 1000)::bigint AS created_at_millis,
         floor(extract(epoch FROM updated_at) * 1000)::bigint AS updated_at_millis
     FROM products WHERE id = $1 AND deleted_at IS NULL";
/// Of the euro.
const DIGITS: u8 = 2;

#[derive(sqlx::FromRow)]
struct Record {
    id: i64,
    name: String,
    description: String,
    price: i64,
    category: String,
    stock_quantity: i64,
    created_at_millis: i64,
    updated_at_millis: i64,
}

#[derive(Serialize)]
pub(crate) struct Product {
    id: String,
    name: String,
    description: String,
    price: Money,
    currency: &'static str,
    category: String,
    stock_quantity: i64,
    created_at: EventTime,
    updated_at: EventTime,
}

pub(crate) async fn read_product(
    State(limit): State<Arc<Limit>>,
    Path(id): Path<i64>,
) -> Result<Json<Product>, StatusCode> {
    let found = sqlx::query_as::<_, Record>(FIND).bind(id).fetch_optional(&limit.pool).await;
    let record = found.map_err(failed)?.ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(Product {
        id: record.id.to_string(),
        name: record.name,
        description: record.description,
        price: Money::new(record.price, DIGITS).ok_or_else(|| failed("a price has more digits than an amount"))?,
        currency: "EUR",
        category: record.category,
        stock_quantity: record.stock_quantity,
        created_at: EventTime::from_millis(record.created_at_millis).map_err(failed)?,
        updated_at: EventTime::from_millis(record.updated_at_millis).map_err(failed)?,
    }))
}
