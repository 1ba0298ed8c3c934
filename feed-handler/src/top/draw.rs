//! The dashboard drawn: two lines of header, a view, a line that says where the handler is. Words carry every meaning;
//! bold type and colour only point.

use super::app::{App, Extent, Link};
use super::books;
use super::listing::{Digits, Listing};
use super::views::View;
use crate::report::plain;
use crate::report::units::count;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use std::time::Duration;

/// Names are not made shorter than this.
const NAME_MIN: usize = 12;

/// What the keys do.
const HELP: &[&str] = &[
    "Keys",
    "",
    " 1 to 6, Tab, arrows    switch views",
    " Up, Down               scroll by a row",
    " PageUp, PageDown       scroll by a page",
    " Home, End              to the first row, to the last",
    " /                      choose symbols, for best prices: AAPL, A*, *",
    "                        of one symbol the depth of its book is shown too",
    " p                      pause, and go on",
    " ?                      this help",
    " q, Esc, Ctrl-C         quit",
    "",
    "Rates are of the time between two answers; lines are told of once an",
    "interval, a second at most. A figure that is not known is -.",
    "",
    "first   share of the channel's messages that a line brought first",
    "alone   what a line lost and another line brought",
    "socket  packets its socket's buffer had no room for",
    "ring    packets there was no slot for",
    "silent  how long ago a line was last heard",
    "queued  records that a journal has not written yet",
];

/// Draws it as it stands at `now`, at any size; how far there is to scroll.
pub fn draw(frame: &mut Frame, app: &App, now: Duration) -> Extent {
    let rows = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ];
    let [head, tabs, body, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(header(app), head);
    let page = Page::of(app, usize::from(body.width));
    let extent = page.extent(usize::from(body.height));
    draw_tabs(frame, app, extent, tabs);
    frame.render_widget(Text::from(page.seen(app.scroll, extent)), body);
    draw_foot(frame, app, now, foot);
    extent
}

/// The lines of a view.
struct Page {
    /// Those that stay when it is scrolled.
    pinned: Vec<Line<'static>>,
    rows: Vec<Line<'static>>,
}

impl Page {
    fn of(app: &App, width: usize) -> Page {
        let words = |words: &[&'static str]| Page {
            pinned: Vec::new(),
            rows: words.iter().map(|line| Line::from(*line)).collect(),
        };
        if app.help {
            return words(HELP);
        }
        let Some(history) = app.history() else {
            return words(&["", " Nothing has answered yet."]);
        };
        let listings = match app.view {
            View::Books => books::listings(app),
            view => view.listings(history),
        };
        let parts = listings.len();
        let mut page = Page {
            pinned: Vec::new(),
            rows: Vec::new(),
        };
        for (i, listing) in listings.iter().enumerate() {
            let mut lines = listed(listing, width, app.color);
            let rows = lines.split_off(2);
            match parts {
                1 => page.pinned = lines,
                _ => page.rows.extend(lines),
            }
            page.rows.extend(rows);
            if i + 1 < parts {
                page.rows.push(Line::default());
            }
        }
        if app.view == View::Books {
            page.pinned.insert(0, Line::from(books::said(app)));
        }
        page
    }

    fn extent(&self, height: usize) -> Extent {
        Extent {
            rows: self.rows.len(),
            page: height.saturating_sub(self.pinned.len()),
        }
    }

    fn seen(self, scroll: usize, extent: Extent) -> Vec<Line<'static>> {
        let rows = self.rows.into_iter().skip(scroll).take(extent.page);
        self.pinned.into_iter().chain(rows).collect()
    }
}

/// How a listing is fitted into a width.
struct Fit {
    digits: Digits,
    between: usize,
    /// Of the columns that have room.
    widths: Vec<usize>,
}

impl Fit {
    /// In this order: figures are written shorter, columns come closer, names are cut, columns are left out.
    fn new(listing: &Listing, width: usize) -> Fit {
        let fit = |digits, between| Fit {
            digits,
            between,
            widths: natural(listing, digits),
        };
        let wide = fit(Digits::All, 2);
        if wide.total() <= width {
            return wide;
        }
        let closer = fit(Digits::Few, 2);
        if closer.total() <= width {
            return closer;
        }
        fit(Digits::Few, 1).squeezed(listing.names, width)
    }

    fn total(&self) -> usize {
        let between = self.between * self.widths.len().saturating_sub(1);
        1 + self.widths.iter().sum::<usize>() + between
    }

    fn squeezed(mut self, names: usize, width: usize) -> Fit {
        while self.total() > width {
            let names = 0..names.min(self.widths.len());
            let longest = names.max_by_key(|&column| self.widths[column]);
            match longest.filter(|&column| self.widths[column] > NAME_MIN) {
                Some(column) => self.widths[column] -= 1,
                None if self.widths.len() > 1 => drop(self.widths.pop()),
                None => break,
            }
        }
        self
    }
}

fn natural(listing: &Listing, digits: Digits) -> Vec<usize> {
    let width = |(column, head): (usize, &&str)| {
        let cells = listing.rows.iter();
        let cells = cells.map(|row| row[column].text(digits).chars().count());
        cells.fold(head.chars().count(), usize::max)
    };
    listing.head.iter().enumerate().map(width).collect()
}

