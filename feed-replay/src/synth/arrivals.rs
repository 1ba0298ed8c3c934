//! When things happen: a Markov-modulated Poisson process, the simplest one that has microbursts.
//!
//! Real feeds are quiet most of the time and then send a hundred messages in a few microseconds; queues, and so tails
//! of latency, come from there. Here time is either calm or in a burst, and gaps are exponential in both, a constant
//! factor apart. With messages at `rate` λ on average, bursts `factor` f times as fast, and a `share` s of all messages
//! in them:
//!
//! | | gap to the next message | changes to the other state with each message |
//! |---|---|---|
//! | burst | exponential, mean 1 / fλ | 1 in [`Bursts::MESSAGES`] |
//! | calm | exponential, mean (1 − s/f) / (1 − s)λ | s / (1 − s) as often |
//!
//! so bursts have 64 messages on average (geometrically distributed), take s/f of the time, and the mean gap is 1 / λ.

use super::rng::Rng;
use std::fmt;
use std::str::FromStr;

/// How unevenly messages arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// Rate within a burst over the average rate, from 1 to 1,000.
    pub factor: u32,
    /// Percent of the messages that come in bursts, from 0 (a plain Poisson process) to 99.
    pub share: u32,
}

impl Bursts {
    /// Messages of a burst on average.
    pub const MESSAGES: u64 = 64;

    /// Four fifths of the messages in bursts, at twenty times the average rate.
    pub const USUAL: Bursts = Bursts {
        factor: 20,
        share: 80,
    };

    /// Whether there is such a process, and what is wrong with it if not.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=1_000).contains(&self.factor) {
            return Err("bursts must be from 1 to 1000 times as fast as the average".into());
        }
        if self.share > 99 {
            return Err("from 0 to 99 percent of the messages can come in bursts".into());
        }
        Ok(())
    }
}

impl FromStr for Bursts {
    type Err = String;

    /// Reads `FACTOR:PERCENT`.
    fn from_str(text: &str) -> Result<Bursts, String> {
        let numbers = text.split_once(':').and_then(|(factor, share)| {
            Some(Bursts {
                factor: factor.parse().ok()?,
                share: share.parse().ok()?,
            })
        });
        let bursts = numbers.ok_or("expected FACTOR:PERCENT, two whole numbers, such as 20:80")?;
        bursts.check()?;
        Ok(bursts)
    }
}

impl fmt::Display for Bursts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}", self.factor, self.share)
    }
}

/// A sequence of event times, in nanoseconds, never going back.
#[derive(Clone, Debug)]
pub struct Arrivals {
    rng: Rng,
    bursts: Bursts,
    /// Mean gaps between messages, calm and in a burst, with [`FRACTION`] fraction bits.
    gaps: [u64; 2],
    /// The time, with [`FRACTION`] fraction bits: a day has 63 bits then.
    now: u64,
    bursting: bool,
}

/// Fraction bits of times: gaps are below a nanosecond at the highest rates.
const FRACTION: u32 = 16;

impl Arrivals {
    /// Begins at `start`, within the day, with `rate` messages per second (above 0).
    pub fn new(mut rng: Rng, start: u64, rate: u64, bursts: Bursts) -> Arrivals {
        let second = u128::from(super::SECOND) << FRACTION;
        let (rate, factor, share) = (
            u128::from(rate),
            u128::from(bursts.factor),
            u128::from(bursts.share),
        );
        let calm = second * (100 * factor - share) / (rate * factor * (100 - share));
        let within = second / (rate * factor);
        Arrivals {
            bursting: rng.chance(bursts.share.into(), 100),
            rng,
            bursts,
            gaps: [calm as u64, within as u64],
            now: start << FRACTION,
        }
    }

    /// Time of the next event, when the one before it took `messages` messages.
    #[inline]
    pub fn next(&mut self, messages: u64) -> u64 {
        let share = u64::from(self.bursts.share);
        for _ in 0..messages {
            self.bursting ^= match self.bursting {
                true => self.rng.chance(1, Bursts::MESSAGES),
                false => self.rng.chance(share, Bursts::MESSAGES * (100 - share)),
            };
            let mean = self.gaps[usize::from(self.bursting)];
            self.now += self.rng.exponential(mean);
        }
        self.now >> FRACTION
    }

