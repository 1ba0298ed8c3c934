//! What consumers in C and Python leave of how long records took: all of it or nothing, whatever is in the way.

use super::languages::{NUMPY, compiled, has_numpy, python, skipped};
use super::readers::EXAMPLE;
use super::taken::{begun, line};
use super::{Folder, plan, record};
use feed_common::ring::shared::{Published, publish};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn c_leaves_all_of_it_or_nothing() {
    let folder = Folder::new("left-c");
    let program = compiled(&folder, EXAMPLE);
    check(&folder, || Command::new(&program));
}

#[test]
fn python_leaves_all_of_it_or_nothing() {
    if !has_numpy() {
        skipped("python_leaves_all_of_it_or_nothing", NUMPY);
        return;
    }
    check(&Folder::new("left-python"), || {
        let mut command = python();
        command.args(["-m", "feed_shm"]);
        command
    });
}

/// All that can be in the way of what the examples leave.
fn check(folder: &Folder, program: impl Fn() -> Command) {
    what_is_in_its_place_is_replaced_or_stays(folder, &program);
    what_does_not_fit_is_not_left(folder, &program);
    who_may_only_read_leaves_nothing(folder, &program);
}

/// Somebody else's things in the place of the file, and of the one as which it is made.
fn what_is_in_its_place_is_replaced_or_stays(folder: &Folder, program: impl Fn() -> Command) {
    let target = folder.feed().with_file_name("target");
    let another = |path: &Path| fs::write(path, "another").unwrap();
    let link = |path: &Path| symlink(&target, path).unwrap();
    let directory = |path: &Path| fs::create_dir(path).unwrap();
    let (itself, made) = ("", ".new");
    type Put<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Put, &str); 6] = [
        (itself, &another, ""),
        (itself, &link, ""),
        (itself, &directory, "Is a directory"),
        (made, &another, ""),
        (made, &link, ""),
        (made, &directory, "File exists"),
    ];
    for (suffix, put, refused) in cases {
        fs::write(&target, "of somebody").unwrap();
        let mut path = PathBuf::new();
        let output = follow(folder, program(), |name| {
            put(Path::new(&format!("{name}{suffix}")));
            path = name.into();
        });
        assert!(output.status.success(), "{output:?}");
        let says = String::from_utf8_lossy(&output.stderr);
        if refused.is_empty() {
            assert_eq!(says, "");
            assert!(line(&path).payload.starts_with(&[0x1C, 0x84, 0x93, 0x13]));
            assert_eq!(beside(folder).len(), 1, "{:?}", beside(folder));
        } else {
            says_why(&output, refused);
            let name = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(beside(folder), [format!("{name}{suffix}")]);
            path = format!("{}{suffix}", path.display()).into();
            fs::remove_dir(&path).expect("what was there");
            continue;
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "of somebody");
        fs::remove_file(&path).unwrap();
    }
}

/// No room for its name, no room on the disk.
fn what_does_not_fit_is_not_left(folder: &Folder, program: impl Fn() -> Command) {
    let path = folder.feed();
    drop(publish(&plan(&path, 64)).unwrap());
    // Long enough for the file itself, and for nothing behind its name.
    let short = path.as_os_str().len();
    let long = path.with_file_name("./".repeat((4_090 - short) / 2) + "feed");
    says_why(&program().arg(long).output().unwrap(), "File name too long");
    assert_eq!(beside(folder), [""; 0]);

    let may = Command::new("unshare").args(["-rm", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        skipped(
            "what_does_not_fit_is_not_left: a full disk",
            "a namespace to mount in",
        );
        return;
    }
    let disk = path.with_file_name("disk");
    fs::create_dir(&disk).unwrap();
    let script = "mount -t tmpfs -o size=1m none \"$0\" && cp \"$1\" \"$0\" && ! cat /dev/zero >\"$0/full\" && \
                  shift && \"$@\" \"$0/feed\" && ls \"$0\"";
    let mut full = Command::new("unshare");
    full.args(["-rm", "sh", "-c", script]).args([&disk, &path]);
    within(&mut full, &program());
    let output = full.output().unwrap();
    says_why(&output, "No space left on device");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("feed\nfull\n"), "{said}");
}

/// Beside a feed in a folder that the consumer may not change nothing is left, and nothing said.
fn who_may_only_read_leaves_nothing(folder: &Folder, program: impl Fn() -> Command) {
    let path = folder.feed();
    drop(publish(&plan(&path, 64)).unwrap());
    let home = path.parent().unwrap();
    let mode = |mode| fs::set_permissions(home, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    // Root may all the same, unless that right is taken from what it starts.
    let changes = fs::write(home.join("x"), "").is_ok();
    let without = ["--bounding-set=-dac_override"];
    let may = Command::new("setpriv").args(without).arg("true").output();
    let output = if !changes {
        program().arg(&path).output().unwrap()
    } else if may.is_ok_and(|output| output.status.success()) {
        let mut command = Command::new("setpriv");
        within(command.args(without), &program());
        command.arg(&path).output().unwrap()
    } else {
        mode(0o755);
        let needs = "a user who cannot change every folder";
        return skipped("who_may_only_read_leaves_nothing", needs);
    };
    mode(0o755);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    assert_eq!(beside(folder), [""; 0]);
}

/// Where nobody may execute what he wrote, Python cannot read the clock: it says so, and reads records all the same.
#[test]
fn without_its_clock_python_reads_and_leaves_nothing() {
    if !has_numpy() {
        skipped("without_its_clock_python_reads_and_leaves_nothing", NUMPY);
        return;
    }
    const WITHOUT: &str = "\
import os, runpy, sys
def memfd_create(name, flags): raise PermissionError(13, 'Permission denied')
os.memfd_create = memfd_create
runpy.run_module('feed_shm', run_name='__main__', alter_sys=True)
";
    let folder = Folder::new("unclocked");
    let mut command = python();
    command.args(["-c", WITHOUT]);
    let output = follow(&folder, command, |_| {});
    let says = String::from_utf8_lossy(&output.stderr);
    let why = "the clock of its receive times cannot be read: Permission denied";
    assert!(output.status.success() && says.contains(why), "{says}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("read 100 lost 0 "));
    assert_eq!(beside(&folder), [""; 0]);
}

/// Lets a program follow a feed of a hundred records to its end, told meanwhile what it will leave.
fn follow(folder: &Folder, mut program: Command, meanwhile: impl FnOnce(&str)) -> Output {
    let path = folder.feed();
    let Published {
        mut ring,
        board,
        hold,
    } = publish(&plan(&path, 128)).unwrap();
    let mut child = begun(program.arg(&path));
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    meanwhile(&format!(
        "{}.taken.{}.{}",
        path.display(),
        hold.epoch(),
        child.id()
    ));
    (0..100).for_each(|p| ring.push(&record(p)));
    drop((ring, board, hold));
    let mut stdout = Vec::new();
    out.read_to_end(&mut stdout).unwrap();
    let output = child.wait_with_output().unwrap();
    Output { stdout, ..output }
}

/// It did what it is for, and said why it left nothing.
fn says_why(output: &Output, why: &str) {
    let says = String::from_utf8_lossy(&output.stderr);
    let why = format!("its latency is not left: {why}");
    assert!(
        output.status.success() && says.contains(&why),
        "no {why:?} in {says}"
    );
}

/// What consumers have left, or begun to leave.
fn beside(folder: &Folder) -> Vec<String> {
    let folder = folder.feed().with_file_name("");
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".taken.")).collect()
}

/// A command as the last arguments of another.
fn within(outer: &mut Command, inner: &Command) {
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        value.map(|value| outer.env(name, value));
    }
}
