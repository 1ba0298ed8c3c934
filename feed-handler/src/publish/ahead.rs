//! What books are asked for before an event comes, by those that keep them.

use crate::book::Books;
use crate::protocol::Ahead;

/// Asks for the orders that the event is about.
#[inline(always)]
pub(crate) fn fetch(books: &Books, ahead: Ahead) {
    books.prefetch(ahead.instrument, ahead.order_id);
    if ahead.new_id != ahead.order_id {
        books.prefetch(ahead.instrument, ahead.new_id);
    }
}

/// Asks for what the first of them leads to, when it has had time to come.
#[inline(always)]
pub(crate) fn fetch_behind(books: &Books, ahead: Ahead) {
    books.prefetch_further(ahead.instrument, ahead.order_id);
}
