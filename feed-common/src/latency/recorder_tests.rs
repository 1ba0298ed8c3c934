use super::*;
use crate::time::{FitLine, shared_line};
use std::sync::atomic::{AtomicBool, Ordering};

fn new() -> (StageRecorder, Collector) {
    pair(Resolution::default(), Clock::new())
}

#[test]
fn marks_end_up_in_the_interval_and_the_total() {
    let (mut recorder, mut collector) = new();
    let rx = recorder.now();
    recorder.mark(Stage::Dequeue, rx);
    recorder.span(Stage::Message, 77);
    collector.ask();
    recorder.housekeep();
    recorder.span(Stage::Message, 78);
    let set = collector.collect(Duration::ZERO).interval().expect("asked");
    assert_eq!(set.histogram(Stage::Dequeue).unwrap().len(), 1);
    assert_eq!(set.histogram(Stage::Message).unwrap().max(), 77);
    let (opened, closed) = set.interval();
    assert!(opened <= rx && rx < closed);
    drop(recorder);
    let Collected::Last(rest) = collector.collect(Duration::ZERO) else {
        panic!("the recorder has ended");
    };
    assert_eq!(rest.histogram(Stage::Message).unwrap().max(), 78);
    assert_eq!(rest.interval().0, closed, "intervals touch");
    assert_eq!(collector.total().quantiles(Stage::Message).count, 2);
    assert!(collector.is_over());
    assert!(matches!(collector.collect(Duration::ZERO), Collected::Over));
}

#[test]
fn a_recorder_that_does_not_poll_is_late_and_loses_nothing() {
    let (mut recorder, mut collector) = new();
    recorder.span(Stage::Decoded, 1);
    for _ in 0..3 {
        assert!(matches!(
            collector.collect(Duration::from_millis(1)),
            Collected::Late
        ));
    }
    recorder.span(Stage::Decoded, 2);
    recorder.housekeep();
    // It answers and ends before anyone collects: both sets must come, as one last interval.
    recorder.span(Stage::Decoded, 3);
    drop(recorder);
    let set = collector.collect(Duration::ZERO).interval().expect("last");
    assert_eq!(set.histogram(Stage::Decoded).unwrap().len(), 3);
    assert!(collector.is_over());
}

#[test]
fn receive_is_recorded_across_the_clocks() {
    let (recorder, mut collector) = new();
    let (mut writer, fit) = shared_line();
    let mut recorder = recorder.with_fit(fit);
    let rx = Ticks(1_000_000);
    let kernel = |nanos: i64| UnixNanos(5_000_000_000u64.saturating_add_signed(-nanos));
    recorder.received(rx, kernel(10));
    writer.publish(FitLine::new(rx, UnixNanos(5_000_000_000), 0.5));
    recorder.housekeep();
    recorder.received(rx, kernel(1_500));
    recorder.received(rx, kernel(-300));
    recorder.received(rx, UnixNanos::UNKNOWN);
    drop(recorder);
    let set = collector.collect(Duration::ZERO).interval().expect("last");
    let h = set.histogram(Stage::Receive).unwrap();
    assert_eq!((h.len(), h.max()), (1, 1_500));
    assert_eq!(set.backwards(), 1);
}

#[test]
fn a_collector_may_go_first() {
    let (mut recorder, mut collector) = new();
    collector.ask();
    drop(collector);
    recorder.housekeep();
    recorder.span(Stage::Taken, 5);
    drop(recorder);
}

/// A hot thread records while a cold one collects as fast as it can: the sum is exact.
#[test]
fn nothing_is_lost_between_intervals() {
    const VALUES: u64 = 400_000;
    let (mut recorder, mut collector) = new();
    let done = Arc::new(AtomicBool::new(false));
    let hot = {
        let done = done.clone();
        std::thread::spawn(move || {
            for i in 0..VALUES {
                recorder.record(Stage::Published, i % 1_000 + 1);
                if i % 16 == 0 {
                    recorder.housekeep();
                }
                if i % 10_000 == 0 {
                    std::thread::yield_now();
                }
            }
            done.store(true, Ordering::Release);
        })
    };
    let (mut sum, mut intervals) = (0, 0);
    let give_up = Instant::now() + Duration::from_secs(60);
    while !collector.is_over() && Instant::now() < give_up {
        if let Some(set) = collector.collect(Duration::from_millis(100)).interval() {
            sum += set.histogram(Stage::Published).unwrap().len();
            intervals += 1;
        }
    }
    hot.join().expect("recorder");
    assert!(done.load(Ordering::Acquire));
    let total = collector.total().quantiles(Stage::Published);
    assert_eq!((sum, total.count), (VALUES, VALUES));
    assert_eq!((total.min, total.p50, total.max), (1, 500, 1_000));
    assert!(intervals > 1, "only the remainder was delivered");
}

#[test]
fn channels_have_their_part_of_what_is_published() {
    let clock = Clock::new();
    let (mut recorder, mut collector, mut channels) =
        pair_by_channel(Resolution::default(), clock, 2);
    let mark = |recorder: &mut StageRecorder, channel, times| {
        recorder.turn_to(channel);
        for _ in 0..times {
            recorder.mark_at(Stage::Decoded, Ticks(0), Ticks(1_000));
            recorder.mark_at(Stage::Published, Ticks(0), Ticks(1_000));
        }
    };
    mark(&mut recorder, 0, 3);
    mark(&mut recorder, 1, 5);
    channels.iter_mut().for_each(Collector::ask);
    collector.ask();
    assert!(recorder.housekeep());
    mark(&mut recorder, 1, 7);
    let published = |set: &StageSet| set.histogram(Stage::Published).unwrap().len();
    let wait = Duration::from_secs(1);
    assert_eq!(collector.collect(wait).interval().map(published), Some(8));
    let parts = channels.iter_mut().map(|c| {
        let set = c
            .collect(Duration::ZERO)
            .interval()
            .expect("answered with the lane's");
        assert!(set.histogram(Stage::Decoded).unwrap().is_empty());
        published(set)
    });
    assert_eq!(parts.collect::<Vec<_>>(), [3, 5]);
    // What is left comes when the recorder ends.
    drop(recorder);
    assert_eq!(collector.collect(wait).interval().map(published), Some(7));
    let rest = channels
        .iter_mut()
        .map(|c| c.collect(wait).interval().map(published));
    assert_eq!(rest.collect::<Vec<_>>(), [Some(0), Some(7)]);
}
