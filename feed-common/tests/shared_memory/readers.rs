//! The readers of other languages, against a ring that is written meanwhile.

use super::languages::{NUMPY, compiled, has_numpy, python, skipped};
use super::{Folder, LIMIT, Other, instrument, plan, quote, record};
use feed_common::ring::shared::{Published, SharedPlan, publish};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const RECORDS: u64 = 200_000;
/// What C programs can do with the header.
pub const EXAMPLE: &str = "include/example_tail.c";

#[test]
fn c_reads_what_was_written() {
    let folder = Folder::new("c");
    let program = compiled(&folder, EXAMPLE);
    check(&folder, || Command::new(&program));
}

#[test]
fn python_reads_what_was_written() {
    if !has_numpy() {
        skipped("python_reads_what_was_written", NUMPY);
        return;
    }
    check(&Folder::new("python"), || {
        let mut command = python();
        command.args(["-m", "feed_shm"]);
        command
    });
}

/// The file is read by whom its mode lets, and written by nobody else.
#[test]
fn other_users_read_what_they_may_and_write_nothing() {
    const NOBODY: u32 = 65_534;
    let folder = Folder::new("users");
    let program = compiled(&folder, EXAMPLE);
    let path = folder.feed();
    let as_nobody = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(&path)
            .current_dir("/")
            .uid(NOBODY)
            .gid(NOBODY);
        command.output()
    };
    if as_nobody(&program, &[]).is_err() {
        skipped(
            "other_users_read_what_they_may_and_write_nothing",
            "only root can be another user",
        );
        return;
    }
    let modes = [
        (0o600, None, false),
        (0o640, None, false),
        (0o640, Some(NOBODY), true),
        (0o644, None, true),
    ];
    for (mode, group, may) in modes {
        let plan = SharedPlan {
            mode,
            group,
            ..plan(&path, 64)
        };
        let mut published = publish(&plan).unwrap();
        published.ring.push(&record(0));
        drop(published);
        let output = as_nobody(&program, &[]).unwrap();
        let [said, why] = [&output.stdout, &output.stderr].map(|o| String::from_utf8_lossy(o));
        assert_eq!(said.contains("read 1 lost 0"), may, "{mode:o}: {said}");
        assert_eq!(why.contains("Permission denied"), !may, "{mode:o}: {why}");
        // Opened for writing, by a shell that is told to.
        let write = as_nobody(Path::new("/bin/sh"), &["-c", "echo x >> \"$0\""]).unwrap();
        assert!(!write.status.success());
    }
    // Of a file that is not root's nor one's own.
    std::os::unix::fs::chown(&path, Some(NOBODY - 1), None).unwrap();
    let output = as_nobody(&program, &[]).unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("another user"));
    let refused = publish(&plan(&path, 64)).unwrap_err().to_string();
    assert!(
        refused.contains("belongs to user 65533, not to 0"),
        "{refused}"
    );
}

/// What only Python has: tables as arrays on the mapping itself.
#[test]
fn numpy_sees_the_table_itself() {
    if !has_numpy() {
        skipped("numpy_sees_the_table_itself", NUMPY);
        return;
    }
    let folder = Folder::new("numpy");
    let mut published = publish(&plan(&folder.feed(), 64)).unwrap();
    let rows: Vec<_> = (0..3)
        .map(|i| published.board.announce(&instrument(i)).unwrap())
        .collect();
    published.board.put(rows[2], &quote(5));
    let script = "\
import sys, feed_shm
feed = feed_shm.open(sys.argv[1])
print(feed.quotes['sequence'][:4].tolist(), feed.directory['name'][:3].tolist(), flush=True)
try: feed.quotes['bid'][0] = 1
except ValueError as error: print(error)
before = feed.quotes['bid']
sys.stdin.readline()
print(before[:2].tolist(), feed.quote(1)['bid'], feed.quote(3), feed.quote(99), feed.find('ABC'), feed.find('no'))
";
    let mut child = python()
        .args(["-c", script])
        .arg(folder.feed())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(
        line,
        "[0, 0, 5, 0] [b'ABC', b'A LONG NAME 1', b'A LONG NAME 2']\n"
    );
    // The array that was made before sees it.
    published.board.put(rows[1], &quote(77));
    drop(child.stdin.take());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(
        rest,
        "assignment destination is read-only\n[0, 77] 77 None None 0 None\n"
    );
}

/// All that both examples can do.
fn check(folder: &Folder, program: impl Fn() -> Command) {
    everything_is_read(folder, &program);
    what_was_missed_is_counted(folder, &program);
    a_killed_writer_is_noticed(folder, &program);
    what_is_no_such_file_is_refused(folder, &program);
}

