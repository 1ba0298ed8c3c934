//! A control socket against clients of every kind.

use super::*;
use std::sync::atomic::AtomicU32;

/// A path of its own, gone with the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "control-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Relaxed)
        );
        Place(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn subscription() -> Arc<Subscription> {
    Arc::new(Subscription::new(Filter::default(), Vec::new()))
}

/// What is answered to these bytes, with the connection closed for writing or not.
fn raw(path: &Path, bytes: &[u8], close: bool) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_write_timeout(Some(4 * PATIENCE)).unwrap();
    stream.set_read_timeout(Some(8 * PATIENCE)).unwrap();
    // The other side may have heard enough.
    let _ = stream.write_all(bytes);
    if close {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn requests_change_what_is_wanted() {
    let (place, subscription) = (Place::new(), subscription());
    let control = Control::start(&place.0, subscription.clone(), Arc::default()).unwrap();
    let mode = fs::metadata(&place.0).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let list = ask(&place.0, "list").unwrap();
    assert_eq!(list, json!({"rules": [], "otherwise": true}));
    ask(&place.0, "unsubscribe *").unwrap();
    let now = ask(&place.0, "subscribe A* MSFT").unwrap();
    assert_eq!(
        now,
        json!({"rules": [{"symbols": "A*", "wanted": true}, {"symbols": "MSFT", "wanted": true}],
               "otherwise": false})
    );
    assert!(subscription.filter().wants(b"AAPL") && !subscription.filter().wants(b"SPY"));
    drop(control);
    assert!(!place.0.exists(), "it takes its socket away");
    let error = ask(&place.0, "list").unwrap_err().to_string();
    assert!(error.contains("nothing listens there"), "{error}");
}

#[test]
fn what_is_no_request_is_refused_and_changes_nothing() {
    let (place, subscription) = (Place::new(), subscription());
    let _control = Control::start(&place.0, subscription.clone(), Arc::default()).unwrap();
    for (request, said) in [
        ("frobnicate", "expected `subscribe`"),
        ("", "expected `subscribe`"),
        ("list A*", "expected `subscribe`"),
        ("books", "expected `subscribe`"),
        ("books A B", "expected a symbol pattern"),
        ("books A*", "the run has not started yet"),
        ("subscribe", "expected symbol patterns"),
        ("subscribe \u{c4}", "expected a symbol pattern"),
    ] {
        let error = ask(&place.0, request).unwrap_err().to_string();
        assert!(error.contains(said), "{request:?}: {error}");
    }
    let many: String = (0..65).map(|i| format!(" S{i}")).collect();
    let error = ask(&place.0, &format!("subscribe{many}")).unwrap_err();
    assert!(error.to_string().contains("at most 64"), "{error}");
    assert!(!raw(&place.0, &[b'x'; 100_000], false).contains("rules"));
    assert!(raw(&place.0, b"\xff\xfe\n", false).contains("not text"));
    assert!(raw(&place.0, b"list", true).contains("no request"));
    assert!(raw(&place.0, b"", false).contains("no request: timed out"));
    assert_eq!(subscription.filter(), Filter::default());
    // And it still serves.
    ask(&place.0, "list").unwrap();
}

#[test]
fn a_socket_is_taken_over_only_from_the_dead() {
    let place = Place::new();
    let control = Control::start(&place.0, subscription(), Arc::default()).unwrap();
    let error = Control::start(&place.0, subscription(), Arc::default()).unwrap_err();
    assert!(error.to_string().contains("another process listens"));
    ask(&place.0, "list").unwrap();
    drop(control);
    // A listener that went without taking its socket away.
    drop(UnixListener::bind(&place.0).unwrap());
    assert!(place.0.exists());
    drop(Control::start(&place.0, subscription(), Arc::default()).unwrap());
    fs::write(&place.0, "precious").unwrap();
    let error = Control::start(&place.0, subscription(), Arc::default()).unwrap_err();
    assert!(error.to_string().contains("is no socket"));
    assert_eq!(fs::read(&place.0).unwrap(), b"precious");
    let missing = Path::new("/no/such/folder/socket");
    let error = Control::start(missing, subscription(), Arc::default()).unwrap_err();
    assert!(error.to_string().starts_with("/no/such/folder/socket: "));
}
