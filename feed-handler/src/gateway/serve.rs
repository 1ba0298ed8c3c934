//! A gateway from its beginning to its end: what listens, what reads, and how both stop.

use super::client::Terms;
use super::door::Door;
use super::http::{Site, router};
use super::hub::Hub;
use super::options::{GatewayError, Options};
use super::pack::MESSAGE_MAX;
use super::{door::Begun, seek, source, status, tcp};
use crate::tail::Finder;
use crossbeam_channel::Receiver;
use feed_common::ring::Pool;
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Threads that serve clients: far from the hot path, and no more than a small machine has to spare.
const WORKERS: usize = 2;

/// How long clients have to be told that it ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is to be told of files and nobody has asked for yet.
const WARNINGS: usize = 64;

/// Where a gateway listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// WebSockets, `/status` and `/health`.
    pub http: SocketAddr,
    /// Frames over TCP.
    pub tcp: Option<SocketAddr>,
}

/// A gateway that runs until it is stopped, or dropped.
pub struct Gateway {
    hub: Arc<Hub>,
    addresses: Addresses,
    /// There until it ends.
    source: Option<JoinHandle<()>>,
    seek: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
    warnings: Receiver<String>,
}

impl Gateway {
    /// Opens the lanes that are there and begins to listen. A folder may have none yet.
    pub fn start(options: Options) -> Result<Gateway, GatewayError> {
        options.check()?;
        let (to, warnings) = crossbeam_channel::bounded(WARNINGS);
        let hub = Arc::new(Hub::new(options.limits));
        let mut finder = Finder::new(options.lanes, options.owned_by);
        let found = finder.begin(true)?;
        hub.totals.refused.store(finder.refused() as u64, Relaxed);
        for error in &found.refused {
            let _ = to.try_send(error.to_string());
        }
        let number = found.lanes.len();
        if !found.lanes.into_iter().all(|tail| hub.follow(tail, false)) {
            return Err(GatewayError::Lanes(number));
        }
        let terms = Terms {
            tokens: Arc::new(options.tokens),
            // One for each client: it sends one message at a time.
            pool: Pool::leaked(hub.limits().clients, MESSAGE_MAX)?,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("gateway")
            .enable_all()
            .build()
            .map_err(GatewayError::Thread)?;
        let (http, http_at) = listen(options.listen, &runtime)?;
        let over_tcp = options.tcp.map(|address| listen(address, &runtime));
        let over_tcp = over_tcp.transpose()?;
        let addresses = Addresses {
            http: http_at,
            tcp: over_tcp.as_ref().map(|(_, address)| *address),
        };
        let source = source::start(hub.clone()).map_err(GatewayError::Thread)?;
        let seek = seek::start(hub.clone(), finder, to).map_err(GatewayError::Thread)?;
        if let Some((listener, _)) = over_tcp {
            let door = Door::new(listener, &hub, false);
            runtime.spawn(tcp::listen(door, hub.clone(), terms.clone()));
        }
        let site = Site {
            hub: hub.clone(),
            terms,
            origins: Arc::new(options.origins),
        };
        let site = router(site).into_make_service_with_connect_info::<Begun>();
        let door = Door::new(http, &hub, true);
        // Ends with the runtime.
        runtime.spawn(async move { axum::serve(door, site).await });
        Ok(Gateway {
            hub,
            addresses,
            source: Some(source),
            seek: Some(seek),
            runtime: Some(runtime),
            warnings,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Whether there are any lanes.
    pub fn has_lanes(&self) -> bool {
        !self.hub.lanes().is_empty()
    }

    /// What it has done so far.
    pub fn facts(&self) -> Value {
        status::facts(&self.hub)
    }

    /// What there is to be told of files that cannot be read, each time once.
    pub fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        self.warnings.try_iter()
    }

    /// Whether a thread that reads or finds lanes has ended, which they do not by themselves.
    pub fn has_failed(&self) -> bool {
        let threads = [&self.source, &self.seek];
        let mut threads = threads.iter();
        threads.any(|thread| thread.as_ref().is_none_or(JoinHandle::is_finished))
    }

    /// Tells the clients, waits for them a little, and ends. What it had done.
    pub fn stop(mut self) -> Value {
        let was = self.hub.clients().clients;
        self.hub.stop();
        let until = Instant::now() + FAREWELL;
        while self.hub.clients().clients > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.end();
        let mut facts = status::facts(&self.hub);
        facts["clients"] = was.into();
        facts
    }

    fn end(&mut self) {
        self.hub.stop();
        for thread in [self.source.take(), self.seek.take()].into_iter().flatten() {
            thread.thread().unpark();
            // A panic there has been told.
            let _ = thread.join();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.end();
    }
}

fn listen(
    address: SocketAddr,
    runtime: &Runtime,
) -> Result<(tokio::net::TcpListener, SocketAddr), GatewayError> {
    let failed = |source| GatewayError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    let _context = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener);
    Ok((listener.map_err(failed)?, at))
}
