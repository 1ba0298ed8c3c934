//! Configurations as a user meets them: the documented example, and what each mistake is answered with.

use feed_common::time::Zone;
use feed_handler::book::BookLimits;
use feed_handler::config::{
    self, Believed, BookKeep, ByteSize, JournalSync, LaneThreads, Plan, ProtocolName,
    SharedMemoryPlan, TimeSpan, Timestamps, defaults,
};
use feed_handler::net::Interface;
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;

const EXAMPLE: &str = include_str!("../../docs/feed.toml");

/// The shortest configuration that is one.
const SHORT: &str = r#"
[[lane]]
name = "l"

[[channel]]
name = "c"
protocol = "native"
lane = "l"
lines = [{ name = "A", group = "239.1.1.1:5000", interface = "lo" }]
"#;

fn parse(text: &str) -> Result<Plan, String> {
    config::parse(text, Path::new("feed.toml")).map_err(|e| e.to_string())
}

/// The messages that `SHORT` with one piece replaced is answered with.
fn refused(from: &str, to: &str) -> Vec<String> {
    assert_eq!(SHORT.matches(from).count(), 1, "{from:?} must occur once");
    let text = SHORT.replace(from, to);
    let message = parse(&text).expect_err(&text);
    message.lines().map(str::to_owned).collect()
}

#[test]
fn the_example_says_what_it_says() {
    let plan = parse(EXAMPLE).unwrap();
    assert_eq!(plan.session.date.unwrap().to_string(), "2026-11-20");
    assert_eq!(plan.session.zone, Some(Zone::UsEastern));
    assert!(plan.lock_memory && !parse(SHORT).unwrap().lock_memory);
    let shared = plan.shared_memory.as_ref().unwrap();
    assert_eq!(shared.file("options"), Path::new("/dev/shm/feed/options"));
    assert_eq!((shared.instruments, shared.mode), (65_536, 0o640));
    assert_eq!(shared.group.as_deref(), Some("0"));
    assert_eq!(parse(SHORT).unwrap().shared_memory, None);
    assert_eq!(plan.lanes.len(), 2);
    let lane = &plan.lanes[0];
    assert_eq!(
        (lane.name.as_str(), lane.protocol),
        ("equities", ProtocolName::Itch50)
    );
    assert_eq!(
        lane.threads,
        LaneThreads::Two {
            receive_core: Some(2),
            decode_core: Some(3)
        }
    );
    assert_eq!(
        (lane.priority, lane.batch, lane.socket_buffer),
        (Some(50), 32, 8 << 20)
    );
    assert_eq!((lane.ring_slots, lane.slot_bytes), (4096, 2048));
    let lines: Vec<_> = lane
        .lines()
        .map(|(c, l)| (c, l.name.as_str(), &l.address))
        .collect();
    assert_eq!((lines[1].0, lines[1].1), (0, "B"));
    assert_eq!(lines[1].2.group.to_string(), "239.192.1.2:26477");
    assert_eq!(
        lines[1].2.interface,
        Some(Interface::Address([10, 0, 0, 7].into()))
    );
    assert_eq!(lines[1].2.source, Some([10, 0, 0, 99].into()));
    assert_eq!(plan.lanes[1].timestamps, Timestamps::User);
    assert_eq!(plan.lanes[1].threads, LaneThreads::One { core: Some(4) });
    let channels: Vec<_> = plan
        .channels()
        .map(|(lane, c)| (lane, c.name.as_str()))
        .collect();
    assert_eq!(channels, [(0, "itch"), (1, "calls")]);
    assert_eq!(plan.consumers[0].lanes, [0]);
    let symbols: Vec<_> = plan.symbols.iter().map(|g| g.as_str()).collect();
    assert_eq!(symbols, ["A*", "MSFT"]);
    assert_eq!(plan.control.as_deref(), Some(Path::new("runs/feed.sock")));
    let journal = plan.journal.unwrap();
    assert_eq!(journal.dir, Path::new("runs/journal"));
    assert_eq!((journal.keep, journal.sync), (Some(16), JournalSync::Never));
    assert!(parse(SHORT).unwrap().journal.is_none());
    assert_eq!((plan.latency.sample_messages, plan.latency.digits), (0, 2));
    assert_eq!(plan.output_dir.as_deref(), Some(Path::new("runs/today")));
}

