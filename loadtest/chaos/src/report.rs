//! The table at the end, and the verdict.

use std::time::Duration;

use kit::table;

use crate::tally::Tally;

/// A scenario that is over.
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: &'static str,
    /// What happened.
    pub(crate) tally: Tally,
    /// How long it took.
    pub(crate) took: Duration,
}

const HEAD: [&str; 8] =
    ["scenario", "faults", "recoveries", "records replayed", "longest recovery", "compared", "differences", "seconds"];

/// The table: a line for each scenario.
pub(crate) fn table(entries: &[Entry]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned).to_vec()];
    lines.extend(entries.iter().map(|Entry { name, tally, took }| {
        [
            (*name).to_owned(),
            tally.faults.to_string(),
            tally.recoveries.len().to_string(),
            tally.replayed().to_string(),
            format!("{:.2} s", tally.longest().as_secs_f64()),
            tally.compared.to_string(),
            tally.differences.to_string(),
            format!("{:.0}", took.as_secs_f64()),
        ]
        .to_vec()
    }));
    table::aligned(&lines)
}

/// What was measured beside, below the table.
pub(crate) fn notes(entries: &[Entry]) -> String {
    let lines = entries.iter().flat_map(|entry| entry.tally.notes.iter().map(|note| (entry.name, note)));
    lines.map(|(name, note)| format!("{name}: {note}\n")).collect()
}

/// The last line, with its figures.
pub(crate) fn verdict(entries: &[Entry]) -> String {
    let sum = |count: fn(&Tally) -> u64| entries.iter().map(|entry| count(&entry.tally)).sum::<u64>();
    let longest = entries.iter().map(|entry| entry.tally.longest()).max().unwrap_or_default();
    let differences = match sum(|tally| tally.differences) {
        0 => "no difference".to_owned(),
        1 => "1 DIFFERENCE".to_owned(),
        many => format!("{many} DIFFERENCES"),
    };
    format!(
        "chaos: {} scenarios, {} faults, {} recoveries (longest {:.1} s), {} records replayed, {} rows compared: \
         {differences}",
        entries.len(),
        sum(|tally| tally.faults),
        sum(|tally| tally.recoveries.len() as u64),
        longest.as_secs_f64(),
        sum(Tally::replayed),
        sum(|tally| tally.compared),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::job::Recovery;

    fn entry(name: &'static str, findings: usize) -> Entry {
        let mut tally = Tally { faults: 3, compared: 1000, ..Tally::default() };
        tally.recovered(Recovery { epoch: 2, took: Duration::from_millis(3140), replayed: 70 });
        tally.recovered(Recovery { epoch: 2, took: Duration::from_millis(3140), replayed: 70 });
        (0..findings).for_each(|_| tally.find("it differs"));
        Entry { name, tally, took: Duration::from_secs(12) }
    }

    #[test]
    fn the_verdict_adds_up_and_counts_an_epoch_once() {
        let expected = "chaos: 2 scenarios, 6 faults, 2 recoveries (longest 3.1 s), 140 records replayed, \
                        2000 rows compared: no difference";
        assert_eq!(verdict(&[entry("kill", 0), entry("stop", 0)]), expected);
        assert!(verdict(&[entry("kill", 2)]).ends_with(": 2 DIFFERENCES"));
    }

    #[test]
    fn a_note_is_printed_with_its_scenario() {
        let mut noted = entry("recovery", 0);
        noted.tally.notes.push("median 1 s".to_owned());
        assert_eq!(notes(&[entry("kill", 0), noted]), "recovery: median 1 s\n");
    }
}