    /// True in a burst.
    pub fn in_burst(&self) -> bool {
        self.bursting
    }

    /// Nothing happens before `time`.
    pub fn skip_to(&mut self, time: u64) {
        self.now = self.now.max(time << FRACTION);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn arrivals(rate: u64, factor: u32, share: u32) -> Arrivals {
        Arrivals::new(Rng::new(5), 0, rate, Bursts { factor, share })
    }

    #[test]
    fn rate_share_and_factor_are_as_stated() {
        for (rate, factor, share) in [
            (1_000, 20, 50),
            (100_000, 5, 20),
            (2_000_000, 100, 80),
            (1_000_000_000, 1, 0),
            (1_000_000_000, 20, 50),
        ] {
            let mut arrivals = arrivals(rate, factor, share);
            let (n, mut last) = (2_000_000u64, 0);
            let (mut messages, mut time, mut bursts) = (0u64, 0u64, 0u64);
            for _ in 0..n {
                let before = arrivals.in_burst();
                let t = arrivals.next(1);
                assert!(t >= last);
                if arrivals.in_burst() {
                    messages += 1;
                    time += t - last;
                    bursts += u64::from(!before);
                }
                last = t;
            }
            let name = format!("{rate}/s, {factor}:{share}");
            let want = n as u128 * SECOND as u128 / u128::from(rate);
            let off = u128::from(last).abs_diff(want);
            assert!(off < want / 40 + 10, "{name}: {last} ns for {want}");
            let percent = messages * 100 / n;
            assert!(percent.abs_diff(share.into()) <= 2, "{name}: {percent} %");
            if share > 0 {
                let length = messages / bursts;
                assert!(length.abs_diff(Bursts::MESSAGES) <= 4, "{name}: {length}");
                // Time in bursts, in millionths: the messages in them at the higher rate.
                let part = u128::from(time) * 1_000_000 / u128::from(last);
                let want = u128::from(share) * 10_000 / u128::from(factor);
                assert!(
                    part.abs_diff(want) <= want / 10 + 50,
                    "{name}: {part} for {want}"
                );
            }
        }
    }

    /// Variance of the counts in windows of ten mean gaps over their mean: 1 for a Poisson process.
    fn dispersion(mut arrivals: Arrivals, rate: u64) -> f64 {
        let window = 10 * SECOND / rate;
        let mut counts = vec![0u64; 20_000];
        loop {
            let at = (arrivals.next(1) / window) as usize;
            match counts.get_mut(at) {
                Some(count) => *count += 1,
                None => break,
            }
        }
        let n = counts.len() as f64;
        let mean = counts.iter().sum::<u64>() as f64 / n;
        let variance = counts
            .iter()
            .map(|&c| (c as f64 - mean).powi(2))
            .sum::<f64>()
            / n;
        variance / mean
    }

    #[test]
    fn without_bursts_it_is_poisson_and_with_them_it_is_not() {
        let plain = dispersion(arrivals(100_000, 20, 0), 100_000);
        assert!((0.95..1.05).contains(&plain), "{plain}");
        let usual = dispersion(arrivals(100_000, 20, 80), 100_000);
        assert!(usual > 15.0, "{usual}");
        let mild = dispersion(arrivals(100_000, 3, 30), 100_000);
        assert!((2.0..usual / 2.0).contains(&mild), "{mild}");
    }

    #[test]
    fn an_event_of_many_messages_takes_their_time() {
        let (mut one, mut many) = (arrivals(1_000, 20, 50), arrivals(1_000, 20, 50));
        for _ in 0..100 {
            (0..7).for_each(|_| {
                one.next(1);
            });
            assert_eq!(one.next(0), many.next(7));
        }
        many.skip_to(0);
        assert_eq!(one.next(0), many.next(0), "time does not go back");
        many.skip_to(SECOND * 3_600);
        assert_eq!(many.next(0), SECOND * 3_600);
    }

    #[test]
    fn bursts_are_read_and_written() {
        assert_eq!("20:80".parse(), Ok(Bursts::USUAL));
        assert_eq!(Bursts::USUAL.to_string(), "20:80");
        for wrong in [
            "", "20", "0:50", "1001:1", "20:100", "20:-1", "20:50:1", "2.5:50",
        ] {
            assert!(wrong.parse::<Bursts>().is_err(), "{wrong}");
        }
    }
}
