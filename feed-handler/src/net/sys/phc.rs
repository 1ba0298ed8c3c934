//! A network card's own clock (PTP hardware clock): read, never set.

use feed_common::time::CardNanos;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// An open card's clock, `/dev/ptpN`.
#[derive(Debug)]
pub struct CardClock(File);

impl CardClock {
    /// Opens the clock of that number and tries it. Most systems let only root read it.
    pub fn open(number: u32) -> io::Result<CardClock> {
        CardClock::of(File::open(format!("/dev/ptp{number}"))?)
    }

    fn of(file: File) -> io::Result<CardClock> {
        let clock = CardClock(file);
        clock.now().map(|_| clock)
    }

    /// What it says now: a system call, and the way to the card and back, a microsecond or two.
    pub fn now(&self) -> io::Result<CardNanos> {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the kernel looks the clock up by its file, which is open; what is no clock it refuses. It writes one
        // timespec, which lives through the call, and keeps no pointer.
        match unsafe { libc::clock_gettime(clock_id(self.0.as_raw_fd()), &mut time) } {
            0 => {
                let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
                let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
                Ok(CardNanos(
                    seconds.saturating_mul(1_000_000_000).saturating_add(nanos),
                ))
            }
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// `FD_TO_CLOCKID` (linux/posix-timers.h): the complement of the descriptor above the three bits that say it is one.
const fn clock_id(descriptor: i32) -> libc::clockid_t {
    (!descriptor << 3) | 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_clock_is_made_of_its_descriptor() {
        // ~3 = ...1100, shifted by 3: ...1100000, with 011 behind.
        assert_eq!(clock_id(3), -29);
        assert_eq!((clock_id(0), clock_id(1023)), (-5, -8189));
    }

    #[test]
    fn what_is_no_clock_is_refused() {
        let other = File::open("/dev/null").unwrap();
        assert_eq!(
            CardClock::of(other).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
        let none = CardClock::open(u32::MAX).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
    }
}
