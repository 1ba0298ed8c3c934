//! A disk that is full: an error when a segment is made, what was written stays, and writing goes on when there is room.
//!
//! The tests run themselves again: on a small disk of their own, and under a limit of the size of files.

use feed_common::event::Record;
use feed_common::journal::mapped::segments;
use feed_common::journal::{
    Found, JournalError, JournalOptions, JournalReader, JournalWriter, Start,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set in the other half of a test, to its folder.
const INSIDE: &str = "JOURNAL_FULL_INSIDE";

const OPTIONS: JournalOptions = JournalOptions {
    journal: 1,
    segment: 4096 + 4 * 65_536,
    block: 65_536,
    keep: None,
};

#[test]
fn a_full_disk() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        return fill(Path::new(&folder));
    }
    let may = Command::new("unshare").args(["-rm", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("not run: this system does not let its users mount in a namespace");
        return;
    }
    // Three segments fit, and not a fourth.
    let script = "mount -t tmpfs -o size=1m none \"$1\" && exec \"$0\" --exact a_full_disk";
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script]);
    again(command, "disk");
}

#[test]
fn a_limit_of_the_size_of_files() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        let error = JournalWriter::open(&Path::new(&folder).join("journal"), &OPTIONS).unwrap_err();
        return is_no_room(&error);
    }
    // In units of 512 or 1024 bytes, by shell. The signal that comes with it is for those who do not look at errors.
    let script =
        "trap '' XFSZ && ulimit -f 200 && exec \"$0\" --exact a_limit_of_the_size_of_files";
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    again(command, "limit");
}

/// Runs the other half of a test, in a folder of its own.
fn again(mut command: Command, name: &str) {
    let name = format!("feed-journal-full-{name}-{}", std::process::id());
    let folder: PathBuf = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    let this = std::env::current_exe().unwrap();
    let output = command
        .arg(this)
        .arg(&folder)
        .env(INSIDE, &folder)
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let says = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&says)
    );
}

fn fill(folder: &Path) {
    let folder = &folder.join("journal");
    let mut writer = JournalWriter::open(folder, &OPTIONS).unwrap();
    let batch = [Record::default(); 100];
    let error = loop {
        if let Err(error) = writer.append(&batch) {
            break error;
        }
    };
    is_no_room(&error);
    is_no_room(&writer.preparer().prepare().unwrap_err());
    // All that fits is there, to the last of the third segment.
    let in_block = (65_536 - 16) / 80;
    assert_eq!(writer.number(), 3 * 4 * in_block);
    assert_eq!(count(folder, Start::Oldest), writer.number());
    let files = fs::read_dir(folder).unwrap().count();
    assert_eq!(files, 3 + 1, "three segments and the lock");
    // Tried again it is the same error, and with room it goes on.
    is_no_room(&writer.append(&batch).unwrap_err());
    fs::remove_file(&segments(folder).unwrap()[0].path).unwrap();
    let before = writer.number();
    writer.append(&batch).unwrap();
    assert_eq!(count(folder, Start::Number(before)), 100);
    drop(writer);
    let writer = JournalWriter::open(folder, &OPTIONS).unwrap();
    assert_eq!(writer.recovered().next, before + 100);
}

fn is_no_room(error: &JournalError) {
    assert!(matches!(error, JournalError::NoRoom { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("no room for a segment of 266240 bytes"),
        "{error}"
    );
}

fn count(folder: &Path, start: Start) -> u64 {
    let mut reader = JournalReader::open(folder, start).unwrap();
    let mut count = 0;
    while let Some(found) = reader.read().unwrap() {
        assert!(matches!(found, Found::Record { .. }), "{found:?}");
        count += 1;
    }
    count
}
