//! What requests for customers look like, for the API's description.

use utoipa::{IntoParams, ToSchema};

use super::Customer;

/// A new customer.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what Registration reads")]
pub(crate) struct NewCustomer {
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, example = "Ann Example")]
    name: String,
    /// Where mail for it goes, and what it logs in with.
    #[schema(min_length = 3, max_length = 254, pattern = r"^[^@\s]+@[^@\s]+$", example = "ann@example.com")]
    email: String,
    /// Where it can be called; empty for nowhere.
    #[schema(max_length = 40, pattern = r"^[0-9 +()./-]*$", default = "", required = false)]
    phone: String,
    /// Where parcels for it go; empty for nowhere.
    #[schema(max_length = 1_000, default = "", required = false)]
    address: String,
    /// What it logs in with. It is never shown.
    #[schema(min_length = 8, max_length = 128, write_only, format = Password)]
    password: String,
}

/// What a customer is to have.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what Content reads")]
pub(crate) struct CustomerContent {
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, example = "Ann Example")]
    name: String,
    /// Where mail for it goes, and what it logs in with.
    #[schema(min_length = 3, max_length = 254, pattern = r"^[^@\s]+@[^@\s]+$", example = "ann@example.com")]
    email: String,
    /// Where it can be called; empty for nowhere.
    #[schema(max_length = 40, pattern = r"^[0-9 +()./-]*$", default = "", required = false)]
    phone: String,
    /// Where parcels for it go; empty for nowhere.
    #[schema(max_length = 1_000, default = "", required = false)]
    address: String,
}

/// What to change of a customer (JSON Merge Patch, RFC 7396); `null` sets back to the default.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what Patch reads")]
pub(crate) struct CustomerPatch {
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, required = false)]
    name: String,
    /// Where mail for it goes, and what it logs in with.
    #[schema(min_length = 3, max_length = 254, pattern = r"^[^@\s]+@[^@\s]+$", required = false)]
    email: String,
    /// Where it can be called.
    #[schema(max_length = 40, pattern = r"^[0-9 +()./-]*$")]
    phone: Option<String>,
    /// Where parcels for it go.
    #[schema(max_length = 1_000)]
    address: Option<String>,
}

/// A new password.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what Change reads")]
pub(crate) struct PasswordChange {
    /// What the customer logs in with from now on.
    #[schema(min_length = 8, max_length = 128, write_only, format = Password)]
    password: String,
    /// What it has logged in with until now. Admins may leave it out.
    #[schema(write_only, required = false, format = Password)]
    current_password: String,
}

/// A page of customers.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what PageRequest answers")]
pub(crate) struct CustomerPage {
    /// By ascending id.
    items: Vec<Customer>,
    /// Where to go on; `null` on the last page.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// Which customers are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub(crate) struct FilterParameters {
    /// The one with this e-mail address, in small or capital letters.
    #[param(max_length = 254, required = false, example = "ann@example.com")]
    email: String,
}
