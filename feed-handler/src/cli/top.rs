use super::OutputFormat;
use super::ctl::socket;
use feed_common::program::{Failure, print, print_line};
use feed_handler::run::{ControlError, ask_books, ask_status};
use feed_handler::status::BooksStatus;
use feed_handler::subscribe::Glob;
use feed_handler::top;
use serde_json::json;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// No interval is longer, and a little for who is late.
const INTERVAL: Duration = Duration::from_millis(1_200);

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler top -c feed.toml\n  feed-handler top --socket runs/feed.sock --once --format \
                  json | jq .channels\n  feed-handler top -c feed.toml --symbol 'A*'\n\nKeys: 1 to 6, Tab and arrows switch \
                  between overview, channels, lines, latency, consumers and books; / chooses symbols whose best bid and \
                  offer are shown, as a consumer of the published records sees them; Up, Down, PageUp and PageDown scroll; p pauses; ? says what the keys do; q quits. It \
                  only reads, asks once a second, and waits for a run that is not there. NO_COLOR is obeyed."
)]
pub struct Arguments {
    /// The socket of the run: its configuration's `control.socket`
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    socket: Option<PathBuf>,
    /// The configuration of the run
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print how it stands and end; status 1 when nothing answers
    #[arg(long)]
    once: bool,
    /// Show the best bid and offer of the symbols this pattern means, such as 'A*', and the depth of the book where it is one
    #[arg(long, value_name = "GLOB")]
    symbol: Option<Glob>,
    /// How to print it
    #[arg(long, default_value = "text", requires = "once")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = socket(arguments.socket.as_deref(), arguments.config.as_deref())?;
    if arguments.once {
        let status = ask_status(&path).map_err(Failure::running)?;
        let books = arguments.symbol.as_ref();
        let books = books.map(|symbols| chosen(&path, symbols)).transpose();
        let books = books.map_err(Failure::running)?;
        return match arguments.format {
            OutputFormat::Text => {
                print(&top::text(status))?;
                books.map_or(Ok(()), |books| {
                    print(&format!("\n{}", top::books_text(&books)))
                })
            }
            OutputFormat::Json => {
                let mut facts = json!(status);
                if let Some(books) = books {
                    facts["books"] = json!(books);
                }
                print_line(facts)
            }
        };
    }
    if !io::stdout().is_terminal() {
        return Err(Failure::usage(
            "standard output is no terminal: expected --once, which prints how the run stands and ends",
        ));
    }
    // By its convention a value that is not empty.
    let color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Ok(top::show(&path, color, arguments.symbol.clone())?)
}

/// Best prices, and the depth of the book where they are of one symbol: its lane shows that when an interval ends.
fn chosen(path: &Path, symbols: &Glob) -> Result<BooksStatus, Box<ControlError>> {
    let told = ask_books(path, symbols)?;
    if told.rows.len() != 1 {
        return Ok(told);
    }
    std::thread::sleep(INTERVAL);
    ask_books(path, symbols)
}
