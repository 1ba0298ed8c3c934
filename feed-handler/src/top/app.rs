//! What the dashboard knows and how keys change it: no terminal, no socket, no clock.

use super::rates::History;
use super::views::View;
use crate::status::{BooksStatus, Status};
use crate::subscribe::{GLOB_BYTES_MAX, Glob};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

/// What was answered, or why nothing was.
pub type Answer = Result<Told, String>;

/// An answer.
#[derive(Clone, Debug)]
pub struct Told {
    /// How the run stands.
    pub status: Status,
    /// Best prices of what was chosen, or why there are none; where they were asked for.
    pub books: Option<Result<BooksStatus, String>>,
}

impl From<Status> for Told {
    fn from(status: Status) -> Told {
        Told {
            status,
            books: None,
        }
    }
}

/// How old an answer may be before it is said that the next one is late.
const LATE: Duration = Duration::from_secs(3);

/// The state of the dashboard. Times count from when it began.
#[derive(Clone, Debug, Default)]
pub struct App {
    /// The socket, as it is named in the header.
    pub socket: String,
    /// Whether colours may be used, besides words and bold type.
    pub color: bool,
    /// What is looked at.
    pub view: View,
    /// Whether the keys are shown instead.
    pub help: bool,
    /// Rows scrolled past.
    pub scroll: usize,
    extent: Extent,
    latest: Known,
    /// What is shown while it is paused.
    frozen: Option<Known>,
    /// The symbols whose best prices are looked at.
    symbols: Option<Glob>,
    /// The pattern that is being typed.
    typed: Option<String>,
    answered: Option<Duration>,
    failure: Option<String>,
}

/// What has been answered so far.
#[derive(Clone, Debug, Default)]
struct Known {
    history: Option<History>,
    books: Option<Result<BooksStatus, String>>,
}

/// How far there is to scroll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Rows there are.
    pub rows: usize,
    /// Rows that are seen at once.
    pub page: usize,
}

/// Where the handler is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link<'a> {
    /// Not asked yet.
    Asking,
    /// It answers.
    Live,
    /// It does not: since when there was none, if there ever was one, and why.
    Gone(Option<Duration>, &'a str),
}

impl App {
    /// A dashboard that has asked nothing yet.
    pub fn new(socket: String, color: bool) -> App {
        App {
            socket,
            color,
            ..App::default()
        }
    }

    /// The same with these symbols chosen, and looked at.
    pub fn choosing(mut self, symbols: Glob) -> App {
        self.symbols = Some(symbols);
        self.view = View::Books;
        self
    }

    /// The symbols that are chosen.
    pub fn symbols(&self) -> Option<&Glob> {
        self.symbols.as_ref()
    }

    /// Those to ask about: nobody is made to follow what is not looked at.
    pub fn asked_for(&self) -> Option<&Glob> {
        self.symbols().filter(|_| self.view == View::Books)
    }

    /// The pattern that is being typed.
    pub fn typed(&self) -> Option<&str> {
        self.typed.as_deref()
    }

    /// What was last answered about best prices.
    pub fn books(&self) -> Option<&Result<BooksStatus, String>> {
        self.shown().books.as_ref()
    }

    /// Takes what came of asking.
    pub fn take(&mut self, answer: Answer, now: Duration) {
        match answer {
            Ok(Told { status, books }) => {
                match &mut self.latest.history {
                    Some(history) => history.add(status),
                    None => self.latest.history = Some(History::new(status)),
                }
                if books.is_some() {
                    self.latest.books = books;
                }
                (self.answered, self.failure) = (Some(now), None);
            }
            Err(reason) => {
                if let Some(history) = &mut self.latest.history {
                    history.interrupt();
                }
                self.failure = Some(reason);
            }
        }
    }

    /// What is to be shown, if anything was ever answered.
    pub fn history(&self) -> Option<&History> {
        self.shown().history.as_ref()
    }

    fn shown(&self) -> &Known {
        self.frozen.as_ref().unwrap_or(&self.latest)
    }

    /// Whether it stands still.
    pub fn is_paused(&self) -> bool {
        self.frozen.is_some()
    }

