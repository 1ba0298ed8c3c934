//! Frames, runs and parts, and what is refused, on a cable of the test's own: a pair of veth devices in a network
//! namespace, out of which no packet can get.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use feed_common::capture::PcapWriter;
use feed_common::time::UnixNanos;
use feed_common::wire::ethernet::multicast_mac;
use feed_common::wire::frame::{Contents, LinkType, UdpFlow, contents};
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

/// Set for the half of a test that runs inside.
const INSIDE: &str = "FEED_REPLAY_TEST_INSIDE";

/// The cable: `s0` and `r0`, both in the namespace, so the system has to be told that a packet from one of its own
/// addresses may arrive. `down0` is switched off.
const CABLE: &str = "ip link set lo up \
    && ip link add s0 type veth peer name r0 \
    && ip address add 10.9.0.1/24 dev s0 && ip address add 10.9.1.1/24 dev r0 \
    && ip link set s0 up && ip link set r0 up \
    && echo 1 >/proc/sys/net/ipv4/conf/r0/accept_local \
    && echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter && echo 0 >/proc/sys/net/ipv4/conf/r0/rp_filter \
    && ip link add down0 type veth peer name down1";

const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 20, 0, 1), 7002);

/// Runs the test `name` again in a namespace with the cable, where it does `inside`.
fn on_the_cable(name: &str, inside: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let may = Command::new("unshare")
        .args(["-rn", "sh", "-c", CABLE])
        .output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "not run: this system does not let its users make network namespaces and veth devices"
        );
        return;
    }
    let script = format!("{CABLE} && exec \"$0\" --exact {name}");
    let output = Command::new("unshare")
        .args(["-rn", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// A capture with payloads of these lengths, a millisecond apart, to two groups in turn.
struct Capture {
    path: PathBuf,
    payloads: Vec<Vec<u8>>,
}

impl Capture {
    fn of(name: &str, lengths: &[usize]) -> Capture {
        let path = std::env::temp_dir().join(format!("feed-raw-{name}-{}", std::process::id()));
        let flows = ["239.10.0.1:7001", "239.10.0.2:7001"].map(|group| {
            UdpFlow::multicast("10.0.0.1:7000".parse().unwrap(), group.parse().unwrap())
        });
        let (mut out, mut frame) = (PcapWriter::new(Vec::new()).unwrap(), Vec::new());
        let payloads = (0..).zip(lengths).map(|(i, &n)| vec![i as u8; n]);
        let payloads: Vec<Vec<u8>> = payloads.collect();
        for (i, payload) in payloads.iter().enumerate() {
            flows[i % 2].encode(payload, 0, &mut frame).unwrap();
            let time = UnixNanos(1_700_000_000_000_000_000 + i as u64 * 1_000_000);
            out.frame(time, &frame).unwrap();
        }
        std::fs::write(&path, out.finish().unwrap()).unwrap();
        Capture { path, payloads }
    }

    /// Sends it to [`GROUP`].
    fn send(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_feed-replay"))
            .args(["send", self.path.to_str().unwrap(), "--format", "json"])
            .args(["--group", &GROUP.to_string()])
            .args(arguments)
            .output()
            .unwrap()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A member at the other end of the cable.
fn member() -> UdpSocket {
    let socket = UdpSocket::bind(GROUP).unwrap();
    let r0 = Ipv4Addr::new(10, 9, 1, 1);
    socket.join_multicast_v4(GROUP.ip(), &r0).unwrap();
    let limit = Some(Duration::from_secs(5));
    socket.set_read_timeout(limit).unwrap();
    socket
}

/// The member has heard exactly these, in order; from where.
fn heard<'a>(socket: &UdpSocket, payloads: impl IntoIterator<Item = &'a Vec<u8>>) -> SocketAddrV4 {
    let mut buffer = vec![0; 65_536];
    let mut source = None;
    for payload in payloads {
        let (n, from) = socket.recv_from(&mut buffer).unwrap();
        assert!(
            buffer[..n] == payload[..],
            "{n} bytes for {}",
            payload.len()
        );
        source = Some(from);
    }
    let soon = Some(Duration::from_millis(50));
    socket.set_read_timeout(soon).unwrap();
    assert!(socket.recv(&mut buffer).is_err(), "nothing comes twice");
    source.unwrap().to_string().parse().unwrap()
}

#[test]
fn frames_are_heard_by_sockets() {
    on_the_cable("frames_are_heard_by_sockets", || {
        // All of them fit the member's buffer, and the batches more than one call.
        let lengths: Vec<usize> = (0..100).map(|i| i * 7).collect();
        let capture = Capture::of("heard", &lengths);
        for speed in ["max", "1"] {
            let member = member();
            let arguments = ["--iface", "s0", "--socket", "raw", "--speed", speed];
            let report =
                json(&capture.send(&[&arguments[..], &["--source-port", "7100"]].concat()));
            assert_eq!(report["socket"], "raw");
            assert_eq!(
                (&report["packets"], &report["in_parts"]),
                (&100.into(), &0.into())
            );
            let bytes: usize = lengths.iter().sum();
            assert_eq!(report["bytes"], bytes);
            let from = heard(&member, &capture.payloads);
            assert_eq!(from, "10.9.0.1:7100".parse().unwrap());
        }
    });
}

#[test]
fn frames_are_right_to_the_last_byte() {
    on_the_cable("frames_are_right_to_the_last_byte", || {
        let capture = Capture::of("bytes", &[0, 1, 2, 63, 64, 1_471, 1_472]);
        // Every frame on the cable: seen once as it leaves `s0`, and once as it arrives at `r0`.
        let every = i32::from(0x0003_u16.to_be());
        let tap = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(every))).unwrap();
        tap.set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let arguments = [
            "--iface", "s0", "--socket", "raw", "--ttl", "3", "--speed", "max",
        ];
        json(&capture.send(&arguments));
        let link = Command::new("ip")
            .args(["-o", "link", "show", "s0"])
            .output()
            .unwrap();
        let link = String::from_utf8(link.stdout).unwrap();
        let mac = link
            .split("link/ether ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        let mac: Vec<u8> = mac
            .split(':')
            .map(|x| u8::from_str_radix(x, 16).unwrap())
            .collect();

        let (mut seen, mut buffer) = (0, vec![0; 65_536]);
        while let Ok(n) = (&tap).read(&mut buffer) {
            let frame = &buffer[..n];
            let Ok(Contents::Datagram(ours)) = contents(frame, LinkType::Ethernet) else {
                continue; // the system's own, such as joins
            };
            if ours.dst_port != GROUP.port() {
                continue;
            }
            assert_eq!(ours.payload, capture.payloads[seen / 2]);
            assert_eq!(frame[..6], multicast_mac(*GROUP.ip()));
            assert_eq!(frame[6..12], mac);
            let theirs = SlicedPacket::from_ethernet(frame).unwrap();
            let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Udp(udp))) =
                (theirs.net, theirs.transport)
            else {
                panic!("IPv4 and UDP");
            };
            let ip = ip.header().to_header();
            assert_eq!(ip.source, [10, 9, 0, 1]);
            assert_eq!((ip.time_to_live, ip.dont_fragment), (3, true));
            assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            let sum = udp
                .to_header()
                .calc_checksum_ipv4(&ip, udp.payload())
                .unwrap();
            assert_eq!(udp.checksum(), sum);
            seen += 1;
        }
        assert_eq!(seen, 2 * capture.payloads.len());
    });
}

