//! Which customers a list has.

use serde::{Deserialize, Serialize};
use service_kit::input::{Parameters, rule};

use crate::customer::EMAIL_LENGTH;

/// What the customers of a list have in common. Cursors carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filters {
    /// This e-mail address, in small or capital letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
}

impl Filters {
    /// Reads the parameters that filter; whoever reads the others tells the faults.
    pub(super) fn read(parameters: &mut Parameters) -> Self {
        let most = 0..=*EMAIL_LENGTH.end();
        Filters {
            email: parameters.optional("email", |text| rule::check_length(text, &most).map(|()| text.to_owned())),
        }
    }
}
