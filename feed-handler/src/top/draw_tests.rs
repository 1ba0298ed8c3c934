use super::*;
use crate::report::Figures;
use crate::status::{
    BookStatus, BooksStatus, ChannelStatus, ConsumerStatus, DepthStatus, JournalStatus, LaneStatus,
    LineStatus, StageStatus, Status,
};
use crate::top::app::Told;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use std::path::Path;

/// How the made-up run stands after so many seconds, in which nothing changes but what grows.
fn status(seconds: u64) -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 4_711,
        elapsed_ns: seconds * 1_000_000_000,
        intervals: seconds,
        lanes: vec![LaneStatus {
            name: "equities".to_owned(),
            packets: 12_345 * seconds,
            messages: 1_234_567 * seconds,
            published: 1_300_000 * seconds,
            drops: [("ring_full", 0), ("socket_buffer", 3 * seconds)]
                .into_iter()
                .collect(),
            journal: Some(JournalStatus {
                records: 1_299_999 * seconds,
                lost: 40,
            }),
        }],
        channels: vec![
            channel("itch", "valid", seconds),
            channel("deep+", "stale", 0),
        ],
        consumers: vec![ConsumerStatus {
            name: "quotes".to_owned(),
            delivered: 1_000_000 * seconds,
            lost: 17,
            withheld: 2,
            ..ConsumerStatus::default()
        }],
        stages: ["receive", "dequeue", "published"].map(stage).into(),
    }
}

fn channel(name: &str, trust: &str, seconds: u64) -> ChannelStatus {
    let line = |name: &str, of: u64| LineStatus {
        name: name.to_owned(),
        group: "233.54.12.111:26477".to_owned(),
        packets: 6_000 * of * seconds,
        messages: 600_000 * of * seconds,
        first: 500_000 * of * seconds,
        lost: 40 * seconds,
        lost_alone: 39 * seconds,
        duplicates: 5_000 * seconds,
        socket_buffer: 3 * seconds,
        ring_full: 0,
        silent_ns: (seconds > 0).then_some(2_500_000),
    };
    ChannelStatus {
        name: name.to_owned(),
        lane: "equities".to_owned(),
        trust: trust.to_owned(),
        gaps: seconds / 10,
        lost: seconds / 5,
        duplicates: 10_000 * seconds,
        recovered: 12,
        restarts: 0,
        silences: 1,
        holes: seconds,
        open: 0,
        filtered: 0,
        lines: vec![line("A", 3), line("B", 1)],
    }
}

fn stage(name: &str) -> StageStatus {
    let figures = |count, above| Figures {
        count,
        min: 100,
        p50: 1_234,
        p90: 2_345,
        p99: 45_678,
        p999: 567_890,
        p9999: 600_000,
        max: 6_789_012,
        above,
    };
    StageStatus {
        stage: name.to_owned(),
        interval: figures(u64::from(name != "receive") * 12_345, 0),
        total: figures(1_234_567_890, u64::from(name == "published")),
    }
}

/// The status with best prices of two symbols.
fn told(seconds: u64) -> Told {
    let book = |symbol: &str, trust: &str, bid: Option<&str>| BookStatus {
        symbol: symbol.to_owned(),
        channel: "itch".to_owned(),
        bid: bid.map(str::to_owned),
        bid_quantity: if bid.is_some() { 1_200 } else { 0 },
        ask: Some("189.1205".to_owned()),
        ask_quantity: 300,
        trust: trust.to_owned(),
        unsure: symbol == "AMZN",
        age_ns: Some(12_345_678),
        sequence: 98_765_432,
        changes: 4_321 * seconds,
    };
    let books = BooksStatus {
        symbols: "A*".to_owned(),
        rows: vec![
            book("AAPL", "valid", Some("189.12")),
            book("AMD", "recovering", None),
            book("AMZN", "valid", Some("0.000000001")),
        ],
        lost: 70_000,
        more: false,
        published: true,
        depth: Vec::new(),
    };
    Told {
        status: status(seconds),
        books: Some(Ok(books)),
    }
}

