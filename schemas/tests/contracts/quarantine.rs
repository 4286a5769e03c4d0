//! `Original`: a record's bytes inside an envelope.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proptest::prelude::*;
use schemas::quarantine::Original;

use crate::fixtures::cases;

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn no_byte_of_a_record_is_lost(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        any::<String>().prop_map(String::into_bytes),
    ]) {
        let original = Original::whole(Some(&bytes));
        let kept = match (&original.text, &original.base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(base64)) => BASE64_STANDARD.decode(base64).unwrap(),
            other => panic!("kept as {other:?}"),
        };
        prop_assert_eq!(kept, bytes);
        prop_assert_eq!((original.original_length, original.original_sha256), (None, None));
    }
}

#[test]
fn text_is_kept_as_text_and_other_bytes_in_base64() {
    assert_eq!(Original::whole(Some(b"{}")).text.as_deref(), Some("{}"));
    assert_eq!(Original::whole(Some(b"\xff")).base64.as_deref(), Some("/w=="));
}

#[test]
fn no_value_and_an_empty_value_differ() {
    assert_eq!(Original::whole(None).text, None);
    assert_eq!(Original::whole(Some(b"")).text.as_deref(), Some(""));
}

#[test]
fn a_cut_inside_of_a_character_is_kept_in_base64() {
    let original = Original::cut(&"é".as_bytes()[..1], 70_000, "0".repeat(64));
    assert_eq!((original.text, original.base64.as_deref()), (None, Some("ww==")));
    assert_eq!(original.original_length, Some(70_000));
}
