//! The topic of raw events, which two variables name: `KAFKA_TOPIC` and `KAFKA_INPUT_TOPIC`.
//!
//! Each program has a flag with one of them. The other means the same; where both are set they must agree.

use schemas::names;

use crate::Error;

/// The variable by which producers of events know the topic.
pub const TOPIC: &str = "KAFKA_TOPIC";
/// The variable by which the job knows it.
pub const INPUT_TOPIC: &str = "KAFKA_INPUT_TOPIC";

/// What an environment variable names; an empty variable is an absent one.
#[must_use]
pub fn named_by(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|topic| !topic.is_empty())
}

/// The topic where neither the flag nor its own variable names it: what the `other` variable says, else the usual one.
#[must_use]
pub fn default_topic(other: &str) -> String {
    named_by(other).unwrap_or_else(|| names::RAW_EVENTS_TOPIC.to_owned())
}

/// Refuses two names for one topic: `topic`, and what the variable `other` has.
///
/// # Errors
/// [`Error::Setting`] where they differ.
pub fn check(topic: &str, other: &str, value: Option<&str>) -> Result<(), Error> {
    match value {
        Some(alias) if alias != topic => Err(Error::Setting(format!(
            "{other} is {alias:?} but the topic of raw events is {topic:?}; set only one of {TOPIC} and {INPUT_TOPIC}"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_for_one_topic_are_refused_and_one_name_twice_is_not() {
        assert_eq!(check("events", INPUT_TOPIC, None), Ok(()));
        assert_eq!(check("events", INPUT_TOPIC, Some("events")), Ok(()));
        let Err(Error::Setting(said)) = check("events", INPUT_TOPIC, Some("others")) else { panic!("accepted") };
        assert!(said.contains(r#"KAFKA_INPUT_TOPIC is "others""#) && said.contains(r#""events""#), "{said}");
    }
}
