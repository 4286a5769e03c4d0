//! A DynamoDB emulator in this process, and what its tables hold.

use std::collections::HashMap;
use std::net::SocketAddr;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use schemas::names::attribute;
use schemas::{ResultRow, Window};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use crate::Trouble;

/// What the job needs in its environment to log in; the emulator takes anything.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "loadtest"),
    ("AWS_SECRET_ACCESS_KEY", "loadtest"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// An emulator on a free port, with its tables in memory.
pub struct Dynamo {
    /// Where it is reached without a proxy.
    pub address: SocketAddr,
    client: Client,
    runtime: Handle,
}

impl Dynamo {
    /// Starts an empty emulator.
    pub fn start(runtime: Handle) -> Result<Self, Trouble> {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        runtime.spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory()?));
        let settings = runtime.block_on(
            aws_config::defaults(BehaviorVersion::latest())
                .region(Region::new("eu-central-1"))
                .credentials_provider(Credentials::new("loadtest", "loadtest", None, None, "loadtest"))
                .endpoint_url(format!("http://{address}"))
                .load(),
        );
        Ok(Dynamo { address, client: Client::new(&settings), runtime })
    }

    /// The final rows in a table.
    pub fn final_rows(&self, table: &str) -> Result<Vec<ResultRow>, Trouble> {
        let pages = self.client.scan().table_name(table).into_paginator().items().send();
        let items = self.runtime.block_on(pages.collect::<Result<Vec<_>, _>>())?;
        items.iter().filter_map(|item| final_row(item).transpose()).collect()
    }
}

/// The item's row; `None` where it is the live count of an open window.
fn final_row(item: &HashMap<String, AttributeValue>) -> Result<Option<ResultRow>, Trouble> {
    let no_row = || format!("the table holds an item that is no row: {item:?}");
    let is_final = item.get(attribute::FINAL).and_then(|value| value.as_bool().ok()).ok_or_else(no_row)?;
    if !is_final {
        return Ok(None);
    }
    Ok(Some(row(item).ok_or_else(no_row)?))
}

fn row(item: &HashMap<String, AttributeValue>) -> Option<ResultRow> {
    let text = |name: &str| item.get(name)?.as_s().ok();
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse().ok();
    Some(ResultRow {
        product_id: text(attribute::PRODUCT_ID)?.clone(),
        window: Window::from_start_text(text(attribute::WINDOW_START)?).ok()?,
        unique_user_count: number(attribute::UNIQUE_USER_COUNT)?,
        revision: number(attribute::REVISION)?,
    })
}
