use proptest::prelude::*;
use service_kit::{Kind, fold};

use super::*;

fn ann() -> Content {
    let [name, email, phone, address] = ["Ann", "ann@example.com", "+49 30 1", "Berlin"].map(str::to_owned);
    Content { name, email, phone, address }
}

fn patched(patch: &str) -> Content {
    Patch::parse(patch.as_bytes()).unwrap().apply(ann())
}

fn refused(body: &str) -> FieldCode {
    Content::parse(body.as_bytes()).unwrap_err().faults()[0].code
}

#[test]
fn what_is_left_out_of_a_whole_customer_is_empty() {
    let content = Content::parse(br#"{"name":"Ann","email":"ann@example.com"}"#).unwrap();
    assert_eq!(content, Content { phone: String::new(), address: String::new(), ..ann() });
}

#[test]
fn a_patch_changes_what_it_names_and_null_sets_back_to_the_default() {
    assert_eq!(patched("{}"), ann());
    let changed = patched(r#"{"email":"a@b","phone":null,"address":"Rome"}"#);
    assert_eq!(changed, Content { email: "a@b".into(), phone: String::new(), address: "Rome".into(), ..ann() });
    for body in [r#"{"name":null}"#, r#"{"email":null}"#] {
        let problem = Patch::parse(body.as_bytes()).unwrap_err();
        assert_eq!(problem.faults()[0].code, FieldCode::WrongType, "{body}");
    }
}

#[test]
fn a_password_is_no_part_of_what_replaces_or_changes_a_customer() {
    let body = r#"{"name":"Ann","email":"ann@example.com","password":"long enough"}"#;
    assert_eq!(refused(body), FieldCode::Unknown);
    let problem = Patch::parse(br#"{"password":"long enough"}"#).unwrap_err();
    assert_eq!((problem.kind(), problem.faults()[0].code), (Kind::ValidationFailed, FieldCode::Unknown));
}

#[test]
fn e_mail_addresses_have_one_at_sign_between_two_parts_without_spaces() {
    for email in ["a@b", "ann@example.com", "ann+shop@münchen.example", "\"x\"@[1.2.3.4]", "ann@example.com."] {
        assert!(is_email(email), "{email}");
    }
    for email in ["@@@", "a@", "@b", "abc", "a@b@c", "a b@c", "a@b\tc", "a\u{7f}@b", "a\u{a0}@b", " a@b", "a@b\n"] {
        assert!(!is_email(email), "{email:?}");
    }
}

#[test]
fn e_mail_addresses_and_phones_are_refused_by_length_and_form() {
    let of = |field: &str, text: &str| {
        let body = serde_json::json!({"name": "Ann", "email": "a@b", "phone": ""});
        let mut body = body.as_object().unwrap().clone();
        body.insert(field.to_owned(), text.into());
        refused(&serde_json::Value::Object(body).to_string())
    };
    assert_eq!(of("email", "@"), FieldCode::TooShort);
    assert_eq!(of("email", &format!("a@{}", "b".repeat(253))), FieldCode::TooLong);
    assert_eq!(of("email", "a b@c"), FieldCode::InvalidFormat);
    assert_eq!(of("phone", "+49 abc"), FieldCode::InvalidFormat);
    assert_eq!(of("phone", "\u{0661}"), FieldCode::InvalidFormat);
    assert_eq!(of("phone", &"1".repeat(41)), FieldCode::TooLong);
}

#[test]
fn a_password_is_in_no_debug_output() {
    let body = br#"{"name":"Ann","email":"ann@example.com","password":"correct horse"}"#;
    let registration = Registration::parse(body).unwrap();
    assert!(!format!("{registration:?}").contains("correct horse"));
}

#[test]
fn small_and_capital_letters_are_the_same_address() {
    for (one, other) in [("Ann@Example.COM", "aNN@eXAMPLE.com"), ("Ä@ß", "ä@SS"), ("οδος@x", "ΟΔΟΣ@X")] {
        assert_eq!(fold(one), fold(other));
    }
    assert_ne!(fold("a@b"), fold("ä@b"));
}

proptest! {
    /// The model looks at each character once.
    #[test]
    fn an_e_mail_address_is_judged_as_its_characters_say(text in "[a-cA-C@ .\t\u{e4}\u{a0}]{0,8}") {
        let at_signs: Vec<_> = text.char_indices().filter(|(_, c)| *c == '@').map(|(index, _)| index).collect();
        let expected = matches!(at_signs.as_slice(), [at] if *at > 0 && *at < text.len() - 1)
            && text.chars().all(|c| !matches!(c, ' ' | '\t' | '\u{a0}'));
        prop_assert_eq!(is_email(&text), expected);
    }

    #[test]
    fn an_address_that_is_folded_stays_as_it_is_whatever_its_letters_were(text in "\\PC{0,40}") {
        let folded = fold(&text);
        prop_assert_eq!(fold(&folded), folded.clone());
        prop_assert_eq!(fold(&text.to_uppercase()), folded);
    }
}
