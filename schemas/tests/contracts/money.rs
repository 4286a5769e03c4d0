//! `Money`: a string with exactly the currency's digits.

use proptest::prelude::*;
use schemas::Money;

use crate::fixtures::cases;

fn money(minor_units: i64, digits: u8) -> Money {
    Money::new(minor_units, digits).unwrap()
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn amounts_are_read_as_they_were_written(minor_units in any::<i64>(), digits in 0_u8..=4) {
        let amount = money(minor_units, digits);
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        let json = serde_json::to_value(amount).unwrap();
        prop_assert_eq!(serde_json::from_value::<Money>(json).unwrap(), amount);
        prop_assert_eq!((amount.minor_units(), amount.digits()), (minor_units, digits));
    }

    #[test]
    fn an_amount_has_one_spelling(text in "-?[0-9]{0,21}(\\.[0-9]{0,5})?") {
        if let Ok(amount) = text.parse::<Money>() {
            prop_assert_eq!(amount.to_string(), text);
        }
    }

    #[test]
    fn the_text_is_the_amount(whole in 0_i64..1_000_000, cents in 0_i64..100) {
        prop_assert_eq!(format!("{whole}.{cents:02}").parse(), Ok(money(whole * 100 + cents, 2)));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = text.parse::<Money>();
    }
}

#[test]
fn amounts_of_zero_to_four_digits_are_written() {
    let texts: Vec<_> = (0..=4).map(|digits| money(-12_345, digits).to_string()).collect();
    assert_eq!(texts, ["-12345", "-1234.5", "-123.45", "-12.345", "-1.2345"]);
    assert_eq!(money(5, 2).to_string(), "0.05");
    assert_eq!(money(-5, 2).to_string(), "-0.05");
    assert_eq!(money(0, 2).to_string(), "0.00");
    assert_eq!(money(i64::MIN, 2).to_string(), "-92233720368547758.08");
}

#[test]
fn amounts_with_different_digits_differ() {
    assert_ne!("1.0".parse::<Money>().unwrap(), "1.00".parse::<Money>().unwrap());
}

#[test]
fn more_than_four_digits_are_no_currency() {
    assert_eq!(Money::new(1, 5), None);
    assert_eq!(Money::new(1, u8::MAX), None);
}

#[test]
fn other_texts_are_refused() {
    let of_256_digits = format!("0.{}", "0".repeat(256));
    let texts = [
        "",
        "-",
        ".",
        "1.",
        ".5",
        "-.5",
        "+1",
        "--1",
        "01",
        "00",
        "-01.00",
        "-0",
        "-0.00",
        "1,50",
        "1.5e2",
        "1e2",
        "1 ",
        " 1",
        "1_000",
        "1.2.3",
        "1.-5",
        "0x1",
        "NaN",
        "inf",
        "€1",
        "١",
        "1.00000",
        "9223372036854775808",
        "92233720368547758.08",
        &of_256_digits,
    ];
    for text in texts {
        assert!(text.parse::<Money>().is_err(), "{text:?}");
    }
}

#[test]
fn a_json_number_is_no_amount() {
    for json in ["19.99", "1999", "null", "[\"19.99\"]"] {
        assert!(serde_json::from_str::<Money>(json).is_err(), "{json}");
    }
}

proptest! {
    #[test]
    fn more_digits_and_back_is_the_same_amount_and_nothing_is_lost_on_the_way(minor_units: i32, digits in 0..=4_u8, other in 0..=4_u8) {
        let amount = money(minor_units.into(), digits);
        if let Some(rescaled) = amount.with_digits(other) {
            prop_assert_eq!(rescaled.digits(), other);
            prop_assert_eq!(rescaled.with_digits(digits), Some(amount));
        } else {
            let lost = 10_i64.pow(u32::from(digits - other));
            prop_assert_ne!(i64::from(minor_units) % lost, 0);
        }
    }
}

#[test]
fn amounts_that_do_not_fit_with_more_digits_are_none() {
    assert_eq!(money(i64::MAX, 0).with_digits(1), None);
    assert_eq!(money(1, 0).with_digits(5), None);
}
