use super::*;
use crate::exchange::{Limits, PillarLimits, Service, Source};

fn read(text: &str) -> Result<Plan, ConfigError> {
    parse(text, Path::new("x.toml"))
}

/// Line, column and message of everything wrong.
fn problems(text: &str) -> Vec<(usize, usize, String)> {
    match read(text) {
        Ok(plan) => panic!("nothing is wrong with {text}: {plan:?}"),
        Err(e) => {
            let problems = e.problems().iter();
            problems
                .map(|p| (p.line, p.column, p.message.clone()))
                .collect()
        }
    }
}

#[test]
fn the_example_is_read_and_says_every_key() {
    let text = include_str!("../../../../docs/exchange.toml");
    let plan = read(text).unwrap();
    let Source::Made(spec) = &plan.source else {
        panic!("{plan:?}")
    };
    assert_eq!((spec.messages, spec.rate, spec.seed), (100_000, 20_000, 7));
    assert_eq!(plan.lines.len(), 2);
    assert!(plan.lines[0].target.ip().is_multicast());
    assert_eq!(plan.lines[1].faults.skew, 50_000);
    let services: Vec<_> = plan.servers.iter().map(|server| server.service).collect();
    let all = [
        Service::MoldUdp64(Limits::default()),
        Service::SoupBinTcp,
        Service::Glimpse,
    ];
    assert_eq!(services, all);
    // What is commented out is right too.
    let all: String = text
        .lines()
        .map(|line| line.strip_prefix("#:").unwrap_or(line).to_owned() + "\n")
        .filter(|line| {
            !line.starts_with("protocol")
                && !line.starts_with("messages = 100")
                && !line.starts_with("rate")
        })
        .filter(|line| {
            !line.starts_with("symbols")
                && !line.starts_with("seed = 8")
                && !line.starts_with("feed")
        })
        .collect();
    let plan = read(&all).unwrap_or_else(|e| panic!("{e}\n{all}"));
    assert!(matches!(
        plan.source,
        Source::Capture { group: Some(_), .. }
    ));
    let loops: Vec<_> = plan.loops.iter().map(|each| each.timing.orders).collect();
    assert_eq!(loops, [false, true]);
    let pillar = Service::Pillar {
        limits: PillarLimits::default(),
        group: "239.192.50.3:26477".parse().unwrap(),
    };
    assert_eq!(
        plan.servers.last().map(|server| server.service),
        Some(pillar)
    );
    let keys = [
        "seed",
        "protocol",
        "feed",
        "messages",
        "rate",
        "symbols",
        "capture",
        "group",
        "speed",
        "lead",
        "heartbeat",
        "grace",
        "faults",
        "name",
        "interface",
        "ttl",
        "source_port",
        "kind",
        "address",
        "payload",
        "packets",
        "requests_per_second",
        "keep",
        "orders",
        "period",
        "spacing",
        "requests",
        "product_id",
        "channel_id",
    ];
    for key in keys {
        let said = text.lines().any(|line| {
            line.trim_start_matches("#:")
                .starts_with(&format!("{key} = "))
        });
        assert!(said, "{key}");
    }
}

#[test]
fn little_has_to_be_said() {
    let plan = read("[session]\nprotocol = \"pitch\"\n[[line]]\nname = \"A\"\ngroup = \"127.0.0.1:5000\"\ninterface = \"lo\"\n").unwrap();
    assert_eq!(
        (plan.seed, plan.timing.heartbeat, plan.timing.grace),
        (1, 1_000_000_000, 3_000_000_000)
    );
    assert!(plan.servers.is_empty() && plan.shape.lead == 0);
    let Source::Made(spec) = plan.source else {
        panic!("made")
    };
    assert_eq!((spec.messages, spec.seed), (100_000, 1));
}

