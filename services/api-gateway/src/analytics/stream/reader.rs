//! One stream: where it is, and what it sends next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::json;
use service_kit::Problem;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::frame::{self, Frame, PING, RETRY};
use super::open::{Open, Reason};
use crate::analytics::Analytics;
use crate::analytics::interest::Bell;
use crate::analytics::place::Place;
use crate::analytics::recent::{Beginning, Recent, Unread};

/// How many rows are taken at once: so many a stream holds at most.
const ROWS_AT_ONCE: usize = 256;
/// How often a comment is sent.
const PING_EVERY: Duration = Duration::from_secs(15);
/// How long a replica may be behind the one that a client comes from.
const BEHIND_LIMIT: Duration = Duration::from_secs(5);

/// From where on a client wants events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It has none yet.
    Nothing,
    /// Behind this place; `None` where what it sent is no place.
    After(Option<Place>),
}

/// A stream on the gateway's side.
#[derive(Debug)]
pub(super) struct Reader {
    recent: Arc<Recent>,
    product_id: Option<String>,
    state: State,
    watermarks: watch::Receiver<Option<Bytes>>,
    bell: Bell,
    pings: Interval,
    stop: CancellationToken,
    max_lag: Duration,
    open: Open,
}

#[derive(Debug)]
enum State {
    /// Nothing has been sent.
    New(Asked),
    /// It begins as soon as the topic has been read.
    Waiting(Asked),
    Reading(Position),
    Ended,
}

#[derive(Debug)]
struct Position {
    /// The client has everything before it.
    place: Place,
    /// The memory's gaps when the stream began: another one, and rows are missing.
    gaps: u64,
    /// The partition to begin with.
    turn: usize,
    /// When there was last nothing left to send, or the stream began.
    current_since: Instant,
    began: Instant,
}

impl Reader {
    /// Opens a stream of one product, or of all.
    pub(super) fn open(analytics: &Analytics, product_id: Option<String>, asked: Asked) -> Result<Self, Problem> {
        let open = analytics.streams.open()?;
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        let mut watermarks = analytics.watermarks.clone();
        // The present one is news to this client.
        watermarks.mark_changed();
        Ok(Reader {
            bell: analytics.recent.bell(product_id.clone()),
            recent: Arc::clone(&analytics.recent),
            product_id,
            state: State::New(asked),
            watermarks,
            pings,
            stop: analytics.stop.clone(),
            max_lag: analytics.max_lag,
            open,
        })
    }

    /// What is to be sent next; `None` at the end. To be dropped at any point of waiting.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready() {
                return Some(frame);
            }
            if matches!(self.state, State::Ended) {
                return None;
            }
            // What has come is found by `ready`.
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.bell.rung() => {}
                Ok(()) = self.watermarks.changed() => self.watermarks.mark_changed(),
                _ = self.pings.tick() => return Some(PING),
            }
        }
    }

    /// What can be sent without waiting.
    fn ready(&mut self) -> Option<Bytes> {
        match &mut self.state {
            State::Ended => None,
            State::New(asked) => {
                self.state = State::Waiting(asked.clone());
                Some(RETRY)
            }
            _ if self.stop.is_cancelled() => self.end(Reason::Stop),
            State::Waiting(asked) => {
                let asked = asked.clone();
                self.begin(asked).or_else(|| self.watermark()).or_else(|| self.rows())
            }
            State::Reading(_) => self.watermark().or_else(|| self.rows()),
        }
    }

    /// Takes up a place, once that is possible. Where it is not the one that was asked for, the client is told.
    fn begin(&mut self, asked: Asked) -> Option<Bytes> {
        let (after, is_new) = match asked {
            Asked::Nothing => (None, true),
            Asked::After(place) => (place, false),
        };
        let Beginning { place, gaps, is_resumed } = self.recent.begin(after, self.product_id.as_deref())?;
        let mut frame = Frame::default();
        if !is_new && !is_resumed {
            self.open.is_reset();
            frame.add(&place, &frame::event("reset", &json!({})));
        }
        let now = Instant::now();
        self.state = State::Reading(Position { place, gaps, turn: 0, current_since: now, began: now });
        frame.finish().or_else(|| self.rows())
    }

    /// The rows that the client does not have.
    fn rows(&mut self) -> Option<Bytes> {
        let State::Reading(position) = &mut self.state else { return None };
        let product_id = self.product_id.as_deref();
        let Unread { rows, end, gaps } = self.recent.unread(&position.place, product_id, position.turn, ROWS_AT_ONCE);
        if gaps != position.gaps {
            return self.begin(Asked::After(None));
        }
        if let Some(first) = rows.first()
            && first.arrived.max(position.current_since).elapsed() > self.max_lag
        {
            return self.end(Reason::Slow);
        }
        let mut frame = Frame::default();
        for row in &rows {
            position.place.advance(row.partition, row.offset + 1);
            frame.add(&position.place, row.event(frame::window));
        }
        match (end, rows.last()) {
            (Some(end), _) => {
                position.place.advance_to(&end);
                position.current_since = Instant::now();
            }
            (None, Some(last)) => position.turn = last.partition + 1,
            (None, None) => {}
        }
        self.open.sent(rows.len());
        frame.finish()
    }

    /// How fresh counts are, where that is news.
    fn watermark(&mut self) -> Option<Bytes> {
        if !self.watermarks.has_changed().unwrap_or(false) {
            return None;
        }
        let event = self.watermarks.borrow_and_update().clone()?;
        let mut frame = Frame::default();
        let place = match &self.state {
            State::Reading(position) => {
                if position.began.elapsed() > BEHIND_LIMIT && self.recent.does_not_know(&position.place) {
                    return self.begin(Asked::After(None));
                }
                position.place.clone()
            }
            _ => Place::default(),
        };
        frame.add(&place, &event);
        frame.finish()
    }

    /// Ends the stream: the client is told how far it is, and goes on from there elsewhere.
    fn end(&mut self, reason: Reason) -> Option<Bytes> {
        self.open.ends(reason);
        let ended = std::mem::replace(&mut self.state, State::Ended);
        let State::Reading(position) = ended else { return None };
        let mut frame = Frame::default();
        frame.add_place(&position.place);
        frame.finish()
    }
}
