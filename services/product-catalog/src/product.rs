//! A product: what it has, how requests tell it and how answers show it.

pub(crate) mod document;

use std::ops::RangeInclusive;

use schemas::{Currency, EventTime, FieldCode, Money};
use serde::Serialize;
use service_kit::etag::Version;
use service_kit::input::{Fields, Refusal, rule};
use service_kit::{Fault, Id, Kind, Place, Problem};
use utoipa::ToSchema;

/// How many characters a name has.
const NAME_LENGTH: RangeInclusive<usize> = 1..=200;
/// How many characters a description has.
const DESCRIPTION_LENGTH: RangeInclusive<usize> = 0..=10_000;
/// How many characters a category has.
pub(crate) const CATEGORY_LENGTH: RangeInclusive<usize> = 0..=100;
/// How many pieces a stock is set to at most: so far below the database's numbers that no sum leaves them.
pub(crate) const MAX_STOCK: i64 = 1_000_000_000;

/// What clients decide about a product.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) description: String,
    /// In minor units of the shop's currency.
    pub(crate) price: i64,
    pub(crate) category: String,
    pub(crate) stock_quantity: i64,
}

impl Content {
    /// Reads the body of a request that tells all of it. What may be left out is empty then, or 0.
    pub(crate) fn parse(body: &[u8], currency: Currency) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let name = fields.required("name", rule::text(NAME_LENGTH));
        let description = fields.or("description", String::new(), rule::text(DESCRIPTION_LENGTH));
        let price = fields.required("price", rule::money(currency.digits()));
        let category = fields.or("category", String::new(), rule::text(CATEGORY_LENGTH));
        let stock_quantity = fields.or("stock_quantity", 0, rule::integer(0..=MAX_STOCK));
        fields.finish(|| {
            Some(Content {
                name: name?,
                description: description?,
                price: price?.minor_units(),
                category: category?,
                stock_quantity: stock_quantity?,
            })
        })
    }
}

/// What a request changes of a product: a JSON Merge Patch (RFC 7396), and a number of pieces to add.
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    name: Option<String>,
    description: Option<String>,
    price: Option<Money>,
    category: Option<String>,
    stock: Option<StockChange>,
}

#[derive(Clone, Copy, Debug)]
enum StockChange {
    /// To this number, whatever it was.
    Set(i64),
    /// By so many pieces; below 0, they are taken.
    Add(i64),
}

impl Patch {
    /// Reads the body of a request. `null` sets what may be left out back to its default.
    pub(crate) fn parse(body: &[u8], currency: Currency) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let name = fields.optional("name", rule::text(NAME_LENGTH));
        let description = fields.patched("description", String::new(), rule::text(DESCRIPTION_LENGTH));
        let price = fields.optional("price", rule::money(currency.digits()));
        let category = fields.patched("category", String::new(), rule::text(CATEGORY_LENGTH));
        let quantity = fields.patched("stock_quantity", 0, rule::integer(0..=MAX_STOCK));
        let delta = fields.optional("stock_delta", rule::integer(-MAX_STOCK..=MAX_STOCK));
        if let (Some(Some(_)), Some(Some(_))) = (quantity, delta) {
            let detail = "cannot come with stock_quantity; send one of them";
            fields.fault("stock_delta", Refusal::new(FieldCode::Conflict, detail));
        }
        fields.finish(|| {
            let (set, add) = (quantity?.map(StockChange::Set), delta?.map(StockChange::Add));
            let (name, description, price, category) = (name?, description?, price?, category?);
            Some(Patch { name, description, price, category, stock: set.or(add) })
        })
    }

    /// Whether it overwrites a number of pieces that orders may have changed meanwhile.
    pub(crate) const fn sets_stock(&self) -> bool {
        matches!(self.stock, Some(StockChange::Set(_)))
    }

    /// What the product has after the change.
    ///
    /// # Errors
    /// 409 where more pieces are taken than there are, 422 where there would be too many.
    pub(crate) fn apply(self, present: Content) -> Result<Content, Problem> {
        let stock_quantity = match self.stock {
            None => present.stock_quantity,
            Some(StockChange::Set(quantity)) => quantity,
            Some(StockChange::Add(delta)) => add_to_stock(present.stock_quantity, delta)?,
        };
        Ok(Content {
            name: self.name.unwrap_or(present.name),
            description: self.description.unwrap_or(present.description),
            price: self.price.map_or(present.price, Money::minor_units),
            category: self.category.unwrap_or(present.category),
            stock_quantity,
        })
    }
}

