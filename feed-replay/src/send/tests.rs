use super::*;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

fn receiver() -> (UdpSocket, SocketAddrV4) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let SocketAddr::V4(address) = socket.local_addr().unwrap() else {
        panic!("bound to IPv4");
    };
    (socket, address)
}

fn sender(to: SocketAddrV4) -> Sender {
    Sender::open(
        to,
        &Interface::named("lo").unwrap(),
        SenderOptions::default(),
    )
    .unwrap()
}

#[test]
fn packets_arrive_in_order_on_their_lines_and_never_early() {
    let ((a, to_a), (b, to_b)) = (receiver(), receiver());
    let payloads: Vec<Vec<u8>> = (0..60u8).map(|i| vec![i; 1 + usize::from(i)]).collect();
    // Runs of equal lines and equal times, so that single packets and batches both occur.
    let packets = payloads.iter().enumerate().map(|(i, payload)| Outgoing {
        offset: (i as u64 / 7) * 1_000_000,
        line: i / 10 % 2,
        payload,
    });
    let begin = std::time::Instant::now();
    let report = replay(
        packets,
        &[sender(to_a), sender(to_b)],
        Speed::ORIGINAL,
        &AtomicBool::new(false),
    )
    .unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(8));
    assert_eq!(
        (report.packets, report.unsent, report.stopped),
        (60, 0, false)
    );
    assert_eq!(report.bytes, (1..=60).sum::<u64>());
    assert!(report.duration >= 8_000_000);
    let schedule = report.schedule.unwrap();
    assert!(
        schedule.p50 <= schedule.p99
            && schedule.p99 <= schedule.max
            && schedule.end <= schedule.max
    );
    let (service, response) = (report.service.unwrap(), report.response.unwrap());
    assert!(service.p50 > 0 && service.p50 <= service.p99 && service.p99 <= service.max);
    // All that a packet was late by is in its response, and what the call took besides.
    assert!(response.max >= schedule.max && response.p50 >= service.p50.max(schedule.p50));
    let mut buffer = [0; 256];
    for (i, payload) in payloads.iter().enumerate() {
        let n = [&a, &b][i / 10 % 2].recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], payload);
    }
}

#[test]
fn speed_stretches_and_shrinks_the_schedule() {
    let (_socket, to) = receiver();
    let senders = [sender(to)];
    let run = |speed: &str, gap: u64| {
        let packets = (0..3u64).map(|i| Outgoing {
            offset: i * gap,
            line: 0,
            payload: b"x",
        });
        replay(
            packets,
            &senders,
            speed.parse().unwrap(),
            &AtomicBool::new(false),
        )
        .unwrap()
    };
    assert!(run("2", 10_000_000).duration >= 10_000_000);
    assert!(run("0.5", 10_000_000).duration >= 40_000_000);
    let an_hour = 3_600_000_000_000;
    let flat_out = run("max", an_hour);
    assert_eq!((flat_out.packets, flat_out.schedule), (3, None));
    assert!(flat_out.service.is_some() && flat_out.response.is_none());
    assert!(flat_out.duration < an_hour / 100);
}

#[test]
fn a_clock_that_goes_back_makes_no_packet_due_in_the_past() {
    let packets = [5, 9, 3, 4, 10].map(|offset| Outgoing {
        offset,
        line: 0,
        payload: b"x",
    });
    let offsets: Vec<u64> = in_order(packets).map(|p| p.offset).collect();
    assert_eq!(offsets, [5, 9, 9, 9, 10]);
}

#[test]
fn a_stop_is_heard_between_packets() {
    let (_socket, to) = receiver();
    let stop = AtomicBool::new(false);
    let packets = (0..1_000u64).map(|i| {
        if i == 5 {
            stop.store(true, Ordering::Relaxed);
        }
        Outgoing {
            offset: 0,
            line: 0,
            payload: b"x",
        }
    });
    let report = replay(packets, &[sender(to)], Speed::Max, &stop).unwrap();
    assert!(report.stopped && report.packets < 1_000, "{report:?}");
}