#[test]
fn the_example_states_the_defaults() {
    let plan = parse(SHORT).unwrap();
    let example = parse(EXAMPLE).unwrap();
    let (lane, told) = (&plan.lanes[0], &example.lanes[0]);
    assert_eq!(lane.threads, LaneThreads::One { core: None });
    assert_eq!(
        (
            lane.batch,
            lane.socket_buffer,
            lane.timestamps,
            lane.ring_slots,
            lane.slot_bytes
        ),
        (
            told.batch,
            told.socket_buffer,
            told.timestamps,
            told.ring_slots,
            told.slot_bytes
        )
    );
    let (channel, told) = (&lane.channels[0], &told.channels[0]);
    assert_eq!(channel.reorder_window, told.reorder_window);
    assert_eq!(channel.stash_packets, defaults::STASH_PACKETS);
    let with_snapshots = defaults::STASH_PACKETS_SNAPSHOT;
    assert_eq!(told.stash_packets, with_snapshots);
    let told_nothing = EXAMPLE.replace(&format!("stash_packets = {with_snapshots} "), "");
    let plan_told_nothing = parse(&told_nothing).unwrap();
    assert_eq!(
        plan_told_nothing.lanes[0].channels[0].stash_packets,
        with_snapshots
    );
    assert_eq!(channel.stale_after, told.stale_after);
    assert_eq!(plan.publish_slots, example.publish_slots);
    assert_eq!(plan.digest_every, example.digest_every);
    assert_eq!(plan.book, example.book);
    let short = parse(&format!("[journal]\ndir = \"j\"\n{SHORT}")).unwrap();
    let (journal, told) = (short.journal.unwrap(), example.journal.unwrap());
    assert_eq!((journal.segment, journal.queue), (told.segment, told.queue));
    assert_eq!((journal.keep, journal.sync), (None, told.sync));
    assert_eq!(plan.latency, example.latency);
}

#[test]
fn a_plan_survives_being_written_and_read() {
    for text in [EXAMPLE, SHORT] {
        let plan = parse(text).unwrap();
        let written = plan.to_toml().unwrap();
        assert_eq!(parse(&written).expect(&written), plan, "{written}");
    }
}

#[test]
fn books_are_kept_unless_the_configuration_says_otherwise() {
    let plan = parse(SHORT).unwrap().book;
    assert_eq!((plan.keep, plan.publish_bbo), (BookKeep::Full, true));
    let none =
        "[book]\nkeep = \"none\"\norders = 7\nlevels = 6\ninstruments = 5\npublish_bbo = false\n";
    let plan = parse(&format!("{none}{SHORT}")).unwrap();
    let limits = BookLimits {
        orders: 7,
        levels: 6,
        instruments: 5,
    };
    assert_eq!(plan.book.keep, BookKeep::None);
    assert_eq!((plan.book.limits, plan.book.publish_bbo), (limits, false));
    assert_eq!(parse(&plan.to_toml().unwrap()), Ok(plan));
}

#[test]
fn a_channel_may_be_silent_for_a_while_or_for_ever() {
    let channel = "lane = \"l\"\nlines";
    let cases = [
        ("", "native", Some(Duration::from_secs(3))),
        ("", "mdp3", Some(Duration::from_secs(65))),
        (
            "stale_after = \"250ms\"\n",
            "mdp3",
            Some(Duration::from_millis(250)),
        ),
        ("stale_after = \"0s\"\n", "native", None),
    ];
    for (key, protocol, limit) in cases {
        let text = SHORT.replace(channel, &format!("lane = \"l\"\n{key}lines"));
        let plan = parse(&text.replace("native", protocol)).unwrap();
        assert_eq!(plan.lanes[0].channels[0].stale_after, limit, "{key}");
        assert_eq!(parse(&plan.to_toml().unwrap()), Ok(plan));
    }
}

#[test]
fn a_consumer_is_given_everything_unless_it_asks_for_valid_data() {
    let consumer = "[[consumer]]\nname = \"k\"\nkind = \"blocking\"\n";
    for (key, trust) in [
        ("", Believed::Any),
        ("trust = \"valid\"\n", Believed::Valid),
    ] {
        let plan = parse(&format!("{SHORT}{consumer}{key}")).unwrap();
        assert_eq!(plan.consumers[0].trust, trust);
        assert_eq!(parse(&plan.to_toml().unwrap()), Ok(plan));
    }
}

#[test]
fn a_folder_that_toml_cannot_name_is_an_error() {
    use std::os::unix::ffi::OsStrExt;
    let mut plan = parse(SHORT).unwrap();
    plan.output_dir = Some(std::ffi::OsStr::from_bytes(b"runs/\xFF").into());
    assert!(plan.to_toml().is_err());
}

