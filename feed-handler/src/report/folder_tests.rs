use super::super::model::tests::sample;
use super::super::write_run;
use super::*;
use feed_common::latency::log::LogWriter;
use feed_common::latency::{Stage, StageSet};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let dir = std::env::temp_dir().join(format!("feed-folder-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Folder(dir)
    }

    /// A run of so many seconds, as it would be written.
    fn of_run(name: &str, seconds: u64) -> (Folder, RunReport) {
        let folder = Folder::new(name);
        let (report, log) = sample(seconds);
        write_run(&folder.0, &report).unwrap();
        folder.write(LOG, &log);
        (folder, report)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).unwrap();
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    #[track_caller]
    fn read(&self) -> Run {
        Run::read(&self.0, false).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_run_comes_back_as_it_was() {
    let (folder, report) = Folder::of_run("whole", 3);
    let run = folder.read();
    assert_eq!(run.damage, [""; 0]);
    assert_eq!(run.report, report);
    assert_eq!(run.report.timeline.len(), 3);
    assert_eq!(run.started, Some(UnixNanos(1_700_000_000_000_000_000)));
}

#[test]
fn without_a_summary_the_figures_are_those_of_the_log() {
    let (folder, report) = Folder::of_run("half", 2);
    let half = folder.bytes(SUMMARY);
    folder.write(SUMMARY, &half[..half.len() / 2]);
    let run = folder.read();
    assert_eq!(run.report.latency, report.latency);
    assert_eq!(run.report.curves, report.curves);
    assert_eq!(run.report.packets, 0);
    assert_eq!(run.damage.len(), 1);
    assert!(
        run.damage[0].starts_with("summary.json: EOF while parsing"),
        "{:?}",
        run.damage
    );
}

#[test]
fn a_damaged_log_gives_what_it_holds_and_is_named() {
    let (folder, report) = Folder::of_run("torn", 3);
    let log = folder.bytes(LOG);
    // In the middle of the last line.
    folder.write(LOG, &log[..log.len() - 100]);
    let run = folder.read();
    assert_eq!(run.report.latency, report.latency, "the summary's");
    assert_eq!(run.report.timeline.len(), 3);
    assert!(
        run.damage[0].starts_with("latency.hlog: line "),
        "{:?}",
        run.damage
    );
    assert!(
        run.damage[1].contains(" values of message"),
        "{:?}",
        run.damage
    );
    // At the end of a line nothing looks wrong, and the count tells.
    let end = log.len() - 2;
    let whole = log[..end].iter().rposition(|b| *b == b'\n').unwrap();
    folder.write(LOG, &log[..=whole]);
    let run = folder.read();
    assert_eq!(run.damage.len(), 1);
    assert!(
        run.damage[0].starts_with("latency.hlog: it holds "),
        "{:?}",
        run.damage
    );
    // Base64 that is none, and a payload of another magic number.
    let text = String::from_utf8(log).unwrap();
    let broken = text
        .replacen("HISTFA", "H!STFA", 1)
        .replacen("HISTFA", "AAAAAA", 1);
    folder.write(LOG, broken.as_bytes());
    let run = folder.read();
    assert!(
        run.damage[0].contains(
            "2 lines cannot be read, the first of them: line 6: the histogram is not base64"
        ),
        "{:?}",
        run.damage
    );
    // No log at all.
    fs::remove_file(folder.0.join(LOG)).unwrap();
    let run = folder.read();
    assert_eq!(run.report.latency, report.latency);
    assert!(run.report.curves.is_empty() && run.damage.len() == 1);
}

#[test]
fn what_is_no_run_is_refused() {
    let folder = Folder::new("none");
    let refused = |path: &Path| Run::read(path, true).expect_err("no run").to_string();
    assert!(
        refused(&folder.0).contains("nothing of a run can be read: summary.json: No such file")
    );
    assert!(refused(&folder.0.join("missing")).contains("No such file"));
    folder.write("file", b"");
    assert!(refused(&folder.0.join("file")).ends_with("not the folder of a run"));
    // Files with these names that hold something else.
    folder.write(SUMMARY, b"[1, 2");
    folder.write(LOG, b"\x7fELF\n\xff\xff\xff");
    let said = refused(&folder.0);
    assert!(
        said.contains("latency.hlog: 2 lines cannot be read"),
        "{said}"
    );
    // A folder where a file should be.
    fs::remove_file(folder.0.join(LOG)).unwrap();
    fs::create_dir(folder.0.join(LOG)).unwrap();
    assert!(refused(&folder.0).contains("latency.hlog: "));
}

#[test]
fn holes_are_on_the_time_line() {
    let (folder, _) = Folder::of_run("gaps", 2);
    let line = r#"{"time_ns":1700000000500000000,"late_ns":2000000,"lost":3,"channel":"c"}"#;
    folder.write(
        GAPS,
        format!("{line}\n{{\"time_ns\":\n{line}\n{{").as_bytes(),
    );
    let run = folder.read();
    let gap = GapPoint {
        opened: Duration::from_millis(500),
        length: Duration::from_millis(2),
        lost: 3,
    };
    assert_eq!(run.report.gaps, [gap, gap]);
    assert_eq!(run.damage.len(), 1);
    assert!(
        run.damage[0].starts_with("gaps.jsonl: 2 lines"),
        "{:?}",
        run.damage
    );
}

#[test]
fn sources_of_one_interval_are_one_point() {
    let mut set = StageSet::new(Resolution::default());
    let start = UnixNanos(1_700_000_000_000_000_000);
    let end = UnixNanos(start.0 + 1_000_000_000);
    let mut log = LogWriter::begin(Vec::new(), start, &[]).unwrap();
    for (lane, nanos) in [("lane0", 100), ("lane1", 900)] {
        set.reset();
        set.record(Stage::Decoded, nanos);
        log.write_set(&set, start, end, Some(lane)).unwrap();
    }
    let folder = Folder::new("sources");
    folder.write(LOG, &log.finish().unwrap());
    let report = folder.read().report;
    assert_eq!(report.timeline.len(), 1);
    let f = report.timeline[0].figures(Stage::Decoded).unwrap();
    assert_eq!((f.count, f.min, f.max), (2, 100, 900));
    assert_eq!(
        report.curves[0].points.len(),
        9,
        "two values, a third of a nine"
    );
}
