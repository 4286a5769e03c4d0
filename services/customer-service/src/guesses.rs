//! How often a password may be guessed: so many wrong ones a minute for each e-mail address, whether anybody has it or not.
//!
//! The generic cell rate algorithm (ITU-T I.371, annex A) needs one number for each address: until when its failures last. A
//! failure adds a minute's share to it, and further guesses are refused while one more would reach beyond a minute. Failures
//! count also beyond the limit, so that guesses at once, of which some pass before the first has failed, are paid for later.
//!
//! The numbers stand in a table of a fixed size, at places by a hash with a key of this process. So the memory is bounded, and
//! nobody can aim at the place of another address. That two addresses meet there is possible: then they share the limit, which
//! a random pair does once in 65 536 times.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use service_kit::{Kind, Problem};

/// How many addresses are told apart: half a mebibyte of numbers.
const PLACES: usize = 65_536;
/// The time that a limit is of.
const MINUTE: Duration = Duration::from_secs(60);

/// The failures of the last minute.
#[derive(Debug)]
pub(crate) struct Guesses {
    /// A failure's share of a minute, in nanoseconds; none without a limit.
    share: Option<u64>,
    began: Instant,
    hash: RandomState,
    /// Until when failures last, in nanoseconds since `began`.
    places: Box<[AtomicU64]>,
}

/// An e-mail address's place in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(usize);

impl Guesses {
    /// So many wrong guesses a minute; 0 for no limit.
    pub(crate) fn new(limit: u32) -> Self {
        Guesses {
            share: nanoseconds(MINUTE).checked_div(limit.into()),
            began: Instant::now(),
            hash: RandomState::new(),
            places: std::iter::repeat_with(AtomicU64::default).take(PLACES).collect(),
        }
    }

    /// Where the failures of this e-mail address, without the difference of small and capital letters, are counted.
    pub(crate) fn place(&self, folded_email: &str) -> Place {
        let hash = self.hash.hash_one(folded_email) % PLACES as u64;
        Place(usize::try_from(hash).unwrap_or_default())
    }

    /// Goes on where there may be another guess.
    ///
    /// # Errors
    /// 429 where there were too many.
    pub(crate) fn check(&self, place: Place) -> Result<(), Problem> {
        match self.wait(place, self.began.elapsed()) {
            Duration::ZERO => Ok(()),
            wait => Err(Problem::new(
                Kind::RateLimited,
                "too many logins with this e-mail address have failed; wait for Retry-After and try again",
            )
            .with_retry_after(wait)),
        }
    }

    /// Counts a guess that was wrong.
    pub(crate) fn fail(&self, place: Place) {
        self.fail_at(place, self.began.elapsed());
    }

    fn wait(&self, place: Place, now: Duration) -> Duration {
        let Some(share) = self.share else { return Duration::ZERO };
        let until = self.places[place.0].load(Ordering::Relaxed);
        let lasting = until.saturating_sub(nanoseconds(now));
        Duration::from_nanos(lasting.saturating_add(share).saturating_sub(nanoseconds(MINUTE)))
    }

    fn fail_at(&self, place: Place, now: Duration) {
        let Some(share) = self.share else { return };
        let added = |until: u64| Some(until.max(nanoseconds(now)).saturating_add(share));
        // It always adds, so it never fails.
        let _ = self.places[place.0].fetch_update(Ordering::Relaxed, Ordering::Relaxed, added);
    }
}

/// Enough for five centuries.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn ten_failures_a_minute_are_let_through_and_the_wait_is_what_the_eleventh_has_to_wait() {
        let guesses = Guesses::new(10);
        let place = guesses.place("ann@example.com");
        for _ in 0..10 {
            assert_eq!(guesses.wait(place, SECOND), Duration::ZERO);
            guesses.fail_at(place, SECOND);
        }
        assert_eq!(guesses.wait(place, SECOND), 6 * SECOND);
        assert_eq!(guesses.wait(place, 5 * SECOND), 2 * SECOND);
        assert_eq!(guesses.wait(place, 7 * SECOND), Duration::ZERO);
        let other = Place((place.0 + 1) % PLACES);
        assert_eq!(guesses.wait(other, SECOND), Duration::ZERO);
    }

    #[test]
    fn the_problem_says_when_to_come_again() {
        let guesses = Guesses::new(1);
        let place = guesses.place("ann@example.com");
        assert!(guesses.check(place).is_ok());
        guesses.fail(place);
        assert_eq!(guesses.check(place).unwrap_err().kind(), Kind::RateLimited);
    }

    #[test]
    fn without_a_limit_nothing_is_refused() {
        let guesses = Guesses::new(0);
        let place = guesses.place("ann@example.com");
        (0..1_000).for_each(|_| guesses.fail(place));
        assert!(guesses.check(place).is_ok());
    }

    proptest! {
        /// The model holds every failure: the level rises by one with each and sinks by `limit` a minute, and a guess is let
        /// through while there is room for one more.
        #[test]
        fn whatever_the_rhythm_guesses_pass_as_a_leaking_bucket_lets_them(
            limit in 1..=60_u32,
            pauses in prop::collection::vec(0..20_u64, 1..100),
        ) {
            let guesses = Guesses::new(limit);
            let place = guesses.place("ann@example.com");
            // In sixtieths of a failure, so that nothing is rounded: it sinks by `limit` a second.
            let (mut now, mut level) = (Duration::ZERO, 0_u64);
            for pause in pauses {
                now += Duration::from_secs(pause);
                level = level.saturating_sub(u64::from(limit) * pause);
                let passes = level + 60 <= u64::from(limit) * 60;
                // The share is rounded down by less than a nanosecond for each failure.
                let wait = guesses.wait(place, now);
                prop_assert_eq!(wait < Duration::from_micros(1), passes, "{:?} at level {}", wait, level);
                if passes {
                    guesses.fail_at(place, now);
                    level += 60;
                }
            }
        }
    }
}
