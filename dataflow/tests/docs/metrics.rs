//! The metrics, as a scrape shows them.

use dataflow::classify::EventSpan;
use dataflow::job::Job;
use dataflow::metrics::ByWorker;
use dataflow::partitions::Watermark;
use dataflow::record::PartitionId;
use prometheus_client::encoding::text::encode;
use schemas::EventTime;

use crate::book::{Page, assert_generated, code, pages, table};

#[test]
fn the_table_of_metrics_is_the_registry() {
    let rows = families(&scrape()).into_iter().map(|Family { name, kind, labels, unit, help }| {
        let labels: Vec<_> = labels.iter().map(|label| code(label)).collect();
        [code(&name), kind, labels.join(", "), unit, help]
    });
    assert_generated("docs/reference/metrics.md", &table(["name", "type", "labels", "unit", "meaning"], rows));
}

#[test]
fn every_metric_that_a_page_names_exists() {
    let names: Vec<_> = families(&scrape()).into_iter().map(|family| family.name).collect();
    for Page { name, text } in pages() {
        for piece in text.split("dataflow_").skip(1) {
            let rest: String = piece.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            assert!(names.contains(&format!("dataflow_{rest}")), "{name} names dataflow_{rest}");
        }
    }
}

/// A scrape of a job that has read its first event: metrics appear with their first value.
fn scrape() -> String {
    let job = Job::new(1, ["events.ndjson".to_owned()]);
    let time = EventTime::parse(b"2024-01-01T12:00:00Z").unwrap();
    let span = EventSpan { earliest: time, latest: time };
    job.partitions.advance(&job.partitions.get(PartitionId(0)), Watermark::at(time.millis()), Some(span));
    drop(job.metrics.distinct_entries.get_or_create_owned(&ByWorker { worker: 0 }));
    drop(job.metrics.sink("ndjson"));
    let mut text = String::new();
    encode(&mut text, &job.registry()).unwrap();
    text
}

#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    labels: Vec<String>,
    unit: String,
    help: String,
}

/// Reads the OpenMetrics text format, as far as a job writes it.
fn families(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next().unwrap(), words.next().unwrap(), words.next(), words.next()) {
            ("#", "HELP", _, help) => {
                let help = help.unwrap().trim_end_matches('.').to_owned();
                families.push(Family { help, ..Family::default() });
            }
            ("#", "TYPE", _, kind) => families.last_mut().unwrap().kind = kind.unwrap().to_owned(),
            ("#", "UNIT", _, unit) => families.last_mut().unwrap().unit = unit.unwrap().to_owned(),
            ("#", ..) => {}
            (sample, ..) => {
                let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
                let family = families.last_mut().unwrap();
                name.clone_into(&mut family.name);
                family.labels =
                    labels.split("\",").filter_map(|label| label.split_once('=')).map(|l| l.0.to_owned()).collect();
            }
        }
    }
    for Family { name, help, .. } in &families {
        assert!(!name.is_empty(), "a job must show a value of {help:?}");
    }
    families.sort_by(|a, b| a.name.cmp(&b.name));
    families
}