#[test]
fn errors_point_at_the_value_and_into_the_faults() {
    let text = "\
[session]
protocol = \"itch50\"
heartbeat = \"100us\"
faults = \"restart@5s restart@5s\"

[[line]]
name = \"A\"
group = \"10.0.0.1:5000\"
interface = \"lo\"
faults = \"loss=1% los=2%\"

[[line]]
name = \"A\"
group = \"239.1.1.1\"
interface = \"lo\"

[[server]]
kind = \"moldudp64\"
address = \"10.0.0.1:5001\"
payload = 10
faults = '''refuse=1'''

[[server]]
kind = \"moldudp64\"
address = \"0.0.0.0:5001\"
";
    let found = problems(text);
    let expected = [
        (3, 13, "`heartbeat` is 100us: expected 1ms to 1min"),
        (4, 30, "a restart at 5s after one at 5s"),
        (
            8,
            9,
            "10.0.0.1:5000 is neither a multicast group nor in 127.0.0.0/8",
        ),
        (10, 19, "found \"los=2%\", expected a fault of a line"),
        (13, 8, "line `A` already exists"),
        (14, 9, "expected an IPv4 address and port"),
        (
            19,
            11,
            "10.0.0.1 is not in 127.0.0.0/8: expected `interface` beside it",
        ),
        (20, 11, "`payload` is 10: expected 64 to 65507"),
        (21, 10, "expected a rate"),
        (25, 11, "0.0.0.0 is no address of one machine"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, (line, column, message)) in found.iter().zip(expected) {
        assert_eq!((found.0, found.1), (line, column), "{found:?}");
        assert!(found.2.contains(message), "{found:?}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let line = "[[line]]\nname = \"A\"\ngroup = \"127.0.0.1:5000\"\ninterface = \"lo\"\n";
    let session = |session: &str| problems(&format!("[session]\n{session}\n{line}"));
    let one = |found: Vec<(usize, usize, String)>, at: (usize, usize), what: &str| {
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            (found[0].0, found[0].1) == at && found[0].2.contains(what),
            "{found:?}"
        );
    };
    one(session(""), (1, 1), "neither `protocol` nor `capture`");
    one(
        session("protocol = \"itch50\"\ncapture = \"x\""),
        (3, 11),
        "expected one of them",
    );
    one(
        session("capture = \"x\"\nrate = 5"),
        (3, 8),
        "no place for `rate`",
    );
    one(
        session("protocol = \"itch50\"\nspeed = \"2\""),
        (3, 9),
        "no place for `speed`",
    );
    one(
        session("capture = \"x\"\nspeed = \"max\""),
        (3, 9),
        "an exchange keeps time",
    );
    one(
        session("capture = \"x\"\ngroup = \"y\""),
        (3, 9),
        "expected a group of the capture",
    );
    one(
        session("protocol = \"fix\""),
        (2, 12),
        "expected one of native, itch50",
    );
    one(
        session("protocol = \"itch50\"\nfeed = \"x\""),
        (3, 8),
        "one feed only",
    );
    one(
        session("protocol = \"itch50\"\nrate = 0"),
        (3, 8),
        "the rate must be",
    );
    one(
        session("protocol = \"iex\"\nfaults = \"restart@1s\""),
        (3, 10),
        "iex sessions cannot restart",
    );
    one(
        session("protocol = \"itch50\"\nheartbeat = 5"),
        (3, 13),
        "a duration such as",
    );
    one(
        session("protocol = \"itch50\"\nfoo = 5"),
        (3, 1),
        "unknown key `foo`",
    );
    let server = "[[server]]\nkind = \"moldudp64\"\naddress = \"127.0.0.1:0\"\n";
    let found = problems(&format!("[session]\nprotocol = \"iex\"\n{line}{server}"));
    one(found, (8, 8), "iex sessions are not in MoldUDP64");
    let snapshots = line.replace("[[line]]", "[[loop]]") + "spacing = \"0ns\"\n";
    let found = problems(&format!(
        "[session]\nprotocol = \"itch50\"\n{line}{snapshots}"
    ));
    let found: Vec<_> = found
        .iter()
        .map(|(line, _, what)| (*line, what.as_str()))
        .collect();
    assert_eq!(
        (found.len(), found[0].0, found[1].0),
        (2, 8, 11),
        "{found:?}"
    );
    assert!(found[0].1.contains("itch50 has no loop of snapshots"));
    let pillar = server.replace("moldudp64", "pillar");
    let group = "group = \"127.0.0.1:7\"\n";
    let of = |protocol: &str, server: &str| {
        problems(&format!(
            "[session]\nprotocol = \"{protocol}\"\n{line}{server}"
        ))
    };
    let found = of("itch50", &format!("{pillar}{group}"));
    one(found, (8, 8), "itch50 sessions are not in Pillar");
    let found = of("pillar", &format!("{server}{group}"));
    assert_eq!(found.len(), 2, "{found:?}");
    one(
        of("pillar", &pillar),
        (8, 8),
        "answers go to a group: expected `group`",
    );
    let multicast = "group = \"239.1.1.1:7\"\n";
    let found = of("pillar", &format!("{pillar}{multicast}"));
    one(found, (10, 9), "a group is reached through an interface");
    let found = of("pillar", &format!("{pillar}{group}messages = 1001\n"));
    one(found, (11, 12), "`messages` is 1001: expected 1 to 1000");
    let found = of("pillar", &format!("{pillar}{group}packets = 1\n"));
    one(found, (11, 11), "no place for `packets`");
    let glimpse = server.replace("moldudp64", "glimpse") + "packets = 3\n";
    let found = problems(&format!(
        "[session]\nprotocol = \"itch50\"\n{line}{glimpse}"
    ));
    one(found, (10, 11), "no place for `packets`");
    let found = problems(&format!(
        "[session]\nprotocol = \"itch50\"\n{line}{}",
        server.replace("mold", "old")
    ));
    one(found, (8, 8), "unknown value `oldudp64`");
    one(
        problems("[session]\nprotocol = \"itch50\"\n"),
        (1, 1),
        "no line: expected at least one",
    );
}
