use super::OutputFormat;
use clap::Subcommand;
use feed_common::program::{Failure, print, print_line};
use feed_handler::config;
use feed_handler::run::ask;
use feed_handler::subscribe::Glob;
use serde_json::Value;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler ctl -c feed.toml subscribe 'A*' MSFT\n  feed-handler ctl list --socket \
                  runs/feed.sock\n\nThe last pattern that matches a symbol decides. What is subscribed to late has \
                  missed what came before: its records say so until the session begins anew."
)]
pub struct Arguments {
    /// The socket of the run: its configuration's `control.socket`
    #[arg(long, value_name = "PATH", global = true, conflicts_with = "config")]
    socket: Option<PathBuf>,
    /// The configuration of the run
    #[arg(short, long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// How to print what is wanted then
    #[arg(long, default_value = "text", global = true)]
    format: OutputFormat,
    #[command(subcommand)]
    request: Request,
}

#[derive(Subcommand)]
enum Request {
    /// Want the symbols of these patterns from now on
    Subscribe(Symbols),
    /// Do not want them any more: their books are cleared
    Unsubscribe(Symbols),
    /// Say what is wanted
    List,
}

#[derive(clap::Args)]
struct Symbols {
    /// `*` stands for any characters, `?` for one; `*` alone is every symbol
    #[arg(required = true, value_name = "GLOB")]
    symbols: Vec<Glob>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = socket(arguments.socket.as_deref(), arguments.config.as_deref())?;
    let answer = ask(&path, &request(&arguments.request)).map_err(Failure::running)?;
    match arguments.format {
        OutputFormat::Json => print_line(answer),
        OutputFormat::Text => print(&text(&answer)),
    }
}

/// The control socket of a run, named by itself or by the configuration.
pub(super) fn socket(socket: Option<&Path>, config: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = socket {
        return Ok(path.to_owned());
    }
    let Some(file) = config else {
        return Err(Failure::usage("expected --socket or --config"));
    };
    let plan = config::load(file).map_err(Failure::usage)?;
    plan.control.ok_or_else(|| {
        let file = file.display();
        Failure::usage(format_args!("{file}: it has no `socket` in [control]"))
    })
}

fn request(request: &Request) -> String {
    let (verb, symbols) = match request {
        Request::Subscribe(Symbols { symbols }) => ("subscribe", symbols.as_slice()),
        Request::Unsubscribe(Symbols { symbols }) => ("unsubscribe", symbols.as_slice()),
        Request::List => ("list", &[][..]),
    };
    let symbols = symbols.iter().map(|glob| format!(" {glob}"));
    verb.to_owned() + &symbols.collect::<String>()
}

/// The last rule, which is the strongest, first.
fn text(answer: &Value) -> String {
    let wanted = |value: &Value| if value == true { "wanted" } else { "unwanted" };
    let rules = answer["rules"].as_array().into_iter().flatten().rev();
    let lines = rules.map(|rule| {
        let symbols = rule["symbols"].as_str().unwrap_or("");
        format!("{symbols:<32} {}\n", wanted(&rule["wanted"]))
    });
    let otherwise = format!("{:<32} {}\n", "otherwise", wanted(&answer["otherwise"]));
    lines.chain([otherwise]).collect()
}
