//! The service as a program.

use order_service::SCHEMA;
use test_kit::Database;
use test_kit::program::{code_and_error, run};

use crate::child::Program;
use crate::harness::{Desk, Stage, flags};

const PROGRAM: &str = env!("CARGO_BIN_EXE_order-service");

#[tokio::test]
async fn a_program_that_is_only_to_migrate_makes_the_tables_and_ends_however_often_it_is_run() {
    let database = Database::create(SCHEMA).await;
    for _ in 0..2 {
        let output = run(PROGRAM, &flags(&database.flags(), "http://127.0.0.1:1", &["--migrate-only"]));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'order_service'
                  AND table_name IN ('orders', 'outbox', 'closed_customers', 'idempotency_keys')";
    assert_eq!(database.number(tables).await, 4);
}

#[tokio::test]
async fn settings_that_are_wrong_end_the_program_with_the_remedy() {
    let database = Database::create(SCHEMA).await;
    let with = |more: &[&str]| code_and_error(&run(PROGRAM, &flags(&database.flags(), "http://127.0.0.1:1", more)));
    for (more, told) in [
        (&["--kafka-bootstrap-servers", "kafka://localhost"][..], "write HOST:PORT"),
        (&["--kafka-orders-topic", "no topic"], "\"no topic\" is no name of a topic"),
        (&["--order-pending-timeout", "soon"], "write a length of time"),
    ] {
        let (code, error) = with(more);
        assert_eq!(code, Some(64), "{error}");
        assert!(error.contains(told), "{error}");
    }
    let (code, error) = code_and_error(&run(PROGRAM, &[]));
    assert_eq!(code, Some(64), "{error}");
    assert!(error.contains("--product-service-url") && error.contains("--internal-token-secret"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_told_to_end_ends_in_order() {
    let stage = Stage::set().await;
    let product = stage.product("19.99", 5).await;
    let program = Program::start(&stage.flags(&[])).await;
    Desk::at(&program.url).order(&product, 1).await;
    assert_eq!(program.terminate().await, Some(0));
}
