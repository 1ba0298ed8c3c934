//! A dashboard of a run in a terminal, from another process: it reads the run's [`Status`] over its local socket once a
//! second, and nothing of the run knows of it but the cold thread that answers.
//!
//! `rates` and `app` are what is known, `views` what is shown of it, `listing` and `draw` how; none of them has a
//! terminal, a socket or a clock. `ask` asks on a thread of its own.

mod app;
mod ask;
mod books;
mod draw;
mod listing;
mod rates;
mod views;

use crate::status::{BooksStatus, Status};
use crate::subscribe::Glob;
use app::App;
use ask::Asker;
use listing::Listing;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use rates::History;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use views::View;

/// How long a key is waited for before there is a look at what was answered.
const GLANCE: Duration = Duration::from_millis(100);

/// Shows the run that listens on `socket` until a key or a signal ends it; it need not be there yet. The terminal is as it
/// was afterwards, after a panic too. `symbols` are those whose best prices are looked at first. An error is the terminal's.
pub fn show(socket: &Path, color: bool, symbols: Option<Glob>) -> io::Result<()> {
    let signalled = Arc::new(AtomicBool::new(false));
    // Not the one that says that the terminal is gone: there is nothing to give back, and it ends the process.
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, signalled.clone())?;
    }
    let asker = Asker::start(socket)?;
    let app = App::new(socket.display().to_string(), color);
    let app = match symbols {
        Some(symbols) => app.choosing(symbols),
        None => app,
    };
    let shown = ratatui::try_init().and_then(|mut t| watch(&mut t, app, &asker, &signalled));
    let restored = ratatui::try_restore();
    shown.and(restored)
}

/// One status as text, without what takes two: overview, channels and lines.
pub fn text(status: Status) -> String {
    let history = History::new(status);
    let views = [View::Overview, View::Channels, View::Lines].into_iter();
    let listings = views.flat_map(|view| view.listings(&history));
    tables(listings.chain(views::journals(&history)))
}

fn tables(listings: impl IntoIterator<Item = Listing>) -> String {
    let mut out = String::new();
    for listing in listings {
        if !out.is_empty() {
            out.push('\n');
        }
        listing.table().render(&mut out);
    }
    out
}

/// Best prices as text, and the depth of the book where it is one.
pub fn books_text(books: &BooksStatus) -> String {
    tables(books::answered(books))
}

fn watch(
    terminal: &mut DefaultTerminal,
    mut app: App,
    asker: &Asker,
    signalled: &AtomicBool,
) -> io::Result<()> {
    let began = Instant::now();
    while !signalled.load(Relaxed) {
        while let Some(answer) = asker.answer()? {
            app.take(answer, began.elapsed());
        }
        let mut extent = app::Extent::default();
        terminal.draw(|frame| extent = draw::draw(frame, &app, began.elapsed()))?;
        app.fit(extent);
        asker.want(app.asked_for());
        // All keys that wait are taken before it is drawn again.
        let mut patience = GLANCE;
        while event::poll(patience)? {
            patience = Duration::ZERO;
            if let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
                && !app.press(key)
            {
                return Ok(());
            }
        }
    }
    Ok(())
}
