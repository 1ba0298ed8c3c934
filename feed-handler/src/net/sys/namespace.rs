//! A private network namespace: a network with nothing in it but `lo`, out of which no packet can get.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// How the process got its own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// With the right to make network namespaces, as root has.
    Network,
    /// Inside a user namespace of its own, as any user may where the system allows it; the user stays who it was.
    UserAndNetwork,
}

/// Why the process is still in the network it was in, or must end.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// More than one thread runs; a namespace would hold only the calling one.
    #[error("a private network can only be entered before threads are started; {0} are running")]
    Threads(usize),
    /// The system does not allow it here. Nothing has changed: the caller may go on without.
    #[error("this system does not allow a private network namespace: {}", reason(.0))]
    Refused(io::Error),
    /// The namespace was entered and could not be set up. The network of the process is unusable.
    #[error("the private network could not be set up: {step}: {source}")]
    Setup {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

fn reason(e: &io::Error) -> String {
    match e.raw_os_error() {
        // unshare(2) reports an exhausted limit as a full disk.
        Some(libc::ENOSPC | libc::EUSERS) => {
            "its limit is reached (see the sysctls user.max_user_namespaces and user.max_net_namespaces)".to_owned()
        }
        _ => e.to_string(),
    }
}

/// Moves the process into a network namespace of its own and brings its `lo` up, with multicast.
///
/// To be called first thing in `main`: the process must have one thread. Root needs nothing else; an ordinary user
/// gets a user namespace with it, in which the user and group keep their numbers.
pub fn enter_private() -> Result<Entered, NamespaceError> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads != 1 {
        return Err(NamespaceError::Threads(threads));
    }
    rehearse().map_err(NamespaceError::Refused)?;
    enter().map_err(|(step, source)| NamespaceError::Setup { step, source })
}

/// What was tried, and why it failed.
type Failed = (&'static str, io::Error);

fn enter() -> Result<Entered, Failed> {
    let entered = match unshare(libc::CLONE_NEWNET) {
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => {
            let (user, group) = ids();
            unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)
                .map_err(|e| ("make user and network namespaces", e))?;
            map_ids(user, group)?;
            Entered::UserAndNetwork
        }
        done => {
            done.map_err(|e| ("make a network namespace", e))?;
            Entered::Network
        }
    };
    bring_up_loopback().map_err(|e| ("bring lo up", e))?;
    Ok(entered)
}

/// Does everything once in a child process. Some systems let a user namespace be made and then refuse every right in
/// it; the way back out would be refused too, so this must be known before the process itself goes in.
fn rehearse() -> io::Result<()> {
    // SAFETY: the caller has checked that one thread runs, so the child has no lock held by a thread it lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = match enter() {
                Ok(_) => 0,
                // An errno is below 256, as an exit status is.
                Err((_, e)) => e.raw_os_error().unwrap_or(libc::EPERM),
            };
            // SAFETY: ends the child at once, without running what the parent will run at its own end.
            unsafe { libc::_exit(code) }
        }
        child => match wait(child)? {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        },
    }
}

/// The exit status of a child; EPERM when a signal ended it (a sandbox that kills instead of refusing).
fn wait(child: libc::pid_t) -> io::Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a place for the result; the child is ours and has not been waited for.
        if unsafe { libc::waitpid(child, &mut status, 0) } == child {
            let ended = libc::WIFEXITED(status);
            return Ok(if ended {
                libc::WEXITSTATUS(status)
            } else {
                libc::EPERM
            });
        }
        let e = io::Error::last_os_error();
        if e.kind() != io::ErrorKind::Interrupted {
            return Err(e);
        }
    }
}

/// Keeps the process's user and group what they were; without this they would be nobody's.
fn map_ids(user: u32, group: u32) -> Result<(), Failed> {
    // The kernel takes an ordinary user's group map only once setgroups is given up.
    let writes = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{user} {user} 1")),
        ("/proc/self/gid_map", format!("{group} {group} 1")),
    ];
    for (path, text) in writes {
        fs::write(path, text).map_err(|e| (path, e))?;
    }
    Ok(())
}

fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: takes flags and no memory. With one thread, which the caller checked, nothing else in the process loses
    // what it shared.
    check(unsafe { libc::unshare(flags) })
}

fn ids() -> (u32, u32) {
    // SAFETY: neither call takes anything or can fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

fn bring_up_loopback() -> io::Result<()> {
    // SAFETY: takes no memory; the result is checked below.
    let raw = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check(raw)?;
    // SAFETY: a descriptor just opened, owned by nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    // SAFETY: a C structure of integers and unions of them and pointers, for which all zeros is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    // SAFETY: SIOCGIFFLAGS reads the name and writes the flags of an `ifreq`, which `request` is.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &mut request) })?;
    // SAFETY: the call before has written the union's flags.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    // Flags are 16 bits wide here; both constants fit.
    request.ifr_ifru.ifru_flags = flags | (libc::IFF_UP | libc::IFF_MULTICAST) as i16;
    // SAFETY: SIOCSIFFLAGS reads the name and the flags of an `ifreq`.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &mut request) })
}

fn check(result: i32) -> io::Result<()> {
    if result >= 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
