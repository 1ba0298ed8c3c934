use super::super::model::tests::sample;
use super::super::{Run, html, json, terminal, write_run};
use super::*;
use feed_common::latency::log::LogWriter;
use feed_common::latency::{Probe, Stage, recorder};
use feed_common::time::{Clock, Ticks, UnixNanos};

const START: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

/// Four intervals of a tenth of a second: in the second the machine paused for 3 ms and packets took that long, in the
/// third for 30 µs, in the last for 600 µs while a packet took 9 µs.
fn intervals() -> Vec<StageSet> {
    let stories: [(&[u64], &[u64]); 4] = [
        (&[], &[100, 200, 300]),
        (&[20_000, 3_000_000], &[400, 2_900_000]),
        (&[30_000], &[1_500]),
        (&[600_000], &[9_000]),
    ];
    let of = |(pauses, published): (&[u64], &[u64])| {
        let mut set = StageSet::new(Resolution::default());
        pauses.iter().for_each(|nanos| set.record_pause(*nanos));
        for nanos in published {
            set.record(Stage::Published, *nanos);
        }
        set
    };
    stories.into_iter().map(of).collect()
}

/// A run of these intervals, and its log.
fn run() -> (RunReport, Vec<u8>) {
    let (mut report, mut totals) = (
        RunReport::default(),
        StageTotals::new(Resolution::default()),
    );
    let mut calm = Calm::new(Resolution::default());
    let mut log = LogWriter::begin(Vec::new(), START, &[]).unwrap();
    for (i, set) in intervals().iter().enumerate() {
        totals.add(set);
        calm.take(set);
        let length = Duration::from_millis(100);
        let start = length * i as u32;
        report.push_interval(start, length, set);
        let at = |t: Duration| UnixNanos(START.0 + t.as_nanos() as u64);
        log.write_set(set, at(start), at(start + length), None)
            .unwrap();
    }
    report.set_latency(&totals);
    report.pauses = calm.beside(&totals);
    (report, log.finish().unwrap())
}

#[test]
fn intervals_with_a_long_pause_are_left_out() {
    let (report, _) = run();
    let pauses = report.pauses.unwrap();
    assert_eq!((pauses.count, pauses.intervals, pauses.left_out), (4, 4, 2));
    assert_eq!(pauses.lasted_ns, 3_650_000);
    let tails = pauses.tails.get("published").unwrap();
    // 100 200 300 | 400 2,900,000 | 1,500 | 9,000
    assert_eq!((tails.all.count, tails.calm.count), (7, 4));
    assert!((2_900_000..2_903_000).contains(&tails.all.p99));
    assert_eq!(tails.all.max, tails.all.p99);
    let calm = tails.calm;
    assert_eq!((calm.p99, calm.p999, calm.max), (1_500, 1_500, 1_500));
    assert_eq!(pauses.tails.iter().count(), 1);
}

#[test]
fn a_folder_says_the_same_with_its_summary_and_without() {
    let dir = std::env::temp_dir().join(format!("feed-pauses-{}", std::process::id()));
    let (report, log) = run();
    write_run(&dir, &report).unwrap();
    std::fs::write(dir.join("latency.hlog"), log).unwrap();
    let whole = Run::read(&dir, false).unwrap();
    std::fs::remove_file(dir.join("summary.json")).unwrap();
    let logged = Run::read(&dir, false).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(whole.damage, [""; 0]);
    assert_eq!(whole.report, report);
    assert_eq!(logged.report.timeline, report.timeline);
    let longest: Vec<u64> = report.timeline.iter().map(|p| p.pause_ns / 1_000).collect();
    assert_eq!(longest, [0, 3_000, 30, 600]);
    // The log has no time that was watched.
    let want = Pauses {
        lasted_ns: 0,
        ..report.pauses.unwrap()
    };
    assert_eq!(logged.report.pauses, Some(want));
}

#[test]
fn a_run_that_watched_nothing_says_nothing() {
    let (report, _) = sample(1);
    let mut set = StageSet::new(Resolution::default());
    set.record(Stage::Decoded, 5);
    let (mut totals, mut calm) = (
        StageTotals::new(Resolution::default()),
        Calm::new(Resolution::default()),
    );
    totals.add(&set);
    calm.take(&set);
    assert_eq!(calm.beside(&totals), None);
    assert!(!json::render(&report).contains("\"pauses\""));
    assert!(!terminal::render(&report).contains("Tails"));
    assert!(!html::render(&report).contains("pauses of the machine"));
}

#[test]
fn a_loop_that_was_watched_and_never_paused_is_said_to_be_so() {
    let clock = Clock::new();
    let (mut recorder, mut collector) = recorder::pair(Resolution::default(), clock.clone());
    let round = clock.scale().ticks(1_000);
    (1..=1_000).for_each(|i| recorder.polled(0, Ticks(i * round)));
    recorder.mark_at(Stage::Published, Ticks(1), Ticks(100));
    drop(recorder);
    let mut calm = Calm::new(Resolution::default());
    calm.take(collector.collect(Duration::ZERO).interval().unwrap());
    let pauses = calm.beside(collector.total()).unwrap();
    assert_eq!((pauses.count, pauses.intervals, pauses.left_out), (0, 1, 0));
    assert!(pauses.watched_ns.abs_diff(999_000) < 1_000);
    let said = said(&pauses);
    assert!(said[0].starts_with("The lanes' cores never paused; in all 0.0 % of the 999 µs"));
    assert!(said[1].starts_with("Calm leaves nothing out: none of 1 interval had"));
}

#[test]
fn every_form_of_the_report_has_them() {
    let (report, _) = run();
    let text = terminal::render(&report);
    let row = text
        .lines()
        .find(|l| l.starts_with("  published  2.90 ms"))
        .unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    let want = "published 2.90 ms 1.50 µs 2.90 ms 1.50 µs 2.90 ms 1.50 µs";
    assert_eq!(cells.join(" "), want);
    for said in [
        "The lanes' cores paused 4 times for more than 2.00 µs: half of it up to 30.0 µs",
        "Calm leaves out 2 of 4 intervals, in which there was a pause of 500 µs or longer",
    ] {
        assert!(text.contains(said), "{said} in\n{text}");
    }
    let page = html::render(&report);
    assert!(page.contains("<h2>Pauses of the machine</h2>"));
    // Two intervals of four are marked, in the picture for desks and in that for phones.
    assert_eq!(page.matches("class=\"gap paused\"").count(), 4);
    let mut rows = Vec::new();
    super::rows(&report, |what, stage, figure, value| {
        rows.push(format!("{what},{stage},{figure},{value}"));
    });
    for row in [
        "pauses,,count,4",
        "intervals_left_out,,count,2",
        "calm,published,p99.9,1500",
    ] {
        assert!(rows.iter().any(|r| r == row), "{row} in {rows:?}");
    }
}