#[test]
fn a_segment_is_at_most_what_was_asked_for() {
    let segment = |text: &str| {
        let text = format!("[journal]\ndir = \"j\"\nsegment = \"{text}\"\n{SHORT}");
        let plan = parse(&text).unwrap();
        // Written out and read again it is the same.
        assert_eq!(parse(&plan.to_toml().unwrap()).unwrap(), plan);
        plan.journal.unwrap().segment
    };
    assert_eq!(segment("68KiB"), 4096 + (64 << 10));
    assert_eq!(segment("64MiB"), 4096 + 1023 * (64 << 10));
    assert_eq!(segment("16GiB"), (16 << 30) - (64 << 10) + 4096);
}

#[test]
fn mistakes_of_a_journal_name_place_and_expectation() {
    for (text, says) in [
        ("keep = 1", "1:1: missing key `dir`"),
        ("dir = \"\"", "2:7: dir: expected the name of a folder"),
        (
            "dir = \"j\"\nsegment = \"4KiB\"",
            "3:11: `segment` is out of range: expected 68KiB",
        ),
        (
            "dir = \"j\"\nsegment = \"17GiB\"",
            "3:11: `segment` is out of range: expected 68KiB",
        ),
        ("dir = \"j\"\nsegment = 5", "3:11: "),
        ("dir = \"j\"\nkeep = 0", "3:8: `keep` is 0: expected 1 to"),
        (
            "dir = \"j\"\nqueue = 1000",
            "3:9: `queue` is 1000: expected a power of two",
        ),
        (
            "dir = \"j\"\nqueue = 32",
            "3:9: `queue` is 32: expected 64 to",
        ),
        (
            "dir = \"j\"\nsync = \"always\"",
            "3:8: unknown value `always`, expected `never` or `end`",
        ),
        (
            "dir = \"j\"\nfolder = \"k\"",
            "3:1: unknown key `folder`, expected one of `dir`, `segment`",
        ),
    ] {
        let message = parse(&format!("[journal]\n{text}\n{SHORT}")).unwrap_err();
        let expected = format!("feed.toml:{says}");
        assert!(message.starts_with(&expected), "{text}: {message}");
    }
}

#[test]
fn structural_mistakes_name_place_and_expectation() {
    let cases = [
        (
            "group =",
            "grup =",
            "9:24: unknown key `grup`, expected one of `name`, `group`, `interface`, `source`",
        ),
        (
            "\"native\"",
            "\"itch\"",
            "7:12: unknown value `itch`, expected one of `native`, `itch50`",
        ),
        ("name = \"c\"\n", "", "5:1: missing key `name`"),
        (
            "lane = \"l\"",
            "lane = \"l\"\nreorder_window = \"10\"",
            "9:18: invalid value: string \"10\", expected a duration such as \"250us\" (units: ns us ms s min h)",
        ),
        (
            "lane = \"l\"",
            "lane = \"l\"\nstash_packets = \"many\"",
            "9:17: invalid type: string \"many\", expected a whole number",
        ),
        (
            "lane = \"l\"",
            "lane = \"l\"\nstash_packets = -1",
            "9:17: invalid value: integer `-1`, expected a whole number",
        ),
        (
            "name = \"l\"",
            "name = \"l\"\nsocket_buffer = \"8MB\"",
            "4:17: invalid value: string \"8MB\", expected a size such as \"64KiB\" (units: B KiB MiB GiB)",
        ),
        (
            "name = \"l\"",
            "name = 7",
            "3:8: invalid type: integer `7`, expected a string",
        ),
        (
            "[[lane]]",
            "date = 7\n[[lane]]",
            "2:1: unknown key `date`, expected one of `session`",
        ),
        ("[[lane]]", "[[lane]", "2:8: "),
        (
            "[[lane]]",
            "[book]\nkeep = \"bbo\"\n[[lane]]",
            "3:8: unknown value `bbo`, expected `full` or `none`",
        ),
        (
            "[[lane]]",
            "[book]\npublish_bbo = 1\n[[lane]]",
            "3:15: invalid type: integer `1`, expected a boolean",
        ),
        (
            "[[lane]]",
            "[session]\ndate = 20\n[[lane]]",
            "3:8: invalid type: integer `20`, expected a date such as",
        ),
    ];
    for (from, to, says) in cases {
        let lines = refused(from, to);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].starts_with(&format!("feed.toml:{says}")),
            "{to:?}: {lines:?}"
        );
    }
}

