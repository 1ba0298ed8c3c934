//! CME's loops of snapshots: what every instrument of a channel is, said again and again on feeds of their own.
//!
//! The feeds are listened to only while something is wished for. Each snapshot is of one instrument and of use by
//! itself, so it goes to the lane as it comes. When all of a loop has been seen, the lane is told that too, since what
//! was not in it is empty.
//!
//! A loop numbers its packets from 1, and each message says how many messages there are in it. Two feeds of equal
//! content (A and B) are one loop: a packet counts once. A packet that was sent after all others and has a number that
//! was there already begins the next loop. What no number shows is a silence of exactly one round, before and after
//! which halves of two loops make a whole one; that one takes twice as long, so a loop is believed to be whole only
//! where the last whole one took about as little time.

use super::{Handed, Heard, Net, Recovery, RecoverySink, Wish};
use feed_common::wire::mdp3::{
    Message, SnapshotOrdersRoot, SnapshotRoot, parse as parse_packet, template,
};

/// What the loops of a channel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopSettings {
    /// How many of the servers, the first ones, are feeds of levels; the others are of orders.
    pub levels: usize,
    /// Bytes that a message may have to go to the lane.
    pub message_bytes: usize,
    /// Nanoseconds until a feed that could not be joined is tried again.
    pub again: u64,
}

/// The client of a channel's snapshot loops.
#[derive(Debug)]
pub struct Mdp3Loops {
    settings: LoopSettings,
    feeds: Vec<Feed>,
    /// Of levels, and of orders.
    rounds: [Round; 2],
    /// The channel that wants to know.
    wanted: Option<u16>,
    tally: Tally,
}

/// One of the feeds.
#[derive(Clone, Copy, Debug)]
struct Feed {
    joined: bool,
    /// Not to be joined before.
    after: u64,
}

/// A loop that goes round.
#[derive(Debug)]
struct Round {
    /// One bit a packet of it that was seen.
    seen: Box<[u64]>,
    /// Something of it was seen.
    begun: bool,
    /// When its first and its newest packet were sent.
    first_sent: u64,
    newest_sent: u64,
    /// What was sent by then is of a loop before.
    floor: u64,
    /// When the last packet that brought something came.
    heard: u64,
    packets: u32,
    highest: u32,
    messages: u32,
    /// How many messages it says to have.
    total: Option<u32>,
    /// The lowest number that a message of it is as of.
    as_of: u32,
    /// Nothing of it was refused or wrong.
    sound: bool,
    whole: bool,
    /// What the last whole loop took, by its packets' times.
    took: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    joins: u64,
    joins_failed: u64,
    packets: u64,
    duplicates: u64,
    stale: u64,
    garbage: u64,
    too_long: u64,
    no_room: u64,
    snapshots: u64,
    loops: u64,
    loops_whole: u64,
    loops_broken: u64,
    wishes_refused: u64,
    unasked: u64,
}

/// Packets of a loop at most; later ones are not taken.
const PACKETS_MAX: u32 = 1 << 16;

/// After so many nanoseconds in which packets came and all were of loops gone by, the times they say are not believed.
const PATIENCE: u64 = 1_000_000_000;

/// What a message says of its loop.
struct About {
    orders: bool,
    as_of: u32,
    total: u32,
}

impl Mdp3Loops {
    /// A client that listens to so many feeds.
    ///
    /// # Panics
    ///
    /// When there are fewer feeds than the settings have of levels.
    pub fn new(feeds: usize, settings: LoopSettings) -> Mdp3Loops {
        assert!(settings.levels <= feeds, "feeds of levels are feeds");
        let feed = Feed {
            joined: false,
            after: 0,
        };
        Mdp3Loops {
            settings,
            feeds: vec![feed; feeds],
            rounds: [Round::new(), Round::new()],
            wanted: None,
            tally: Tally::default(),
        }
    }

    fn join(&mut self, now: u64, net: &mut dyn Net) {
        for (server, feed) in self.feeds.iter_mut().enumerate() {
            if !feed.joined && feed.after <= now {
                self.tally.joins += 1;
                feed.joined = true;
                net.open(server);
            }
        }
    }

