use super::OutputFormat;
use super::lanes::Lanes;
use feed_common::config::{ByteSize, TimeSpan};
use feed_common::program::{Failure, print, print_line, warn};
use feed_handler::gateway::{Gateway, Limits, Options, Tokens, status_text};
use feed_handler::run::Until;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How often it looks whether it is over.
const NAP: Duration = Duration::from_millis(20);

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler gateway --dir /dev/shm/feed\n  feed-handler gateway --dir /dev/shm/feed --listen \
                  0.0.0.0:9000 --tcp 0.0.0.0:9001 --tokens /etc/feed/tokens\n  curl http://127.0.0.1:9000/status\n\nIt reads \
                  what a run with [shared_memory] publishes, and costs that run nothing. Clients connect to \
                  ws://127.0.0.1:9000/stream, or with --tcp by TCP; docs/GATEWAY.md has what they say and are told. Without \
                  tokens it listens on this machine alone. Lanes that come later to the folder of --dir are found within a \
                  second. SIGINT and SIGTERM tell the clients and print what it did; a second one ends at once."
)]
pub struct Arguments {
    #[command(flatten)]
    lanes: Lanes,
    /// Where WebSockets, /status and /health are; port 0 is one that the system chooses
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Where to serve by TCP as well
    #[arg(long, value_name = "ADDRESS")]
    tcp: Option<SocketAddr>,
    /// Who may connect: a file of mode 0600 with a token a line, of 16 characters or more
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// A web page that browsers may connect for, such as https://desk.example; may be given more than once
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Clients at once
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=4096))]
    clients: u16,
    /// Subscriptions of a client
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    subscriptions: u16,
    /// Records that wait for a client at most
    #[arg(long, value_name = "N", default_value_t = 8192, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    queue: u32,
    /// Memory for all that waits for clients
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    memory: ByteSize,
    /// Longest message of a client
    #[arg(long, value_name = "SIZE", default_value = "16KiB")]
    message: ByteSize,
    /// How long a client has for its first message
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    handshake: TimeSpan,
    /// A client that is silent for so long is asked for a sign of life, and dropped after three times as long
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    heartbeat: TimeSpan,
    /// How to print where it listens and, at the end, what it did
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let tokens = arguments.tokens.as_deref().map(Tokens::read).transpose();
    let size = |size: ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
    // Long enough to be told apart from not at all.
    let span = |span: TimeSpan| span.duration().max(Duration::from_millis(20));
    let options = Options {
        lanes: arguments.lanes.place()?,
        owned_by: arguments.lanes.owned_by(),
        listen: arguments.listen,
        tcp: arguments.tcp,
        tokens: tokens.map_err(Failure::usage)?.unwrap_or_default(),
        origins: arguments.allow_origin.clone(),
        limits: Limits {
            clients: arguments.clients.into(),
            subscriptions: arguments.subscriptions.into(),
            message: size(arguments.message),
            queue: arguments.queue as usize,
            memory: size(arguments.memory),
            handshake: span(arguments.handshake),
            heartbeat: span(arguments.heartbeat),
        },
    };
    let until = Until::signalled(None)?;
    let gateway = Gateway::start(options).map_err(|error| match error.is_usage() {
        true => Failure::usage(error),
        false => Failure::running(error),
    })?;
    if let Some(nobody) = arguments.lanes.nobody().filter(|_| !gateway.has_lanes()) {
        warn(format_args!("{nobody} yet"));
    }
    let at = gateway.addresses();
    let over_tcp = at.tcp.map(|address| address.to_string());
    match arguments.format {
        OutputFormat::Json => {
            print_line(json!({"listening": {"http": at.http.to_string(), "tcp": over_tcp}}))
        }
        OutputFormat::Text => {
            print_line(format_args!("listening on ws://{}/stream", at.http))?;
            over_tcp.map_or(Ok(()), |at| {
                print_line(format_args!("listening on tcp {at}"))
            })
        }
    }?;
    while !until.flag.load(Relaxed) {
        if gateway.has_failed() {
            return Err(Failure::running("shared memory is no longer read"));
        }
        gateway.warnings().for_each(warn);
        std::thread::sleep(NAP);
    }
    let facts = gateway.stop();
    match arguments.format {
        OutputFormat::Json => print_line(facts),
        OutputFormat::Text => print(&status_text(&facts)),
    }
}