#[test]
fn semantic_mistakes_name_place_and_expectation() {
    // What is changed in SHORT, where the message must stand, and what it must say.
    let group = "239.1.1.1:5000";
    let (lane, channel) = ("name = \"l\"", "lane = \"l\"");
    let two = "name = \"l\"\nlayout = \"two-threads\"\n";
    let consumer = "[[consumer]]\nname = \"k\"\nkind = \"blocking\"\nlanes =";
    let cases = [
        (
            group,
            "239.1.1.1".into(),
            "9:32",
            "expected an IPv4 multicast group and port",
        ),
        (group, "239.1.1.1:0".into(), "9:32", "port 0"),
        (
            group,
            "10.1.1.1:5000".into(),
            "9:32",
            "10.1.1.1 is not a multicast group",
        ),
        (
            group,
            "127.0.0.1:5000".into(),
            "9:62",
            "expected no `interface`",
        ),
        (
            ", interface = \"lo\"",
            String::new(),
            "9:32",
            "expected `interface`",
        ),
        (
            "\"lo\"",
            "\"a b\"".into(),
            "9:62",
            "expected the name of an interface",
        ),
        (
            "\"lo\"",
            "\"lo\", source = \"239.9.9.9\"".into(),
            "9:77",
            "the one sender",
        ),
        (
            lane,
            format!("{lane}\ncore = 1\nreceive_core = 2"),
            "5:16",
            "`receive_core` does not fit",
        ),
        (lane, format!("{two}core = 2"), "5:8", "`core` does not fit"),
        (
            lane,
            format!("{two}receive_core = 2\ndecode_core = 2"),
            "6:15",
            "core 2 is already taken (line 5)",
        ),
        (
            lane,
            format!("{lane}\ncore = 1024"),
            "4:8",
            "expected 0 to 1023",
        ),
        (
            lane,
            format!("{lane}\npriority = 100"),
            "4:12",
            "expected 1 to 99",
        ),
        (
            lane,
            format!("{lane}\nbatch = 0"),
            "4:9",
            "expected 1 to 1024",
        ),
        (
            lane,
            format!("{lane}\nring = {{ slots = 16 }}"),
            "4:18",
            "a batch of 32 does not fit",
        ),
        (
            lane,
            format!("{lane}\nring = {{ slots = 100 }}"),
            "4:18",
            "expected a power of two",
        ),
        (
            lane,
            format!("{lane}\nring = {{ slot_bytes = 1000 }}"),
            "4:23",
            "expected a multiple of 64",
        ),
        (
            lane,
            format!("{lane}\nring = {{ slots = 1048576, slot_bytes = 65536 }}"),
            "4:40",
            "over the limit of 4GiB",
        ),
        (
            lane,
            format!("{lane}\nsocket_buffer = \"1GiB\""),
            "4:17",
            "expected 4KiB to 512MiB",
        ),
        (
            channel,
            "lane = \"l\"\nstash_packets = 0".into(),
            "9:17",
            "expected 1 to 1048576",
        ),
        (
            channel,
            "lane = \"l\"\nreorder_window = \"2h\"".into(),
            "9:18",
            "expected at most 1min",
        ),
        (
            channel,
            "lane = \"l\"\nstale_after = \"25h\"".into(),
            "9:15",
            "expected at most 24h",
        ),
        ("\"c\"", "\"a b\"".into(), "6:8", "expected 1 to 32 letters"),
        (
            "[[lane]]",
            "[session]\ndate = \"2026-02-29\"\n[[lane]]".into(),
            "3:8",
            "expected a date",
        ),
        (
            "[[lane]]",
            "[publish]\nslots = 1000\n[[lane]]".into(),
            "3:9",
            "expected a power of two",
        ),
        (
            "[[lane]]",
            "[publish]\ndigest_every = 1000\n[[lane]]".into(),
            "3:16",
            "expected a power of two",
        ),
        (
            "[[lane]]",
            "[subscribe]\nsymbols = [\"A*\", \"\"]\n[[lane]]".into(),
            "3:18",
            "expected a symbol pattern",
        ),
        (
            "[[lane]]",
            format!("[subscribe]\nsymbols = [{}\"Z\"]\n[[lane]]", symbols(64)),
            "3:396",
            "expected at most 64 symbol patterns",
        ),
        (
            "[[lane]]",
            format!("[control]\nsocket = \"{}\"\n[[lane]]", "s".repeat(108)),
            "3:10",
            "expected a path of 1 to 107 bytes",
        ),
        (
            "[[lane]]",
            "[book]\norders = 0\n[[lane]]".into(),
            "3:10",
            "`orders` is 0: expected 1 to 67108864",
        ),
        (
            "[[lane]]",
            "[book]\nlevels = 67108865\n[[lane]]".into(),
            "3:10",
            "expected 1 to 67108864",
        ),
        (
            "[[lane]]",
            "[book]\ninstruments = 2000000\n[[lane]]".into(),
            "3:15",
            "expected 1 to 1048576",
        ),
        (
            "[[lane]]",
            "[latency]\ndigits = 5\n[[lane]]".into(),
            "3:10",
            "expected 2 to 3",
        ),
        (
            "[[channel]]",
            format!("{consumer} [\"m\"]\n[[channel]]"),
            "8:10",
            "unknown lane `m`, expected `l`",
        ),
        (
            "[[channel]]",
            format!("{consumer} []\n[[channel]]"),
            "8:9",
            "a consumer of no lane",
        ),
        (
            "[[channel]]",
            format!("{consumer} [\"l\", \"l\"]\n[[channel]]"),
            "8:15",
            "named twice",
        ),
        (
            "[[channel]]",
            "[[lane]]\nname = \"idle\"\n[[channel]]".into(),
            "6:8",
            "`idle` has no channel",
        ),
        (
            "lines = [{ name = \"A\", group = \"239.1.1.1:5000\", interface = \"lo\" }]",
            String::new(),
            "6:8",
            "has no line",
        ),
    ];
    for (from, to, place, says) in cases {
        let lines = refused(from, &to);
        assert_eq!(lines.len(), 1, "{to:?}: {lines:#?}");
        assert!(
            lines[0].starts_with(&format!("feed.toml:{place}: ")),
            "{to:?}: {lines:?}"
        );
        assert!(lines[0].contains(says), "{to:?}: {lines:?}");
    }
}