    /// Where the handler is.
    pub fn link(&self, now: Duration) -> Link<'_> {
        let age = self.answered.map(|at| now.saturating_sub(at));
        match (&self.failure, age) {
            (Some(reason), age) => Link::Gone(age, reason),
            (None, Some(age)) if age > LATE => Link::Gone(Some(age), "still waiting for it"),
            (None, Some(_)) => Link::Live,
            (None, None) if now > LATE => Link::Gone(None, "still waiting for it"),
            (None, None) => Link::Asking,
        }
    }

    /// Takes what there was to scroll when it was drawn last.
    pub fn fit(&mut self, extent: Extent) {
        self.extent = extent;
        self.scroll = self.scroll.min(extent.last());
    }

    /// Does what a key says; whether to go on.
    pub fn press(&mut self, key: KeyEvent) -> bool {
        let page = self.extent.page.max(1);
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
            _ if self.typed.is_some() => self.type_in(key.code),
            KeyCode::Esc if self.help => self.look(self.view),
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Char('p') => {
                self.frozen = match self.frozen {
                    Some(_) => None,
                    None => Some(self.latest.clone()),
                }
            }
            KeyCode::Char('?') => {
                (self.help, self.scroll) = (!self.help, 0);
            }
            KeyCode::Char('/') => {
                self.look(View::Books);
                self.typed = Some(String::new());
            }
            KeyCode::Char(digit @ '1'..='6') => {
                self.look(View::ALL[digit as usize - '1' as usize]);
            }
            KeyCode::Tab | KeyCode::Right => self.look(self.view.after(1)),
            KeyCode::BackTab | KeyCode::Left => self.look(self.view.after(View::ALL.len() - 1)),
            KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Down => self.scroll += 1,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(page),
            KeyCode::PageDown => self.scroll += page,
            KeyCode::Home => self.scroll = 0,
            KeyCode::End => self.scroll = self.extent.last(),
            _ => {}
        }
        self.scroll = self.scroll.min(self.extent.last());
        true
    }

    /// A key while a pattern is typed. What is no pattern leaves the choice as it was.
    fn type_in(&mut self, code: KeyCode) {
        let Some(typed) = &mut self.typed else {
            return;
        };
        match code {
            KeyCode::Char(c) if c.is_ascii_graphic() && typed.len() < GLOB_BYTES_MAX => {
                typed.push(c)
            }
            KeyCode::Backspace => drop(typed.pop()),
            KeyCode::Enter => {
                if let Ok(symbols) = typed.parse() {
                    self.symbols = Some(symbols);
                    self.scroll = 0;
                }
                self.typed = None;
            }
            KeyCode::Esc => self.typed = None,
            _ => {}
        }
    }

    fn look(&mut self, view: View) {
        (self.view, self.help, self.scroll) = (view, false, 0);
    }
}

