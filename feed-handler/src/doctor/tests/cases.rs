//! A table of changes to the tuned machine's files, and what is said of each.

use super::super::Status;
use super::tree::{Tree, find};

/// What is written where (nothing: taken away), the check that sees it, its status, and parts of its reason and fix.
pub type Case = (
    &'static [(&'static str, Option<&'static str>)],
    &'static str,
    Status,
    &'static str,
    &'static str,
);

#[track_caller]
pub fn hold(cases: &[Case]) {
    for (files, name, status, reason, fix) in cases {
        let tree = Tree::tuned();
        for (path, content) in *files {
            match content {
                Some(content) => tree.write(path, content),
                None => tree.remove(path),
            }
        }
        let checks = tree.examine();
        let check = find(&checks, name);
        assert_eq!(check.status, *status, "{check:?} after {files:?}");
        assert!(check.reason.contains(reason), "no `{reason}` in {check:?}");
        match fix.is_empty() {
            true => assert_eq!(check.fix, "", "{check:?}"),
            false => assert!(check.fix.contains(fix), "no `{fix}` in {check:?}"),
        }
    }
}
