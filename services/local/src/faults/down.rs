//! Something that others need is away for a while.

use std::time::Duration;

use service_kit::Error;
use tokio::time::Instant;

use super::{Dependency, Outcome, Play, Switch};
use crate::admin::Metric;

/// How long everything may take to be as before.
const RECOVERY_LIMIT: Duration = Duration::from_secs(60);
/// A watermark that is further behind the clock than this still catches up.
const CAUGHT_UP_SECONDS: f64 = 30.0;
const ASSIGNED: Metric = Metric { name: "analytics_topic_assigned", labels: &[("part", "api-gateway")] };
const ACCEPTED: Metric = Metric { name: "activity_events_accepted_total", labels: &[("part", "activity-service")] };
const AGE: Metric = Metric::of_job("dataflow_watermark_age_seconds");

impl Play<'_> {
    pub(super) async fn down(&self, dependency: Dependency) -> Outcome {
        if let Some(sentence) = self.stage.backends.not_ours(dependency) {
            return Outcome::Refused(sentence);
        }
        let began = Instant::now();
        if let Err(error) = self.stop(dependency).await {
            // It is gone all the same.
            (self.say)(format!("it did not end well: {error}"));
        }
        (self.say)(format!("after {:.1} s: it is down", began.elapsed().as_secs_f64()));
        let mut was_told = false;
        while began.elapsed() < self.duration && self.pause().await {
            if let Some(trouble) = self.trouble(dependency).await.filter(|_| !was_told) {
                was_told = true;
                (self.say)(format!("after {:.1} s: {trouble}", began.elapsed().as_secs_f64()));
            }
        }
        if let Err(error) = self.start(dependency).await {
            return Outcome::Fatal(error);
        }
        (self.say)(format!("after {:.1} s: it is up again", began.elapsed().as_secs_f64()));
        let (up, accepted) = (Instant::now(), self.accepted().await);
        while let Some(trouble) = self.lasting_trouble(dependency, accepted).await {
            if up.elapsed() > RECOVERY_LIMIT {
                let limit = RECOVERY_LIMIT.as_secs();
                return Outcome::Refused(format!("{limit} s later it is not as before: {trouble}; look at the log"));
            }
            if !self.pause().await {
                break;
            }
        }
        (self.say)(format!("{:.1} s later everything answers", up.elapsed().as_secs_f64()));
        Outcome::Done
    }

    async fn stop(&self, dependency: Dependency) -> Result<(), Error> {
        match self.switch(dependency) {
            Some(service) => {
                service.turn(false);
                Ok(())
            }
            None => self.stage.backends.take_down(dependency).await,
        }
    }

    async fn start(&self, dependency: Dependency) -> Result<(), Error> {
        match self.switch(dependency) {
            Some(service) => {
                service.turn(true);
                Ok(())
            }
            None => self.stage.backends.bring_up(dependency).await,
        }
    }

    /// Of a service; backends have none.
    const fn switch(&self, dependency: Dependency) -> Option<&Switch> {
        match dependency {
            Dependency::ProductCatalog => Some(&self.stage.switches.catalog),
            Dependency::ApiGateway => Some(&self.stage.switches.gateway),
            Dependency::Kafka | Dependency::Dynamodb | Dependency::Postgresql => None,
        }
    }

    /// What is not as before yet, since so many events had been accepted.
    async fn lasting_trouble(&self, dependency: Dependency, accepted: f64) -> Option<String> {
        let trouble = self.trouble(dependency).await;
        let waits = trouble.is_none() && dependency == Dependency::Kafka && self.stage.demo.is_some();
        if waits && self.accepted().await <= accepted {
            return Some("no events of the demo are accepted".to_owned());
        }
        trouble
    }

    async fn accepted(&self) -> f64 {
        self.stage.parts.read().await.sum(&ACCEPTED).unwrap_or(0.0)
    }

    /// What a client notices of it; none: nothing any more.
    async fn trouble(&self, dependency: Dependency) -> Option<String> {
        match dependency {
            Dependency::Kafka => {
                let merged = self.stage.parts.read().await;
                if merged.sum(&ASSIGNED) != Some(1.0) {
                    return Some("the gateway does not read results".to_owned());
                }
                let age = merged.sum(&AGE).unwrap_or(0.0);
                let is_behind = self.stage.demo.is_some() && age > CAUGHT_UP_SECONDS;
                is_behind.then(|| format!("the watermark is {age:.0} s behind the clock"))
            }
            Dependency::Dynamodb => self.answer("/analytics/products/1/windows?limit=1").await,
            Dependency::Postgresql | Dependency::ProductCatalog => self.answer("/products?limit=1").await,
            // Once it answers it may still be without Kafka.
            Dependency::ApiGateway => self.answer("/readyz").await,
        }
    }

    /// What is wrong with the answer.
    async fn answer(&self, path: &str) -> Option<String> {
        match self.stage.gateway.get(path).await {
            Ok(answer) if answer.status.is_success() => None,
            Ok(answer) => Some(format!("GET {path} is answered {}", answer.said())),
            Err(problem) => Some(format!("GET {path} is not answered: {problem}")),
        }
    }
}