#[test]
fn what_is_too_long_goes_in_parts() {
    on_the_cable("what_is_too_long_goes_in_parts", || {
        let capture = Capture::of("parts", &[100, 1_472, 1_473, 0, 65_507, 100, 9_000, 7]);
        for way in [
            &["--socket", "raw"][..],
            &["--socket", "udp"],
            &["--offload"],
        ] {
            let member = member();
            let report = json(&capture.send(&[&["--iface", "s0"][..], way].concat()));
            assert_eq!(
                (&report["packets"], &report["in_parts"]),
                (&8.into(), &3.into())
            );
            heard(&member, &capture.payloads);
        }
    });
}

#[test]
fn runs_arrive_as_datagrams() {
    on_the_cable("runs_arrive_as_datagrams", || {
        let lengths: Vec<usize> = (0..100)
            .map(|i| [64, 64, 64, 40, 0, 300, 300][i % 7])
            .collect();
        let capture = Capture::of("runs", &lengths);
        let member = member();
        let arguments = ["--iface", "s0", "--offload", "--speed", "max"];
        let report = json(&capture.send(&arguments));
        assert_eq!(report["socket"], "udp");
        assert!(report["in_runs"].as_u64().unwrap() > 70, "{report}");
        assert!(report["calls"].as_u64().unwrap() <= 4, "{report}");
        heard(&member, &capture.payloads);
    });
}

