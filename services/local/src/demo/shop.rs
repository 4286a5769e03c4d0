//! Making what the demo shop consists of, once for each folder of data.

use std::path::PathBuf;
use std::time::Duration;

use backends::secret;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::StatusCode;
use schemas::Currency;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalog;
use super::gateway::Gateway;

/// The file's name in the folder of data.
pub(crate) const FILE: &str = "demo.json";
/// How many products are made at a time.
const AT_A_TIME: usize = 4;
/// How long a service that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// What has been made, as the file keeps it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    /// The ids of the products, by their places in the catalogue.
    products: Vec<String>,
    has_customers: bool,
}

/// The shop in a folder.
pub(super) struct Shop {
    gateway: Gateway,
    file: PathBuf,
    made: Made,
}

impl Shop {
    /// Reads what the folder knows of it.
    pub(super) fn open(gateway: Gateway, file: PathBuf) -> Result<Self, String> {
        let made = match std::fs::read(&file) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| {
                format!("{} cannot be read: {error}; remove it, and products are made anew", file.display())
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Made::default(),
            Err(error) => return Err(format!("{} cannot be read: {error}", file.display())),
        };
        Ok(Shop { gateway, file, made })
    }

    /// The ids of the products, by their places in the catalogue. They are made where they are not there.
    pub(super) async fn products(&mut self, currency: Currency) -> Result<Vec<String>, String> {
        if self.made.products.len() != catalog::PRODUCTS {
            let gateway = &self.gateway;
            let make = |(place, body): (usize, Value)| async move {
                let answer = gateway.make("/products", &format!("demo-product-{place}"), &body, PATIENCE).await?;
                let made: Option<Value> = serde_json::from_slice(&answer.body).ok();
                let id = made.as_ref().and_then(|product| product["id"].as_str()).map(str::to_owned);
                id.ok_or_else(|| format!("a product is not made: {}", answer.said()))
            };
            let products = catalog::products(currency);
            self.made.products =
                stream::iter(products.into_iter().enumerate()).map(make).buffered(AT_A_TIME).try_collect().await?;
            self.keep()?;
        }
        Ok(self.made.products.clone())
    }

    /// Makes the customers where they are not there: one after the other, as hashing a password takes its time.
    pub(super) async fn make_customers(&mut self) -> Result<(), String> {
        if self.made.has_customers {
            return Ok(());
        }
        let customers = catalog::customers(secret::random).map_err(|error| error.to_string())?;
        for (place, body) in customers.iter().enumerate() {
            let answer = self.gateway.make("/customers", &format!("demo-customer-{place}"), body, PATIENCE).await?;
            let is_there = match answer.status {
                StatusCode::CREATED => true,
                // An earlier start made it, with another password, and died before it could tell the file.
                StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
                    let problem: Option<Value> = serde_json::from_slice(&answer.body).ok();
                    let kind = problem.as_ref().and_then(|problem| problem["type"].as_str()).unwrap_or("");
                    ["/problems/email-taken", "/problems/idempotency-key-reused"].contains(&kind)
                }
                _ => false,
            };
            if !is_there {
                return Err(format!("a customer is not made: {}", answer.said()));
            }
        }
        self.made.has_customers = true;
        self.keep()
    }

    fn keep(&self) -> Result<(), String> {
        let json = serde_json::to_string_pretty(&self.made).map_err(|error| error.to_string())?;
        secret::write_private(&self.file, &json).map_err(|error| error.to_string())
    }
}
