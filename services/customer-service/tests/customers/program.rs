//! The service as a program.

use test_kit::program::{code_and_error, run, with};

use crate::world::World;

const PROGRAM: &str = env!("CARGO_BIN_EXE_customer-service");

#[tokio::test]
async fn a_program_that_is_only_to_migrate_makes_the_tables_and_ends_however_often_it_is_run() {
    let world = World::create().await;
    for _ in 0..2 {
        let output = run(PROGRAM, &with(world.flags(), &["--migrate-only"]));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'customer_service'
                  AND table_name IN ('customers', 'sessions', 'idempotency_keys')";
    assert_eq!(world.number(tables).await, 3);
}

#[tokio::test]
async fn a_program_that_cannot_migrate_fails_with_the_reason() {
    let world = World::create().await;
    let elsewhere = world.flags_on(&world.database.server.postgres, "elsewhere");
    let (code, error) = code_and_error(&run(PROGRAM, &with(elsewhere, &["--migrate-only"])));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("cannot migrate the schema customer_service") && error.contains("elsewhere"), "{error}");
    assert!(!error.contains(world.database.server.postgres.password()));
}

#[tokio::test]
async fn settings_that_are_wrong_end_the_program_with_the_remedy() {
    let world = World::create().await;
    for ttl in ["0s", "500ms", "3651d", "1000000000y"] {
        let (code, error) = code_and_error(&run(PROGRAM, &with(world.flags(), &["--session-ttl", ttl])));
        assert_eq!(code, Some(64), "{error}");
        assert!(error.contains("SESSION_TTL is") && error.contains("such as 30d"), "{error}");
    }
    let (code, error) = code_and_error(&run(PROGRAM, &with(world.flags(), &["--rate-limit-logins", "-1"])));
    assert_eq!(code, Some(64), "{error}");
    let (code, error) = code_and_error(&run(PROGRAM, &[]));
    assert_eq!(code, Some(64), "{error}");
    for flag in ["--db-host", "--internal-token-secret", "--order-service-url", "--order-service-secret"] {
        assert!(error.contains(flag), "{error}");
    }
}
