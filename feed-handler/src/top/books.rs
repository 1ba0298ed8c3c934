//! Best prices of chosen symbols as listings, with the depth of the book where it is one symbol, and the line over them that
//! says what is chosen and how it stands.

use super::app::App;
use super::listing::{Cell, Listing};
use super::views::VALID;
use crate::report::plain;
use crate::report::units::plural;
use crate::status::{BookStatus, BooksStatus, DepthStatus};

/// What is chosen and what should be known of it.
pub fn said(app: &App) -> String {
    if let Some(typed) = app.typed() {
        return format!(
            " symbols: {}_   Enter chooses them, Esc does not",
            plain(typed)
        );
    }
    let Some(wanted) = app.symbols() else {
        return " No symbols are chosen: press / and type AAPL, A* or *".to_owned();
    };
    let wanted = wanted.as_str();
    match app.books() {
        Some(Err(reason)) => format!(" {wanted}: {}", plain(reason)),
        Some(Ok(books)) if books.symbols == wanted => {
            let mut said = format!(" {wanted}: {}", plural(books.rows.len() as u64, "symbol"));
            if books.more {
                said.push_str(" of more");
            }
            if books.lost > 0 {
                said.push_str(&format!(", {} not seen", plural(books.lost, "record")));
            }
            if !books.published {
                said.push_str(", only prices the feed itself sends");
            }
            said + "   / chooses others"
        }
        _ => format!(" {wanted}: asking"),
    }
}

/// Those of the last answer, if it is to what is chosen now.
pub fn listings(app: &App) -> Vec<Listing> {
    let wanted = app.symbols().map(|symbols| symbols.as_str());
    let told = app.books().and_then(|books| books.as_ref().ok());
    let told = told.filter(|books| Some(books.symbols.as_str()) == wanted);
    told.map_or_else(|| vec![best(&[])], answered)
}

/// Those of an answer.
pub fn answered(books: &BooksStatus) -> Vec<Listing> {
    let mut listings = vec![best(&books.rows)];
    if !books.depth.is_empty() {
        listings.push(depth(&books.depth));
    }
    listings
}

fn depth(rows: &[DepthStatus]) -> Listing {
    let price = |price: &Option<String>| Cell::name(price.as_deref().unwrap_or("-"));
    let quantity = |price: &Option<String>, quantity| match price {
        Some(_) => Cell::Count(quantity),
        None => Cell::name("-"),
    };
    let orders = |orders: Option<u32>| match orders {
        Some(orders) => Cell::Count(orders.into()),
        None => Cell::name("-"),
    };
    let row = |(number, row): (usize, &DepthStatus)| {
        vec![
            Cell::name(&number.to_string()),
            orders(row.bid_orders),
            quantity(&row.bid, row.bid_quantity),
            price(&row.bid),
            price(&row.ask),
            quantity(&row.ask, row.ask_quantity),
            orders(row.ask_orders),
        ]
    };
    Listing {
        title: "Depth",
        head: &[
            "level", "orders", "bid size", "bid", "ask", "ask size", "orders",
        ],
        names: 1,
        rows: (1..).zip(rows).map(row).collect(),
    }
}

fn best(rows: &[BookStatus]) -> Listing {
    let row = |book: &BookStatus| {
        let price = |price: &Option<String>| Cell::name(price.as_deref().unwrap_or("-"));
        vec![
            Cell::name(&book.symbol),
            Cell::Count(book.bid_quantity),
            price(&book.bid),
            price(&book.ask),
            Cell::Count(book.ask_quantity),
            trust(book),
            Cell::Time(book.age_ns),
            Cell::Count(book.changes),
            Cell::name(&book.channel),
            Cell::Count(book.sequence),
        ]
    };
    Listing {
        title: "Best bid and offer",
        head: &[
            "symbol", "bid size", "bid", "ask", "ask size", "trust", "changed", "changes",
            "channel", "sequence",
        ],
        names: 1,
        rows: rows.iter().map(row).collect(),
    }
}

/// Of prices that may have changed unseen that is said first.
fn trust(book: &BookStatus) -> Cell {
    match (book.unsure, book.trust.as_str()) {
        (true, _) => Cell::Alarm("unsure".to_owned()),
        (false, VALID) => Cell::name(VALID),
        (false, trust) => Cell::Alarm(plain(trust)),
    }
}
