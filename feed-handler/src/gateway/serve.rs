//! A gateway from its beginning to its end: what listens, what reads, and how both stop.

use super::client::Terms;
use super::door::Door;
use super::http::{Site, router};
use super::hub::Hub;
use super::lane::Lane;
use super::options::{GatewayError, Options};
use super::pack::MESSAGE_MAX;
use super::{door::Begun, source, status, tcp};
use crate::tail::Tail;
use feed_common::ring::Pool;
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Threads that serve clients: far from the hot path, and no more than a small machine has to spare.
const WORKERS: usize = 2;

/// How long clients have to be told that it ends.
const FAREWELL: Duration = Duration::from_secs(2);

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
    runtime: Option<Runtime>,
}

impl Gateway {
    /// Opens shared memory and begins to listen.
    pub fn start(options: Options) -> Result<Gateway, GatewayError> {
        options.check()?;
        let files = options.files.iter().enumerate();
        let lanes: Result<Vec<_>, _> = files
            .map(|(index, path)| {
                Tail::open(path, options.owned_by, true).map(|tail| Lane::new(index, tail))
            })
            .collect();
        let lanes = lanes?;
        let number = lanes.len();
        let hub = Arc::new(Hub::new(lanes, options.limits));
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
        let source = source::start(hub.clone(), number).map_err(GatewayError::Thread)?;
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
            runtime: Some(runtime),
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What it has done so far.
    pub fn facts(&self) -> Value {
        status::facts(&self.hub)
    }

    /// Whether the thread that reads has ended, which it does not by itself.
    pub fn has_failed(&self) -> bool {
        self.source.as_ref().is_none_or(JoinHandle::is_finished)
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
        // A panic there has been told.
        self.source.take().map(JoinHandle::join);
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