/// A ring that holds all of it: nothing can be lost, and every word counts.
fn everything_is_read(folder: &Folder, program: impl Fn() -> Command) {
    let plan = plan(&folder.feed(), RECORDS.next_power_of_two() as usize);
    let mut published = publish(&plan).unwrap();
    let mut example = Example::begin(program(), &plan.path);
    let rows: Vec<_> = (0..3)
        .map(|i| published.board.announce(&instrument(i)).unwrap())
        .collect();
    for p in 0..RECORDS {
        published.ring.push(&record(p));
        if p % 100 == 99 {
            published.ring.flush();
        }
        if p % 2_000 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        published.board.put(rows[p as usize % 2], &quote(p));
    }
    drop(published);
    let mut want = format!(
        "read {RECORDS} lost 0 sum {}\nended closed\n",
        sum(0..RECORDS)
    );
    want += "channel 3 itch itch50\n";
    for (i, last) in [(0, Some(RECORDS - 2)), (1, Some(RECORDS - 1)), (2, None)] {
        let name = String::from_utf8_lossy(instrument(i).name.as_bytes()).into_owned();
        write!(want, "instrument {i} {name} of channel 3: ").unwrap();
        match last.map(quote) {
            None => want += "no quote\n",
            Some(q) => writeln!(
                want,
                "{} x {}, {} x {} at {} trust {} flags {}",
                q.bid.0, q.bid_quantity, q.ask.0, q.ask_quantity, q.sequence, q.trust.0, q.flags.0
            )
            .unwrap(),
        }
    }
    assert_eq!(example.rest(), want);
}

/// A reader that is stopped while the ring goes round many times.
fn what_was_missed_is_counted(folder: &Folder, program: impl Fn() -> Command) {
    let plan = plan(&folder.feed(), 1_024);
    let Published {
        mut ring,
        hold,
        board,
    } = publish(&plan).unwrap();
    let mut example = Example::begin(program(), &plan.path);
    // Stopped wherever it is, it will have missed most of this.
    example.signal("-STOP");
    (0..RECORDS).for_each(|p| ring.push(&record(p)));
    ring.flush();
    example.signal("-CONT");
    drop((ring, board, hold));
    let said = example.rest();
    let mut numbers = said
        .split_whitespace()
        .filter_map(|word| word.parse::<u64>().ok());
    let [read, lost] = [numbers.next().unwrap(), numbers.next().unwrap()];
    assert!(lost > RECORDS - 2_048 && read + lost == RECORDS, "{said}");
    assert!(
        said.contains(&format!("sum {}\n", sum(lost..RECORDS))),
        "{said}"
    );
}

fn a_killed_writer_is_noticed(folder: &Folder, program: impl Fn() -> Command) {
    let mut writer = Other::start("endless", &folder.feed());
    writer.hear();
    let mut example = Example::begin(program(), &folder.feed());
    writer.kill();
    let said = example.rest();
    assert!(
        said.contains("ended dead\n") && said.contains(" lost "),
        "{said}"
    );
}

fn what_is_no_such_file_is_refused(folder: &Folder, program: impl Fn() -> Command) {
    let SharedPlan { path, .. } = plan(&folder.feed(), 64);
    drop(publish(&plan(&path, 64)).unwrap());
    let bytes = std::fs::read(&path).unwrap();
    let other = folder.feed().with_file_name("other");
    let refused = |bytes: &[u8], why: &str| {
        std::fs::write(&other, bytes).unwrap();
        let output = program().arg(&other).output().unwrap();
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(2) && says.contains(why),
            "{says}"
        );
    };
    refused(&bytes[..bytes.len() - 4_096], "damaged");
    refused(b"FEEDSHM", "not a shared-memory file");
    refused(&[0; 8_192], "not a shared-memory file");
    for at in [8usize, 16, 24, 40, 95, 96, 112, 136, 150, 170, 504, 1_030] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        let why = if at == 8 { "layout version" } else { "damaged" };
        refused(&bytes, why);
    }
    let mut swapped = bytes.clone();
    swapped[16..24].reverse();
    refused(&swapped, "byte order");
    std::fs::remove_file(&other).unwrap();
    std::os::unix::fs::symlink(&path, &other).unwrap();
    let output = program().arg(&other).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("symbolic link"));
    std::fs::remove_file(&other).unwrap();
}

/// An example program that runs.
struct Example {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Example {
    /// Starts it and waits until it stands at the oldest record.
    fn begin(mut command: Command, path: &Path) -> Example {
        let mut child = command.arg(path).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(line.starts_with("session processes, epoch "), "{line}");
        Example { child, out }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// What it says until it ends.
    fn rest(&mut self) -> String {
        let mut text = String::new();
        let start = Instant::now();
        self.out.read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success() && start.elapsed() < LIMIT);
        text
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sum that the examples print, of these records.
fn sum(records: std::ops::Range<u64>) -> u64 {
    let of = |p: u64| {
        let words = (0..).zip(record(p).words());
        let sum = words.map(|(w, word): (u64, u64)| word.wrapping_mul(2 * w + 1));
        sum.fold(0, u64::wrapping_add).wrapping_mul(p + 1)
    };
    records.map(of).fold(0, u64::wrapping_add)
}
