//! `feed-handler top` in a real terminal: tmux, 80x24, while a session is replayed into a run.
//!
//! In a network namespace of its own, like `live.rs`. Without tmux it says so and passes.

mod harness;
#[allow(dead_code)] // pipes are for recordings
#[path = "harness/scratch.rs"]
mod scratch;
mod sessions;

use feed_handler::config::{Believed, ConsumerPlan, WhenFull};
use feed_handler::run::ask_status;
use feed_replay::schedule::Speed;
use feed_replay::send::{Interface, Outgoing, Sender, SenderOptions, replay};
use feed_replay::synth::Protocol;
use scratch::Scratch;
use sessions::{CHANNEL, Faults, Feed, GROUPS, LAYOUTS, plan};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

const TESTS: &[harness::Test] = &[
    (
        "every_view_shows_a_run_while_a_session_is_replayed",
        every_view_shows_a_run_while_a_session_is_replayed,
    ),
    (
        "however_it_ends_the_terminal_is_given_back",
        however_it_ends_the_terminal_is_given_back,
    ),
    (
        "one_status_is_printed_for_scripts",
        one_status_is_printed_for_scripts,
    ),
];

const PROGRAM: &str = env!("CARGO_BIN_EXE_feed-handler");

fn main() {
    harness::run("top", TESTS);
}

fn every_view_shows_a_run_while_a_session_is_replayed() {
    if !has_tmux() {
        return;
    }
    let run = Run::new();
    let terminal = Terminal::new();
    terminal.type_line(&run.top());
    // Nothing is there yet, and that is said.
    terminal.shows(&["NO ANSWER yet, asking each second: nothing listens there"]);
    let process = run.start();
    terminal.shows(&[&format!("pid {}", process.id()), " live "]);

    let (feed, stop) = (session(), AtomicBool::new(false));
    thread::scope(|scope| {
        // Whatever becomes of the test: the sender ends.
        let _stop = Stop(&stop);
        scope.spawn(|| send(&feed, &stop));
        terminal.until("a rate of packets", |screen| rate_of(screen, &["lane"]) > 0);
        terminal.shows(&["messages/s", "1 valid", "Latency", "published"]);
        terminal.key("2");
        terminal.shows(&["[2 channels]", CHANNEL, "valid", "recovered", "silences"]);
        terminal.key("Tab");
        terminal.shows(&["[3 lines]", "packets/s", "silent"]);
        terminal.until("a rate of line A", |screen| {
            rate_of(screen, &[CHANNEL, "A"]) > 0
        });
        terminal.key("Right");
        terminal.shows(&[
            "[4 latency]",
            "Last interval",
            "Since the start",
            "p99.9",
            "dequeue",
        ]);
        terminal.key("5");
        terminal.shows(&["[5 consumers]", "quotes", "Drops by cause"]);
        terminal.key("PageDown");
        terminal.shows(&["[5 consumers]", "socket_buffer"]);
        terminal.key("6");
        terminal.shows(&["[6 books]", "No symbols are chosen: press /"]);
        terminal.key("/");
        terminal.key("*");
        terminal.shows(&["symbols: *_"]);
        terminal.key("Enter");
        terminal.shows(&["Best bid and offer", "bid size", " valid ", "*: "]);
        terminal.until("changes of best prices", |screen| changes(screen) > 0);
        let before = changes(&terminal.screen());
        terminal.until("more of them", |screen| changes(screen) > before);
        // Of one symbol the whole book is told.
        let symbol = first_symbol(&terminal.screen());
        terminal.key("/");
        symbol.chars().for_each(|c| terminal.key(&c.to_string()));
        terminal.key("Enter");
        terminal.shows(&[&format!(" {symbol}: 1 symbol"), "Depth", "level  orders"]);
        terminal.key("5");
        terminal.shows(&["[5 consumers]"]);
        terminal.key("?");
        terminal.shows(&["PageUp, PageDown"]);
        terminal.key("?");
        terminal.key("p");
        terminal.shows(&["PAUSED", "[5 consumers]"]);
        terminal.key("p");
        terminal.key("1");
        terminal.until("life after a pause", |screen| {
            screen.contains("[1 overview]") && !screen.contains("PAUSED")
        });
    });

    process.terminate();
    terminal.shows(&[
        "NO ANSWER, the last ",
        " s ago, asking each second",
        "[1 overview]",
    ]);
    // Another run is found by itself.
    let process = run.start();
    terminal.shows(&[&format!("pid {}", process.id()), " live "]);
    process.terminate();
    terminal.key("q");
    terminal.is_given_back(0);
}

