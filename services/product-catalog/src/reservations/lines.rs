//! The lines of a request for a reservation.

use schemas::FieldCode;
use serde_json::value::RawValue;
use service_kit::input::{Fields, Refusal, rule};
use service_kit::{Id, Problem};

/// How many lines a reservation has at most: what one transaction can lock without keeping others waiting.
const MAX_LINES: usize = 100;
/// How many pieces a line has at most.
const MAX_QUANTITY: i64 = crate::product::MAX_STOCK;

/// So many pieces of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) product_id: Id,
    pub(super) quantity: i64,
}

impl Line {
    pub(super) const fn pair(&self) -> (i64, i64) {
        (self.product_id.get(), self.quantity)
    }
}

/// Reads the body of a request: 1 to 100 lines, each product once. They are returned by ascending product id.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Line>, Problem> {
    let mut fields = Fields::parse(body)?;
    let lines = fields.required("lines", lines);
    fields.finish(|| lines)
}

fn lines(value: &RawValue) -> Result<Vec<Line>, Refusal> {
    let items: Vec<&RawValue> =
        serde_json::from_str(value.get()).map_err(|_| Refusal::new(FieldCode::WrongType, "must be a list of lines"))?;
    let code = match items.len() {
        0 => Some(FieldCode::TooShort),
        1..=MAX_LINES => None,
        _ => Some(FieldCode::TooLong),
    };
    if let Some(code) = code {
        return Err(Refusal::new(code, format!("has {} lines; it must have 1 to {MAX_LINES}", items.len())));
    }
    let mut lines = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        lines.push(line(item).map_err(|problem| within(index, &problem))?);
    }
    lines.sort_unstable_by_key(|line: &Line| line.product_id);
    match lines.windows(2).find(|pair| pair[0].product_id == pair[1].product_id) {
        Some(pair) => {
            let detail = format!("names product {} more than once; add its quantities", pair[0].product_id);
            Err(Refusal::new(FieldCode::Duplicate, detail))
        }
        None => Ok(lines),
    }
}

fn line(item: &RawValue) -> Result<Line, Problem> {
    let mut fields = Fields::parse(item.get().as_bytes())?;
    let product_id = fields.required("product_id", rule::id);
    let quantity = fields.required("quantity", rule::integer(1..=MAX_QUANTITY));
    fields.finish(|| Some(Line { product_id: product_id?, quantity: quantity? }))
}

/// The first fault of a line, as one of the list.
fn within(index: usize, problem: &Problem) -> Refusal {
    match problem.faults().first() {
        Some(fault) => Refusal::new(fault.code, format!("has a faulty line at place {index}: {}", fault.detail)),
        None => Refusal::new(FieldCode::InvalidFormat, format!("has a line at place {index} that cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> FieldCode {
        parse(body.as_bytes()).unwrap_err().faults()[0].code
    }

    #[test]
    fn lines_come_by_ascending_product_however_they_were_written() {
        let lines = parse(br#"{"lines":[{"product_id":"10","quantity":1},{"product_id":9,"quantity":2}]}"#).unwrap();
        assert_eq!(lines.iter().map(Line::pair).collect::<Vec<_>>(), [(9, 2), (10, 1)]);
    }

    #[test]
    fn what_is_no_list_of_lines_is_refused() {
        let line = r#"{"product_id":"1","quantity":1}"#;
        assert_eq!(refused("{}"), FieldCode::Required);
        assert_eq!(refused(r#"{"lines":{}}"#), FieldCode::WrongType);
        assert_eq!(refused(r#"{"lines":[]}"#), FieldCode::TooShort);
        assert_eq!(refused(&format!(r#"{{"lines":[{line},{line}]}}"#)), FieldCode::Duplicate);
        assert_eq!(refused(r#"{"lines":[{"product_id":"1","quantity":0}]}"#), FieldCode::BelowMinimum);
        assert_eq!(refused(r#"{"lines":[{"product_id":"1"}]}"#), FieldCode::Required);
        assert_eq!(refused(r#"{"lines":[7]}"#), FieldCode::WrongType);
        let many = vec![line; MAX_LINES + 1].join(",");
        assert_eq!(refused(&format!(r#"{{"lines":[{many}]}}"#)), FieldCode::TooLong);
    }
}
