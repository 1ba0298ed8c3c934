//! How everything here is measured: ways that take turns, round after round, and medians over the rounds.
//!
//! A machine that changes under the run then changes all ways alike. Times are those the thread was on a core, so what
//! others compile meanwhile is left out; what it does to the caches is not. What the harness itself costs is measured
//! too ([`Own`]).

use std::hint::black_box;
use std::time::Instant;

/// One of several ways to do something, told apart by name.
pub struct Way<'w> {
    name: &'static str,
    /// Messages, packets or values that it handles.
    things: u64,
    /// Does it once and says how long it took, in nanoseconds.
    work: Box<dyn FnMut() -> f64 + 'w>,
}

impl<'w> Way<'w> {
    /// A way that is timed as a whole.
    pub fn new<T>(name: &'static str, things: u64, mut work: impl FnMut() -> T + 'w) -> Way<'w> {
        Way::timing(name, things, move || timed(&mut work))
    }

    /// A way that says itself how many nanoseconds it took, because it has something to prepare each time.
    pub fn timing(name: &'static str, things: u64, work: impl FnMut() -> f64 + 'w) -> Way<'w> {
        Way {
            name,
            things,
            work: Box::new(work),
        }
    }
}

/// Nanoseconds this thread was on a core for `work`.
pub fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let start = thread_nanos();
    black_box(work());
    (thread_nanos() - start) as f64
}

/// What a way took, in nanoseconds for each thing, by round.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The way.
    pub name: &'static str,
    sorted: Vec<f64>,
}

impl Figures {
    /// Half of the rounds took less.
    pub fn median(&self) -> f64 {
        self.sorted[self.sorted.len() / 2]
    }

    /// The best round.
    pub fn least(&self) -> f64 {
        self.sorted[0]
    }
}

/// Lets all ways take turns for one round that warms caches, branch predictors and page tables, and then for `rounds` that
/// count, at least one.
pub fn take_turns(rounds: usize, ways: &mut [Way<'_>]) -> Vec<Figures> {
    let mut figures = vec![Vec::new(); ways.len()];
    for round in 0..=rounds.max(1) {
        for (figure, way) in figures.iter_mut().zip(&mut *ways) {
            let each = (way.work)() / way.things as f64;
            if round > 0 {
                figure.push(each);
            }
        }
    }
    let named = figures.into_iter().zip(ways).map(|(mut sorted, way)| {
        sorted.sort_by(f64::total_cmp);
        let name = way.name;
        Figures { name, sorted }
    });
    named.collect()
}

/// The figures of the way of that name; panics where there is none, which is a slip in the harness.
pub fn of<'f>(figures: &'f [Figures], name: &str) -> &'f Figures {
    let found = figures.iter().find(|f| f.name == name);
    found.unwrap_or_else(|| panic!("no way is named {name}"))
}

/// Prints median and least of each way under `heading`.
pub fn print(heading: &str, figures: &[Figures]) {
    println!("{heading:36} {:>8} {:>8}", "median", "least");
    for f in figures {
        println!("{:36} {:8.2} {:8.2}", f.name, f.median(), f.least());
    }
}

/// The middle one of some values; panics without any.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What measuring costs here, in nanoseconds. It is in every figure once a round, and a round is of thousands of things.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// One reading of this thread's time on a core, a system call.
    pub thread_clock: f64,
    /// One reading of the wall clock.
    pub wall_clock: f64,
    /// A way that does nothing, as it would be measured.
    pub empty: f64,
}

impl Own {
    /// Measures for some milliseconds.
    pub fn measure() -> Own {
        const CALLS: u64 = 1_000;
        let figures = take_turns(
            31,
            &mut [
                Way::new("thread clock", CALLS, || {
                    (0..CALLS).for_each(|_| _ = black_box(thread_nanos()));
                }),
                Way::new("wall clock", CALLS, || {
                    (0..CALLS).for_each(|_| _ = black_box(Instant::now()));
                }),
                Way::new("empty", 1, || ()),
            ],
        );
        let [thread_clock, wall_clock, empty] = [0, 1, 2].map(|i: usize| figures[i].median());
        Own {
            thread_clock,
            wall_clock,
            empty,
        }
    }
}

/// Nanoseconds this thread has been on a core.
#[allow(unsafe_code)]
pub fn thread_nanos() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live `timespec`, which is all that the call writes.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_does_not_count_and_the_median_is_of_the_others() {
        let mut took = [1e9, 40.0, 10.0, 20.0].into_iter();
        let mut ways = [Way::timing("way", 10, || took.next().unwrap())];
        let figures = take_turns(3, &mut ways);
        assert_eq!(of(&figures, "way").median(), 2.0);
        assert_eq!(of(&figures, "way").least(), 1.0);
    }

    #[test]
    fn what_takes_no_time_on_a_core_is_not_counted() {
        let slept = timed(|| std::thread::sleep(std::time::Duration::from_millis(30)));
        assert!(slept < 20e6, "{slept} ns on a core while asleep");
    }
}