fn however_it_ends_the_terminal_is_given_back() {
    if !has_tmux() {
        return;
    }
    let run = Run::new();
    // The shell's number becomes the program's.
    let (file, top) = (run.scratch.0.join("pid"), run.top());
    let line = format!("sh -c 'echo $$ > {}; exec {top}'", file.display());
    for end in ["Escape", "C-c", "TERM", "the terminal goes"] {
        let terminal = Terminal::new();
        terminal.type_line(&line);
        terminal.shows(&["NO ANSWER yet"]);
        let pid = std::fs::read_to_string(&file).unwrap();
        let pid = pid.trim();
        match end {
            "TERM" => {
                let killed = Command::new("kill").args(["-TERM", pid]).status();
                assert!(killed.unwrap().success());
            }
            "the terminal goes" => {
                drop(terminal);
                let process = Path::new("/proc").join(pid);
                assert!((0..PATIENCE).any(|_| nap(|| !process.exists())), "{pid}");
                return;
            }
            key => terminal.key(key),
        }
        terminal.is_given_back(0);
    }
}

fn one_status_is_printed_for_scripts() {
    let run = Run::new();
    let top = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        let ended = command.arg("top").args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (ended.status.code(), text(ended.stdout), text(ended.stderr))
    };
    let (socket, config) = (run.path("feed.sock"), run.path("feed.toml"));
    let (status, out, said) = top(&["--socket", &socket, "--once"]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(said.contains("nothing listens there"), "{said}");
    let (status, _, said) = top(&["--socket", &socket]);
    assert_eq!(status, Some(2));
    assert!(
        said.contains("no terminal") && said.contains("--once"),
        "{said}"
    );
    let (status, _, said) = top(&["--once"]);
    assert!(status == Some(2) && said.contains("--config"), "{said}");

    let process = run.start();
    let (status, out, said) = top(&["-c", &config, "--once"]);
    assert_eq!((status, said.as_str()), (Some(0), ""));
    for part in [
        "Lanes\n",
        "Channels\n",
        "Lines\n",
        CHANNEL,
        "239.192.60.2:26460",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let (status, out, _) = top(&["--socket", &socket, "--once", "--format", "json"]);
    assert_eq!(status, Some(0));
    let told: feed_handler::status::Status = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (told.pid, told.channels[0].name.as_str()),
        (process.id(), CHANNEL)
    );
    let chosen = ["--socket", &socket, "--once", "--symbol", "Z*"];
    let (status, out, _) = top(&chosen);
    assert_eq!(status, Some(0));
    assert!(out.contains("\nBest bid and offer\n"), "{out}");
    let (_, out, _) = top(&[&chosen[..], &["--format", "json"]].concat());
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&told["books"]["symbols"], &told["pid"]),
        (&"Z*".into(), &process.id().into())
    );
    process.terminate();
}

/// From one packet to the next, in nanoseconds: no pause is taken for silence, no lane of a busy machine falls behind, and
/// the session goes on for two minutes unless it is stopped.
const PACE: u64 = 2_000_000;

/// Sends a session on two lines that lose what the other brings.
fn send(feed: &Feed, stop: &AtomicBool) {
    let lo = Interface::named("lo").unwrap();
    let senders = GROUPS.map(|group| Sender::open(group, &lo, SenderOptions::default()).unwrap());
    let paced = (0..).zip(feed.outgoing()).map(|(i, packet)| Outgoing {
        offset: i * PACE,
        ..packet
    });
    replay(paced, &senders, Speed::ORIGINAL, stop).unwrap();
}

fn session() -> Feed {
    let faults = Faults {
        per_line: 200,
        ..Faults::default()
    };
    Feed::new(Protocol::Itch50, 80_000, 81, faults)
}

/// The figure behind these words at the beginning of a row; 0 where it is not known.
fn rate_of(screen: &str, row: &[&str]) -> u64 {
    let figures = screen.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let is_row = row.iter().all(|&word| words.next() == Some(word));
        let figure = words.next().filter(|_| is_row)?;
        figure.replace(',', "").parse().ok()
    });
    figures.max().unwrap_or(0)
}

/// The symbol of the first row of best prices.
fn first_symbol(screen: &str) -> String {
    let rows = screen.lines().skip_while(|line| !line.contains("bid size"));
    let first = rows.skip(1).find_map(|row| row.split_whitespace().next());
    first.expect("a symbol in view").to_owned()
}

/// Changes of best prices of all symbols in view: the sum of that column.
fn changes(screen: &str) -> u64 {
    let mut rows = screen.lines().skip_while(|line| !line.contains("bid size"));
    let head = rows.next().unwrap_or("");
    let Some(end) = head.find(" changes").map(|at| at + " changes".len()) else {
        return 0;
    };
    let figure = |row: &str| {
        let row: String = row.chars().take(end).collect();
        let figure = row.split_whitespace().last()?.replace(',', "");
        figure.parse::<u64>().ok()
    };
    rows.filter_map(figure).sum()
}

