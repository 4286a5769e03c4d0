//! The shop's currency, and how many decimal digits it has.

use std::fmt;
use std::str::FromStr;

/// Codes and decimal digits (ISO 4217, list one).
const CURRENCIES: [(&str, u8); 31] = [
    ("AUD", 2),
    ("BHD", 3),
    ("BRL", 2),
    ("CAD", 2),
    ("CHF", 2),
    ("CLP", 0),
    ("CNY", 2),
    ("CZK", 2),
    ("DKK", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("HKD", 2),
    ("HUF", 2),
    ("ILS", 2),
    ("INR", 2),
    ("ISK", 0),
    ("JPY", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("MXN", 2),
    ("NOK", 2),
    ("NZD", 2),
    ("PLN", 2),
    ("RON", 2),
    ("SEK", 2),
    ("SGD", 2),
    ("TND", 3),
    ("TRY", 2),
    ("USD", 2),
    ("VND", 0),
    ("ZAR", 2),
];

/// A currency that prices can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency {
    code: &'static str,
    digits: u8,
}

impl Currency {
    /// Its code: three capitals.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.code
    }

    /// How many decimal digits its amounts have.
    #[must_use]
    pub const fn digits(self) -> u8 {
        self.digits
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl FromStr for Currency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = CURRENCIES.into_iter().find(|(code, _)| *code == text);
        found.map(|(code, digits)| Currency { code, digits }).ok_or_else(|| {
            let known = CURRENCIES.map(|(code, _)| code).join(", ");
            format!("its number of decimal digits is not known; set SHOP_CURRENCY to one of {known}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_has_its_own_number_of_digits() {
        let digits = |code: &str| code.parse::<Currency>().map(Currency::digits);
        assert_eq!([digits("EUR"), digits("JPY"), digits("KWD")], [Ok(2), Ok(0), Ok(3)]);
    }

    #[test]
    fn what_is_no_known_code_is_refused_with_the_known_ones() {
        for text in ["", "eur", "EURO", "XXX"] {
            let error = text.parse::<Currency>().unwrap_err();
            assert!(error.ends_with("USD, VND, ZAR"), "{text:?}: {error}");
        }
    }
}
