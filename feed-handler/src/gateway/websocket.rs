//! A client by WebSocket: text is JSON, binary messages are native batches.

use super::client::{Incoming, Receiving, Sending};
use super::ending::Ending;
use super::pack::Outgoing;
use super::text;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};

/// Bytes that a close has for its reason (RFC 6455, 5.5, less the code).
const REASON_MAX: usize = 123;

impl Sending for SplitSink<WebSocket, Message> {
    async fn send(&mut self, message: Outgoing) -> Result<(), Ending> {
        let message = match message {
            // Made from strings: always whole characters.
            Outgoing::Text(bytes) => Message::Text(Utf8Bytes::try_from(bytes).unwrap_or_default()),
            Outgoing::Binary(bytes) => Message::Binary(bytes),
            Outgoing::Heartbeat => Message::Ping(Bytes::new()),
        };
        SinkExt::send(self, message).await.map_err(|_| Ending::Left)
    }

    async fn close(&mut self, ending: &Ending) {
        let last = Outgoing::text(text::closed(ending));
        if Sending::send(self, last).await.is_err() {
            return;
        }
        let reason = ending.to_string();
        let mut end = reason.len().min(REASON_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let close = CloseFrame {
            code: ending.code(),
            reason: reason[..end].into(),
        };
        let _ = SinkExt::send(self, Message::Close(Some(close))).await;
        let _ = SinkExt::close(self).await;
    }
}

impl Receiving for SplitStream<WebSocket> {
    async fn receive(&mut self) -> Result<Incoming, Ending> {
        match self.next().await {
            Some(Ok(Message::Text(text))) => Ok(Incoming::Request(text.into())),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Incoming::Alive),
            Some(Ok(Message::Binary(_))) => {
                Err(Ending::BadRequest("expected text, not binary".into()))
            }
            Some(Ok(Message::Close(_))) | None => Err(Ending::Left),
            Some(Err(error)) => Err(broken(&error)),
        }
    }

    async fn drain(&mut self) {
        while self.next().await.is_some_and(|said| said.is_ok()) {}
    }
}

/// What the protocol says of a connection that broke. Its kinds of errors are not to be told apart but by what they say.
fn broken(error: &axum::Error) -> Ending {
    let said = error.to_string();
    let starts = |with: &str| said.starts_with(with);
    if starts("Space limit exceeded") {
        Ending::TooLarge(said)
    } else if said.contains("without closing handshake") || starts("IO error") {
        Ending::Left
    } else {
        Ending::BadRequest(said)
    }
}
