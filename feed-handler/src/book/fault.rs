//! What cannot be, counted by kind.

/// Why an event could not be taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// An execution, cancel, delete or replace of an order, or the removal of a level, that is not in the book. Changes
    /// nothing.
    UnknownOrder,
    /// More was executed or cancelled than the order had. It is gone.
    SizeUnderflow,
    /// A new order has the number of a live one. The new one replaces the old one.
    IdReused,
    /// A side, price, quantity or level that the book cannot have. It is left out.
    LevelRange,
    /// The best bid is above the best offer while the instrument trades. Counted when it comes to that.
    Crossed,
    /// No room for another order. It is left out.
    OrdersFull,
    /// No room for another price level. The order is left out.
    LevelsFull,
    /// The message's instrument has no number, because none was announced or there are too many. Changes nothing.
    NoInstrument,
}

impl Fault {
    /// All kinds, for counters indexed by kind.
    pub const ALL: [Fault; 8] = [
        Fault::UnknownOrder,
        Fault::SizeUnderflow,
        Fault::IdReused,
        Fault::LevelRange,
        Fault::Crossed,
        Fault::OrdersFull,
        Fault::LevelsFull,
        Fault::NoInstrument,
    ];

    /// True for what follows from this process's limits and not from the feed.
    pub const fn is_capacity(self) -> bool {
        matches!(
            self,
            Fault::OrdersFull | Fault::LevelsFull | Fault::NoInstrument
        )
    }

    /// The name in facts.
    pub const fn name(self) -> &'static str {
        match self {
            Fault::UnknownOrder => "unknown_order",
            Fault::SizeUnderflow => "size_underflow",
            Fault::IdReused => "order_id_reused",
            Fault::LevelRange => "level_out_of_range",
            Fault::Crossed => "crossed",
            Fault::OrdersFull => "orders_full",
            Fault::LevelsFull => "levels_full",
            Fault::NoInstrument => "no_instrument",
        }
    }
}

/// How often each has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    counts: [u64; Fault::ALL.len()],
}

impl Faults {
    /// Counts one.
    #[inline]
    pub fn count(&mut self, fault: Fault) {
        self.counts[fault as usize] += 1;
    }

    /// How often one has happened.
    pub fn of(&self, fault: Fault) -> u64 {
        self.counts[fault as usize]
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Every kind with its count, also those that never happened.
    pub fn iter(&self) -> impl Iterator<Item = (Fault, u64)> + '_ {
        Fault::ALL.into_iter().map(|fault| (fault, self.of(fault)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_counter_and_a_name_of_its_own() {
        let mut faults = Faults::default();
        for (i, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, i);
            (0..=i).for_each(|_| faults.count(fault));
        }
        let counts: Vec<_> = faults.iter().map(|(_, n)| n).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(faults.total(), 36);
        let names: std::collections::HashSet<_> = Fault::ALL.map(Fault::name).into();
        assert_eq!(names.len(), Fault::ALL.len());
    }
}
