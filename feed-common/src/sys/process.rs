//! Which process it was, so that it can be told later whether it still runs: a number is given again to another.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

/// A process, told apart from every other one of this machine, before and after a restart of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks (100 a second) since the machine did: field 22 of `/proc/PID/stat`.
    pub started: u64,
    /// The start of the machine it runs in: `/proc/sys/kernel/random/boot_id`.
    pub boot: [u8; 16],
    /// Where its number counts: the inode of its PID namespace, `/proc/PID/ns/pid`.
    pub namespace: u64,
}

/// Whether a process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It does.
    Runs,
    /// It has ended, killed or otherwise.
    Ended,
    /// It counts its processes elsewhere (another container): it cannot be seen from here.
    Unseen,
}

impl Process {
    /// This one.
    pub fn this() -> io::Result<Process> {
        let pid = std::process::id();
        let stat = fs::read_to_string("/proc/self/stat")?;
        let (_, started) = state_and_start(&stat).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Process {
            pid,
            started,
            boot: boot_id()?,
            namespace: namespace()?,
        })
    }

    /// Whether it runs now. For a cold thread: reads `/proc`.
    pub fn life(&self) -> Life {
        match boot_id() {
            Ok(boot) if boot != self.boot => return Life::Ended,
            Ok(_) => {}
            Err(_) => return Life::Unseen,
        }
        if namespace().ok() != Some(self.namespace) {
            return Life::Unseen;
        }
        // A number that no process can have, or that means several, is nobody's.
        let Some(pid) = i32::try_from(self.pid).ok().filter(|pid| *pid > 0) else {
            return Life::Ended;
        };
        // Not by /proc alone, which may hide the processes of other users.
        // SAFETY: takes two numbers; signal 0 is sent to nobody.
        if unsafe { libc::kill(pid, 0) } != 0
            && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
        {
            return Life::Ended;
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        match stat.as_deref().ok().and_then(state_and_start) {
            // Killed and not yet asked for by its parent, or a later one of the same number.
            Some((b'Z' | b'X', _)) => Life::Ended,
            Some((_, started)) if started != self.started => Life::Ended,
            _ => Life::Runs,
        }
    }
}

/// State and start time in a line of `/proc/PID/stat`. The name before them may hold anything, brackets too.
fn state_and_start(stat: &str) -> Option<(u8, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.as_bytes()[0];
    // The state is field 3.
    Some((state, fields.nth(22 - 4)?.parse().ok()?))
}

fn boot_id() -> io::Result<[u8; 16]> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let number = u128::from_str_radix(&digits, 16).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(number.to_be_bytes())
}

fn namespace() -> io::Result<u64> {
    fs::metadata("/proc/self/ns/pid").map(|facts| facts.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn this_process_runs() {
        let this = Process::this().unwrap();
        assert_eq!(this, Process::this().unwrap());
        assert_eq!(this.life(), Life::Runs);
    }

    #[test]
    fn another_of_its_number_is_another() {
        let this = Process::this().unwrap();
        let earlier = Process {
            started: this.started - 1,
            ..this
        };
        assert_eq!(earlier.life(), Life::Ended);
        let before = Process {
            boot: [7; 16],
            ..this
        };
        assert_eq!(before.life(), Life::Ended);
        let elsewhere = Process {
            namespace: 1,
            ..this
        };
        assert_eq!(elsewhere.life(), Life::Unseen);
        for pid in [0, 1 << 31, u32::MAX] {
            assert_eq!(Process { pid, ..this }.life(), Life::Ended, "{pid}");
        }
    }

    #[test]
    fn a_killed_one_has_ended_before_and_after_its_parent_asks() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let it = Process {
            pid: child.id(),
            started: state_and_start(&stat).unwrap().1,
            ..Process::this().unwrap()
        };
        assert_eq!(it.life(), Life::Runs);
        child.kill().unwrap();
        // It may take a moment to die, and is a zombie then.
        for _ in 0..1_000 {
            if it.life() == Life::Ended {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(it.life(), Life::Ended);
        child.wait().unwrap();
        assert_eq!(it.life(), Life::Ended);
    }

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "12 (a) b (R) 7) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(state_and_start(stat), Some((b'S', 4711)));
        for short in ["", "1 (a)", "1 (a) ", "1 (a) S 1 2 3"] {
            assert_eq!(state_and_start(short), None, "{short:?}");
        }
    }
}