#[test]
fn auto_takes_frames_where_the_same_hear_them() {
    on_the_cable("auto_takes_frames_where_the_same_hear_them", || {
        let capture = Capture::of("auto", &[64; 5]);
        let report = json(&capture.send(&["--iface", "s0"]));
        assert_eq!(
            (&report["socket"], &report["socket_reason"]),
            (&"raw".into(), &Value::Null)
        );
        for (arguments, reason) in [
            (&["--iface", "lo"][..], "not an Ethernet device"),
            (&["--iface", "s0", "--ttl", "0"], "TTL of 0"),
            (&["--iface", "s0", "--offload"], "UDP sockets only"),
            (
                &["--iface", "s0", "--map", "239.10.0.1:7001=127.0.0.1:9"],
                "127.0.0.1:9 is not a multicast",
            ),
        ] {
            let report = json(&capture.send(arguments));
            assert_eq!(report["socket"], "udp");
            let said = report["socket_reason"].as_str().unwrap();
            assert!(said.contains(reason), "{said}");
        }
        // Whoever has joined on the sending interface is heard from a UDP socket only.
        let local = UdpSocket::bind(GROUP).unwrap();
        let s0 = Ipv4Addr::new(10, 9, 0, 1);
        local.join_multicast_v4(GROUP.ip(), &s0).unwrap();
        local
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let report = json(&capture.send(&["--iface", "s0"]));
        assert!(
            report["socket_reason"]
                .as_str()
                .unwrap()
                .contains("joined on this machine")
        );
        heard(&local, &capture.payloads);
        local
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        json(&capture.send(&["--iface", "s0", "--socket", "raw"]));
        assert!(
            local.recv(&mut [0; 100]).is_err(),
            "frames do not come back"
        );
    });
}