/// The dashboard after a minute of answers.
fn app() -> App {
    let app = App::new("runs/feed.sock".to_owned(), false);
    let mut app = at(View::Overview, app.choosing("A*".parse().unwrap()));
    for second in [59, 60] {
        app.take(Ok(told(second)), Duration::from_secs(second));
    }
    app
}

fn at(view: View, mut app: App) -> App {
    app.view = view;
    app
}

fn drawn(app: &App, (width, height): (u16, u16), now: u64) -> (Buffer, Extent) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut extent = Extent::default();
    let draw = |frame: &mut Frame| extent = draw(frame, app, Duration::from_secs(now));
    terminal.draw(draw).unwrap();
    (terminal.backend().buffer().clone(), extent)
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content.chunks(width);
    let rows = rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    rows.map(|row| row.trim_end().to_owned() + "\n").collect()
}

#[test]
fn every_view_is_as_it_was_approved() {
    for view in View::ALL {
        approved(view, (80, 24));
    }
    approved(View::Overview, (40, 12));
    approved(View::Lines, (200, 60));
}

#[test]
fn one_status_as_text_is_as_it_was_approved() {
    golden("once", &crate::top::text(status(60)));
}

fn approved(view: View, size: (u16, u16)) {
    let got = text(&drawn(&at(view, app()), size, 60).0);
    golden(&format!("{}-{}x{}", view.name(), size.0, size.1), &got);
}

