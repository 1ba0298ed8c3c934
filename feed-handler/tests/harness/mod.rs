//! Tests in a private network namespace. It has to be entered before any thread starts, which the standard harness cannot.

use feed_handler::net::{NamespaceError, enter_private};
use std::panic::catch_unwind;

/// A test and its name.
pub type Test = (&'static str, fn());

/// Runs the tests whose names contain the first argument, one after the other, and ends the process. Where the system
/// does not allow a namespace, it says that nothing was tested.
pub fn run(suite: &str, tests: &[Test]) {
    match enter_private() {
        Ok(_) => {}
        Err(e @ NamespaceError::Refused(_)) => {
            println!("{suite}: SKIPPED, nothing tested: {e}");
            return;
        }
        Err(e) => panic!("{e}"),
    }
    let filter = std::env::args()
        .skip(1)
        .find(|a| !a.starts_with('-'))
        .unwrap_or_default();
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in tests.iter().filter(|(name, _)| name.contains(&filter)) {
        let ok = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        *(if ok { &mut passed } else { &mut failed }) += 1;
    }
    println!("{suite}: {passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0));
}