/// So many patterns and a comma behind each.
fn symbols(n: usize) -> String {
    (0..n).map(|i| format!("\"{i:02}\", ")).collect()
}

/// `SHORT` with a second channel of the given lines.
fn second_channel(protocol: &str, lines: &str) -> String {
    format!(
        "{SHORT}\n[[channel]]\nname = \"d\"\nprotocol = \"{protocol}\"\nlane = \"l\"\nlines = [{lines}]\n"
    )
}

#[test]
fn a_date_may_be_a_string_or_a_date() {
    for date in ["\"2026-11-20\"", "2026-11-20"] {
        let plan = parse(&format!("session.date = {date}\n{SHORT}")).unwrap();
        assert_eq!(plan.session.date.unwrap().to_string(), "2026-11-20");
    }
    let message = parse(&format!("session.date = 2026-11-20T10:00:00\n{SHORT}")).unwrap_err();
    assert_eq!(
        message,
        "feed.toml:1:16: expected a date such as \"2026-11-20\""
    );
}

#[test]
fn channels_of_a_lane_agree_with_each_other() {
    let ok = [
        "{ name = \"A\", group = \"239.1.1.2:5000\", interface = \"lo\" }",
        "{ name = \"A\", group = \"239.1.1.1:5001\", interface = \"lo\" }",
        "{ name = \"A\", group = \"239.1.1.1:5000\", interface = \"eth0\" }",
        "{ name = \"A\", group = \"127.0.0.1:5000\" }",
    ];
    for line in ok {
        parse(&second_channel("native", line)).expect(line);
    }
    let message = parse(&second_channel("itch50", ok[0])).unwrap_err();
    assert!(
        message.starts_with("feed.toml:13:12: lane `l` already has channels of protocol `native`")
    );

    // Any sender includes the one sender.
    let same =
        "{ name = \"A\", group = \"239.1.1.1:5000\", interface = \"lo\", source = \"10.0.0.1\" }";
    let message = parse(&second_channel("native", same)).unwrap_err();
    assert_eq!(
        message,
        "feed.toml:15:32: 239.1.1.1:5000 is already a line of this lane (line 9)"
    );

    let local = "{ name = \"A\", group = \"127.0.0.1:1\" }";
    let message = parse(&second_channel("native", &format!("{local}, {local}"))).unwrap_err();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.len(), 2, "{message}");
    assert!(
        lines[0].starts_with("feed.toml:15:58: line `A` already exists (line 15)"),
        "{message}"
    );
    assert!(
        lines[1].starts_with("feed.toml:15:71: 127.0.0.1:1 is already listened to (line 15)"),
        "{message}"
    );
}

