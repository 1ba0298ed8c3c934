//! A client by TCP. Both ways frames: the length of what follows as a 32-bit little-endian integer, then that many bytes.
//! A client's frames are JSON objects; the gateway's are JSON objects, which begin with `{`, or native batches, which
//! begin with their magic `FHNB`.

use super::client::{Incoming, Receiving, Sending, Terms, serve};
use super::door::{Door, Guarded};
use super::ending::Ending;
use super::hub::Hub;
use super::pack::Outgoing;
use super::request::Form;
use super::text;
use bytes::Bytes;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};

/// Bytes before a frame.
pub const LENGTH: usize = 4;

/// Lets clients in until the listener is dropped.
pub async fn listen(mut door: Door, hub: Arc<Hub>, terms: Terms) {
    loop {
        let (stream, _) = axum::serve::Listener::accept(&mut door).await;
        tokio::spawn(client(stream, hub.clone(), terms.clone()));
    }
}

async fn client(stream: Guarded, hub: Arc<Hub>, terms: Terms) {
    // The conversation has a time for its beginning of its own.
    stream.begun().begin();
    let (read, write) = split(stream);
    let mut frames = FramesOut {
        to: write,
        is_torn: false,
    };
    match hub.admit() {
        Ok(seat) => {
            let is_known = terms.tokens.is_empty();
            let frames_in = FramesIn {
                from: read,
                most: hub.limits().message,
            };
            serve(seat, terms, Form::Binary, is_known, frames, frames_in).await;
        }
        Err(ending) => {
            hub.totals.endings.count(&ending);
            frames.close(&ending).await;
        }
    }
}

struct FramesOut {
    to: WriteHalf<Guarded>,
    /// A frame was begun and not ended: nothing that is sent behind it would be understood.
    is_torn: bool,
}

impl FramesOut {
    async fn frame(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.is_torn = true;
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.to.write_all(&length.to_le_bytes()).await?;
        self.to.write_all(bytes).await?;
        self.to.flush().await?;
        self.is_torn = false;
        Ok(())
    }
}

impl Sending for FramesOut {
    async fn send(&mut self, message: Outgoing) -> Result<(), Ending> {
        let sent = match message {
            Outgoing::Text(bytes) | Outgoing::Binary(bytes) => self.frame(&bytes).await,
            Outgoing::Heartbeat => self.frame(text::heartbeat().as_bytes()).await,
        };
        sent.map_err(|_| Ending::Left)
    }

    async fn close(&mut self, ending: &Ending) {
        if !self.is_torn {
            let _ = self.frame(text::closed(ending).as_bytes()).await;
        }
        let _ = self.to.shutdown().await;
    }
}

struct FramesIn {
    from: ReadHalf<Guarded>,
    most: usize,
}

impl Receiving for FramesIn {
    async fn receive(&mut self) -> Result<Incoming, Ending> {
        let length = self.from.read_u32_le().await.map_err(|_| Ending::Left)?;
        let length = frame_length(length, self.most)?;
        let mut bytes = vec![0; length];
        let read = self.from.read_exact(&mut bytes).await;
        read.map_err(|_| Ending::Left)?;
        Ok(Incoming::Request(Bytes::from(bytes)))
    }

    async fn drain(&mut self) {
        let mut bytes = [0; 4096];
        while self.from.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
    }
}

/// The bytes of a frame of a client, if it may be so long.
pub fn frame_length(length: u32, most: usize) -> Result<usize, Ending> {
    match usize::try_from(length) {
        Ok(length) if length <= most => Ok(length),
        _ => {
            let reason = format!("a frame of {length} bytes: expected at most {most}");
            Err(Ending::TooLarge(reason))
        }
    }
}