impl Extent {
    /// The most that can be scrolled past.
    fn last(self) -> usize {
        self.rows.saturating_sub(self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(app: &mut App, code: KeyCode) -> bool {
        app.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn status(pid: u32) -> Status {
        Status {
            pid,
            ..Status::default()
        }
    }

    #[test]
    fn keys_switch_views_around_the_end() {
        let mut app = App::default();
        for (code, want) in [
            (KeyCode::Char('3'), View::Lines),
            (KeyCode::Tab, View::Latency),
            (KeyCode::Right, View::Consumers),
            (KeyCode::Char('6'), View::Books),
            (KeyCode::Tab, View::Overview),
            (KeyCode::Left, View::Books),
            (KeyCode::BackTab, View::Consumers),
            (KeyCode::Char('7'), View::Consumers),
        ] {
            app.scroll = 0;
            assert!(press(&mut app, code));
            assert_eq!(app.view, want, "{code:?}");
        }
    }

    #[test]
    fn keys_end_it() {
        for code in [KeyCode::Char('q'), KeyCode::Esc] {
            assert!(!press(&mut App::default(), code));
        }
        let control = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        assert!(!App::default().press(control('c')));
        assert!(App::default().press(control('x')));
        // Help is left first.
        let mut app = App::default();
        assert!(press(&mut app, KeyCode::Char('?')) && app.help);
        assert!(press(&mut app, KeyCode::Esc) && !app.help);
        assert!(!press(&mut app, KeyCode::Esc));
    }

    fn type_all(app: &mut App, text: &str) {
        text.chars()
            .for_each(|c| assert!(press(app, KeyCode::Char(c)), "{c}"));
    }

    #[test]
    fn symbols_are_typed_and_only_asked_for_while_they_are_looked_at() {
        let mut app = App::default();
        let chosen = |app: &App| app.symbols().map(|s| s.as_str().to_owned());
        type_all(&mut app, "/");
        assert_eq!(
            (app.view, app.typed(), app.asked_for()),
            (View::Books, Some(""), None)
        );
        // Keys that mean something otherwise are letters now.
        type_all(&mut app, "q1pX?*");
        press(&mut app, KeyCode::Backspace);
        press(&mut app, KeyCode::Up);
        assert_eq!(app.typed(), Some("q1pX?"));
        press(&mut app, KeyCode::Enter);
        assert_eq!(
            (app.typed(), chosen(&app)),
            (None, Some("q1pX?".to_owned()))
        );
        assert!(app.asked_for().is_some());
        press(&mut app, KeyCode::Char('1'));
        assert!(app.asked_for().is_none() && app.symbols().is_some());
        // Neither what is given up nor what is nothing is a choice.
        type_all(&mut app, "/AB");
        assert!(press(&mut app, KeyCode::Esc), "it does not quit");
        type_all(&mut app, "/");
        press(&mut app, KeyCode::Enter);
        assert_eq!(chosen(&app), Some("q1pX?".to_owned()));
        type_all(&mut app, &format!("/{}", "A".repeat(100)));
        assert_eq!(app.typed().map(str::len), Some(GLOB_BYTES_MAX));
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(!app.press(control), "it quits");
    }

    #[test]
    fn prices_stay_while_nobody_asks_for_them_and_stand_still_when_paused() {
        let mut app = App::default().choosing("A*".parse().unwrap());
        let told = |lost| Told {
            status: status(1),
            books: Some(Ok(BooksStatus {
                lost,
                ..BooksStatus::default()
            })),
        };
        let lost = |app: &App| app.books().and_then(|b| Some(b.as_ref().ok()?.lost));
        app.take(Ok(told(1)), after(1));
        app.take(Ok(status(1).into()), after(2));
        assert_eq!(lost(&app), Some(1));
        press(&mut app, KeyCode::Char('p'));
        app.take(Ok(told(2)), after(3));
        assert_eq!(lost(&app), Some(1));
        press(&mut app, KeyCode::Char('p'));
        assert_eq!(lost(&app), Some(2));
    }

    #[test]
    fn scrolling_ends_with_the_last_row() {
        let mut app = App::default();
        app.fit(Extent { rows: 25, page: 10 });
        for (code, want) in [
            (KeyCode::Up, 0),
            (KeyCode::Down, 1),
            (KeyCode::PageDown, 11),
            (KeyCode::PageDown, 15),
            (KeyCode::Down, 15),
            (KeyCode::PageUp, 5),
            (KeyCode::End, 15),
            (KeyCode::Home, 0),
        ] {
            press(&mut app, code);
            assert_eq!(app.scroll, want, "{code:?}");
        }
        press(&mut app, KeyCode::End);
        app.fit(Extent { rows: 25, page: 20 });
        assert_eq!(app.scroll, 5, "a larger screen");
        press(&mut app, KeyCode::Tab);
        assert_eq!(app.scroll, 0, "another view");
        app.fit(Extent { rows: 3, page: 0 });
        assert!(press(&mut app, KeyCode::PageDown));
    }

    #[test]
    fn paused_it_stands_still() {
        let mut app = App::default();
        app.take(Ok(status(1).into()), after(1));
        press(&mut app, KeyCode::Char('p'));
        app.take(Ok(status(2).into()), after(2));
        let pid = |app: &App| app.history().map(|h| h.status().pid);
        assert_eq!((app.is_paused(), pid(&app)), (true, Some(1)));
        press(&mut app, KeyCode::Char('p'));
        assert_eq!((app.is_paused(), pid(&app)), (false, Some(2)));
        // Also before there was anything to show.
        let mut app = App::default();
        press(&mut app, KeyCode::Char('p'));
        app.take(Ok(status(1).into()), after(1));
        assert_eq!(pid(&app), None);
    }

    #[test]
    fn a_handler_that_is_gone_is_said_to_be() {
        let mut app = App::default();
        assert_eq!(app.link(after(0)), Link::Asking);
        assert!(matches!(app.link(after(4)), Link::Gone(None, _)));
        app.take(Err("nothing listens".to_owned()), after(1));
        assert_eq!(app.link(after(2)), Link::Gone(None, "nothing listens"));
        app.take(Ok(status(1).into()), after(3));
        assert_eq!(app.link(after(4)), Link::Live);
        // It was asked and has said nothing at all.
        assert!(matches!(app.link(after(7)), Link::Gone(Some(_), _)));
        app.take(Err("nothing listens".to_owned()), after(8));
        let gone = Link::Gone(Some(after(6)), "nothing listens");
        assert_eq!(app.link(after(9)), gone);
        app.take(Ok(status(2).into()), after(10));
        assert_eq!(app.link(after(10)), Link::Live);
    }
}
