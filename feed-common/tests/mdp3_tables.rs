//! The tables of CME MDP 3.0 against the schemas they were made from.
//!
//! The schemas are not part of the project. `FEED_CORPUS` names the folder that holds them; without it the test says so
//! and passes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_tables_are_what_the_schemas_give() {
    let Some(corpus) = std::env::var_os("FEED_CORPUS").map(PathBuf::from) else {
        return say("skipped: FEED_CORPUS not set");
    };
    let folder = corpus.join("cme_mdp3/templates");
    let entries = std::fs::read_dir(&folder).expect("the folder of schemas");
    let schemas: Vec<PathBuf> = entries.map(|e| e.expect("a schema").path()).collect();
    assert_eq!(schemas.len(), 5, "{}", folder.display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/sbe");
    let run = |options: &[&str], schemas: &[PathBuf]| {
        let run = Command::new("python3")
            .arg(&script)
            .arg("--check")
            .args(options)
            .args(schemas)
            .output();
        let run = run.expect("python3");
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        (run.status.code(), said)
    };
    assert_eq!(run(&[], &schemas), (Some(0), String::new()));
    for (i, schema) in schemas.iter().enumerate() {
        let (status, said) = run(&["--add"], std::slice::from_ref(schema));
        assert_eq!(
            status,
            Some(0),
            "what is there already adds nothing: {said}"
        );
        let twice = [&schemas[i..], std::slice::from_ref(schema)].concat();
        let (status, said) = run(&[], &twice);
        assert_eq!(status, Some(2), "one version twice: {said}");
    }
    let (status, said) = run(&[], &schemas[1..]);
    assert_eq!(status, Some(1), "{said}");
    let (status, said) = run(&["--add"], &[folder.join("none.xml")]);
    assert_eq!(status, Some(2), "{said}");
    say("the tables are what the five schemas give");
}

/// Prints a line that is seen also when the test passes: the harness swallows what the print macros write.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error");
}
