//! The shared memory of a running handler, read from another process: lanes as they come, their records, and the latest
//! quotes.

mod find;
mod rows;

pub use find::{Finder, Found, Next, Place};
pub use rows::{QuoteRow, Row};

use crate::subscribe::Glob;
use feed_common::event::{Kind, NO_INSTRUMENT, Record};
use feed_common::ring::Reader;
use feed_common::ring::shared::taken::TakenLog;
use feed_common::ring::shared::{
    Facts, Instrument, OwnedBy, Quote, SharedError, SharedReader, Standing,
};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Records read at once.
const BATCH: usize = 256;

/// Between two looks at the writer, while there is nothing to read.
const LOOK_EVERY: Duration = Duration::from_millis(16);

/// What of the records is wanted: everything where nothing is named.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of these symbols, by their whole names.
    pub symbols: Vec<Glob>,
    /// Of these kinds.
    pub kinds: Vec<Kind>,
}

impl Wanted {
    fn symbol(&self, name: &str) -> bool {
        let mut globs = self.symbols.iter();
        self.symbols.is_empty() || globs.any(|glob| glob.matches(name.as_bytes()))
    }

    fn kind(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

/// A kind of record by its name in facts.
pub fn kind_named(name: &str) -> Option<Kind> {
    (0..=u8::MAX).map(Kind).find(|k| k.name() == Some(name))
}

/// A lane's file being read.
pub struct Tail {
    shared: SharedReader,
    records: Reader<Record>,
    names: HashMap<(u16, u32), Named>,
    /// Rows of the directory that are in `names`.
    rows: u32,
    /// When it was last asked how it stands with the writer.
    looked: Instant,
    taken: Option<TakenLog>,
    /// Whether everything has been read that was there at first.
    has_caught_up: bool,
    ending: Option<Standing>,
    ended: Option<Standing>,
}

/// What an instrument is called, as far as that is known.
#[derive(Debug)]
struct Named {
    name: String,
    row: u32,
}

/// What was there to be read.
#[derive(Debug)]
pub enum Polled {
    /// Wanted records, perhaps none of several.
    Rows(Vec<Row>),
    /// So many were overwritten before they were read.
    Lost(u64),
    /// None now.
    Nothing,
    /// None any more from this writer; said once.
    Ended(Standing),
}

/// What was read, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// So many records.
    Records(usize),
    /// So many were overwritten before they were read.
    Lost(u64),
    /// None now.
    Nothing,
    /// None any more from this writer; said once.
    Ended(Standing),
}

impl Tail {
    /// Opens a file and reads from its oldest record that is still there, or from now on.
    pub fn open(path: &Path, owned_by: OwnedBy, oldest: bool) -> Result<Tail, SharedError> {
        Ok(Tail::over(SharedReader::open(path, owned_by)?, oldest))
    }

    fn over(shared: SharedReader, oldest: bool) -> Tail {
        let subscriber = shared.subscriber();
        Tail {
            records: match oldest {
                true => subscriber.from_oldest(),
                false => subscriber.from_now(),
            },
            shared,
            names: HashMap::new(),
            rows: 0,
            looked: Instant::now(),
            taken: None,
            has_caught_up: false,
            ending: None,
            ended: None,
        }
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        self.shared.path()
    }

    /// Keeps how long records took to come here, for the report of the run: from when it has read what was there before, which
    /// would say nothing. May take 200 ms, the first time in a process.
    pub fn measure(&mut self) {
        self.taken = Some(TakenLog::of(&self.shared));
    }

    /// Leaves what was measured to the run, beside its file.
    pub fn leave(&self) -> io::Result<()> {
        self.taken
            .as_ref()
            .map_or(Ok(()), |taken| taken.leave().map(drop))
    }

    /// Whether its writer has ended and everything was read.
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// What the header says.
    pub fn facts(&self) -> &Facts {
        self.shared.facts()
    }

    /// Position of the next record to be read, counted from the first that the writer ever published.
    pub fn position(&self) -> u64 {
        self.records.position()
    }

    /// Position of the next record to be published.
    pub fn published(&self) -> u64 {
        self.records.position() + self.records.backlog()
    }

