//! The table: what is aimed for, beside peers and limits, each row measured in this run.
//!
//! A row is made by a [`Producer`]; adding one is a line in [`PRODUCERS`]. Rows are never taken from notes: peers and
//! limits run on the same bytes, in turns with ours, in the same process. What cannot be measured here is a [`Skipped`]
//! row that says why.

mod arrays;
mod books;
mod captures;
mod decoding;
mod print;
mod programs;
mod queues;
mod reported;
mod row;

pub use print::{json, print};
pub use row::{Made, Row, Skipped, Target};

/// How much work a row may be given.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// A tenth of the time, for a look: figures are rougher.
    pub quick: bool,
}

impl Effort {
    /// One of two amounts.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// Makes rows.
pub struct Producer {
    /// What `--only` calls it.
    pub name: &'static str,
    /// Measures. What is wrong with this machine or that build skips all its rows.
    pub rows: fn(Effort) -> Result<Vec<Made>, String>,
}

/// All of them, in the order of the table.
pub const PRODUCERS: &[Producer] = &[
    Producer {
        name: "decode",
        rows: decoding::rows,
    },
    Producer {
        name: "book",
        rows: books::rows,
    },
    Producer {
        name: "prices",
        rows: arrays::rows,
    },
    Producer {
        name: "broadcast",
        rows: queues::broadcast,
    },
    Producer {
        name: "handoff",
        rows: queues::handoff,
    },
    Producer {
        name: "receive",
        rows: programs::receive,
    },
    Producer {
        name: "instrumentation",
        rows: programs::instrumentation,
    },
    Producer {
        name: "pcap",
        rows: captures::rows,
    },
    Producer {
        name: "report",
        rows: captures::report,
    },
    Producer {
        name: "replay",
        rows: reported::replay,
    },
    Producer {
        name: "serialization",
        rows: reported::serialization,
    },
];
