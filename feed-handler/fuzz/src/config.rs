//! Configuration files.

use feed_handler::config::parse;
use std::path::Path;

/// A plan, written out, is the same plan; a refusal can be printed.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let path = Path::new("feed.toml");
    match parse(text, path) {
        Ok(plan) => {
            let written = plan.to_toml().expect("names that came from TOML fit in it");
            assert_eq!(parse(&written, path).expect("our own"), plan, "{written}");
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}
