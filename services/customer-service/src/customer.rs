//! A customer: what it has, how requests tell it and how answers show it.

pub(crate) mod document;

use std::ops::RangeInclusive;

use schemas::{EventTime, FieldCode};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::value::RawValue;
use service_kit::etag::Version;
use service_kit::input::{Fields, Refusal, rule};
use service_kit::{Id, Problem};
use utoipa::ToSchema;

/// How many characters a name has.
const NAME_LENGTH: RangeInclusive<usize> = 1..=200;
/// How many characters an e-mail address has (RFC 5321, 4.5.3.1.3, with the brackets taken off).
pub(crate) const EMAIL_LENGTH: RangeInclusive<usize> = 3..=254;
/// How many characters a phone number has.
const PHONE_LENGTH: RangeInclusive<usize> = 0..=40;
/// How many characters an address has.
const ADDRESS_LENGTH: RangeInclusive<usize> = 0..=1_000;
/// How many characters a password has.
const PASSWORD_LENGTH: RangeInclusive<usize> = 8..=128;

/// What clients decide about a customer, apart from its password.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) address: String,
}

impl Content {
    /// Reads the body of a request that tells all of it. What may be left out is empty then.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let content = Content::read(&mut fields);
        fields.finish(|| content)
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", rule::text(NAME_LENGTH));
        let email = fields.required("email", email);
        let phone = fields.or("phone", String::new(), phone);
        let address = fields.or("address", String::new(), rule::text(ADDRESS_LENGTH));
        Some(Content { name: name?, email: email?, phone: phone?, address: address? })
    }
}

/// A request for a new customer.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) content: Content,
    pub(crate) password: SecretString,
}

impl Registration {
    /// Reads the body of a request.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let content = Content::read(&mut fields);
        let password = fields.required("password", new_password);
        fields.finish(|| Some(Registration { content: content?, password: password? }))
    }
}

/// What a request changes of a customer: a JSON Merge Patch (RFC 7396).
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    address: Option<String>,
}

impl Patch {
    /// Reads the body of a request. `null` sets what may be left out back to its default.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let name = fields.optional("name", rule::text(NAME_LENGTH));
        let email = fields.optional("email", email);
        let phone = fields.patched("phone", String::new(), phone);
        let address = fields.patched("address", String::new(), rule::text(ADDRESS_LENGTH));
        fields.finish(|| Some(Patch { name: name?, email: email?, phone: phone?, address: address? }))
    }

    /// What the customer has after the change.
    pub(crate) fn apply(self, present: Content) -> Content {
        Content {
            name: self.name.unwrap_or(present.name),
            email: self.email.unwrap_or(present.email),
            phone: self.phone.unwrap_or(present.phone),
            address: self.address.unwrap_or(present.address),
        }
    }
}

/// A password that is to be set.
pub(crate) fn new_password(value: &RawValue) -> Result<SecretString, Refusal> {
    rule::text(PASSWORD_LENGTH)(value).map(SecretString::from)
}

/// A password that somebody claims to have: a shorter or longer one than passwords have is just wrong.
pub(crate) fn claimed_password(value: &RawValue) -> Result<SecretString, Refusal> {
    rule::text(0..=usize::MAX)(value).map(SecretString::from)
}

/// An e-mail address, loosely: whether mail arrives there is found out by sending some.
fn email(value: &RawValue) -> Result<String, Refusal> {
    let text = rule::text(EMAIL_LENGTH)(value)?;
    if is_email(&text) {
        return Ok(text);
    }
    let detail = "must be an e-mail address such as ann@example.com, with one @ and without spaces";
    Err(Refusal::new(FieldCode::InvalidFormat, detail))
}

fn is_email(text: &str) -> bool {
    let parts = text.split('@').collect::<Vec<_>>();
    parts.len() == 2
        && parts.iter().all(|part| !part.is_empty())
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// A phone number as people write them.
fn phone(value: &RawValue) -> Result<String, Refusal> {
    let text = rule::text(PHONE_LENGTH)(value)?;
    if text.chars().all(|c| c.is_ascii_digit() || " +()-./".contains(c)) {
        return Ok(text);
    }
    Err(Refusal::new(FieldCode::InvalidFormat, "must be a phone number of digits, spaces and + ( ) - . /"))
}

/// Nobody has, or no longer has, this id; or not for this caller.
pub(crate) fn no_such_customer(id: Id) -> Problem {
    Problem::not_found(format!("there is no customer {id}"))
}

/// A customer as the database has it.
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

    /// The customer as answers have it.
    pub(crate) fn into_customer(self) -> Result<Customer, Problem> {
        let Content { name, email, phone, address } = self.content;
        Ok(Customer {
            id: Id::new(self.id)
                .ok_or_else(|| Problem::internal(format_args!("the customer id {} is none", self.id)))?,
            name,
            email,
            phone,
            address,
            created_at: EventTime::from_millis(self.created_at_millis).map_err(Problem::internal)?,
            updated_at: EventTime::from_millis(self.updated_at_millis).map_err(Problem::internal)?,
        })
    }
}

/// A customer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Customer {
    /// Which one it is.
    pub(crate) id: Id,
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, example = "Ann Example")]
    name: String,
    /// Where mail for it goes, and what it logs in with. No two customers have the same one, in small or capital letters.
    #[schema(min_length = 3, max_length = 254, example = "ann@example.com")]
    email: String,
    /// Where it can be called; empty for nowhere.
    #[schema(max_length = 40, example = "+49 30 1234567")]
    phone: String,
    /// Where parcels for it go; empty for nowhere.
    #[schema(max_length = 1_000, example = "1 Main Street, 10115 Berlin")]
    address: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T12:00:00.000Z")]
    created_at: EventTime,
    /// When it was changed last, apart from its password.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T12:00:00.000Z")]
    updated_at: EventTime,
}

#[cfg(test)]
mod tests;