#[test]
fn what_cannot_be_sent_is_refused_with_what_would_mend_it() {
    on_the_cable(
        "what_cannot_be_sent_is_refused_with_what_would_mend_it",
        || {
            let capture = Capture::of("refused", &[64; 3]);
            let raw = |iface| vec!["--iface", iface, "--socket", "raw"];
            for (status, arguments, said) in [
                (2, raw("lo"), "not an Ethernet device"),
                (2, raw("none0"), "none0"),
                (1, raw("down0"), "ip link set down0 up"),
                (
                    1,
                    vec!["--iface", "down0", "--socket", "udp"],
                    "ip link set down0 up",
                ),
                (2, [raw("s0"), vec!["--ttl", "0"]].concat(), "TTL of 0"),
                (
                    2,
                    [raw("s0"), vec!["--offload"]].concat(),
                    "UDP sockets only",
                ),
                (2, vec!["--iface", "s0", "--bypass"], "--socket raw"),
                (
                    2,
                    vec!["--iface", "s0", "--speed", "max", "--max-error", "1us"],
                    "--max-error",
                ),
            ] {
                let output = capture.send(&arguments);
                let says = stderr(&output);
                assert_eq!(output.status.code(), Some(status), "{arguments:?}: {says}");
                assert!(says.contains(said), "{arguments:?}: {says}");
                assert!(output.stdout.is_empty());
            }
            // A further user namespace has no rights over this network.
            let send = |socket| {
                Command::new("unshare")
                    .args(["-U", env!("CARGO_BIN_EXE_feed-replay"), "send"])
                    .arg(&capture.path)
                    .args([
                        "--group",
                        &GROUP.to_string(),
                        "--iface",
                        "s0",
                        "--format",
                        "json",
                    ])
                    .args(["--socket", socket])
                    .output()
                    .unwrap()
            };
            let refused = send("raw");
            assert_eq!(refused.status.code(), Some(1));
            assert!(
                stderr(&refused).contains("CAP_NET_RAW"),
                "{}",
                stderr(&refused)
            );
            let report = json(&send("auto"));
            assert!(
                report["socket_reason"]
                    .as_str()
                    .unwrap()
                    .contains("CAP_NET_RAW"),
                "{report}"
            );

            // Where no interface has an address but the loopback.
            let bare = "ip link set lo up && ip link add s0 type veth peer name r0 \
                && ip link set s0 up && ip link set r0 up && exec \"$0\" \"$@\"";
            let refused = Command::new("unshare")
                .args([
                    "-rn",
                    "sh",
                    "-c",
                    bare,
                    env!("CARGO_BIN_EXE_feed-replay"),
                    "send",
                ])
                .arg(&capture.path)
                .args([
                    "--group",
                    &GROUP.to_string(),
                    "--iface",
                    "s0",
                    "--socket",
                    "raw",
                ])
                .output()
                .unwrap();
            assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
            assert!(stderr(&refused).contains("ip address add"));

            let cut = Command::new("ip")
                .args(["link", "set", "r0", "down"])
                .status();
            assert!(cut.unwrap().success());
            let warned = stderr(&capture.send(&["--iface", "s0"]));
            assert!(warned.contains("no carrier"), "{warned}");
        },
    );
}

#[test]
fn a_capture_of_ipv6_alone_is_sent_only_where_told() {
    let capture = Capture::of("six", &[]);
    let mut out = PcapWriter::new(Vec::new()).unwrap();
    // Ethernet, IPv6 with UDP and 12 bytes, from fe80::1 to ff15::2, ports 7000 and 7001.
    let mut frame = vec![0x33, 0x33, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xDD];
    frame.extend([0x60, 0, 0, 0, 0, 12, 17, 1]);
    frame.extend([0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    frame.extend([0xFF, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    frame.extend([0x1B, 0x58, 0x1B, 0x59, 0, 12, 0, 0, 1, 2, 3, 4]);
    out.frame(UnixNanos(1), &frame).unwrap();
    std::fs::write(&capture.path, out.finish().unwrap()).unwrap();
    let file = capture.path.to_str().unwrap();
    let send = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_feed-replay"))
            .args(["send", file, "--iface", "lo"])
            .args(more)
            .output()
            .unwrap()
    };
    let refused = send(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("IPv6"), "{}", stderr(&refused));
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    let limit = Some(Duration::from_secs(5));
    listener.set_read_timeout(limit).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    assert_eq!(send(&["--group", &target]).status.code(), Some(0));
    heard(&listener, &[vec![1, 2, 3, 4]]);
}

#[test]
fn a_replay_later_than_allowed_is_told_and_judged() {
    // On the loopback of whatever network there is.
    let capture = Capture::of("late", &[64; 20]);
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let maps = ["239.10.0.1:7001", "239.10.0.2:7001"].map(|from| format!("{from}={target}"));
    for (most, status) in [("1h", 0), ("1ns", 3)] {
        let output = Command::new(env!("CARGO_BIN_EXE_feed-replay"))
            .args(["send", capture.path.to_str().unwrap(), "--iface", "lo"])
            .args(["--map", &maps[0], "--map", &maps[1], "--max-error", most])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
        let report = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(report.contains("20 packets") && report.contains("in the busiest millisecond"));
        assert!(
            report.contains("not raw: it is not an Ethernet device"),
            "{report}"
        );
        assert_eq!(stderr(&output).contains("--max-error 1ns"), status == 3);
    }
}