/// A configuration in a directory of its own.
struct Run {
    scratch: Scratch,
}

impl Run {
    fn new() -> Run {
        let run = Run {
            scratch: Scratch::new(),
        };
        let mut plan = plan(Protocol::Itch50, LAYOUTS[0]);
        plan.control = Some(run.path("feed.sock").into());
        plan.consumers = vec![ConsumerPlan {
            name: "quotes".to_owned(),
            queue: 1 << 12,
            when_full: WhenFull::Drop,
            trust: Believed::Any,
            lanes: vec![0],
        }];
        std::fs::write(run.path("feed.toml"), plan.to_toml().unwrap()).unwrap();
        run
    }

    fn path(&self, name: &str) -> String {
        self.scratch.0.join(name).to_str().unwrap().to_owned()
    }

    /// The command that shows it.
    fn top(&self) -> String {
        format!("{PROGRAM} top -c {}", self.path("feed.toml"))
    }

    /// Starts the handler and waits until it answers.
    fn start(&self) -> Started {
        let process = Command::new(PROGRAM)
            .args(["run", "--duration", "120s", "-c", &self.path("feed.toml")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = Started(process.unwrap());
        let socket = self.path("feed.sock");
        let answers = || ask_status(Path::new(&socket)).is_ok_and(|s| s.pid == process.id());
        assert!((0..PATIENCE).any(|_| nap(answers)), "it does not start");
        process
    }
}

/// A handler that does not outlive its test.
struct Started(Child);

impl Started {
    fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it as a user would.
    fn terminate(mut self) {
        let kill = ["-TERM".to_owned(), self.id().to_string()];
        assert!(Command::new("kill").args(kill).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Refused where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sets a flag when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Looks at a screen before it is said that something does not come: half a minute of them.
const PATIENCE: usize = 600;

fn nap(done: impl Fn() -> bool) -> bool {
    thread::sleep(Duration::from_millis(50));
    done()
}

fn has_tmux() -> bool {
    let found = Command::new("tmux").arg("-V").output().is_ok();
    if !found {
        println!("top: SKIPPED in a terminal: there is no tmux");
    }
    found
}

/// A shell in a terminal of 80x24, on a tmux server of its own that ends with it.
struct Terminal {
    scratch: Scratch,
}

impl Terminal {
    fn new() -> Terminal {
        let scratch = Scratch::new();
        let terminal = Terminal { scratch };
        let shell = "env PS1='ready> ' sh";
        let ended = terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", shell]);
        assert!(ended.status.success(), "{ended:?}");
        terminal.shows(&["ready>"]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        // No configuration; UTF-8 whatever the locale.
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.scratch.0.join("tmux"));
        command.args(["-f", "/dev/null", "-u"]);
        command.args(arguments).output().unwrap()
    }

    fn key(&self, name: &str) {
        let ended = self.tmux(&["send-keys", name]);
        assert!(ended.status.success(), "{name}: {ended:?}");
    }

    fn type_line(&self, line: &str) {
        assert!(self.tmux(&["send-keys", "-l", line]).status.success());
        self.key("Enter");
    }

    fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).unwrap()
    }

    /// Waits until all of these are seen at once.
    #[track_caller]
    fn shows(&self, parts: &[&str]) {
        self.until(&format!("{parts:?}"), |screen| {
            parts.iter().all(|part| screen.contains(part))
        });
    }

    #[track_caller]
    fn until(&self, what: &str, done: impl Fn(&str) -> bool) {
        let seen = (0..PATIENCE).any(|_| nap(|| done(&self.screen())));
        assert!(seen, "no {what} in\n{}", self.screen());
    }

    /// The shell's screen is back with the program's exit status, and the terminal echoes and ends lines again.
    #[track_caller]
    fn is_given_back(&self, status: i32) {
        self.until("the shell again", |screen| {
            screen.trim_end().ends_with("ready>") && !screen.contains("[1 overview]")
        });
        self.type_line("echo ended with $?; stty -a");
        let ended = format!("\nended with {status}\n");
        self.until("a terminal as it was", |screen| {
            let modes = ["icanon", "echo ", "isig", "opost"];
            let is_on =
                |mode: &&str| screen.contains(*mode) && !screen.contains(&format!("-{mode}"));
            // What was typed is seen, since it is echoed.
            screen.contains("stty -a\n") && screen.contains(&ended) && modes.iter().all(is_on)
        });
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
