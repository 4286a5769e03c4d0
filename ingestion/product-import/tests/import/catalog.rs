//! The real service behind the gateway judges rows, and knows them again, as these tests believe.

use std::time::Duration;

use clap::Parser as _;
use product_catalog::{Args, NAME, SCHEMA};
use product_import::Gateway;
use reqwest::Url;
use serde_json::json;
use service_kit::Listeners;
use service_kit::auth::{Caller, Role};
use test_kit::{Database, SECRET, authorization};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::{World, counts};

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the service; it ends with the test's runtime.
async fn start(database: &Database) -> Url {
    let flags = [NAME.to_owned()].into_iter().chain(database.flags());
    let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", public.local_addr().unwrap());
    let listeners = Listeners { public, admin: None };
    tokio::spawn(product_catalog::run(Args::try_parse_from(flags).unwrap(), listeners, CancellationToken::new()));
    let is_ready = async {
        while !reqwest::get(format!("{url}/readyz")).await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_ready).await.expect("the service is ready in time");
    url.parse().unwrap()
}

#[tokio::test]
async fn the_catalog_makes_each_valid_row_once_and_says_what_is_wrong_with_the_others() {
    let database = Database::create(SCHEMA).await;
    let url = start(&database).await;
    let token = authorization(NAME, SECRET, &Caller::new("product-import", Role::Service));
    let token = token.strip_prefix("Bearer ").unwrap();
    let mut world = World::new().await;
    world.importer.gateway = Gateway::new(&url, &token.into(), None).unwrap();
    let long = "x".repeat(201);
    let text = [
        "name;description;price;category;stock_quantity\n",
        "Käse;\"zwei\nZeilen\";19,90;Brot;5\n",
        "Brot;;2;;\n",
        ";;1;;\n",
        ";;;;\n",
        &format!("{long};;1;;\n"),
        "a;;dear;;\n",
        "a;;1,999;;\n",
        "a;;-1;;\n",
        "a;;1;;many\n",
        "a;;1;;-1\n",
        "a;;1;;99999999999999999999\n",
        "a\0;;1;;\n",
    ]
    .concat();
    let report = world.import_file("a.csv", text.as_str()).await;
    assert_eq!(counts(&report), [12, 2, 0, 10]);
    assert_eq!(
        report["reasons"],
        json!({
            "required": 2, "too_long": 1, "invalid_format": 2, "too_many_digits": 1, "below_minimum": 2, "wrong_type": 1,
            "above_maximum": 1,
        })
    );
    assert!(world.s3.errors("a.csv").await.contains("6;required;name is required | price is required;"));
    let report = world.import_file("a.csv", text).await;
    assert_eq!(counts(&report), [12, 0, 2, 10]);
    assert_eq!(database.number("SELECT count(*) FROM products").await, 2);
}
