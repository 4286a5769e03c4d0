//! The demo as it runs: makes the shop, then sends what visitors do, five times a second, one request after the other.
//!
//! Requests are not sent side by side: what is sent later is later in its partition, which the answer key rests on. While the
//! gateway does not take events, nobody does anything; afterwards it goes on with the present.

use std::time::Duration;

use chrono::{Local, Offset as _};
use kafka_client::Inspector;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, MissedTickBehavior};

use super::event::Batch;
use super::gateway::{Answer, Gateway};
use super::key::Key;
use super::shop::Shop;
use super::traffic::Traffic;
use super::{Books, Burst, Plan, Shared, lock, now, rhythm};
use crate::checklist::say;

/// How often events are sent.
const TICK: Duration = Duration::from_millis(200);
/// After a pause no more is made up for than this.
const MOST_AT_ONCE: Duration = Duration::from_secs(1);
/// Events that one request may carry.
const EVENTS_A_REQUEST: usize = 500;
/// How long events are sent again until they are given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long Kafka may take to tell about the topic.
const TOPIC_LIMIT: Duration = Duration::from_secs(30);
/// As which program Kafka knows us.
const NAME: &str = "demo";

/// Plays until it is dropped.
pub(super) async fn play(plan: Plan, shared: &Shared, mut bursts: Receiver<Burst>) -> Result<(), String> {
    let mut shop = Shop::open(plan.gateway.clone(), plan.file)?;
    let product_ids = shop.products(plan.currency).await?;
    let (kafka, topic) = (plan.kafka, plan.topic);
    let asked = tokio::task::spawn_blocking(move || Inspector::connect(&kafka, NAME)?.partitions(&topic, TOPIC_LIMIT));
    let partitions = asked.await.map_err(|panic| panic.to_string())?.map_err(|error| error.to_string())?;
    let mut traffic = Traffic::new(plan.seed, plan.rate, product_ids.clone(), partitions, now());
    let top = traffic.top_product(now()).to_owned();
    for line in [format!("demo: {} products, about {} events a second", product_ids.len(), plan.rate)]
        .into_iter()
        .chain(plan.welcome.lines(&top))
    {
        say(&line);
    }
    let key = Key::new(&plan.rules, partitions, now());
    *lock(&shared.books) = Some(Books { key, product_ids, partitions });
    let mut sender = Sender { gateway: plan.gateway, shared, traffic, batch: Batch::default() };
    // Customers come beside: hashing their passwords takes some seconds.
    let customers = async {
        if let Err(problem) = shop.make_customers().await {
            say(&format!("the demo's customers are not there: {problem}"));
        }
    };
    let (_, ()) = tokio::join!(sender.run(plan.rate, &mut bursts), customers);
    Ok(())
}

/// Sends what visitors do.
struct Sender<'a> {
    gateway: Gateway,
    shared: &'a Shared,
    traffic: Traffic,
    batch: Batch,
}

/// What `POST /events` answers where something was accepted.
#[derive(Debug, Deserialize)]
struct Receipt {
    rejected: Vec<Rejection>,
}

#[derive(Debug, Deserialize)]
struct Rejection {
    index: usize,
    reason: String,
}

impl Sender<'_> {
    async fn run(&mut self, rate: u32, bursts: &mut Receiver<Burst>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut last = Instant::now();
        // The part of an event that is left over from the last tick.
        let mut rest = 0.0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                Some(burst) = bursts.recv() => {
                    self.send_old(burst).await;
                    continue;
                }
            }
            let elapsed = last.elapsed().min(MOST_AT_ONCE);
            last = Instant::now();
            let offset = Local::now().offset().fix().local_minus_utc();
            let wanted = f64::from(rate) * rhythm::factor(now(), offset) * elapsed.as_secs_f64() + rest;
            rest = wanted.fract();
            let mut left = wanted as usize;
            while left > 0 {
                let events = left.min(EVENTS_A_REQUEST);
                left -= events;
                self.batch.clear();
                self.make(events);
                self.send().await;
            }
        }
    }

    fn make(&mut self, events: usize) {
        let trouble = *lock(&self.shared.trouble);
        if let Some(books) = lock(&self.shared.books).as_ref() {
            self.traffic.make(now(), events, trouble, books.key.tide(), &mut self.batch);
        }
    }

    async fn send_old(&mut self, burst: Burst) {
        let (mut left, mut accepted) = (burst.events, 0);
        while left > 0 {
            let events = left.min(EVENTS_A_REQUEST);
            left -= events;
            self.batch.clear();
            self.traffic.make_old(now(), events, burst.millis_ago.clone(), &mut self.batch);
            accepted += self.send().await;
        }
        // Whoever asked may have gone.
        let _ = burst.sent.send(accepted);
    }

    /// Sends the batch; returns how many events of it were accepted.
    async fn send(&mut self) -> usize {
        if self.batch.items.is_empty() {
            return 0;
        }
        self.with_key(Key::send);
        let answer = self.gateway.send_events(self.batch.body(), PATIENCE).await;
        match answer.and_then(|answer| refused(&answer, self.batch.items.len())) {
            Ok(rejections) => {
                self.compare(&rejections);
                let refused: Vec<_> = rejections.iter().map(|rejection| rejection.index).collect();
                self.with_key(|key, batch| key.acknowledge(batch, &refused, now()));
                self.batch.items.len() - refused.len()
            }
            Err(problem) => {
                tracing::warn!(problem, events = self.batch.items.len(), "events of the demo are given up");
                self.with_key(|key, batch| key.give_up(batch, now()));
                0
            }
        }
    }

    /// Each event is to be taken or refused as it was made to be.
    fn compare(&self, rejections: &[Rejection]) {
        let mut reasons = vec![None; self.batch.items.len()];
        for Rejection { index, reason } in rejections {
            if let Some(place) = reasons.get_mut(*index) {
                *place = Some(reason.as_str());
            }
        }
        for (item, reason) in self.batch.items.iter().zip(reasons) {
            let expected = item.expected_refusal().map(schemas::Reason::code);
            if reason != expected {
                tracing::warn!(
                    ?item,
                    ?reason,
                    ?expected,
                    "an event of the demo is judged in another way than it was made"
                );
            }
        }
    }

    fn with_key(&self, change: impl FnOnce(&mut Key, &Batch)) {
        if let Some(books) = lock(&self.shared.books).as_mut() {
            change(&mut books.key, &self.batch);
        }
    }
}

/// What was refused of so many events.
fn refused(answer: &Answer, events: usize) -> Result<Vec<Rejection>, String> {
    match answer.status {
        StatusCode::ACCEPTED => {
            let receipt: Receipt = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            Ok(receipt.rejected)
        }
        // Nothing was left: the faults come in the order of the events.
        StatusCode::UNPROCESSABLE_ENTITY => {
            let problem: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            let codes = problem["errors"].as_array().into_iter().flatten();
            let codes = codes.map(|error| error["code"].as_str().unwrap_or_default().to_owned());
            let rejections: Vec<_> = codes.enumerate().map(|(index, reason)| Rejection { index, reason }).collect();
            if rejections.len() == events { Ok(rejections) } else { Err(answer.said()) }
        }
        _ => Err(answer.said()),
    }
}
