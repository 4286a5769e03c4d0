//! Several pages of metrics as one, in the OpenMetrics text format
//! (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>): each family of metrics once, and each
//! sample with the part that it comes from.

use std::collections::HashMap;
use std::fmt;

use super::Metric;

/// The families of all pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Merged {
    families: Vec<Family>,
    places: HashMap<String, usize>,
}

#[derive(Clone, Debug, Default)]
struct Family {
    /// Its type, unit and help, as the first page has them.
    descriptor: Vec<String>,
    samples: Vec<String>,
}

impl Merged {
    /// Adds a part's page.
    pub(super) fn add(&mut self, part: &str, page: &str) {
        // Samples come behind the description of their family, and those of a family are told by the first page that has it.
        let (mut present, mut is_described) = (None, false);
        for line in page.lines() {
            let Some(comment) = line.strip_prefix("# ") else {
                if let Some(place) = present {
                    let family: &mut Family = &mut self.families[place];
                    family.samples.push(with_part(line, part));
                }
                continue;
            };
            let mut words = comment.splitn(3, ' ');
            let (Some("HELP" | "TYPE" | "UNIT"), Some(name)) = (words.next(), words.next()) else { continue };
            let next = self.families.len();
            let place = *self.places.entry(name.to_owned()).or_insert(next);
            if place == next {
                self.families.push(Family::default());
            }
            if present != Some(place) {
                (present, is_described) = (Some(place), place != next);
            }
            if !is_described {
                self.families[place].descriptor.push(line.to_owned());
            }
        }
    }

    /// The sum of the samples that are meant; none: there is no such sample.
    pub(crate) fn sum(&self, metric: &Metric) -> Option<f64> {
        self.values(metric.name, metric.labels).map(|(_, value)| value).reduce(|sum, value| sum + value)
    }

    /// The samples of a name that have these labels: the text of their labels, and their values.
    pub(crate) fn values<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = (&'a str, f64)> {
        let samples = self.families.iter().flat_map(|family| &family.samples);
        samples.filter_map(move |sample| {
            let text = sample.strip_prefix(name)?.strip_prefix('{')?;
            let (of_sample, value) = text.rsplit_once("} ")?;
            let has = |(name, value): &(&str, &str)| of_sample.contains(&format!("{name}=\"{value}\""));
            let value = value.split(' ').next()?.parse().ok()?;
            labels.iter().all(has).then_some((of_sample, value))
        })
    }
}

impl fmt::Display for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.families.iter().flat_map(|family| family.descriptor.iter().chain(&family.samples)) {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "# EOF")
    }
}

/// The sample with one label more.
fn with_part(sample: &str, part: &str) -> String {
    match sample.find(['{', ' ']) {
        Some(end) if sample[end..].starts_with('{') => {
            format!("{}{{part=\"{part}\",{}", &sample[..end], &sample[end + 1..])
        }
        Some(end) => format!("{}{{part=\"{part}\"}}{}", &sample[..end], &sample[end..]),
        None => sample.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOG: &str = "# HELP http_requests Requests answered.\n# TYPE http_requests counter\n\
        http_requests_total{service=\"a\",status=\"200\"} 3\nhttp_requests_total{service=\"a\",status=\"503\"} 1\n# EOF\n";
    const ORDERS: &str = "# HELP http_requests Requests answered.\n# TYPE http_requests counter\n\
        http_requests_total{service=\"b\",status=\"200\"} 4\n# HELP age Of something.\n# TYPE age gauge\n\
        # UNIT age seconds\nage 1.5\n# EOF\n";

    fn merged() -> Merged {
        let mut merged = Merged::default();
        merged.add("catalog", CATALOG);
        merged.add("orders", ORDERS);
        merged
    }

    #[test]
    fn a_family_is_described_once_and_each_sample_names_its_part() {
        let expected = "# HELP http_requests Requests answered.\n# TYPE http_requests counter\n\
            http_requests_total{part=\"catalog\",service=\"a\",status=\"200\"} 3\n\
            http_requests_total{part=\"catalog\",service=\"a\",status=\"503\"} 1\n\
            http_requests_total{part=\"orders\",service=\"b\",status=\"200\"} 4\n\
            # HELP age Of something.\n# TYPE age gauge\n# UNIT age seconds\nage{part=\"orders\"} 1.5\n# EOF\n";
        assert_eq!(merged().to_string(), expected);
    }

    #[test]
    fn samples_are_found_by_their_labels_and_added_up() {
        let merged = merged();
        let sum = |name, labels| merged.sum(&Metric { name, labels });
        assert_eq!(sum("http_requests_total", &[]), Some(8.0));
        assert_eq!(sum("http_requests_total", &[("status", "200")]), Some(7.0));
        assert_eq!(sum("http_requests_total", &[("part", "catalog"), ("status", "503")]), Some(1.0));
        assert_eq!(sum("age", &[("part", "orders")]), Some(1.5));
        assert_eq!(sum("http_requests", &[]), None);
        assert_eq!(sum("http_requests_total", &[("status", "404")]), None);
    }
}