    fn leave(&mut self, net: &mut dyn Net) {
        for (server, feed) in self.feeds.iter_mut().enumerate() {
            if std::mem::take(&mut feed.joined) {
                net.close(server);
            }
            feed.after = 0;
        }
        self.rounds.iter_mut().for_each(Round::forget);
    }

    fn packet(&mut self, orders: bool, bytes: &[u8], now: u64, out: &mut dyn RecoverySink) {
        let Some(channel) = self.wanted else {
            self.tally.unasked += 1;
            return;
        };
        self.tally.packets += 1;
        let Ok((header, messages, count)) = parse_packet(bytes) else {
            self.tally.garbage += 1;
            return;
        };
        let (number, sent) = (header.msg_seq_num.get(), header.sending_time.get());
        if !(1..=PACKETS_MAX).contains(&number) {
            self.tally.garbage += 1;
            return;
        }
        let round = &mut self.rounds[usize::from(orders)];
        if !out.has_room(count as usize + 2) {
            self.tally.no_room += 1;
            round.sound = false;
            return;
        }
        match round.judge(number, sent, now) {
            Judged::New => {
                self.tally.loops += 1;
                self.tally.loops_broken += u64::from(round.begun && !round.whole);
                round.begin(sent);
                out.hand(channel, Handed::LoopBegins { orders });
            }
            Judged::More => {}
            Judged::Again => {
                self.tally.duplicates += 1;
                return;
            }
            Judged::Stale => {
                self.tally.stale += 1;
                return;
            }
        }
        round.note(number, sent, now);
        for bytes in messages {
            let Ok(about) = About::of(bytes) else {
                self.tally.garbage += 1;
                round.sound = false;
                continue;
            };
            let Some(about) = about else { continue };
            if about.orders != orders || round.total.is_some_and(|total| total != about.total) {
                self.tally.garbage += 1;
                round.sound = false;
                continue;
            }
            round.total = Some(about.total);
            round.messages = round.messages.saturating_add(1);
            round.as_of = round.as_of.min(about.as_of);
            if bytes.len() > self.settings.message_bytes {
                self.tally.too_long += 1;
                round.sound = false;
                continue;
            }
            self.tally.snapshots += 1;
            out.hand(channel, Handed::Refresh(bytes));
        }
        if round.ends() {
            self.tally.loops_whole += 1;
            if round.is_believed() {
                let as_of = round.as_of.into();
                out.hand(channel, Handed::LoopEnds { orders, as_of });
            }
        }
    }
}

/// What a packet is to the loop at hand.
enum Judged {
    New,
    More,
    Again,
    Stale,
}

impl Round {
    fn new() -> Round {
        Round {
            seen: vec![0; PACKETS_MAX as usize / 64].into(),
            begun: false,
            first_sent: 0,
            newest_sent: 0,
            floor: 0,
            heard: 0,
            packets: 0,
            highest: 0,
            messages: 0,
            total: None,
            as_of: u32::MAX,
            sound: true,
            whole: false,
            took: None,
        }
    }

    fn forget(&mut self) {
        (self.begun, self.took) = (false, None);
        self.newest_sent = 0;
    }

    fn judge(&self, number: u32, sent: u64, now: u64) -> Judged {
        let known = self.begun && self.has(number);
        if !self.begun || sent > self.newest_sent && (number == 1 || known) {
            return Judged::New;
        }
        let stale = sent <= self.floor;
        // One time that lies ahead of all others would end every loop after it.
        if (stale || known) && now.saturating_sub(self.heard) > PATIENCE {
            return Judged::New;
        }
        match (stale, known) {
            (true, _) => Judged::Stale,
            (false, true) => Judged::Again,
            (false, false) => Judged::More,
        }
    }

    fn begin(&mut self, sent: u64) {
        self.seen.fill(0);
        // One that its time does not begin is begun because no time is believed any more.
        self.floor = if sent > self.newest_sent {
            self.newest_sent
        } else {
            0
        };
        (self.begun, self.sound, self.whole) = (true, true, false);
        (self.first_sent, self.newest_sent) = (sent, sent);
        (self.packets, self.highest, self.messages) = (0, 0, 0);
        (self.total, self.as_of) = (None, u32::MAX);
    }

