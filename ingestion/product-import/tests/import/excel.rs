//! Files as Excel writes them.

use serde_json::{Value, json};

use crate::world::{World, counts};

/// What every file says.
fn products() -> [Value; 2] {
    [
        json!({"name": "Käse", "description": "zwei\nZeilen", "price": "1234.50", "stock_quantity": 5}),
        json!({"name": "Brot; \"frisch\"", "price": "2.50", "category": "Bäckerei"}),
    ]
}

async fn assert_imported(name: &str, content: Vec<u8>, encoding: &str, delimiter: &str) {
    let world = World::new().await;
    let report = world.import_file(name, content).await;
    assert_eq!(world.gateway.made(), products(), "{name}");
    assert_eq!(counts(&report), [2, 2, 0, 0], "{name}");
    assert_eq!((&report["encoding"], &report["delimiter"]), (&json!(encoding), &json!(delimiter)), "{name}");
}

fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
}

/// "CSV UTF-8" where the comma is the decimal point: cells end with semicolons, and a cell's own line ends are LF.
const SEMICOLONS: &str = "name;description;price;category;stock_quantity\r\n\
    Käse;\"zwei\nZeilen\";1234,50;;5\r\n\
    \"Brot; \"\"frisch\"\"\";;2,50;Bäckerei;\r\n";

/// "Unicode text".
const TABS: &str = "name\tdescription\tprice\tcategory\tstock_quantity\r\n\
    Käse\t\"zwei\nZeilen\"\t1234.50\t\t5\r\n\
    \"Brot; \"\"frisch\"\"\"\t\t2.50\tBäckerei\t\r\n";

#[tokio::test]
async fn csv_with_semicolons_and_decimal_commas() {
    assert_imported("mark.csv", format!("\u{feff}{SEMICOLONS}").into(), "utf-8-bom", ";").await;
    assert_imported("plain.csv", SEMICOLONS.into(), "utf-8", ";").await;
}

#[tokio::test]
async fn csv_with_a_line_that_names_the_delimiter() {
    assert_imported("named.csv", format!("sep=;\r\n{SEMICOLONS}").into(), "utf-8", ";").await;
    let bars = SEMICOLONS.replace(';', "|").replace("Brot|", "Brot;").replace(",50", ".50");
    assert_imported("bars.csv", format!("\u{feff}sep=|\r\n{bars}").into(), "utf-8-bom", "|").await;
}

#[tokio::test]
async fn unicode_text_with_tabs() {
    assert_imported("tabs.txt", utf_16(TABS, u16::to_le_bytes), "utf-16le", "\t").await;
    assert_imported("big-endian.txt", utf_16(TABS, u16::to_be_bytes), "utf-16be", "\t").await;
}

#[tokio::test]
async fn old_files_of_a_mac_with_cr_alone() {
    let world = World::new().await;
    let report = world.import_file("mac.csv", "name,price\rLamp,19.90\r\rChair,\r").await;
    assert_eq!(counts(&report), [2, 1, 0, 1]);
    assert!(world.s3.errors("mac.csv").await.contains("4,required,"));
}

#[tokio::test]
async fn lines_are_counted_as_an_editor_shows_them() {
    let world = World::new().await;
    world.import_file("a.csv", format!("\u{feff}sep=;\r\n{SEMICOLONS}Obst;;;;\r\n")).await;
    // The first two lines, two records on three, then this one.
    assert_eq!(
        world.s3.errors("a.csv").await,
        "\u{feff}line;reason;detail;name;description;price;category;stock_quantity\r\n\
         6;required;price is required;Obst;;;;\r\n"
    );
}

#[tokio::test]
async fn half_a_character_of_utf_16_fails_its_row_alone() {
    let world = World::new().await;
    let mut text = utf_16("name\tprice\nLamp\t1\nX", u16::to_le_bytes);
    text.extend(0xd83e_u16.to_le_bytes());
    text.extend("\t2\nChair\t3\n".encode_utf16().flat_map(u16::to_le_bytes));
    let report = world.import_file("a.txt", text).await;
    assert_eq!((counts(&report), &report["reasons"]), ([3, 2, 0, 1], &json!({"not_utf8": 1})));
    assert_eq!(world.gateway.names(), ["Chair", "Lamp"]);
}
