//! Real-time scheduling of the current thread.

use std::io;

/// Why the thread does not run under `SCHED_FIFO`.
#[derive(Debug, thiserror::Error)]
pub enum PriorityError {
    /// The system has no such priority.
    #[error("real-time priority {asked} is outside {least}..={most}")]
    Range {
        /// What was asked for.
        asked: i32,
        /// Lowest the system has.
        least: i32,
        /// Highest the system has.
        most: i32,
    },
    /// Neither root, nor `CAP_SYS_NICE`, nor an `RLIMIT_RTPRIO` that reaches so far.
    #[error(
        "not permitted to use real-time priority {asked}: needs root, CAP_SYS_NICE, or an rtprio limit (ulimit -r)"
    )]
    NotPermitted {
        /// What was asked for.
        asked: i32,
    },
    /// Anything else the system said.
    #[error("setting the scheduling policy failed: {0}")]
    Io(#[source] io::Error),
}

/// Puts the current thread under `SCHED_FIFO` with `priority` (1 to 99 on Linux).
///
/// A spinning thread under this policy takes its core for itself: use it on isolated cores only. Threads started
/// afterwards inherit it.
pub fn set_fifo_priority(priority: i32) -> Result<(), PriorityError> {
    // SAFETY: both take the policy by value and touch no memory.
    let (least, most) = unsafe {
        (
            libc::sched_get_priority_min(libc::SCHED_FIFO),
            libc::sched_get_priority_max(libc::SCHED_FIFO),
        )
    };
    if !(least..=most).contains(&priority) {
        return Err(PriorityError::Range {
            asked: priority,
            least,
            most,
        });
    }
    let parameters = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: `parameters` is a live, fully initialised sched_param that the call only reads; thread 0 is the caller.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(match error.raw_os_error() {
        Some(libc::EPERM) => PriorityError::NotPermitted { asked: priority },
        _ => PriorityError::Io(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_the_system_does_not_have_are_refused_before_asking() {
        for asked in [-1, 0, 100, i32::MAX] {
            assert!(matches!(
                set_fifo_priority(asked),
                Err(PriorityError::Range { .. })
            ));
        }
    }

    #[test]
    fn the_policy_is_in_force_or_the_refusal_is_named() {
        // In a thread of its own: the policy must not leak into other tests.
        let thread = std::thread::spawn(|| {
            let result = set_fifo_priority(1);
            // SAFETY: takes the thread number by value (0: the caller) and touches no memory.
            let policy = unsafe { libc::sched_getscheduler(0) };
            (result, policy)
        });
        match thread.join().unwrap() {
            (Ok(()), policy) => assert_eq!(policy, libc::SCHED_FIFO),
            (Err(PriorityError::NotPermitted { asked: 1 }), policy) => {
                assert_ne!(policy, libc::SCHED_FIFO)
            }
            (Err(other), _) => panic!("{other}"),
        }
    }
}