/// Holds a text against the one that was looked at and found good; with BLESS set in the environment it becomes that one.
fn golden(name: &str, got: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/top/golden");
    let file = folder.join(format!("{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, got).unwrap();
    }
    let want = std::fs::read_to_string(&file).unwrap();
    assert_eq!(got, want, "{name} is\n{got}");
}

#[test]
fn it_is_drawn_at_any_size() {
    let gone = Err("nothing listens there".to_owned());
    for view in View::ALL {
        let mut broken = at(view, app());
        broken.take(gone.clone(), Duration::from_secs(61));
        let empty = at(view, App::default());
        let mut help = app();
        help.help = true;
        for mut app in [at(view, app()), broken, empty, help] {
            for width in (1..=12).chain([20, 40, 79, 80, 200]) {
                for height in [1, 2, 3, 5, 24] {
                    let (_, extent) = drawn(&app, (width, height), 70);
                    app.fit(extent);
                    app.scroll = if height % 2 == 0 { app.scroll + 1 } else { 0 };
                }
            }
        }
    }
}

#[test]
fn at_80_columns_names_of_any_length_leave_room_for_figures() {
    let mut status = status(60);
    status.channels[0].name = "a channel with quite a long name indeed".repeat(3);
    status.channels[0].lines[0].lost = u64::MAX;
    let mut app = at(View::Lines, app());
    app.take(Ok(status.into()), Duration::from_secs(61));
    let text = text(&drawn(&app, (80, 24), 61).0);
    assert!(text.contains(" a cha") && text.contains('…'), "{text}");
    assert!(text.contains("18.4 E") && text.contains("silent"), "{text}");
}

#[test]
fn long_tables_scroll_under_their_head() {
    let mut status = status(60);
    status.channels = (0..50)
        .map(|i| channel(&format!("unit{i}"), "valid", 1))
        .collect();
    let mut app = at(View::Channels, App::default());
    app.take(Ok(status.into()), Duration::ZERO);
    let (seen, extent) = drawn(&app, (80, 24), 0);
    assert_eq!(extent, Extent { rows: 50, page: 19 });
    assert!(text(&seen).contains(" 1-19/50"));
    app.fit(extent);
    app.press(KeyEvent::from(KeyCode::End));
    let text = text(&drawn(&app, (80, 24), 0).0);
    assert!(
        text.contains(" 32-50/50") && text.contains("unit49"),
        "{text}"
    );
    assert!(
        text.contains(" channel ") && !text.contains("unit30 "),
        "{text}"
    );
}

#[test]
fn what_is_chosen_is_said_over_the_prices() {
    let over = |app: &App| {
        let text = text(&drawn(app, (80, 24), 60).0);
        text.lines().nth(2).unwrap().to_owned()
    };
    let mut app = at(View::Books, app());
    assert_eq!(
        over(&app),
        " A*: 3 symbols, 70,000 records not seen   / chooses others"
    );
    for c in "/MS".chars() {
        app.press(KeyEvent::from(KeyCode::Char(c)));
    }
    assert_eq!(
        over(&app),
        " symbols: MS_   Enter chooses them, Esc does not"
    );
    app.press(KeyEvent::from(KeyCode::Enter));
    assert_eq!(over(&app), " MS: asking");
    assert!(
        !text(&drawn(&app, (80, 24), 60).0).contains("AAPL"),
        "of another choice"
    );
    let refused = Told {
        books: Some(Err("no thread for it".to_owned())),
        ..told(61)
    };
    app.take(Ok(refused), Duration::from_secs(61));
    assert_eq!(over(&app), " MS: no thread for it");
    let mut none = at(View::Books, App::default());
    none.take(Ok(status(1).into()), Duration::ZERO);
    assert!(over(&none).contains("press / and type"));
}

#[test]
fn of_one_symbol_the_depth_of_its_book_is_shown() {
    let mut told = told(61);
    if let Some(Ok(books)) = &mut told.books {
        books.rows.truncate(1);
        let level = |number: u32| DepthStatus {
            bid_orders: Some(number),
            bid_quantity: 100 * u64::from(number),
            bid: Some(format!("189.{}", 20 - number)),
            ask: (number < 10).then(|| format!("189.{}", 20 + number)),
            ask_quantity: 7,
            ask_orders: None,
        };
        books.depth = (1..=10).map(level).collect();
    }
    let mut app = at(View::Books, app());
    app.take(Ok(told), Duration::from_secs(61));
    let (seen, extent) = drawn(&app, (80, 24), 61);
    let seen = text(&seen);
    assert!(extent.rows <= extent.page, "all of it at once:\n{seen}");
    for part in [
        " AAPL",
        "Depth",
        " level  orders  bid size     bid     ask  ask size  orders",
        " 10         10     1,000  189.10       -         -       -",
    ] {
        assert!(seen.contains(part), "{part} in\n{seen}");
    }
}

#[test]
fn what_asks_for_attention_does_so_without_colour_too() {
    for color in [false, true] {
        let mut app = at(View::Channels, app());
        app.color = color;
        app.take(
            Err("nothing listens there".to_owned()),
            Duration::from_secs(61),
        );
        let (seen, _) = drawn(&app, (80, 24), 72);
        let reds = seen.content.iter().filter(|cell| cell.fg == Color::Red);
        assert_eq!(reds.count() > 0, color);
        let is_colored =
            |cell: &ratatui::buffer::Cell| cell.fg != Color::Reset || cell.bg != Color::Reset;
        assert_eq!(seen.content.iter().any(is_colored), color);
        let bold = seen
            .content
            .iter()
            .filter(|cell| cell.modifier.contains(Modifier::BOLD));
        let bold: String = bold.map(|cell| cell.symbol()).collect();
        assert!(bold.contains("stale") && !bold.contains("valid"), "{bold}");
        let said = "NO ANSWER, the last 12 s ago, asking each second: nothing listens there";
        assert!(bold.contains(said), "{bold}");
    }
}

#[test]
fn rates_are_gone_with_the_handler_and_begin_anew_with_the_next() {
    let overview = |app: &App, now| text(&drawn(app, (80, 24), now).0);
    let mut app = app();
    assert!(overview(&app, 60).contains(" 12,345 "));
    app.take(
        Err("nothing listens there".to_owned()),
        Duration::from_secs(61),
    );
    let gone = overview(&app, 61);
    assert!(
        !gone.contains(" 12,345  1,234,567") && gone.contains("NO ANSWER"),
        "{gone}"
    );
    let other = |seconds| Status {
        pid: 4_712,
        ..status(seconds)
    };
    app.take(Ok(other(70).into()), Duration::from_secs(70));
    assert!(!overview(&app, 70).contains(" 12,345  1,234,567"));
    app.take(Ok(other(71).into()), Duration::from_secs(71));
    let back = overview(&app, 71);
    assert!(
        back.contains(" 12,345  ") && back.contains("pid 4712"),
        "{back}"
    );
    assert!(back.contains(" live "), "{back}");
}
