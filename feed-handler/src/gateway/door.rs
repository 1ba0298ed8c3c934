//! Connections as they come: so many at once, each with so much time to begin.

use super::hub::Hub;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// Connections beside those of clients: for requests about health and status, and for clients on their way in or out.
const BESIDE: usize = 32;

/// Bytes that the system holds for a client that does not take them: what is there cannot be conflated any more.
const SEND_BUFFER: usize = 256 << 10;

/// How long to wait before the next try when the system has no descriptor for a connection.
const NAP: Duration = Duration::from_millis(100);

/// What a connection that finds no place is told, where that is understood.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 21\r\n\r\ntoo many connections\n";

/// A listener that lets so many in.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    patience: Duration,
    speaks_http: bool,
}

impl Door {
    /// Lets as many in as the hub has clients, and a few.
    pub fn new(listener: TcpListener, hub: &Hub, speaks_http: bool) -> Door {
        let limits = hub.limits();
        Door {
            listener,
            places: Arc::new(Semaphore::new(limits.clients + BESIDE)),
            patience: limits.handshake,
            speaks_http,
        }
    }

    async fn next(&mut self) -> io::Result<Option<(Guarded, SocketAddr)>> {
        let (stream, from) = self.listener.accept().await?;
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            if self.speaks_http {
                let _ = stream.try_write(NO_PLACE);
            }
            return Ok(None);
        };
        let socket = socket2::SockRef::from(&stream);
        // Without them it is slower to notice who is slow, and no worse.
        let _ = socket.set_send_buffer_size(SEND_BUFFER);
        let _ = stream.set_nodelay(true);
        let guarded = Guarded {
            stream,
            begun: Begun::default(),
            deadline: Box::pin(sleep(self.patience)),
            _place: place,
        };
        Ok(Some((guarded, from)))
    }
}

impl axum::serve::Listener for Door {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        loop {
            match self.next().await {
                Ok(Some(accepted)) => return accepted,
                Ok(None) => {}
                // Of a connection that is gone already the next may come at once; without descriptors it may not.
                Err(_) => sleep(NAP).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Whether a connection has begun what it is for: until then it has a deadline.
#[derive(Clone, Debug, Default)]
pub struct Begun(Arc<AtomicBool>);

impl Begun {
    /// It has.
    pub fn begin(&self) {
        self.0.store(true, Relaxed);
    }
}

/// A connection that has a place, and until it has begun a deadline: one that sends its request a byte a minute ends.
#[derive(Debug)]
pub struct Guarded {
    stream: TcpStream,
    begun: Begun,
    deadline: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Guarded {
    /// To be told when it has begun.
    pub fn begun(&self) -> &Begun {
        &self.begun
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.begun.0.load(Relaxed) && self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
