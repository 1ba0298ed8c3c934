use super::*;
use crate::packet::RxMeta;
use crate::time::{CardNanos, FitLine, shared_line};
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

/// A packet received at the tick 1,000,000, which is [`SEEN`] of a half a nanosecond a tick.
fn received(kernel: u64) -> RxMeta {
    RxMeta {
        rx: Ticks(1_000_000),
        kernel: UnixNanos(kernel),
        ..RxMeta::default()
    }
}

const SEEN: u64 = 5_000_000_000;

fn figure(set: &StageSet, stage: Stage) -> (u64, u64, u64) {
    let h = set.histogram(stage).unwrap();
    (h.len(), h.max(), set.backwards(stage))
}

#[test]
fn stamps_of_kernel_and_exchange_are_compared_by_the_fitted_line() {
    let (recorder, mut collector) = new();
    let (mut writer, fit) = shared_line();
    let mut recorder = recorder.with_fit(fit);
    let unknown = UnixNanos::UNKNOWN;
    recorder.received(&received(SEEN - 10), UnixNanos(SEEN - 10));
    writer.publish(FitLine::new(Ticks(1_000_000), UnixNanos(SEEN), 0.5));
    recorder.housekeep();
    recorder.received(&received(SEEN - 1_500), UnixNanos(SEEN - 2_000));
    recorder.received(&received(SEEN + 300), unknown);
    recorder.received(&received(0), UnixNanos(SEEN + 1));
    recorder.received(&received(0), UnixNanos(u64::MAX));
    drop(recorder);
    let set = collector.collect(Duration::ZERO).interval().expect("last");
    assert_eq!(figure(set, Stage::Receive), (1, 1_500, 1));
    assert_eq!(figure(set, Stage::Exchange), (1, 2_000, 2));
    assert_eq!(figure(set, Stage::Card), (0, 0, 0));
}

#[test]
fn a_card_is_compared_by_the_line_of_its_own_clock() {
    let (recorder, mut collector) = new();
    let (mut writer, fit) = shared_line();
    let (mut card_writer, card_fit) = shared_line();
    let mut recorder = recorder.with_fit(fit);
    recorder.follow_cards(vec![None, Some(card_fit)]);
    writer.publish(FitLine::new(Ticks(1_000_000), UnixNanos(SEEN), 0.5));
    // A clock that counts from its own start.
    card_writer.publish(FitLine::new(Ticks(1_000_000), UnixNanos(40_000), 0.5));
    recorder.housekeep();
    let stamped = |line, card| RxMeta {
        line,
        card: CardNanos(card),
        ..received(SEEN - 1_500)
    };
    let unknown = UnixNanos::UNKNOWN;
    recorder.received(&stamped(1, 38_200), unknown);
    recorder.received(&stamped(1, 40_001), unknown);
    recorder.received(&stamped(1, 0), unknown);
    // Lines whose card's clock nobody follows.
    recorder.received(&stamped(0, 38_000), unknown);
    recorder.received(&stamped(2, 38_000), unknown);
    drop(recorder);
    let set = collector.collect(Duration::ZERO).interval().expect("last");
    assert_eq!(figure(set, Stage::Card), (1, 1_800, 1));
    assert_eq!(figure(set, Stage::Receive), (5, 1_500, 0));
}

#[test]
fn a_line_that_is_there_is_known_from_the_first_packet_on() {
    let (recorder, mut collector) = new();
    let (mut writer, fit) = shared_line();
    writer.publish(FitLine::new(Ticks(1_000_000), UnixNanos(SEEN), 0.5));
    let mut recorder = recorder.with_fit(fit.clone());
    recorder.follow_cards(vec![Some(fit)]);
    let meta = RxMeta {
        card: CardNanos(SEEN - 200),
        ..received(SEEN - 100)
    };
    recorder.received(&meta, UnixNanos::UNKNOWN);
    drop(recorder);
    let set = collector.collect(Duration::ZERO).interval().expect("last");
    assert_eq!(figure(set, Stage::Receive), (1, 100, 0));
    assert_eq!(figure(set, Stage::Card), (1, 200, 0));
}

#[test]
fn from_a_file_the_exchange_is_compared_with_the_capture_alone() {
    let (recorder, mut collector) = new();
    let mut recorder = recorder.of_capture();
    recorder.received(&received(SEEN), UnixNanos(SEEN - 700));
    recorder.received(&received(SEEN), UnixNanos(SEEN + 700));
    recorder.received(&received(0), UnixNanos(SEEN));
    drop(recorder);
    let set = collector.collect(Duration::ZERO).interval().expect("last");
    assert_eq!(figure(set, Stage::Exchange), (1, 700, 1));
    assert_eq!(figure(set, Stage::Receive), (0, 0, 0));
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
