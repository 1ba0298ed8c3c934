//! Instructions of hot functions, held against the committed baseline: `scripts/bench gate [--renew]`.
//!
//! Status 0: none is heavier than the tolerance; 1: one is, or the baseline has other functions; 2: nothing was counted.
//! With `--renew` what was counted becomes the baseline, to be committed with the change that is the reason.

use benches::gate::baseline::tolerance;
use benches::gate::{Baseline, Line, RUSTC, Verdict, compare, counted, valgrind};
use feed_common::prices::Path;
use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [valgrind::RUN] => {
            run_functions();
            Ok(ExitCode::SUCCESS)
        }
        [] => gate(),
        ["--renew"] => renew(),
        _ => Err("usage: gate [--renew]".into()),
    };
    done.unwrap_or_else(|error: String| {
        eprintln!("gate: {error}");
        ExitCode::from(2)
    })
}

/// What runs under callgrind.
fn run_functions() {
    counted::each(|mut function| {
        function.run();
        let listing = valgrind::listing(function.name, function.things, function.per);
        println!("{listing}");
    });
}

fn gate() -> Result<ExitCode, String> {
    let path = Baseline::path();
    let named = |e: String| format!("{}: {e}", path.display());
    let text = fs::read_to_string(&path).map_err(|e| named(e.to_string()))?;
    let baseline = Baseline::parse(&text).map_err(named)?;
    let tolerance = tolerance(&baseline, RUSTC);
    let now = count()?;
    let has_avx2 = Path::best() == Path::Avx2;
    let excused = |name: &str| !has_avx2 && name.ends_with("AVX2");
    let lines = compare(&baseline, &now, tolerance, excused);
    print(&lines);
    if baseline.rustc != RUSTC {
        println!(
            "The baseline is of {}, this is {RUSTC}: {:.0} % are let through. Renew it.",
            baseline.rustc,
            tolerance * 100.0
        );
    }
    let of = |verdict| lines.iter().filter(move |line| line.verdict == verdict);
    if of(Verdict::Lighter).next().is_some() {
        println!("Lighter than the baseline says. Renew it: scripts/bench gate --renew");
    }
    let failing = lines.iter().filter(|line| line.verdict.fails()).count();
    if failing == 0 {
        println!(
            "No function is heavier by more than {:.0} %.",
            tolerance * 100.0
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{failing} of {} functions heavier by more than {:.0} %, or not in both. If that is meant: scripts/bench gate --renew",
        lines.len(),
        tolerance * 100.0
    );
    Ok(ExitCode::FAILURE)
}

fn renew() -> Result<ExitCode, String> {
    if Path::best() != Path::Avx2 {
        return Err("a baseline is of a machine with AVX2, which this is not".into());
    }
    let baseline = Baseline {
        rustc: RUSTC.into(),
        counts: count()?,
    };
    let written = baseline.write();
    written.map_err(|e| format!("{}: {e}", Baseline::path().display()))?;
    print(&compare(&baseline, &baseline.counts, 0.0, |_| false));
    println!("written to {}", Baseline::path().display());
    Ok(ExitCode::SUCCESS)
}

fn count() -> Result<Vec<benches::gate::Count>, String> {
    if cfg!(debug_assertions) {
        return Err("this is not a release build".into());
    }
    valgrind::count()
}

fn print(lines: &[Line]) {
    println!(
        "{:48} {:8} {:>9} {:>9} {:>8}",
        "instructions", "for each", "baseline", "now", "change"
    );
    let figure = |f: Option<f64>| f.map_or("-".into(), |f| format!("{f:.2}"));
    for line in lines {
        let change = line.change().map(|c| format!("{:+.2} %", c * 100.0));
        let said = match line.verdict {
            Verdict::Same => "",
            Verdict::Heavier => "HEAVIER",
            Verdict::Lighter => "lighter",
            Verdict::Unknown => "NOT IN THE BASELINE",
            Verdict::Missing => "NOT COUNTED",
        };
        let row = format!(
            "{:48} {:8} {:>9} {:>9} {:>8}  {said}",
            line.name,
            line.per,
            figure(line.baseline),
            figure(line.now),
            change.unwrap_or("-".into())
        );
        println!("{}", row.trim_end());
    }
}