/// Title, head, and a line for every row.
fn listed(listing: &Listing, width: usize, color: bool) -> Vec<Line<'static>> {
    let fit = Fit::new(listing, width);
    let left_out = listing.head.len() - fit.widths.len();
    let mut title = vec![Span::styled(listing.title, Modifier::BOLD)];
    if left_out > 0 {
        let columns = if left_out == 1 { "column" } else { "columns" };
        title.push(Span::raw(format!("  (+{left_out} {columns})")));
    }
    let head = fit.widths.iter().zip(listing.head).enumerate();
    let head = head.map(|(i, (&w, text))| padded(text, w, i < listing.names));
    let mut lines = vec![Line::from(title), line(head.map(Span::raw), fit.between)];
    for row in &listing.rows {
        let cells = fit.widths.iter().zip(row).enumerate();
        let cells = cells.map(|(i, (&w, cell))| {
            let text = padded(&cell.text(fit.digits), w, i < listing.names);
            match cell.alarms() {
                true => Span::styled(text, alarm(color)),
                false => Span::raw(text),
            }
        });
        lines.push(line(cells, fit.between));
    }
    if listing.rows.is_empty() {
        lines.push(Line::from(" none"));
    }
    lines
}

fn line(cells: impl Iterator<Item = Span<'static>>, between: usize) -> Line<'static> {
    let mut spans = Vec::new();
    for (i, cell) in cells.enumerate() {
        let before = if i == 0 { 1 } else { between };
        spans.push(Span::raw(" ".repeat(before)));
        spans.push(cell);
    }
    Line::from(spans)
}

/// A text of exactly so many characters.
fn padded(text: &str, width: usize, is_name: bool) -> String {
    if text.chars().count() > width {
        let kept: String = text.chars().take(width.saturating_sub(1)).collect();
        return kept + "…";
    }
    match is_name {
        true => format!("{text:<width$}"),
        false => format!("{text:>width$}"),
    }
}

fn alarm(color: bool) -> Style {
    let style = Style::new().add_modifier(Modifier::BOLD);
    if color { style.fg(Color::Red) } else { style }
}

fn header(app: &App) -> Line<'static> {
    let socket = plain(&app.socket);
    let text = match app.history().map(|history| history.status()) {
        Some(status) => format!(
            "feed-handler {}  pid {}  up {}  {socket}",
            plain(&status.version),
            status.pid,
            hours(status.elapsed_ns)
        ),
        None => format!("feed-handler  {socket}"),
    };
    Line::from(text)
}

/// `01:02:03`
fn hours(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// The views, the one that is seen in brackets, and which of its rows.
fn draw_tabs(frame: &mut Frame, app: &App, extent: Extent, area: Rect) {
    let width = usize::from(area.width);
    let whole = tabs(app.view, true);
    let line = match whole.width() <= width {
        true => whole,
        false => tabs(app.view, false),
    };
    let used = line.width();
    frame.render_widget(line, area);
    if extent.rows > extent.page {
        let last = (app.scroll + extent.page).min(extent.rows);
        let (first, rows) = (app.scroll + 1, extent.rows);
        let said = [
            format!("rows {first}-{last} of {rows} "),
            format!("{first}-{last}/{rows} "),
        ];
        if let Some(said) = said.into_iter().find(|said| used + said.len() < width) {
            frame.render_widget(Line::from(said).right_aligned(), area);
        }
    }
}

fn tabs(seen: View, all_names: bool) -> Line<'static> {
    let mut spans = Vec::new();
    for (i, view) in View::ALL.into_iter().enumerate() {
        let (key, name) = (i + 1, view.name());
        spans.push(match (view == seen, all_names) {
            (true, _) => Span::styled(format!("[{key} {name}]"), Modifier::REVERSED),
            (false, true) => Span::raw(format!(" {key} {name} ")),
            (false, false) => Span::raw(format!(" {key} ")),
        });
    }
    Line::from(spans)
}

fn draw_foot(frame: &mut Frame, app: &App, now: Duration, area: Rect) {
    let (text, style) = match app.link(now) {
        Link::Asking => ("asking".to_owned(), Style::new()),
        Link::Live => ("live".to_owned(), Style::new()),
        Link::Gone(age, reason) => (gone(age, reason), alarm(app.color)),
    };
    let text = match app.is_paused() {
        true => format!(" PAUSED, {text}"),
        false => format!(" {text}"),
    };
    let used = text.chars().count();
    frame.render_widget(Line::styled(text, style), area);
    let keys = "q quit  p pause  ? help ";
    if used + keys.len() < usize::from(area.width) {
        frame.render_widget(Line::from(keys).right_aligned(), area);
    }
}

fn gone(age: Option<Duration>, reason: &str) -> String {
    let reason = plain(reason);
    match age {
        Some(age) => {
            let age = count(age.as_secs());
            format!("NO ANSWER, the last {age} s ago, asking each second: {reason}")
        }
        None => format!("NO ANSWER yet, asking each second: {reason}"),
    }
}

#[cfg(test)]
#[path = "draw_tests.rs"]
mod tests;
