//! From what was seen to figures: latencies of rows, and rows that are wrong.

use std::collections::{BTreeSet, HashMap};

use schemas::Window;
use serde::Serialize;

use crate::arrivals::Arrivals;
use crate::key::Key;
use crate::moment::Moment;
use crate::rows::Row;

/// So many findings are told in words.
const TOLD: usize = 5;

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// How many rows they are of.
    pub(crate) rows: usize,
    /// The median.
    pub(crate) p50: f64,
    /// Of a hundred rows, 99 were as fast.
    pub(crate) p99: f64,
    /// The slowest row.
    pub(crate) max: f64,
}

impl Figures {
    /// Percentiles by nearest rank; `None` where there is no row.
    pub(crate) fn of(mut millis: Vec<f64>) -> Option<Self> {
        millis.sort_unstable_by(f64::total_cmp);
        let rows = millis.len();
        let rank = |percent: usize| millis.get((rows * percent).div_ceil(100).max(1) - 1).copied();
        Some(Figures { rows, p50: rank(50)?, p99: rank(99)?, max: rank(100)? })
    }
}

/// What a setting has led to.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Latencies {
    /// Final rows, from the event that closes their window to the reader of the topic.
    pub(crate) final_rows: Option<Figures>,
    /// The part of it until the job hands the row to its Kafka client; the rest is the transaction and the reader.
    pub(crate) final_rows_sent: Option<Figures>,
    /// The same rows, to their acknowledgement by DynamoDB.
    pub(crate) final_rows_stored: Option<Figures>,
    /// Live rows, from the event that brought the product's count to the row's value to the reader of the topic.
    pub(crate) live_rows: Option<Figures>,
    /// The part of it until the job hands the row to its Kafka client.
    pub(crate) live_rows_sent: Option<Figures>,
    /// How many windows they are of.
    pub(crate) windows: usize,
    /// The slowest row of each window, in their order: sent, read and stored.
    pub(crate) slowest: Vec<Slowest>,
}

/// The slowest row of a window, in milliseconds after the event that closes it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Slowest {
    window: String,
    rows: usize,
    sent: f64,
    read: f64,
    stored: Option<f64>,
}

/// Works out the latencies of the rows of some windows, and what is wrong with rows.
pub(crate) fn work_out(
    windows: &BTreeSet<Window>,
    arrivals: &Arrivals,
    rows: &[Row],
    stored: Option<&HashMap<Key, Moment>>,
) -> (Latencies, Vec<String>) {
    let mut findings = Findings::default();
    let (finals, live): (Vec<&Row>, Vec<&Row>) =
        rows.iter().filter(|row| windows.contains(&row.key.window)).partition(|row| row.is_final);
    findings.check(windows, arrivals, &finals);
    let after = |moment: fn(&Row) -> Moment| {
        let since = move |row: &&Row| Some(moment(row).millis_since(*arrivals.closings.get(&row.key.window)?));
        finals.iter().filter_map(since).collect::<Vec<f64>>()
    };
    let mut stored_after = Vec::new();
    for row in finals.iter().filter(|_| stored.is_some()) {
        let write = stored.and_then(|stored| stored.get(&row.key));
        match (write, arrivals.closings.get(&row.key.window)) {
            (Some(write), Some(closing)) => stored_after.push(write.millis_since(*closing)),
            _ => findings.add(format!("{} is not in DynamoDB", name(row.key))),
        }
    }
    let (mut live_read, mut live_sent) = (Vec::new(), Vec::new());
    for row in live {
        let users = arrivals.users.get(&row.key).map_or(&[][..], Vec::as_slice);
        match usize::try_from(row.users).ok().and_then(|count| users.get(count.checked_sub(1)?)) {
            Some(arrived) => {
                live_read.push(row.received.millis_since(*arrived));
                live_sent.push(row.sent.millis_since(*arrived));
            }
            None => findings.add(format!("{}: a live row of {} users, of {}", name(row.key), row.users, users.len())),
        }
    }
    let latencies = Latencies {
        final_rows: Figures::of(after(|row| row.received)),
        final_rows_sent: Figures::of(after(|row| row.sent)),
        final_rows_stored: Figures::of(stored_after),
        live_rows: Figures::of(live_read),
        live_rows_sent: Figures::of(live_sent),
        windows: windows.len(),
        slowest: windows.iter().filter_map(|window| slowest(*window, arrivals, &finals, stored)).collect(),
    };
    (latencies, findings.sentences())
}