#[test]
fn nobody_listening_is_counted_and_no_failure() {
    let (socket, to) = receiver();
    drop(socket);
    let packets = (0..20u64).map(|i| Outgoing {
        offset: i * 1_000_000,
        line: 0,
        payload: b"x",
    });
    let report = replay(
        packets,
        &[sender(to)],
        Speed::ORIGINAL,
        &AtomicBool::new(false),
    )
    .unwrap();
    assert_eq!((report.packets, report.unsent), (20, 0));
    assert!(report.refused > 0);
}

#[test]
fn what_the_system_refuses_for_good_is_an_error() {
    let (_socket, to) = receiver();
    let large = vec![0; 70_000];
    let packet = Outgoing {
        offset: 0,
        line: 0,
        payload: &large,
    };
    let error = replay([packet], &[sender(to)], Speed::Max, &AtomicBool::new(false)).unwrap_err();
    assert_eq!(
        (error.target, error.reason.raw_os_error()),
        (to, Some(libc::EMSGSIZE))
    );
}

#[test]
fn targets_elsewhere_and_unknown_interfaces_are_refused() {
    let lo = Interface::named("lo").unwrap();
    for elsewhere in [
        "10.0.0.1:5000",
        "255.255.255.255:5000",
        "0.0.0.0:5000",
        "239.1.1.1:0",
    ] {
        let target = elsewhere.parse().unwrap();
        let result = Sender::open(target, &lo, SenderOptions::default());
        assert!(
            matches!(result, Err(OpenError::Target(t)) if t == target),
            "{elsewhere}"
        );
    }
    assert!(matches!(
        Interface::named("none0"),
        Err(OpenError::Interface { .. })
    ));
}

#[test]
fn what_is_behind_the_schedule_shares_calls() {
    let (_socket, to) = receiver();
    let packets = (0..300u64).map(|i| {
        if i == 100 {
            std::thread::sleep(Duration::from_millis(2));
        }
        Outgoing {
            offset: i * 1_000,
            line: 0,
            payload: b"x",
        }
    });
    let senders = [sender(to)];
    let stop = AtomicBool::new(false);
    let report = replay(packets, &senders, Speed::ORIGINAL, &stop).unwrap();
    // All 200 behind the pause were due when it ended.
    assert_eq!(report.packets, 300);
    assert!((4..=110).contains(&report.calls), "{report:?}");
    let schedule = report.schedule.unwrap();
    assert!(schedule.p50 >= 1_500_000 && schedule.max >= schedule.end);
    assert!(report.peak >= 200, "{report:?}");
}

#[test]
fn packets_are_taken_from_their_source_shortly_before_they_are_due() {
    let (_socket, to) = receiver();
    let gap = Duration::from_millis(10);
    let begin = std::time::Instant::now();
    let mut taken = Vec::new();
    let packets = (0..6u64).map(|i| {
        taken.push(begin.elapsed());
        Outgoing {
            offset: i * gap.as_nanos() as u64,
            line: 0,
            payload: b"x",
        }
    });
    let senders = [sender(to)];
    let stop = AtomicBool::new(false);
    replay(packets, &senders, Speed::ORIGINAL, &stop).unwrap();
    // The next one is asked for when the one before it is due within 2 ms.
    for (i, at) in (0..).zip(taken).skip(1) {
        assert!(
            at + Duration::from_millis(3) >= gap * (i - 1),
            "{i} at {at:?}"
        );
    }
}

#[test]
fn a_device_that_cannot_cut_runs_up_is_explained() {
    let (_socket, to) = receiver();
    let refused = || io::Error::from_raw_os_error(libc::EIO);
    assert_eq!(
        sender(to).explain(refused()).raw_os_error(),
        Some(libc::EIO)
    );
    let offload = sender(to).with_offload().unwrap();
    let says = offload.explain(refused()).to_string();
    assert!(says.contains("without offload"), "{says}");
    let other = io::Error::from_raw_os_error(libc::ENETDOWN);
    assert_eq!(offload.explain(other).raw_os_error(), Some(libc::ENETDOWN));
}
