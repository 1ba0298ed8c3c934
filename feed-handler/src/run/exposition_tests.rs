use super::*;

/// Sends bytes to a server on a port of its own and returns what it answers.
fn ask(request: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let std::net::SocketAddr::V4(address) = address else {
        panic!("an IPv4 address was asked for");
    };
    let _server = Exposition::start(address, Arc::default()).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    // Refused while it is written, where it is too long.
    let _ = stream.write_all(request);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn requests_have_the_answer_they_deserve() {
    for (request, want) in [
        (&b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"[..], "503 "),
        (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", "503 "),
        (b"GET / HTTP/1.1\r\n\r\n", "404 "),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405 "),
        (b"\xff\xfe\r\n\r\n", "405 "),
    ] {
        let answer = ask(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {want}")), "{answer}");
    }
}

#[test]
fn who_says_too_little_or_too_much_is_left_without_one() {
    assert_eq!(ask(b"GET /metrics HTTP/1.1\r\n"), "", "no end in time");
    assert_eq!(ask(&[b'x'; 3 * HEAD_BYTES_MAX]), "");
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let std::net::SocketAddr::V4(address) = taken.local_addr().unwrap() else {
        panic!("an IPv4 address was asked for");
    };
    let error = Exposition::start(address, Arc::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&address.to_string()) && text.contains("in use"),
        "{text}"
    );
}
