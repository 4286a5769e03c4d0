use service_kit::fold;

use super::*;

fn eur() -> Currency {
    "EUR".parse().unwrap()
}

fn lamp(stock_quantity: i64) -> Content {
    let [name, description, category] = ["Lamp", "Bright", "lamps"].map(str::to_owned);
    Content { name, description, price: 1_999, category, stock_quantity }
}

fn patched(patch: &str, stock: i64) -> Result<Content, Problem> {
    Patch::parse(patch.as_bytes(), eur()).unwrap().apply(lamp(stock))
}

#[test]
fn what_is_left_out_of_a_whole_product_is_empty() {
    let content = Content::parse(br#"{"name":"Lamp","price":19.99}"#, eur()).unwrap();
    let expected = Content { description: String::new(), category: String::new(), stock_quantity: 0, ..lamp(0) };
    assert_eq!(content, expected);
}

#[test]
fn a_price_has_the_digits_of_the_currency() {
    let price = |text: &str, currency: &str| {
        let body = format!(r#"{{"name":"Lamp","price":{text}}}"#);
        Content::parse(body.as_bytes(), currency.parse().unwrap()).map(|content| content.price)
    };
    assert_eq!(price("1500", "JPY").unwrap(), 1_500);
    assert_eq!(price("1500", "EUR").unwrap(), 150_000);
    assert_eq!(price("\"0.125\"", "KWD").unwrap(), 125);
    assert_eq!(price("15.5", "JPY").unwrap_err().faults()[0].code, FieldCode::TooManyDigits);
}

#[test]
fn a_patch_changes_what_it_names_and_null_sets_back_to_the_default() {
    assert_eq!(patched("{}", 5).unwrap(), lamp(5));
    let changed = patched(r#"{"price":"5","description":null,"stock_quantity":null}"#, 5).unwrap();
    assert_eq!(changed, Content { price: 500, description: String::new(), ..lamp(0) });
    for body in [r#"{"name":null}"#, r#"{"price":null}"#, r#"{"stock_delta":null}"#] {
        let problem = Patch::parse(body.as_bytes(), eur()).unwrap_err();
        assert_eq!(problem.faults()[0].code, FieldCode::WrongType, "{body}");
    }
}

#[test]
fn pieces_are_added_and_taken_within_zero_and_the_most_that_a_stock_may_have() {
    assert_eq!(patched(r#"{"stock_delta":-5}"#, 5).unwrap(), lamp(0));
    assert_eq!(patched(r#"{"stock_delta":-6}"#, 5).unwrap_err().kind(), Kind::InsufficientStock);
    let most = patched(r#"{"stock_delta":1}"#, MAX_STOCK - 1).unwrap();
    assert_eq!(most, lamp(MAX_STOCK));
    assert_eq!(patched(r#"{"stock_delta":1}"#, MAX_STOCK).unwrap_err().faults()[0].code, FieldCode::AboveMaximum);
    assert_eq!(patched(r#"{"stock_delta":-1}"#, MAX_STOCK + 5).unwrap(), lamp(MAX_STOCK + 4));
}

#[test]
fn a_number_of_pieces_is_either_set_or_added_to() {
    let problem = Patch::parse(br#"{"stock_quantity":1,"stock_delta":1}"#, eur()).unwrap_err();
    assert_eq!(problem.faults()[0].code, FieldCode::Conflict);
    let sets_stock = |body: &str| Patch::parse(body.as_bytes(), eur()).unwrap().sets_stock();
    assert!(sets_stock(r#"{"stock_quantity":null}"#));
    assert!(!sets_stock(r#"{"stock_delta":1}"#) && !sets_stock(r#"{"name":"x"}"#));
}

#[test]
fn small_and_capital_letters_are_the_same_when_names_are_searched() {
    for (one, other) in [("Lamp", "LAMP"), ("Äpfel", "äPFEL"), ("Straße", "STRASSE"), ("οδος", "ΟΔΟΣ")] {
        assert_eq!(fold(one), fold(other));
    }
    assert_ne!(fold("a"), fold("ä"));
}
