//! ITCH 5.0 read by byte offsets and kept in maps: what `book`, `bbo` and `trades` are compared with. It shares no code
//! with the program.

use std::collections::{BTreeMap, HashMap};

/// A session as far as it has been told.
#[derive(Default)]
pub struct Naive {
    /// Added to times since midnight.
    pub midnight: u64,
    names: HashMap<u16, String>,
    orders: HashMap<u64, Order>,
    /// Total and orders by symbol, side and price.
    levels: BTreeMap<(String, u8), BTreeMap<u32, (u64, u32)>>,
    trades: BTreeMap<String, (u64, u64, String)>,
    prints: HashMap<u64, (String, u64)>,
    quotes: HashMap<String, [String; 2]>,
    bbo: Vec<String>,
    sequence: u64,
}

#[derive(Clone)]
struct Order {
    symbol: String,
    side: u8,
    price: u32,
    shares: u32,
}

fn at<const N: usize>(m: &[u8], offset: usize) -> [u8; N] {
    m[offset..offset + N].try_into().unwrap()
}

fn short(m: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes(at(m, offset))
}

fn long(m: &[u8], offset: usize) -> u64 {
    u64::from_be_bytes(at(m, offset))
}

fn text(m: &[u8], offset: usize) -> String {
    let name = String::from_utf8(m[offset..offset + 8].to_vec()).unwrap();
    name.trim_end().to_owned()
}

/// Four decimal places without the zeros at their end.
fn decimal(price: u32) -> String {
    let all = format!("{}.{:04}", price / 10_000, price % 10_000);
    all.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Naive {
    /// The messages of the MoldUDP64 packets of a session, in order.
    pub fn packets<'a>(&mut self, packets: impl IntoIterator<Item = &'a [u8]>) {
        for packet in packets {
            let count = u16::from_be_bytes(at(packet, 18));
            let mut rest = &packet[20..];
            for _ in 0..if count == 0xffff { 0 } else { count } {
                let length = usize::from(u16::from_be_bytes(at(rest, 0)));
                self.message(&rest[2..2 + length]);
                rest = &rest[2 + length..];
            }
        }
    }

    /// The next message.
    pub fn message(&mut self, m: &[u8]) {
        self.sequence += 1;
        let locate = u16::from_be_bytes(at(m, 1));
        let touched = match m[0] {
            b'R' => {
                self.names.insert(locate, text(m, 11));
                None
            }
            b'A' | b'F' => Some(self.add(
                long(m, 11),
                Order {
                    symbol: text(m, 24),
                    side: m[19],
                    price: short(m, 32),
                    shares: short(m, 20),
                },
            )),
            b'E' | b'C' => {
                let order = self.orders.get(&long(m, 11)).cloned();
                let price = match m[0] {
                    b'E' => order.as_ref().map(|o| o.price),
                    _ => Some(short(m, 32)),
                };
                if m[0] == b'E' || m[31] == b'Y' {
                    let symbol = self.names[&locate].clone();
                    self.print(symbol, long(m, 23), short(m, 19).into(), price);
                }
                self.reduce(long(m, 11), short(m, 19))
            }
            b'X' => self.reduce(long(m, 11), short(m, 19)),
            b'D' => self.reduce(long(m, 11), u32::MAX),
            b'U' => self.orders.get(&long(m, 11)).cloned().map(|old| {
                self.reduce(long(m, 11), u32::MAX);
                let new = Order {
                    price: short(m, 31),
                    shares: short(m, 27),
                    ..old
                };
                self.add(long(m, 19), new)
            }),
            b'P' => {
                let shares = short(m, 20).into();
                self.print(text(m, 24), long(m, 36), shares, Some(short(m, 32)));
                None
            }
            b'Q' => {
                self.print(text(m, 19), long(m, 31), long(m, 11), Some(short(m, 27)));
                None
            }
            b'B' => {
                if let Some((symbol, shares)) = self.prints.remove(&long(m, 11)) {
                    let (count, volume, _) = self.trades.get_mut(&symbol).unwrap();
                    (*count, *volume) = (*count - 1, *volume - shares);
                }
                None
            }
            _ => None,
        };
        if let Some(symbol) = touched {
            self.judge(symbol, self.midnight + (long(m, 3) & ((1 << 48) - 1)));
        }
    }

    fn add(&mut self, id: u64, order: Order) -> String {
        let symbol = order.symbol.clone();
        let side = self.levels.entry((symbol.clone(), order.side)).or_default();
        let (total, orders) = side.entry(order.price).or_default();
        (*total, *orders) = (*total + u64::from(order.shares), *orders + 1);
        self.orders.insert(id, order);
        symbol
    }

    fn reduce(&mut self, id: u64, by: u32) -> Option<String> {
        let order = self.orders.get_mut(&id)?;
        let by = by.min(order.shares);
        order.shares -= by;
        let order = order.clone();
        let side = self.levels.get_mut(&(order.symbol.clone(), order.side))?;
        let (total, orders) = side.get_mut(&order.price)?;
        *total -= u64::from(by);
        if order.shares == 0 {
            *orders -= 1;
            if *orders == 0 {
                side.remove(&order.price);
            }
            self.orders.remove(&id);
        }
        Some(order.symbol)
    }

    fn print(&mut self, symbol: String, id: u64, shares: u64, price: Option<u32>) {
        if shares == 0 {
            return;
        }
        let total = self.trades.entry(symbol.clone()).or_default();
        (total.0, total.1) = (total.0 + 1, total.1 + shares);
        if let Some(price) = price {
            total.2 = decimal(price);
        }
        self.prints.insert(id, (symbol, shares));
    }

    fn judge(&mut self, symbol: String, time: u64) {
        let best = |side: u8| {
            let levels = self.levels.get(&(symbol.clone(), side));
            let best = levels.and_then(|levels| match side {
                b'B' => levels.last_key_value(),
                _ => levels.first_key_value(),
            });
            best.map_or(",".to_owned(), |(&p, (total, _))| {
                format!("{},{total}", decimal(p))
            })
        };
        let now = [best(b'B'), best(b'S')];
        let before = self.quotes.get(&symbol).cloned();
        if before.unwrap_or([",".to_owned(), ",".to_owned()]) != now {
            let [bid, ask] = &now;
            let row = format!("{symbol},{},{time},{bid},{ask}", self.sequence);
            self.bbo.push(row);
            self.quotes.insert(symbol, now);
        }
    }

    /// What `book --format csv` should print.
    pub fn book(&self) -> String {
        let mut out = "symbol,side,level,price,quantity,orders\n".to_owned();
        for ((symbol, side), levels) in &self.levels {
            let mut levels: Vec<_> = levels.iter().collect();
            if *side == b'B' {
                levels.reverse();
            }
            for (i, (&price, (total, orders))) in levels.into_iter().enumerate() {
                let (level, side, price) = (i + 1, *side as char, decimal(price));
                out += &format!("{symbol},{side},{level},{price},{total},{orders}\n");
            }
        }
        out
    }

    /// What `trades --format csv` should print.
    pub fn trades(&self) -> String {
        let mut out = "symbol,count,volume,last_price\n".to_owned();
        for (symbol, (count, volume, last)) in &self.trades {
            out += &format!("{symbol},{count},{volume},{last}\n");
        }
        out
    }

    /// What `bbo --format csv` should print.
    pub fn bbo(&self) -> String {
        let header = "symbol,sequence,timestamp,bid_price,bid_quantity,ask_price,ask_quantity";
        let rows = std::iter::once(header).chain(self.bbo.iter().map(String::as_str));
        rows.map(|row| format!("{row}\n")).collect()
    }
}
