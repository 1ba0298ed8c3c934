//! The table of protocols in README is the one the program prints.

use super::support::feed_handler;

#[test]
fn readme_has_the_table_that_the_program_prints() {
    let ended = feed_handler(&["protocols", "--format", "markdown"]);
    let printed = &ended.is_quiet().out;
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    assert!(
        readme.contains(printed.as_str()),
        "README lacks the output of `feed-handler protocols --format markdown`:\n{printed}"
    );
}