fn add_to_stock(available: i64, delta: i64) -> Result<i64, Problem> {
    let total = available.saturating_add(delta);
    if total < 0 {
        return Err(insufficient_stock(available, delta.saturating_neg()));
    }
    // Released reservations may have made it more than it can be set to: that keeps nobody from taking pieces.
    if delta > 0 && total > MAX_STOCK {
        let detail = format!("stock_delta is {delta}, and the stock {available}; it must not go above {MAX_STOCK}");
        let place = Place::Pointer("/stock_delta".to_owned());
        return Err(Problem::of_faults(vec![Fault { place, code: FieldCode::AboveMaximum, detail }]));
    }
    Ok(total)
}

/// More pieces were asked for than there are.
pub(crate) fn insufficient_stock(available: i64, wanted: i64) -> Problem {
    let detail = format!("{available} pieces are in stock, {wanted} were asked for; ask for fewer");
    Problem::new(Kind::InsufficientStock, detail).with("available", available)
}

/// Nobody has, or no longer has, this id.
pub(crate) fn no_such_product(id: Id) -> Problem {
    Problem::not_found(format!("there is no product {id}"))
}

/// A product as the database has it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Record {
    id: i64,
    #[sqlx(flatten)]
    pub(crate) content: Content,
    version: i64,
    created_at_millis: i64,
    updated_at_millis: i64,
}

impl Record {
    pub(crate) const fn version(&self) -> Version {
        Version(self.version)
    }

    /// The product as answers have it.
    pub(crate) fn into_product(self, currency: Currency) -> Result<Product, Problem> {
        let Content { name, description, price, category, stock_quantity } = self.content;
        Ok(Product {
            id: Id::new(self.id)
                .ok_or_else(|| Problem::internal(format_args!("the product id {} is none", self.id)))?,
            name,
            description,
            price: amount(price, currency)?,
            currency: currency.code(),
            category,
            stock_quantity,
            created_at: EventTime::from_millis(self.created_at_millis).map_err(Problem::internal)?,
            updated_at: EventTime::from_millis(self.updated_at_millis).map_err(Problem::internal)?,
        })
    }
}

/// An amount of the shop's currency.
pub(crate) fn amount(minor_units: i64, currency: Currency) -> Result<Money, Problem> {
    Money::new(minor_units, currency.digits())
        .ok_or_else(|| Problem::internal(format_args!("{currency} has more digits than an amount")))
}

/// A product.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Product {
    /// Which one it is.
    pub(crate) id: Id,
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, example = "Desk lamp")]
    name: String,
    /// What there is to say about it.
    #[schema(max_length = 10_000)]
    description: String,
    /// What a piece costs: exactly the currency's digits.
    #[schema(value_type = String, example = "24.90")]
    price: Money,
    /// The price's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: &'static str,
    /// What it belongs to; empty for nothing.
    #[schema(max_length = 100, example = "lamps")]
    category: String,
    /// How many pieces can be ordered now.
    #[schema(minimum = 0)]
    stock_quantity: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T12:00:00.000Z")]
    created_at: EventTime,
    /// When it was changed last, its stock included.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T12:00:00.000Z")]
    updated_at: EventTime,
}

#[cfg(test)]
mod tests;