#[test]
fn two_senders_of_one_group_are_two_lines() {
    let line = r#"{ name = "A", group = "239.1.1.1:5000", interface = "lo" }"#;
    let from = |name, source| {
        line.replace("\"A\"", name)
            .replace(" }", &format!(", source = \"{source}\" }}"))
    };
    let lines = format!(
        "{}, {}",
        from("\"A\"", "10.0.0.1"),
        from("\"B\"", "10.0.0.2")
    );
    let plan = parse(&SHORT.replace(line, &lines)).unwrap();
    assert_eq!(plan.lanes[0].lines().count(), 2);
}

#[test]
fn all_semantic_mistakes_come_at_once_in_the_order_of_the_file() {
    let text = SHORT
        .replace("lane = \"l\"", "lane = \"m\"")
        .replace("name = \"l\"", "name = \"l\"\nbatch = 5000")
        .replace(", interface = \"lo\"", "");
    let error = config::parse(&text, Path::new("x/feed.toml")).unwrap_err();
    let places: Vec<_> = error
        .problems()
        .iter()
        .map(|p| (p.line, p.column))
        .collect();
    // The lane has no channel left, its batch is too long, the channel's lane is unknown, its line has no interface.
    assert_eq!(places, [(3, 8), (4, 9), (9, 8), (10, 32)], "{error}");
    assert!(
        error
            .to_string()
            .lines()
            .all(|l| l.starts_with("x/feed.toml:"))
    );
}

#[test]
fn nothing_at_all_is_not_a_configuration() {
    assert_eq!(
        parse("").unwrap_err(),
        "feed.toml:1:1: no channel: expected at least one [[channel]]"
    );
}

proptest! {
    /// A file with a piece replaced by anything is a plan or an error with a place inside the file, never a panic.
    #[test]
    fn damaged_files_are_answered(at in 0..EXAMPLE.len(), len in 0..60usize, piece in "[ -~\\n]{0,12}|\\PC{0,4}") {
        let (start, end) = (at, (at + len).min(EXAMPLE.len()));
        let text = [&EXAMPLE[..start], &piece, &EXAMPLE[end..]].concat();
        match config::parse(&text, Path::new("feed.toml")) {
            Ok(plan) => prop_assert_eq!(parse(&plan.to_toml().unwrap()), Ok(plan)),
            Err(e) => {
                prop_assert!(!e.problems().is_empty());
                for p in e.problems() {
                    prop_assert!(p.line >= 1 && p.line <= text.lines().count() + 1, "{}", e);
                    prop_assert!(p.column >= 1 && !p.message.is_empty() && !p.message.contains('\n'), "{}", e);
                }
            }
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = config::load(Path::new("no/such/feed.toml")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("no/such/feed.toml: cannot be read: "),
        "{error}"
    );
    assert!(error.problems().is_empty());
}

#[test]
fn digests_can_be_left_out() {
    let text = format!("[publish]\ndigest_every = 0\n{SHORT}");
    let plan = parse(&text).unwrap();
    assert_eq!(plan.digest_every, 0);
    let again = parse(&plan.to_toml().unwrap()).unwrap();
    assert_eq!(again.digest_every, 0);
}

#[test]
fn units_serve_the_command_line_too() {
    assert_eq!("10s".parse::<TimeSpan>().unwrap().duration().as_secs(), 10);
    let error = "10".parse::<ByteSize>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a size such as \"64KiB\" (units: B KiB MiB GiB)"
    );
}

#[test]
fn shared_memory_has_defaults_and_nobody_else_may_write_it() {
    let with = |more: &str| format!("{SHORT}\n[shared_memory]\n{more}");
    let plan = parse(&with("dir = \"/dev/shm/x\"")).unwrap();
    assert_eq!(
        plan.shared_memory,
        Some(SharedMemoryPlan::new("/dev/shm/x"))
    );
    for (more, said) in [
        ("mode = \"0600\"", "missing key `dir`"),
        ("dir = \"\"", "dir: expected a folder"),
        ("dir = \"d\"\nmode = \"0666\"", "mode \"0666\": expected"),
        (
            "dir = \"d\"\ninstruments = 16777217",
            "expected 1 to 16777216",
        ),
        ("dir = \"d\"\ngroup = \"\"", "group: expected"),
        ("dir = \"d\"\nslots = 4", "unknown key `slots`"),
    ] {
        let told = parse(&with(more)).expect_err(more);
        assert!(told.contains(said), "{told}");
    }
}
