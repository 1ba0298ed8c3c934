//! Pinning the current thread to one core, and proving it.

use core_affinity::CoreId;
use std::fs;
use std::io;

/// Why the thread does not run on the core it was given.
#[derive(Debug, thiserror::Error)]
pub enum AffinityError {
    /// The machine has no such core, or it is offline.
    #[error("there is no core {core}: online are {online}")]
    NoSuchCore {
        /// What was asked for.
        core: usize,
        /// The cores that are online, as the system lists them ("0-3,8").
        online: String,
    },
    /// The core exists and the system refused: it lies outside the process's cpuset, or the call is filtered.
    #[error("not permitted to run on core {core} (cpuset or sandbox?): {source}")]
    NotPermitted {
        /// What was asked for.
        core: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The system accepted, and the mask read back is not this core alone.
    #[error("asked for core {core} alone, the thread may run on {mask:?}")]
    MaskDiffers {
        /// What was asked for.
        core: usize,
        /// Cores the thread may run on.
        mask: Vec<usize>,
    },
}

/// Pins the current thread to `core`, numbered as the system numbers them, and reads the mask back.
///
/// The number comes from the configuration and not from `core_affinity::get_core_ids()`: that lists the mask of the
/// calling thread, so isolated cores are missing from it and after the first pinning it holds one entry.
pub fn pin_current_thread(core: usize) -> Result<(), AffinityError> {
    let online = online_cores();
    // Past the width of cpu_set_t, setting the bit would be an index out of bounds.
    let known = match &online {
        Some(list) => lists(list, core),
        None => true,
    };
    if core >= libc::CPU_SETSIZE as usize || !known {
        return Err(AffinityError::NoSuchCore {
            core,
            online: online.unwrap_or_else(|| "unknown".into()),
        });
    }
    if !core_affinity::set_for_current(CoreId { id: core }) {
        return Err(AffinityError::NotPermitted {
            core,
            source: io::Error::last_os_error(),
        });
    }
    let mask = current_mask().map_err(|source| AffinityError::NotPermitted { core, source })?;
    if mask != [core] {
        return Err(AffinityError::MaskDiffers { core, mask });
    }
    Ok(())
}

/// The cores the current thread may run on.
fn current_mask() -> io::Result<Vec<usize>> {
    // SAFETY: cpu_set_t is an array of integers, for which zero bytes are a valid value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to `size_of::<cpu_set_t>()` writable bytes, the length passed; thread 0 is the caller.
    let status = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((0..libc::CPU_SETSIZE as usize)
        // SAFETY: the index is below CPU_SETSIZE, the number of bits in the set.
        .filter(|&core| unsafe { libc::CPU_ISSET(core, &set) })
        .collect())
}

/// The system's list of online cores; `None` where there is no sysfs, and then the call itself decides.
fn online_cores() -> Option<String> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    Some(text.trim().to_owned())
}

/// True when a list such as "0-3,8" names `core`.
fn lists(list: &str, core: usize) -> bool {
    list.split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&core),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_lists_read_as_the_system_writes_them() {
        for (core, listed) in [(0, true), (3, true), (4, false), (8, true), (80, false)] {
            assert_eq!(lists("0-3,8", core), listed, "{core}");
        }
        assert!(!lists("", 0));
    }

    #[test]
    fn pinning_is_visible_in_the_mask() {
        // In threads of their own: the mask must not leak into other tests. Any core we may use at all will do.
        let core = current_mask().unwrap()[0];
        let mask = std::thread::spawn(move || {
            pin_current_thread(core).unwrap();
            // A second time, from a mask that is down to one core.
            pin_current_thread(core).unwrap();
            current_mask().unwrap()
        });
        assert_eq!(mask.join().unwrap(), [core]);
    }

    #[test]
    fn cores_that_do_not_exist_are_named() {
        let outside = libc::CPU_SETSIZE as usize;
        for core in [outside - 1, outside, usize::MAX] {
            match pin_current_thread(core) {
                Err(AffinityError::NoSuchCore { core: named, .. }) => assert_eq!(named, core),
                other => panic!("core {core}: {other:?}"),
            }
        }
    }
}
