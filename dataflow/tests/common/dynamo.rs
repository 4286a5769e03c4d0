//! A DynamoDB emulator in the test's own process, behind a real socket.

use std::collections::HashMap;
use std::net::SocketAddr;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::runtime::Runtime;

/// An empty DynamoDB on a free port.
pub(crate) struct Dynamo {
    pub(crate) runtime: Runtime,
    pub(crate) address: SocketAddr,
}

impl Dynamo {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
        Dynamo { runtime, address }
    }

    /// Settings of a client that finds a DynamoDB at `address`, this one or one before it.
    pub(crate) fn settings(&self, address: SocketAddr) -> SdkConfig {
        let credentials = Credentials::new("key", "secret", None, None, "test");
        self.runtime.block_on(
            aws_config::defaults(BehaviorVersion::latest())
                .region(Region::new("eu-central-1"))
                .credentials_provider(credentials)
                .endpoint_url(format!("http://{address}"))
                .load(),
        )
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.settings(self.address))
    }

    /// Every item of the table, over all pages.
    pub(crate) fn items(&self, table: &str) -> Vec<HashMap<String, AttributeValue>> {
        let pages = self.client().scan().table_name(table).into_paginator().items().send();
        self.runtime.block_on(pages.collect::<Result<Vec<_>, _>>()).unwrap()
    }
}
