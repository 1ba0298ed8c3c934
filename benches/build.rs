//! Says which compiler builds the benchmarks: instruction counts are held against those of the same one.

use std::env;
use std::process::Command;

fn main() {
    let rustc = env::var("RUSTC").expect("cargo says it");
    let said = Command::new(rustc).arg("--version").output();
    let said = said.expect("the compiler that is building this").stdout;
    let version = String::from_utf8(said).expect("a version in UTF-8");
    println!("cargo::rustc-env=BENCHES_RUSTC={}", version.trim());
    println!("cargo::rerun-if-changed=build.rs");
}