fn slowest(
    window: Window,
    arrivals: &Arrivals,
    finals: &[&Row],
    stored: Option<&HashMap<Key, Moment>>,
) -> Option<Slowest> {
    let closing = *arrivals.closings.get(&window)?;
    let rows: Vec<&&Row> = finals.iter().filter(|row| row.key.window == window).collect();
    let after = |moment: Option<Moment>| moment.map(|moment| moment.millis_since(closing));
    let write = |row: &&&Row| stored.and_then(|stored| stored.get(&row.key)).copied();
    Some(Slowest {
        window: window.start_text(),
        rows: rows.len(),
        sent: after(rows.iter().map(|row| row.sent).max())?,
        read: after(rows.iter().map(|row| row.received).max())?,
        stored: after(rows.iter().filter_map(write).max()),
    })
}

fn name(key: Key) -> String {
    format!("window {} product {}", key.window, key.product)
}

/// What is not as it must be: figures of wrong rows say nothing.
#[derive(Default)]
struct Findings {
    told: Vec<String>,
    more: usize,
}

impl Findings {
    fn add(&mut self, finding: String) {
        if self.told.len() < TOLD { self.told.push(finding) } else { self.more += 1 }
    }

    /// Every row that the events lead to is there once, with the right count.
    fn check(&mut self, windows: &BTreeSet<Window>, arrivals: &Arrivals, finals: &[&Row]) {
        let open = windows.iter().filter(|window| !arrivals.closings.contains_key(window));
        open.for_each(|window| self.add(format!("no event closes window {window}")));
        let mut counts: HashMap<Key, u64> = HashMap::new();
        for row in finals {
            if counts.insert(row.key, row.users).is_some() {
                self.add(format!("{}: two final rows", name(row.key)));
            }
        }
        for (key, users) in arrivals.users.iter().filter(|(key, _)| windows.contains(&key.window)) {
            match counts.remove(key) {
                Some(count) if count == users.len() as u64 => {}
                Some(count) => self.add(format!("{}: {count} users, not {}", name(*key), users.len())),
                None => self.add(format!("{}: no final row", name(*key))),
            }
        }
        counts.into_keys().for_each(|key| self.add(format!("{}: a row without events", name(key))));
    }

    fn sentences(self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.told.into_iter().chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Key = Key { window: Window::from_ordinal(1), product: 7 };

    fn at(millis: i64) -> Moment {
        Moment::from_millis(millis)
    }

    fn arrivals() -> Arrivals {
        Arrivals {
            closings: [(FIRST.window, at(1000))].into(),
            users: [(FIRST, vec![at(100), at(300)])].into(),
            events: 3,
        }
    }

    fn row(users: u64, is_final: bool, sent: i64, received: i64) -> Row {
        Row { key: FIRST, users, is_final, sent: at(sent), received: at(received) }
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let hundred = Figures::of((1..=100).rev().map(f64::from).collect());
        assert_eq!(hundred, Some(Figures { rows: 100, p50: 50.0, p99: 99.0, max: 100.0 }));
        assert_eq!(Figures::of(vec![3.0]), Some(Figures { rows: 1, p50: 3.0, p99: 3.0, max: 3.0 }));
        assert_eq!(Figures::of(Vec::new()), None);
    }

    #[test]
    fn a_final_row_counts_from_the_closing_event_and_a_live_row_from_the_last_user_that_it_counts() {
        let rows = [row(1, false, 150, 190), row(2, true, 1040, 1050)];
        let stored = [(FIRST, at(1020))].into();
        let (latencies, findings) = work_out(&[FIRST.window].into(), &arrivals(), &rows, Some(&stored));
        let p50 = |figures: Option<Figures>| figures.map(|figures| figures.p50);
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!((p50(latencies.final_rows), p50(latencies.final_rows_sent)), (Some(50.0), Some(40.0)));
        assert_eq!((p50(latencies.live_rows), p50(latencies.live_rows_sent)), (Some(90.0), Some(50.0)));
        assert_eq!(p50(latencies.final_rows_stored), Some(20.0));
        assert_eq!((latencies.slowest[0].rows, latencies.slowest[0].stored), (1, Some(20.0)));
    }

    #[test]
    fn rows_that_are_missing_wrong_or_too_many_are_found() {
        let find = |rows: &[Row], named: &str| {
            let (_, findings) = work_out(&[FIRST.window].into(), &arrivals(), rows, None);
            assert!(findings.len() == 1 && findings[0].contains(named), "{findings:?} does not name {named}");
        };
        find(&[], "no final row");
        find(&[row(1, true, 0, 0)], "1 users, not 2");
        find(&[row(2, true, 0, 0), row(2, true, 0, 0)], "two final rows");
        find(&[row(2, true, 0, 0), row(3, false, 0, 0)], "a live row of 3 users, of 2");
    }
}