    /// Reads what is there of what is wanted.
    pub fn poll(&mut self, wanted: &Wanted) -> Polled {
        let mut batch = [Record::default(); BATCH];
        match self.read(&mut batch) {
            Taken::Lost(lost) => Polled::Lost(lost),
            Taken::Nothing => Polled::Nothing,
            Taken::Ended(standing) => Polled::Ended(standing),
            Taken::Records(n) => {
                let rows = batch[..n].iter().filter(|r| wanted.kind(Kind(r.data.kind)));
                let rows = rows.map(|record| self.row(record));
                Polled::Rows(rows.filter(|row| wanted.symbol(&row.name)).collect())
            }
        }
    }

    /// Reads what is there.
    pub fn read(&mut self, batch: &mut [Record]) -> Taken {
        let n = match self.records.read(batch) {
            Err(overrun) => return Taken::Lost(overrun.lost),
            Ok(n) => n,
        };
        match &mut self.taken {
            Some(taken) if self.has_caught_up && n > 0 => taken.take(&batch[..n]),
            _ => self.has_caught_up |= n < batch.len(),
        }
        match n {
            0 => self.idle(),
            n => Taken::Records(n),
        }
    }

    /// A record with its names.
    pub fn row(&mut self, record: &Record) -> Row {
        Row {
            record: *record,
            name: self.name(record),
            channel: self.channel(record.channel.get()),
        }
    }

    /// There was nothing. How it stands with the writer costs a look into `/proc`, so it is not asked each time; and when
    /// it has ended, what it published before that is read first.
    fn idle(&mut self) -> Taken {
        if let Some(ending) = self.ending.take() {
            self.ended = Some(ending);
            return Taken::Ended(ending);
        }
        if self.ended.is_none() && self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            let standing = self.shared.standing();
            self.ending =
                (!matches!(standing, Standing::Live | Standing::Unseen)).then_some(standing);
        }
        Taken::Nothing
    }

    /// The table of latest quotes as it is, in no order; and instruments whose row was being written all the time.
    pub fn table(&self) -> (Vec<(Instrument, Quote)>, u32) {
        let (mut rows, mut unsettled) = (Vec::new(), 0);
        for row in 0..self.shared.rows() {
            match (self.shared.instrument(row), self.shared.quote(row)) {
                (Ok(Some(it)), Ok(Some(quote))) => rows.push((it, quote)),
                (Err(_), _) | (_, Err(_)) => unsettled += 1,
                _ => {}
            }
        }
        (rows, unsettled)
    }

    /// The latest quotes of the symbols that are wanted, by name; and instruments whose row was being written all the time.
    pub fn quotes(&self, wanted: &Wanted) -> (Vec<QuoteRow>, u32) {
        let (table, unsettled) = self.table();
        let rows = table.into_iter().map(|(it, quote)| QuoteRow {
            name: text(it.name.as_bytes()),
            channel: self.channel(it.channel),
            quote,
        });
        let mut rows: Vec<_> = rows.filter(|row| wanted.symbol(&row.name)).collect();
        rows.sort_by(|a, b| (&a.name, &a.channel).cmp(&(&b.name, &b.channel)));
        (rows, unsettled)
    }

    /// The name of a channel, by its number in the records.
    pub fn channel(&self, number: u16) -> String {
        let mut channels = self.shared.facts().channels.iter();
        let found = channels.find(|c| c.number == number);
        found.map_or_else(|| number.to_string(), |c| c.name.clone())
    }

    /// Its symbol, unless that is a number instead of a name: then what the directory says, which may come a little later.
    pub fn name(&mut self, record: &Record) -> String {
        let symbol = text(&record.data.symbol);
        if record.instrument.get() == NO_INSTRUMENT || !symbol.starts_with('#') {
            return symbol;
        }
        for row in self.rows..self.shared.rows() {
            let Ok(Some(it)) = self.shared.instrument(row) else {
                break; // another time
            };
            let name = text(it.name.as_bytes());
            self.names
                .insert((it.channel, it.instrument), Named { name, row });
            self.rows = row + 1;
        }
        let key = (record.channel.get(), record.instrument.get());
        let Some(named) = self.names.get_mut(&key) else {
            return symbol;
        };
        if named.name == symbol
            && let Ok(Some(it)) = self.shared.instrument(named.row)
        {
            named.name = text(it.name.as_bytes());
        }
        named.name.clone()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned()
}
