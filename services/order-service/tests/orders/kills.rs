//! The service is killed at every step of an order. Whoever retries gets one order, and whoever does not has ordered nothing.

use reqwest::RequestBuilder;

use crate::child::Program;
use crate::harness::{Desk, Stage, until};
use crate::held::hold;
use test_kit::{Answer, answer};

const ORDERS: &str = "SELECT count(*) FROM orders";
const COMMITTED: &str = "SELECT count(*) FROM orders WHERE status = 'CONFIRMED'";
const CONFIRMED: &str = "CREATE TRIGGER wait BEFORE UPDATE ON orders FOR EACH ROW WHEN (NEW.status = 'CONFIRMED')
                         EXECUTE FUNCTION wait()";

/// Where the service dies.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The order is there, and the catalog has not been reached. What was asked for arrives later.
    BeforeTheReservation,
    /// The catalog has reserved, and its answer has not come.
    BeforeTheAnswer,
    /// The answer has come, and the confirmation is not committed.
    BeforeTheConfirmation,
    /// All is committed, and the client knows nothing.
    AfterTheConfirmation,
}

/// A shop whose service has died over an order of 2 of 5 pieces.
struct Scene {
    stage: Stage,
    product: String,
}

impl Scene {
    async fn play(step: Step) -> Self {
        let stage = Stage::set().await;
        let product = stage.product("19.99", 5).await;
        let program = Program::start(&stage.flags(&[])).await;
        let held = match step {
            Step::BeforeTheConfirmation => Some(hold(&stage.database, CONFIRMED).await),
            _ => None,
        };
        stage.proxy.open_there(!matches!(step, Step::BeforeTheReservation));
        stage.proxy.open_back(!matches!(step, Step::BeforeTheAnswer));
        let client = tokio::spawn(Scene::request(&program.url, &product).send());
        match (step, &held) {
            (Step::BeforeTheReservation, _) => stage.proxy.asked(1).await,
            (Step::BeforeTheAnswer, _) => stage.proxy.answered(1).await,
            (_, Some(held)) => held.reached().await,
            (_, None) => until("it is committed", async || stage.database.number(COMMITTED).await == 1).await,
        }
        program.kill();
        // The client of an order that was committed may have its answer, and acts as if it had not.
        let answered = client.await.unwrap();
        assert!(answered.is_err() || matches!(step, Step::AfterTheConfirmation), "{answered:?}");
        if let Some(held) = held {
            held.call_off().await;
        }
        Scene { stage, product }
    }

    fn request(url: &str, product: &str) -> RequestBuilder {
        Desk::at(url).keyed("key", product, 2)
    }

    async fn retry(&self, program: &Program) -> Answer {
        answer(Scene::request(&program.url, &self.product)).await
    }

    fn open(&self) {
        self.stage.proxy.open_there(true);
        self.stage.proxy.open_back(true);
    }

    async fn assert_one_order(&self, answer: &Answer) {
        assert_eq!((answer.status, answer.header("location")), (201, "/orders/1"), "{answer:?}");
        assert_eq!(answer.text("status"), "CONFIRMED");
        let database = &self.stage.database;
        assert_eq!(self.stage.stock(&self.product).await, 3);
        assert_eq!((database.number(ORDERS).await, database.number("SELECT count(*) FROM outbox").await), (1, 1));
    }
}

async fn a_retry_gets_one_order(scene: Scene, is_running: bool) {
    let program = Program::start(&scene.stage.flags(&[])).await;
    if is_running {
        scene.retry(&program).await.is(409, "request-in-progress");
        // 30 seconds have passed.
        let lease = "UPDATE idempotency_keys SET leased_until = now() - interval '1 second' WHERE status IS NULL";
        assert_eq!(scene.stage.database.execute(lease).await, 1);
    }
    // Also what the dead one has asked for arrives now.
    scene.open();
    let retried = scene.retry(&program).await;
    scene.assert_one_order(&retried).await;
    let again = scene.retry(&program).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    scene.assert_one_order(&again).await;
    assert_eq!(program.terminate().await, Some(0));
}

async fn without_a_retry_nothing_is_left(scene: Scene) {
    let program = Program::start(&scene.stage.flags(&["--order-pending-timeout", "1s"])).await;
    until("nothing is left", async || scene.stage.database.number(ORDERS).await == 0).await;
    assert_eq!(scene.stage.stock(&scene.product).await, 5);
    // What arrives only now comes too late.
    scene.open();
    scene.stage.proxy.answered(1).await;
    assert_eq!(scene.stage.stock(&scene.product).await, 5);
    assert_eq!(Desk::at(&program.url).listed().await, [""; 0]);
    // The key is free.
    let placed = scene.retry(&program).await;
    assert_eq!((placed.status, placed.header("location")), (201, "/orders/2"), "{placed:?}");
    assert_eq!(scene.stage.stock(&scene.product).await, 3);
}

#[tokio::test]
async fn killed_before_the_reservation_a_retry_gets_one_order() {
    a_retry_gets_one_order(Scene::play(Step::BeforeTheReservation).await, true).await;
}

#[tokio::test]
async fn killed_before_the_reservation_without_a_retry_nothing_is_left() {
    without_a_retry_nothing_is_left(Scene::play(Step::BeforeTheReservation).await).await;
}

#[tokio::test]
async fn killed_before_the_answer_a_retry_gets_one_order() {
    a_retry_gets_one_order(Scene::play(Step::BeforeTheAnswer).await, true).await;
}

#[tokio::test]
async fn killed_before_the_answer_without_a_retry_nothing_is_left() {
    without_a_retry_nothing_is_left(Scene::play(Step::BeforeTheAnswer).await).await;
}

#[tokio::test]
async fn killed_before_the_confirmation_a_retry_gets_one_order() {
    a_retry_gets_one_order(Scene::play(Step::BeforeTheConfirmation).await, true).await;
}

#[tokio::test]
async fn killed_before_the_confirmation_without_a_retry_nothing_is_left() {
    without_a_retry_nothing_is_left(Scene::play(Step::BeforeTheConfirmation).await).await;
}

#[tokio::test]
async fn killed_after_the_confirmation_a_retry_gets_the_order() {
    a_retry_gets_one_order(Scene::play(Step::AfterTheConfirmation).await, false).await;
}
