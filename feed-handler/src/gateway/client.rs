//! A client from its first message to its end, whatever it is connected by: the two halves of a [`Link`].
//!
//! One task reads what the client says and hands it on, a few messages at most; another does it, and sends what waits. So
//! a client that says more than is done has to wait, and one that takes nothing is still heard, and noticed when it is not.

use super::ending::Ending;
use super::hub::{Begun, Hub, Refused};
use super::interests::Subscription;
use super::pack::{Outgoing, Packer};
use super::queue::{Item, State};
use super::request::{Form, Hello, Policy, Request};
use super::seat::Seat;
use super::text;
use super::tokens::Tokens;
use bytes::Bytes;
use feed_common::ring::Pool;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Messages of a client that are read before they are done.
const UNDONE: usize = 16;

/// Items taken from the queue at once: about two messages of text. What stays in the queue can still be conflated.
const TAKEN: usize = 512;

/// Messages a second that a client may send, and how many at once.
const REQUESTS: f64 = 100.0;

/// How long a client has to take the last message.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long best prices may take to be put together.
const SETTLING: Duration = Duration::from_secs(2);

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message.
    Request(Bytes),
    /// It lives.
    Alive,
}

/// The half of a connection that sends.
pub trait Sending: Send {
    /// Sends a message; done when the system has taken it.
    fn send(&mut self, message: Outgoing) -> impl Future<Output = Result<(), Ending>> + Send;

    /// Tells why it ends, as far as that can be told, and ends it.
    fn close(&mut self, ending: &Ending) -> impl Future<Output = ()> + Send;
}

/// The half of a connection that receives.
pub trait Receiving: Send + 'static {
    /// What comes next, or why nothing will.
    fn receive(&mut self) -> impl Future<Output = Result<Incoming, Ending>> + Send;

    /// Reads to the end what nobody asks for any more: where it lies unread, the system resets the connection, and the client
    /// may not see why it was ended.
    fn drain(&mut self) -> impl Future<Output = ()> + Send;
}

/// What all clients share.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Whom to let in.
    pub tokens: Arc<Tokens>,
    /// Where messages are put together.
    pub pool: &'static Pool,
}

/// Serves a client that has a seat, until it ends. `form` is how records are written where it does not say.
pub async fn serve(
    seat: Seat,
    terms: Terms,
    form: Form,
    is_known: bool,
    mut sending: impl Sending,
    receiving: impl Receiving,
) {
    let (to, said) = mpsc::channel(UNDONE);
    let mut reader = tokio::spawn(read(receiving, to));
    let mut client = Client {
        packer: Packer::new(form, terms.pool),
        seat: &seat,
        sending: &mut sending,
        said,
        joined: VecDeque::new(),
        heard: Instant::now(),
        asked: Instant::now(),
        allowed: Allowance::new(Instant::now()),
    };
    let ending = client.converse(&terms, form, is_known).await;
    drop(client);
    seat.hub().totals.endings.count(&ending);
    // What one that left is told, nobody hears.
    if ending != Ending::Left {
        let _ = timeout(FAREWELL, sending.close(&ending)).await;
        let _ = timeout(FAREWELL, &mut reader).await;
    }
    reader.abort();
}

/// Hands on what a client says, for as long as anybody listens.
async fn read(mut receiving: impl Receiving, to: mpsc::Sender<Result<Incoming, Ending>>) {
    loop {
        let said = tokio::select! {
            said = receiving.receive() => said,
            () = to.closed() => break,
        };
        let is_over = said.is_err();
        if to.send(said).await.is_err() || is_over {
            break;
        }
    }
    receiving.drain().await;
}

/// How much a client may say.
struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Allowance {
        Allowance {
            left: REQUESTS,
            at: now,
        }
    }

    /// Whether one message more may be done.
    fn take(&mut self, now: Instant) -> bool {
        let more = (now - self.at).as_secs_f64() * REQUESTS;
        (self.left, self.at) = ((self.left + more).min(REQUESTS), now);
        let may = self.left >= 1.0;
        self.left -= f64::from(u8::from(may));
        may
    }
}

struct Client<'a, S> {
    seat: &'a Seat,
    sending: &'a mut S,
    said: mpsc::Receiver<Result<Incoming, Ending>>,
    packer: Packer,
    /// Lanes that have come, whose quotes it is not told yet.
    joined: VecDeque<usize>,
    /// When it last said anything.
    heard: Instant,
    /// When it was last sent something that it has to answer, or anything at all.
    asked: Instant,
    allowed: Allowance,
}

