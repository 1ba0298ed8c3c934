//! A row and what it says of its target.

/// A row, or why there is none.
#[derive(Clone, Debug)]
pub enum Made {
    /// Measured.
    Row(Row),
    /// Not measured.
    Skipped(Skipped),
}

impl From<Row> for Made {
    fn from(row: Row) -> Made {
        Made::Row(row)
    }
}

/// What was not measured.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// The row, or the producer.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A figure beside those of others.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done.
    pub what: String,
    /// The unit of all figures.
    pub unit: &'static str,
    /// Whether more is better, as of rates; of times less is.
    pub more_is_better: bool,
    /// The product's figure.
    pub ours: f64,
    /// Others', by name.
    pub peers: Vec<(&'static str, f64)>,
    /// What nothing that does this can beat, or what it is made of, measured in this run.
    pub limit: Option<(&'static str, f64)>,
    /// What is aimed for.
    pub target: Option<Target>,
}

/// What is aimed for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// The figure is at most this.
    AtMost(f64),
    /// The figure is at least this.
    AtLeast(f64),
    /// The figure is at most so many times the best peer's.
    OfPeer(f64),
    /// The figure is at least so many times the best peer's.
    TimesPeer(f64),
    /// The figure is at most so many times the limit.
    OfLimit(f64),
}

impl Row {
    /// A time, in nanoseconds for each `unit`.
    pub fn time(what: impl Into<String>, unit: &'static str, ours: f64) -> Row {
        Row {
            what: what.into(),
            unit,
            more_is_better: false,
            ours,
            peers: Vec::new(),
            limit: None,
            target: None,
        }
    }

    /// A rate.
    pub fn rate(what: impl Into<String>, unit: &'static str, ours: f64) -> Row {
        Row {
            more_is_better: true,
            ..Row::time(what, unit, ours)
        }
    }

    /// Beside others.
    pub fn beside(mut self, peers: impl IntoIterator<Item = (&'static str, f64)>) -> Row {
        self.peers.extend(peers);
        self
    }

    /// Above a limit.
    pub fn limit(mut self, name: &'static str, figure: f64) -> Row {
        self.limit = Some((name, figure));
        self
    }

    /// With an aim.
    pub fn target(mut self, target: Target) -> Row {
        self.target = Some(target);
        self
    }

    /// The best of the others.
    pub fn best_peer(&self) -> Option<(&'static str, f64)> {
        let peers = self.peers.iter().copied();
        match self.more_is_better {
            true => peers.max_by(|a, b| a.1.total_cmp(&b.1)),
            false => peers.min_by(|a, b| a.1.total_cmp(&b.1)),
        }
    }

    /// Our figure in multiples of the best peer's; without peers, of the limit.
    pub fn ratio(&self) -> Option<f64> {
        let (_, beside) = self.best_peer().or(self.limit)?;
        Some(self.ours / beside)
    }

    /// Whether what is aimed for is reached; `None` where nothing is, or what it is measured by is missing.
    pub fn met(&self) -> Option<bool> {
        let of = |beside: Option<(_, f64)>| beside.map(|(_, figure)| self.ours / figure);
        match self.target? {
            Target::AtMost(most) => Some(self.ours <= most),
            Target::AtLeast(least) => Some(self.ours >= least),
            Target::OfPeer(most) => of(self.best_peer()).map(|ratio| ratio <= most),
            Target::TimesPeer(least) => of(self.best_peer()).map(|ratio| ratio >= least),
            Target::OfLimit(most) => of(self.limit).map(|ratio| ratio <= most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_peer_is_the_fastest() {
        let time = Row::time("hop", "ns", 10.0).beside([("slow", 40.0), ("fast", 20.0)]);
        assert_eq!(time.best_peer(), Some(("fast", 20.0)));
        assert_eq!(time.ratio(), Some(0.5));
        let rate = Row::rate("copy", "GB/s", 10.0).beside([("slow", 4.0), ("fast", 20.0)]);
        assert_eq!(rate.best_peer(), Some(("fast", 20.0)));
    }

    #[test]
    fn targets_are_of_what_they_say() {
        let row = Row::time("book", "ns", 90.0)
            .beside([("tree", 100.0)])
            .limit("decode", 10.0);
        let met = |target| row.clone().target(target).met();
        assert_eq!(met(Target::AtMost(90.0)), Some(true));
        assert_eq!(met(Target::AtMost(89.0)), Some(false));
        assert_eq!(met(Target::AtLeast(90.0)), Some(true));
        assert_eq!(met(Target::AtLeast(91.0)), Some(false));
        assert_eq!(met(Target::OfPeer(0.9)), Some(true));
        assert_eq!(met(Target::OfPeer(0.8)), Some(false));
        assert_eq!(met(Target::TimesPeer(1.0)), Some(false));
        assert_eq!(met(Target::OfLimit(9.0)), Some(true));
        assert_eq!(met(Target::OfLimit(8.0)), Some(false));
        assert_eq!(row.met(), None);
        let alone = Row::time("book", "ns", 90.0).target(Target::OfPeer(1.0));
        assert_eq!(alone.met(), None);
    }
}
