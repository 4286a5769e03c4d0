//! What requests for products look like, for the API's description.

use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::Product;

/// What a product is to have.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what Content reads")]
pub(crate) struct ProductContent {
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, example = "Desk lamp")]
    name: String,
    /// What there is to say about it.
    #[schema(max_length = 10_000, default = "", required = false)]
    description: String,
    /// What a piece costs.
    price: Amount,
    /// What it belongs to; empty for nothing.
    #[schema(max_length = 100, default = "", required = false, example = "lamps")]
    category: String,
    /// How many pieces can be ordered.
    #[schema(minimum = 0, maximum = 1_000_000_000, default = 0, required = false)]
    stock_quantity: i64,
}

/// What to change of a product (JSON Merge Patch, RFC 7396); `null` sets back to the default.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what Patch reads")]
pub(crate) struct ProductPatch {
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, required = false)]
    name: String,
    /// What there is to say about it.
    #[schema(max_length = 10_000)]
    description: Option<String>,
    /// What a piece costs.
    #[schema(required = false)]
    price: Amount,
    /// What it belongs to.
    #[schema(max_length = 100)]
    category: Option<String>,
    /// How many pieces can be ordered, whatever they were: needs `If-Match`.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    stock_quantity: Option<i64>,
    /// How many pieces to add, or below 0 to take: not together with `stock_quantity`, and needs no `If-Match`.
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000, required = false)]
    stock_delta: i64,
}

/// An amount of the shop's currency.
pub(crate) struct Amount;

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        let text =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^(0|[1-9][0-9]{0,13})(\.[0-9]{1,2})?$"));
        let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0));
        OneOfBuilder::new()
            .item(text)
            .item(number.multiple_of(Some(0.01)))
            .description(Some(
                "An amount from 0 up, as a string or as a number, with at most as many decimal digits as the currency has.",
            ))
            .examples([json!("24.90")])
            .into()
    }
}

impl ToSchema for Amount {}

/// A page of products.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what PageRequest answers")]
pub(crate) struct ProductPage {
    /// By ascending id.
    items: Vec<Product>,
    /// Where to go on; `null` on the last page.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// Which products are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub(crate) struct FilterParameters {
    /// Those of exactly this category.
    #[param(max_length = 100, required = false)]
    category: String,
    /// Those whose name has this in it, in small or capital letters.
    #[param(max_length = 200, required = false)]
    q: String,
    /// Those of up to 200 ids, separated by commas.
    #[param(required = false, pattern = r"^[1-9][0-9]{0,17}(,[1-9][0-9]{0,17}){0,199}$", example = "1,2,3")]
    ids: String,
}
