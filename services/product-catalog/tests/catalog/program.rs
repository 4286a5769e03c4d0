//! The service as a program.

use product_catalog::SCHEMA;
use test_kit::program::{code_and_error, run, with};

use crate::harness::{Database, flags};

const PROGRAM: &str = env!("CARGO_BIN_EXE_product-catalog");

#[tokio::test]
async fn a_program_that_is_only_to_migrate_makes_the_tables_and_ends_however_often_it_is_run() {
    let database = Database::create(SCHEMA).await;
    for _ in 0..2 {
        let output = run(PROGRAM, &with(database.flags(), &["--migrate-only"]));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'product_catalog'
                  AND table_name IN ('products', 'reservations', 'reservation_lines', 'idempotency_keys')";
    assert_eq!(database.number(tables).await, 4);
}

#[tokio::test]
async fn a_program_that_cannot_migrate_fails_with_the_reason() {
    let database = Database::create(SCHEMA).await;
    let elsewhere = flags(&database.server.postgres, "elsewhere");
    let (code, error) = code_and_error(&run(PROGRAM, &with(elsewhere, &["--migrate-only"])));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("cannot migrate the schema product_catalog") && error.contains("elsewhere"), "{error}");
    assert!(!error.contains(database.server.postgres.password()));
}

#[tokio::test]
async fn settings_that_are_wrong_end_the_program_with_the_remedy() {
    let database = Database::create(SCHEMA).await;
    let (code, error) = code_and_error(&run(PROGRAM, &with(database.flags(), &["--shop-currency", "EURO"])));
    assert_eq!(code, Some(64), "{error}");
    assert!(error.contains("EURO") && error.contains("set SHOP_CURRENCY to one of"), "{error}");
    let (code, error) = code_and_error(&run(PROGRAM, &[]));
    assert_eq!(code, Some(64), "{error}");
    assert!(error.contains("--db-host") && error.contains("--internal-token-secret"), "{error}");
}
