//! The shop before its users come: products with stock.

use kit::Trouble;
use reqwest::Method;
use serde_json::json;

use crate::client::{Call, Client};
use crate::platform::ADMIN_TOKEN;

/// The stock of every tenth product: it runs out.
const SCARCE: i64 = 40;
/// The stock of the others.
const PLENTY: i64 = 100_000;

/// A product on sale.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) id: String,
    /// How many pieces there were at first.
    pub(crate) stock: i64,
}

/// Makes products.
pub(crate) async fn stock_up(client: &Client, count: u32) -> Result<Vec<Product>, Trouble> {
    let mut products = Vec::new();
    for number in 0..count {
        let stock = if number % 10 == 0 { SCARCE } else { PLENTY };
        let price = format!("{}.{:02}", 1 + number % 90, number % 100);
        let body = json!({"name": format!("Product {number}"), "price": price, "stock_quantity": stock});
        let call = Call::new("make a product", Method::POST, "/products").bearer(ADMIN_TOKEN);
        let call = call.header("idempotency-key", format!("load-{number}")).body(body);
        let answer = client.call(&call).await.ok_or("a product cannot be made")?;
        let id = answer.body["id"].as_str().ok_or("a product has no id")?;
        products.push(Product { id: id.to_owned(), stock });
    }
    Ok(products)
}
