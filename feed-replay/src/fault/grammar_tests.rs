use super::super::{LineFaults, ServerFaults, SessionFaults};
use super::*;
use proptest::prelude::*;

fn line(text: &str) -> LineFaults {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn rate(n: u32) -> Rate {
    Rate::per_billion(n).unwrap()
}

#[test]
fn every_fault_of_a_line_is_read() {
    let read = line(
        " loss=1% burst=3  dup=0.1% reorder=5 delay=0..200us\tskew=50us corrupt=0.01% silence=2s@10s silence=1ms@1min ",
    );
    let silence = |length, at| Silence { at, length };
    assert_eq!(
        read,
        LineFaults {
            loss: rate(10_000_000),
            burst: 3,
            silences: vec![
                silence(2_000_000_000, 10_000_000_000),
                silence(1_000_000, 60_000_000_000)
            ],
            corrupt: rate(100_000),
            dup: rate(1_000_000),
            reorder: Reorder {
                rate: Rate::ALWAYS,
                by: 5
            },
            delay: Spread {
                low: 0,
                high: 200_000
            },
            skew: 50_000,
        }
    );
    assert_eq!(
        read.to_string(),
        "loss=1% burst=3 silence=2s@10s silence=1ms@1min corrupt=0.01% dup=0.1% reorder=5 delay=0..200us skew=50us"
    );
    assert_eq!(line(""), LineFaults::default());
    assert_eq!(LineFaults::default().to_string(), "");
    assert_eq!(
        line("reorder=0.5%x7").reorder,
        Reorder {
            rate: rate(5_000_000),
            by: 7
        }
    );
}

#[test]
fn a_time_may_be_one_or_a_range_with_one_unit_or_two() {
    let delay = |text: &str| {
        let delay = line(&format!("delay={text}")).delay;
        (delay.low, delay.high)
    };
    assert_eq!(delay("50us"), (50_000, 50_000));
    assert_eq!(delay("10..200us"), (10_000, 200_000));
    assert_eq!(delay("500ns..1us"), (500, 1_000));
    assert_eq!(line("delay=10..200us").to_string(), "delay=10us..200us");
    assert_eq!(line("delay=7ns..7ns").to_string(), "delay=7ns");
}

#[test]
fn faults_of_servers_and_sessions_are_read() {
    let text = "refuse=10% late=0..5ms wrong=1% loss=2% close=0.5% trickle=10ms";
    let read: ServerFaults = text.parse().unwrap();
    assert_eq!(read.to_string(), text);
    assert_eq!(
        (read.refuse, read.late.high),
        (rate(100_000_000), 5_000_000)
    );
    assert_eq!(
        (read.wrong, read.loss),
        (rate(10_000_000), rate(20_000_000))
    );
    assert_eq!((read.close, read.trickle), (rate(5_000_000), 10_000_000));
    let read: SessionFaults = "restart@30s restart@1min".parse().unwrap();
    assert_eq!(read.restarts, [30_000_000_000, 60_000_000_000]);
    assert_eq!(read.to_string(), "restart@30s restart@1min");
}

#[test]
fn errors_say_where_and_what_was_expected() {
    let error = |text: &str| text.parse::<LineFaults>().unwrap_err();
    let names =
        "expected a fault of a line: loss, burst, silence, corrupt, dup, reorder, delay, skew";
    let cases: &[(&str, usize, &str)] = &[
        ("los=1%", 0, names),
        ("loss=1% refuse=1%", 8, names),
        ("loss=1% 5", 8, names),
        ("loss=1% ,", 8, names),
        ("Loss=1%", 0, names),
        ("loss", 4, "found the end, expected `=` and a value"),
        ("loss 1%", 4, "found \"1%\", expected `=` and a value"),
        ("loss= 1%", 5, "found \"1%\", expected a rate"),
        ("loss=", 5, "found the end, expected a rate from 0% to 100%"),
        ("dup=1% loss=1", 12, "found \"1\", expected a rate"),
        ("loss=1%x", 5, "expected a rate"),
        ("loss=101%", 5, "expected a rate"),
        ("loss=100.1%", 5, "expected a rate"),
        ("loss=-1%", 5, "expected a rate"),
        ("loss=1.%", 5, "expected a rate"),
        ("loss=0.00000001%", 5, "expected a rate"),
        ("loss=99999999999999999999%", 5, "expected a rate"),
        ("loss=1%  loss=2%", 14, "`loss` is said twice"),
        (
            "loss=1% burst=3.5",
            14,
            "expected a number of packets such as 3",
        ),
        ("loss=1% burst=1", 14, "`burst` is 1: expected 2 to 10000"),
        ("burst=3", 6, "expected `loss` beside it"),
        (
            "loss=80% burst=3",
            5,
            "bursts of 3 leave no room for 80%: expected at most 75%",
        ),
        ("delay=5", 6, "expected a time such as 50us"),
        ("delay=5..3us", 6, "to a longer one"),
        ("delay=5us..3", 6, "expected a time"),
        ("delay=5 us", 6, "found \"5\", expected a time"),
        ("delay=2h", 6, "`delay` is 2h: expected at most 1min"),
        ("skew=61s", 5, "`skew` is 61s: expected at most 1min"),
        ("skew=99999999999h", 5, "expected a time"),
        ("silence=2s", 8, "such as 2s@10s"),
        ("reorder=0", 8, "`reorder` is 0: expected 1 to 1000"),
        ("reorder=1%", 8, "such as 1%x5"),
        ("reorder=1%x", 8, "such as 1%x5"),
        ("loss=1% µ=3", 8, names),
    ];
    for (text, at, message) in cases {
        let e = error(text);
        assert_eq!(e.at, *at, "{text}: {e}");
        assert!(e.message.contains(message), "{text}: {e}");
        assert_eq!(e.to_string(), format!("column {}: {}", at + 1, e.message));
    }
    let many = "silence=1s@1s ".repeat(17);
    assert_eq!(error(&many).message, "more than 16 silences");
    let error = |text: &str| text.parse::<SessionFaults>().unwrap_err();
    assert_eq!(error("restart=30s").at, 7);
    assert!(
        error("loss=1%")
            .message
            .contains("a fault of a session: restart")
    );
    let e = error("restart@30s restart@30s");
    assert!(
        e.at == 20 && e.message.contains("expected a later one"),
        "{e}"
    );
    let error = |text: &str| text.parse::<ServerFaults>().unwrap_err();
    assert!(error("late=61s").message.contains("at most 1min"));
    assert!(error("trickle=2s").message.contains("at most 1s"));
}

prop_compose! {
    fn rates()(n in prop_oneof![Just(0), 0..=1_000_000_000u32, (0..=1_000u32).prop_map(|n| n * 1_000_000)]) -> Rate {
        rate(n)
    }
}

prop_compose! {
    fn spreads(most: u64)(a in 0..=most, b in 0..=most, coarse in any::<bool>(), one in any::<bool>()) -> Spread {
        let unit = if coarse { 1_000 } else { 1 };
        let (low, high) = (a.min(b) / unit * unit, a.max(b) / unit * unit);
        Spread { low: if one { high } else { low }, high }
    }
}

prop_compose! {
    fn line_faults()(
        loss in rates(),
        burst in 2..=10_000u32,
        silences in prop::collection::vec((any::<u64>(), any::<u64>()), 0..4),
        corrupt in rates(),
        dup in rates(),
        some in rates(),
        by in 0..=1_000u64,
        delay in spreads(60_000_000_000),
        skew in 0..=60_000_000_000u64,
    ) -> LineFaults {
        LineFaults {
            burst: if (1..=600_000_000).contains(&loss.billionths()) { burst } else { 0 },
            loss,
            silences: silences.into_iter().map(|(at, length)| Silence { at, length }).collect(),
            corrupt,
            dup,
            reorder: if by == 0 { Reorder::default() } else { Reorder { rate: some, by } },
            delay,
            skew,
        }
    }
}

prop_compose! {
    fn server_faults()(
        rates in [rates(), rates(), rates(), rates()],
        late in spreads(60_000_000_000),
        trickle in 0..=1_000_000_000u64,
    ) -> ServerFaults {
        let [refuse, wrong, loss, close] = rates;
        ServerFaults { refuse, late, wrong, loss, close, trickle }
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(line in line_faults(), server in server_faults()) {
        prop_assert_eq!(line.to_string().parse(), Ok(line));
        prop_assert_eq!(server.to_string().parse(), Ok(server));
    }

    #[test]
    fn any_text_is_read_or_refused_within_it(text in "[a-z0-9=%.@x \\-µ]{0,40}") {
        for e in [
            text.parse::<LineFaults>().err(),
            text.parse::<ServerFaults>().err(),
            text.parse::<SessionFaults>().err(),
        ].into_iter().flatten() {
            prop_assert!(e.at <= text.len() && !e.message.is_empty());
        }
    }
}
