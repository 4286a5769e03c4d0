//! How fast requests may follow each other: all workers wait together where the gateway cannot keep up.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt as _;
use tokio::time::Instant;

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause of our own choice.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause that the gateway can ask for.
const LONGEST_WISH: Duration = Duration::from_secs(300);

/// What the workers share.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Nobody sends before this.
    not_before: Option<Instant>,
    /// How many pauses there were since the last success.
    pauses: u32,
    /// How long the last one was.
    pause: Duration,
}

/// When a request began, in pauses: a failure that began before a pause is no reason for another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started(u32);

impl Pace {
    /// Waits until a request may be sent.
    pub(crate) async fn wait(&self) -> Started {
        loop {
            let (started, wake) = {
                let state = self.state();
                // Not all in the same moment: that is what was too much.
                let spread = state.pause.mul_f64(rand::rng().random_range(0.0..0.5));
                (
                    Started(state.pauses),
                    state.not_before.filter(|time| *time > Instant::now()).map(|time| time + spread),
                )
            };
            match wake {
                Some(wake) => tokio::time::sleep_until(wake).await,
                None => return started,
            }
        }
    }

    /// The gateway answers.
    pub(crate) fn succeeded(&self) {
        let mut state = self.state();
        if state.not_before.is_none_or(|time| time <= Instant::now()) {
            *state = State::default();
        }
    }

    /// The gateway cannot answer a request that began then, and may have said how long to wait.
    pub(crate) fn slow_down(&self, started: Started, wish: Option<Duration>) {
        let mut state = self.state();
        let now = Instant::now();
        if state.pauses == started.0 {
            let pause = FIRST_PAUSE.saturating_mul(1 << state.pauses.min(16)).min(LONGEST_PAUSE);
            state.pauses += 1;
            state.pause = pause.mul_f64(rand::rng().random_range(0.5..1.0));
            state.not_before = Some(now + state.pause);
        }
        if let Some(wish) = wish {
            let wished = now + wish.min(LONGEST_WISH);
            state.not_before = Some(state.not_before.map_or(wished, |time| time.max(wished)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a request has to wait.
    async fn waited(pace: &Pace) -> Duration {
        let began = Instant::now();
        pace.wait().await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_while_requests_fail_and_end_with_a_success() {
        let pace = Pace::default();
        assert_eq!(waited(&pace).await, Duration::ZERO);
        for pauses in 0..12 {
            let started = pace.wait().await;
            pace.slow_down(started, None);
            let longest = FIRST_PAUSE.saturating_mul(1 << pauses).min(LONGEST_PAUSE);
            let pause = waited(&pace).await;
            assert!(pause >= longest / 2 && pause <= longest * 3 / 2, "{pauses}: {pause:?}");
        }
        pace.succeeded();
        pace.slow_down(pace.wait().await, None);
        assert!(waited(&pace).await <= FIRST_PAUSE * 3 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_fail_together_are_one_reason_to_wait() {
        let pace = Pace::default();
        let started = pace.wait().await;
        for _ in 0..32 {
            pace.slow_down(started, None);
        }
        assert!(waited(&pace).await <= FIRST_PAUSE * 3 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_gateway_may_ask_for_a_longer_pause() {
        let pace = Pace::default();
        let started = pace.wait().await;
        pace.slow_down(started, Some(Duration::from_secs(7)));
        pace.slow_down(started, None);
        let pause = waited(&pace).await;
        assert!(pause >= Duration::from_secs(7) && pause < Duration::from_secs(8), "{pause:?}");
    }
}
