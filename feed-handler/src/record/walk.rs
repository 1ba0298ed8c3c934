//! For tests: the packets and statistics of a pcapng file, by a walk that shares nothing with its writer.

/// A packet block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub interface: u32,
    pub time: u64,
    pub orig_len: u32,
    pub bytes: Vec<u8>,
    pub lost_before: u64,
    pub comment: String,
}

/// What a statistics block counts: received, dropped, dropped by the system, delivered.
pub type Counts = [u64; 4];

/// The interfaces' names and descriptions, the packets, and the statistics by interface.
#[derive(Debug, Default)]
pub struct Walk {
    pub interfaces: Vec<[String; 2]>,
    pub packets: Vec<Packet>,
    pub counts: Vec<Counts>,
}

/// Walks a whole file.
#[track_caller]
pub fn walk(file: &[u8]) -> Walk {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let time = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
    let (mut at, mut walk) = (0, Walk::default());
    while at < file.len() {
        let len = word(at + 4) as usize;
        assert_eq!(word(at + len - 4) as usize, len, "block at {at}");
        let (body, end) = (at + 8, at + len - 4);
        match word(at) {
            0x0A0D_0D0A => assert_eq!(at, 0),
            1 => {
                let text = |code| option(&file[body + 8..end], code).unwrap_or_default();
                let text = |code| String::from_utf8(text(code).to_vec()).unwrap();
                walk.interfaces.push([text(2), text(3)]);
            }
            6 => {
                let held = word(body + 12) as usize;
                let options = &file[body + 20 + held.next_multiple_of(4)..end];
                walk.packets.push(Packet {
                    interface: word(body),
                    time: time(body + 4),
                    orig_len: word(body + 16),
                    bytes: file[body + 20..body + 20 + held].to_vec(),
                    lost_before: number(options, 4),
                    comment: option(options, 1)
                        .map_or(String::new(), |c| String::from_utf8(c.to_vec()).unwrap()),
                });
            }
            5 => {
                assert_eq!(word(body) as usize, walk.counts.len());
                let options = &file[body + 12..end];
                walk.counts
                    .push([4, 5, 7, 8].map(|code| number(options, code)));
            }
            other => panic!("block type {other}"),
        }
        at += len;
    }
    walk
}

fn option(mut options: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (head, rest) = options.split_at(4);
        let [code, len] = [0, 2].map(|i| u16::from_le_bytes([head[i], head[i + 1]]));
        match code {
            0 => return None,
            _ if code == wanted => return Some(&rest[..len as usize]),
            _ => options = &rest[(len as usize).next_multiple_of(4)..],
        }
    }
}

fn number(options: &[u8], code: u16) -> u64 {
    option(options, code).map_or(0, |v| u64::from_le_bytes(v.try_into().unwrap()))
}
