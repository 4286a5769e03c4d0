//! What the guide says is what the import does.

use std::path::Path;

use schemas::FieldCode;

use crate::world::{World, counts};

fn page(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(path)).unwrap()
}

#[tokio::test]
async fn the_template_can_be_imported_as_it_is() {
    let world = World::new().await;
    let report = world.import_file("products.csv", page("templates/products.csv")).await;
    let [read, created, ..] = counts(&report);
    assert!(read > 1 && created == read, "{report}");
    assert_eq!(report["ignored_columns"], serde_json::json!([]));
}

#[test]
fn the_guide_explains_every_code_of_files() {
    let guide = page("guides/import-products.md");
    let explained: Vec<_> = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    for code in FieldCode::FILES {
        assert_eq!(explained.iter().filter(|explained| **explained == code.code()).count(), 1, "{code}");
    }
}
