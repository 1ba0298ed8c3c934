//! pcapng blocks in either byte order, for what our writer has no use for.

use feed_common::capture::pcap::ByteOrder;

/// Blocks behind each other, right or wrong.
pub struct Blocks {
    order: ByteOrder,
    pub bytes: Vec<u8>,
}

impl Blocks {
    /// A section to begin with.
    pub fn new(order: ByteOrder) -> Blocks {
        let bytes = Vec::new();
        let mut blocks = Blocks { order, bytes };
        let version = [order.write_u16(1), order.write_u16(0)].concat();
        let magic = order.write_u32(0x1A2B_3C4D);
        blocks.block(0x0A0D_0D0A, &[&magic, &version[..], &[0xFF; 8]].concat());
        blocks
    }

    /// An interface with one option.
    pub fn interface(&mut self, link: u16, snap_length: u32, code: u16, value: &[u8]) {
        let order = self.order;
        let mut body = [order.write_u16(link), [0; 2]].concat();
        body.extend(order.write_u32(snap_length));
        body.extend(
            [code, value.len() as u16]
                .map(|n| order.write_u16(n))
                .concat(),
        );
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend([0; 4]);
        self.block(1, &body);
    }

    /// A block that begins with these words, and holds these bytes.
    pub fn words(&mut self, kind: u32, words: &[u32], bytes: &[u8]) {
        let words = words.iter().map(|&word| self.order.write_u32(word));
        let head = words.collect::<Vec<_>>().concat();
        self.block(kind, &[&head, bytes].concat());
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let total = self.order.write_u32(padded as u32 + 12);
        self.bytes.extend(self.order.write_u32(kind));
        self.bytes.extend(total);
        self.bytes.extend(body);
        self.bytes.extend(&[0; 3][..padded - body.len()]);
        self.bytes.extend(total);
    }
}