impl<S: Sending> Client<'_, S> {
    async fn converse(&mut self, terms: &Terms, form: Form, is_known: bool) -> Ending {
        let hello = timeout(self.seat.hub().limits().handshake, self.hello()).await;
        let hello = hello.unwrap_or(Err(Ending::Handshake));
        let begun = match hello {
            Ok(hello) => self.welcome(&hello, terms, form, is_known).await,
            Err(ending) => Err(ending),
        };
        match begun {
            Ok(()) => self.go_on().await,
            Err(ending) => ending,
        }
    }

    /// Its first message.
    async fn hello(&mut self) -> Result<Hello, Ending> {
        loop {
            let said = tokio::select! {
                said = self.said.recv() => said,
                () = self.seat.outbox().kill.notified() => return Err(self.ending()),
            };
            match said.unwrap_or(Err(Ending::Left))? {
                Incoming::Alive => {}
                Incoming::Request(bytes) => {
                    return match Request::parse(&bytes).map_err(refused)? {
                        Request::Hello(hello) => Ok(hello),
                        _ => Err(refused("expected {\"op\":\"hello\"} first")),
                    };
                }
            }
        }
    }

    async fn welcome(
        &mut self,
        hello: &Hello,
        terms: &Terms,
        form: Form,
        is_known: bool,
    ) -> Result<(), Ending> {
        let shown = hello.token.as_deref().unwrap_or_default();
        if !is_known && !terms.tokens.allow(shown.as_bytes()) {
            return Err(Ending::Unauthorised("expected a token"));
        }
        let hub = self.seat.hub();
        let limits = hub.limits();
        let queue = hello.queue.unwrap_or(limits.queue);
        if !(1..=limits.queue).contains(&queue) {
            let reason = format_args!("queue: expected 1 to {}", limits.queue);
            return Err(refused(reason));
        }
        let (form, policy): (_, Policy) = (hello.format.unwrap_or(form), hello.policy);
        self.packer = Packer::new(form, terms.pool);
        self.heard = Instant::now();
        let heartbeat = limits.heartbeat.as_millis() as u64;
        self.seat.outbox().open(queue, policy);
        // After the queue is open: what changes from now on is told.
        let lanes = hub.lanes();
        let text = text::welcome(form, policy, queue, heartbeat, &lanes);
        self.send(Outgoing::text(text)).await
    }

    /// Does what it says and sends what waits, until something ends it.
    async fn go_on(&mut self) -> Ending {
        let limits = self.seat.hub().limits().clone();
        let mut tick = interval(limits.heartbeat / 4);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut items = VecDeque::with_capacity(TAKEN);
        loop {
            let done = tokio::select! {
                biased;
                () = self.seat.outbox().kill.notified() => Err(self.ending()),
                said = self.said.recv() => {
                    let said = said.unwrap_or(Err(Ending::Left));
                    self.hear(said).await
                }
                _ = tick.tick() => self.look(limits.heartbeat, limits.silence()).await,
                () = self.seat.outbox().wake.notified() => self.deliver(&mut items).await,
            };
            let done = match done {
                Ok(()) => self.join().await,
                Err(ending) => Err(ending),
            };
            if let Err(ending) = done {
                return ending;
            }
        }
    }

    /// Asks for a sign of life, or ends what gives none.
    async fn look(&mut self, heartbeat: Duration, silence: Duration) -> Result<(), Ending> {
        let now = Instant::now();
        if now - self.heard >= silence {
            return Err(Ending::Silent(silence.as_millis()));
        }
        if now - self.heard.max(self.asked) >= heartbeat {
            self.asked = now;
            self.send(Outgoing::Heartbeat).await?;
        }
        Ok(())
    }

    /// Sends what waits, for as long as nothing else is to be done first.
    async fn deliver(&mut self, items: &mut VecDeque<Item>) -> Result<(), Ending> {
        self.seat.outbox().queue().take(TAKEN, items);
        if items.len() == TAKEN {
            // There may be more, which no one will wake this task for.
            self.seat.outbox().wake.notify_one();
        }
        self.send_all(items).await
    }

    async fn send_all(&mut self, items: &mut VecDeque<Item>) -> Result<(), Ending> {
        let lives = items.iter().filter_map(|item| match item {
            Item::State {
                source,
                state: State::Live,
                ..
            } => Some(source.index),
            _ => None,
        });
        self.joined.extend(lives);
        while let Some(message) = self.packer.pack(items) {
            self.send(message).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, said: Result<Incoming, Ending>) -> Result<(), Ending> {
        let said = said?;
        self.heard = Instant::now();
        let Incoming::Request(bytes) = said else {
            return Ok(());
        };
        if !self.allowed.take(self.heard) {
            let reason = format!("expected at most {REQUESTS} messages a second");
            return Err(Ending::TooMany(reason));
        }
        match Request::parse(&bytes).map_err(refused)? {
            Request::Pong => Ok(()),
            Request::Hello(_) => Err(refused("a second hello")),
            Request::Subscribe(asked) => {
                self.subscribe(Subscription::of(&asked).map_err(refused)?)
                    .await
            }
            Request::Unsubscribe { id } => {
                let found = self.seat.hub().unsubscribe(self.seat.key(), id);
                self.flush().await?;
                self.send(Outgoing::text(text::unsubscribed(id, found)))
                    .await
            }
        }
    }

    /// Sends everything that waits.
    async fn flush(&mut self) -> Result<(), Ending> {
        let mut items = VecDeque::new();
        self.seat.outbox().queue().take(usize::MAX, &mut items);
        self.send_all(&mut items).await
    }

    async fn subscribe(&mut self, subscription: Subscription) -> Result<(), Ending> {
        let (id, key) = (subscription.id, self.seat.key());
        self.begin(|hub| hub.subscribe(key, subscription.clone()))
            .await?;
        self.send(Outgoing::text(text::subscribed(id))).await
    }

    /// Sends the quotes of lanes that have come: its subscriptions are of them, too.
    async fn join(&mut self) -> Result<(), Ending> {
        while let Some(lane) = self.joined.pop_front() {
            let key = self.seat.key();
            self.begin(|hub| hub.join(key, lane)).await?;
        }
        Ok(())
    }

    /// Sends what had waited and then quotes, once there are any.
    async fn begin(&mut self, ask: impl Fn(&Hub) -> Result<Begun, Refused>) -> Result<(), Ending> {
        let since = Instant::now();
        let mut begun = loop {
            match ask(self.seat.hub()) {
                Ok(begun) => break begun,
                Err(Refused::Ended(ending)) => return Err(ending),
                Err(Refused::Unsettled) if since.elapsed() < SETTLING => {
                    sleep(Duration::from_millis(2)).await;
                }
                Err(Refused::Unsettled) => {
                    let reason = "the gateway cannot follow the records: no quotes to begin with";
                    return Err(Ending::NoRoom(reason.into()));
                }
            }
        };
        self.send_all(&mut begun.before).await?;
        let quotes = self.packer.quotes();
        for snapshot in &begun.snapshots {
            for message in quotes.messages(snapshot) {
                self.send(message).await?;
            }
        }
        Ok(())
    }

    /// Sends a message, unless the client is to be ended or takes nothing for too long.
    async fn send(&mut self, message: Outgoing) -> Result<(), Ending> {
        let (hub, outbox) = (self.seat.hub(), self.seat.outbox());
        hub.totals.messages.fetch_add(1, Relaxed);
        hub.totals.bytes.fetch_add(message.len() as u64, Relaxed);
        let patience = hub.limits().silence();
        tokio::select! {
            sent = timeout(patience, self.sending.send(message)) => {
                sent.unwrap_or(Err(Ending::Stalled(patience.as_millis())))
            }
            () = outbox.kill.notified() => Err(self.ending()),
        }
    }

    /// Why its queue was ended.
    fn ending(&self) -> Ending {
        let ending = self.seat.outbox().queue().ending().cloned();
        ending.unwrap_or(Ending::Left)
    }
}

fn refused(reason: impl std::fmt::Display) -> Ending {
    Ending::BadRequest(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_messages_at_once_and_then_at_a_rate() {
        let start = Instant::now();
        let mut allowed = Allowance::new(start);
        assert!((0..100).all(|_| allowed.take(start)));
        assert!(!allowed.take(start));
        let later = start + Duration::from_millis(100);
        assert_eq!((0..50).filter(|_| allowed.take(later)).count(), 10);
        // No more is saved up than at first.
        let much_later = start + Duration::from_secs(3_600);
        assert_eq!((0..500).filter(|_| allowed.take(much_later)).count(), 100);
    }
}
