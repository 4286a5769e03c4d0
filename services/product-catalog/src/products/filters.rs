//! Which products a list has.

use schemas::FieldCode;
use serde::{Deserialize, Serialize};
use service_kit::Id;
use service_kit::input::{Parameters, Refusal, rule};

use crate::product::CATEGORY_LENGTH;

/// How many characters a part of a name has at most.
const MAX_PART: usize = 200;
/// How many ids may be asked for at once: as many as fit on a page.
const MAX_IDS: usize = service_kit::page::MAX_LIMIT;

/// What the products of a list have in common. Cursors carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filters {
    /// This category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) category: Option<String>,
    /// This in the name, in small or capital letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) q: Option<String>,
    /// One of these ids, ascending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ids: Option<Vec<Id>>,
}

impl Filters {
    /// Reads the parameters that filter; whoever reads the others tells the faults.
    pub(super) fn read(parameters: &mut Parameters) -> Self {
        Filters {
            category: parameters
                .optional("category", |text| rule::check_length(text, &CATEGORY_LENGTH).map(|()| text.to_owned())),
            q: parameters.optional("q", |text| rule::check_length(text, &(0..=MAX_PART)).map(|()| text.to_owned())),
            ids: parameters.optional("ids", ids),
        }
    }
}

/// Ids separated by commas, each once and ascending: however they are written, the same ones are the same list.
fn ids(text: &str) -> Result<Vec<Id>, Refusal> {
    let mut ids = Vec::new();
    for part in text.split(',') {
        let id = part
            .parse::<Id>()
            .map_err(|what| Refusal::new(FieldCode::InvalidFormat, format!("has {part:?}: {what}")))?;
        ids.push(id);
    }
    if ids.len() > MAX_IDS {
        let detail = format!("has {} ids; send at most {MAX_IDS} at once", ids.len());
        return Err(Refusal::new(FieldCode::TooLong, detail));
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_ids_are_the_same_list() {
        assert_eq!(ids("3,1,3"), ids("1,3"));
    }

    #[test]
    fn what_is_no_list_of_ids_is_refused() {
        for text in ["", ",", "1,", "1, 2", "0", "1,x", "01"] {
            assert_eq!(ids(text).unwrap_err().code, FieldCode::InvalidFormat, "{text:?}");
        }
        let many: Vec<_> = (1..=MAX_IDS + 1).map(|id| id.to_string()).collect();
        assert_eq!(ids(&many.join(",")).unwrap_err().code, FieldCode::TooLong);
        assert_eq!(ids(&many[1..].join(",")).unwrap().len(), MAX_IDS);
    }
}
