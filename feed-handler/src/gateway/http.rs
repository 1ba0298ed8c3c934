//! Requests over HTTP: `/stream` becomes a WebSocket, `/status` and `/health` are facts. Browsers send requests for any web
//! page that their user looks at: what they send is refused, unless the page is allowed.

use super::client::{Terms, serve};
use super::door::{Begun, Door};
use super::ending::Ending;
use super::hub::Hub;
use super::request::Form;
use super::status::facts;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::IncomingStream;
use futures_util::StreamExt;
use std::net::IpAddr;
use std::sync::Arc;

/// What requests are answered from.
#[derive(Clone)]
pub struct Site {
    /// Lanes and clients.
    pub hub: Arc<Hub>,
    /// What clients share.
    pub terms: Terms,
    /// Web pages that may connect.
    pub origins: Arc<Vec<String>>,
}

impl Connected<IncomingStream<'_, Door>> for Begun {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Begun {
        stream.io().begun().clone()
    }
}

/// The paths there are.
pub fn router(site: Site) -> Router {
    Router::new()
        .route("/stream", get(stream))
        .route("/status", get(status))
        .route("/health", get(health))
        .with_state(site)
}

async fn stream(
    State(site): State<Site>,
    ConnectInfo(begun): ConnectInfo<Begun>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let is_known = match site.admit(&headers) {
        Ok(is_known) => is_known || site.terms.tokens.is_empty(),
        Err(ending) => return site.refuse(&ending),
    };
    let seat = match site.hub.admit() {
        Ok(seat) => seat,
        Err(ending) => return site.refuse(&ending),
    };
    let most = site.hub.limits().message;
    let upgrade = upgrade.max_message_size(most).max_frame_size(most);
    upgrade.on_upgrade(async move |socket| {
        begun.begin();
        let (sending, receiving) = socket.split();
        serve(seat, site.terms, Form::Json, is_known, sending, receiving).await;
    })
}

async fn status(State(site): State<Site>, headers: HeaderMap) -> Response {
    match site.admit(&headers) {
        Ok(is_known) if is_known || site.terms.tokens.is_empty() => {
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (kind, format!("{}\n", facts(&site.hub))).into_response()
        }
        Ok(_) => site.refuse(&Ending::Unauthorised("expected a token")),
        Err(ending) => site.refuse(&ending),
    }
}

async fn health(State(site): State<Site>, headers: HeaderMap) -> Response {
    match site.admit(&headers) {
        Ok(_) if site.hub.is_stopping() => {
            (StatusCode::SERVICE_UNAVAILABLE, "ending\n").into_response()
        }
        Ok(_) => "ok\n".into_response(),
        Err(ending) => site.refuse(&ending),
    }
}

impl Site {
    /// Whether a request has shown a token that is known; refused where it was sent for a web page that may not, or shows
    /// one that is not known.
    fn admit(&self, headers: &HeaderMap) -> Result<bool, Ending> {
        let text = |name| headers.get(name).map(|v| v.to_str().unwrap_or_default());
        if let Some(origin) = text(header::ORIGIN)
            && !self.origins.iter().any(|o| o == origin)
        {
            let reason = format!("the origin {:?} is not allowed", cut(origin));
            return Err(Ending::Foreign(reason));
        }
        // A page whose name was made to mean this machine is of the same origin to a browser: its name tells it.
        let host = text(header::HOST).unwrap_or_default();
        if self.terms.tokens.is_empty() && !is_loopback(host) {
            let reason = format!("the host {:?} is not this machine", cut(host));
            return Err(Ending::Foreign(reason));
        }
        match text(header::AUTHORIZATION) {
            None => Ok(false),
            Some(shown) => {
                let token = shown.strip_prefix("Bearer ").unwrap_or_default();
                match self.terms.tokens.is_empty() || self.terms.tokens.allow(token.as_bytes()) {
                    true => Ok(true),
                    false => Err(Ending::Unauthorised("the token is not known")),
                }
            }
        }
    }

    fn refuse(&self, ending: &Ending) -> Response {
        self.hub.totals.endings.count(ending);
        let status = match ending {
            Ending::Unauthorised(_) => StatusCode::UNAUTHORIZED,
            Ending::Foreign(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{ending}\n")).into_response()
    }
}

/// What is told of a header that somebody sent.
fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Whether a host, with a port or without, is this machine by its number or by the name that every machine has for itself.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_this_machine() {
        for host in [
            "127.0.0.1:9000",
            "localhost",
            "LocalHost:1",
            "[::1]:9000",
            "127.9.9.9",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "127.0.0.1.example.com",
            "10.0.0.1:9000",
            "[fe80::1]",
            "localhost.a",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