    fn note(&mut self, number: u32, sent: u64, now: u64) {
        let (word, bit) = Round::bit(number);
        self.seen[word] |= bit;
        self.packets += 1;
        self.highest = self.highest.max(number);
        self.first_sent = self.first_sent.min(sent);
        self.newest_sent = self.newest_sent.max(sent);
        self.heard = now;
    }

    fn has(&self, number: u32) -> bool {
        let (word, bit) = Round::bit(number);
        self.seen[word] & bit != 0
    }

    fn bit(number: u32) -> (usize, u64) {
        let at = number as usize - 1;
        (at / 64, 1 << (at % 64))
    }

    /// True when the last packet noted has made it whole.
    fn ends(&mut self) -> bool {
        let all = self.packets == self.highest && self.total == Some(self.messages);
        let ends = all && self.sound && !self.whole;
        self.whole |= ends;
        ends
    }

    /// Whether it took about as little time as the last whole one.
    fn is_believed(&mut self) -> bool {
        let took = self.newest_sent - self.first_sent;
        let before = self.took.replace(took);
        before.is_some_and(|before| took <= before.saturating_add(before / 2))
    }
}

impl About {
    /// `None` for what says nothing of an instrument, such as a heartbeat.
    fn of(bytes: &[u8]) -> Result<Option<About>, ()> {
        use template::*;
        let message = Message::parse(bytes).map_err(drop)?;
        match message.template_id() {
            SNAPSHOT | SNAPSHOT_7 | SNAPSHOT_LONG => {
                let root: &SnapshotRoot = message.root().ok_or(())?;
                Ok(Some(About {
                    orders: false,
                    as_of: root.last_msg_seq_num_processed.get(),
                    total: root.tot_num_reports.get(),
                }))
            }
            SNAPSHOT_ORDERS | SNAPSHOT_ORDERS_7 => {
                let root: &SnapshotOrdersRoot = message.root().ok_or(())?;
                Ok(Some(About {
                    orders: true,
                    as_of: root.last_msg_seq_num_processed.get(),
                    total: root.tot_num_reports.get(),
                }))
            }
            _ => Ok(None),
        }
    }
}

impl Recovery for Mdp3Loops {
    fn wish(&mut self, wish: Wish, _now: u64, out: &mut dyn RecoverySink) {
        match wish {
            Wish::Snapshot(missing) => self.wanted = Some(missing.channel),
            Wish::Settled(_) => self.wanted = None,
            Wish::Messages(missing) => {
                self.tally.wishes_refused += 1;
                out.hand(missing.channel, Handed::Failed(missing));
            }
        }
    }

    fn heard(
        &mut self,
        server: usize,
        heard: Heard<'_>,
        now: u64,
        _net: &mut dyn Net,
        out: &mut dyn RecoverySink,
    ) {
        match heard {
            Heard::Opened => {}
            Heard::Bytes(bytes) => self.packet(server >= self.settings.levels, bytes, now, out),
            Heard::Closed => {
                if let Some(feed) = self.feeds.get_mut(server) {
                    self.tally.joins_failed += 1;
                    feed.joined = false;
                    feed.after = now.saturating_add(self.settings.again);
                }
            }
        }
    }

    fn poll(&mut self, now: u64, net: &mut dyn Net, _out: &mut dyn RecoverySink) -> Option<u64> {
        if self.wanted.is_none() {
            self.leave(net);
            return None;
        }
        self.join(now, net);
        let apart = self.feeds.iter().filter(|feed| !feed.joined);
        apart.map(|feed| feed.after).min()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let tally = self.tally;
        vec![
            ("joins", tally.joins),
            ("joins_failed", tally.joins_failed),
            ("packets", tally.packets),
            ("duplicates", tally.duplicates),
            ("stale", tally.stale),
            ("garbage", tally.garbage),
            ("too_long", tally.too_long),
            ("no_room", tally.no_room),
            ("snapshots", tally.snapshots),
            ("loops", tally.loops),
            ("loops_whole", tally.loops_whole),
            ("loops_broken", tally.loops_broken),
            ("wishes_refused", tally.wishes_refused),
            ("answer_unasked", tally.unasked),
        ]
    }
}

#[cfg(test)]
#[path = "mdp3_loop_tests.rs"]
mod tests;
