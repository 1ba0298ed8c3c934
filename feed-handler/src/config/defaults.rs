//! What a configuration means where it says nothing, and the limits of what it may say. The one place for both.

/// Longest wait for a packet that another line may still bring.
pub const REORDER_WINDOW_NANOS: u64 = 10_000_000;
/// Longest silence of a channel's lines. Most feeds send a heartbeat each second.
pub const STALE_AFTER_NANOS: u64 = 3_000_000_000;
/// That of CME's, whose lines are silent for 30 s in a real capture.
pub const CME_STALE_AFTER_NANOS: u64 = 65_000_000_000;
/// Longest silence that can be asked for.
pub const STALE_AFTER_NANOS_MAX: u64 = 86_400_000_000_000;
/// Packets a channel can hold back behind a gap.
pub const STASH_PACKETS: usize = 1024;
/// The same where books can be had by a snapshot: what comes while that is on its way waits for it, which at 100,000
/// packets a second is enough for half a second and more. Memory that nothing waits in is not touched.
pub const STASH_PACKETS_SNAPSHOT: usize = 1 << 16;
/// Requests that bring nothing after which a service is given up.
pub const RECOVERY_ATTEMPTS: u32 = 4;
/// Longest wait for an answer to a request.
pub const RECOVERY_ANSWER_NANOS: u64 = 20_000_000;
/// Longest wait for a connection and the answer to its login.
pub const LOGIN_NANOS: u64 = 3_000_000_000;
/// Longest wait for a retransmission, which is accepted over a connection and sent to a group.
pub const RETRANSMISSION_ANSWER_NANOS: u64 = 500_000_000;
/// Messages of one request.
pub const REQUEST_MESSAGES: u16 = 1_000;
/// Requests for one run of missing messages that are under way at a time.
pub const REQUESTS_IN_FLIGHT: u16 = 4;
/// So many more would only fill queues.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 256;
/// How long recovery by datagrams may take without getting on: all attempts and a little more.
pub const RECOVERY_LIMIT_NANOS: u64 = 200_000_000;
/// The same over a connection.
pub const CONNECTION_LIMIT_NANOS: u64 = 10_000_000_000;
/// Slots of a lane's packet ring.
pub const RING_SLOTS: usize = 4096;
/// Bytes of a slot; its first 64 hold the receive facts, the rest the payload. Fits every 1500-byte network.
pub const SLOT_BYTES: usize = 2048;
/// Packets taken by one receive call.
pub const BATCH: usize = 32;
/// Receive buffer asked for each socket. Twice the usual `rmem_max`, so that root gets a real cushion.
pub const SOCKET_BUFFER_BYTES: usize = 8 << 20;
/// Records in the broadcast ring.
pub const PUBLISH_SLOTS: usize = 65_536;
/// Instruments of a lane whose latest quotes are in shared memory: all that an ITCH locate can name.
pub const SHARED_INSTRUMENTS: u32 = 1 << 16;
/// Permissions of shared memory: its owner's alone.
pub const SHARED_MODE: u32 = 0o600;
/// A digest of the records so far is kept every so many sequence numbers.
pub const DIGEST_EVERY: u64 = 4096;
/// Records in a blocking consumer's queue.
pub const CONSUMER_QUEUE: usize = 8192;
/// One message in so many is timed on its own; 0 for none, as every sample costs two clock readings.
pub const SAMPLE_MESSAGES: u32 = 0;
/// Live orders of a channel's books: meant for a full day of one US equities exchange, and not measured on one.
pub const BOOK_ORDERS: usize = 1 << 22;
/// Price levels of a channel's books. Every level has an order, and most have several.
pub const BOOK_LEVELS: usize = 1 << 21;
/// Instruments of a channel: as many as an ITCH locate can tell apart.
pub const BOOK_INSTRUMENTS: usize = 1 << 16;
/// Significant decimal digits of the latency histograms.
pub const DIGITS: u8 = 2;

/// Packets of a lane that can wait to be recorded: 100,000 a second through a disk that stalls for 160 ms.
pub const RECORD_QUEUE: usize = 16_384;
/// Most memory of such a queue; larger slots make it shorter.
pub const RECORD_QUEUE_BYTES: usize = 64 << 20;

/// Records of a lane that can wait to be journalled, 128 bytes each: as many as the broadcast ring holds.
pub const JOURNAL_QUEUE: usize = 65_536;
/// Longest such queue.
pub const JOURNAL_QUEUE_MAX: usize = 1 << 24;
/// Smallest segment of a journal: its header and a block.
pub const JOURNAL_SEGMENT_MIN: u64 = 68 << 10;
/// Largest segment of a journal.
pub const JOURNAL_SEGMENT_MAX: u64 = 16 << 30;

/// Bytes at the head of a slot that hold the receive facts.
pub const SLOT_HEADER_BYTES: usize = size_of::<feed_common::packet::RxMeta>();
/// Largest slot: a whole 64 KiB datagram behind its header.
pub const SLOT_BYTES_MAX: usize = (1 << 16) + SLOT_HEADER_BYTES;
/// Most slots of a packet ring.
pub const RING_SLOTS_MAX: usize = 1 << 20;
/// Most bytes of a packet ring.
pub const RING_BYTES_MAX: usize = 4 << 30;
/// Most packets by one receive call: the kernel takes no more (`UIO_MAXIOV`).
pub const BATCH_MAX: usize = 1024;
/// Smallest receive buffer worth asking for.
pub const SOCKET_BUFFER_BYTES_MIN: usize = 4096;
/// Largest receive buffer; the kernel doubles it and keeps it in 32 signed bits.
pub const SOCKET_BUFFER_BYTES_MAX: usize = 512 << 20;
/// Most packets a channel's stash may hold.
pub const STASH_PACKETS_MAX: usize = 1 << 20;
/// Most live orders, and most price levels, of a channel's books.
pub const BOOK_ORDERS_MAX: usize = 1 << 26;
/// Most instruments of a channel.
pub const BOOK_INSTRUMENTS_MAX: usize = 1 << 20;
/// Longest reorder window that still is one.
pub const REORDER_WINDOW_NANOS_MAX: u64 = 60_000_000_000;
/// Most requests for the same messages.
pub const RECOVERY_ATTEMPTS_MAX: usize = 1_000;
/// Longest that recovery may take without getting on.
pub const RECOVERY_LIMIT_NANOS_MAX: u64 = 600_000_000_000;
/// Most servers of a service.
pub const SERVERS_MAX: usize = 16;
/// Most slots of the broadcast ring.
pub const PUBLISH_SLOTS_MAX: usize = 1 << 24;
/// Most sequence numbers from one digest to the next.
pub const DIGEST_EVERY_MAX: usize = 1 << 32;
/// Longest consumer queue.
pub const CONSUMER_QUEUE_MAX: usize = 1 << 24;
/// Most lines of one channel.
pub const LINES_PER_CHANNEL_MAX: usize = 16;
/// Most channels, and most lanes, of one configuration.
pub const CHANNELS_MAX: usize = 4096;
/// Most channels of a capture that books are kept of at once.
pub const CHANNELS_PER_CAPTURE_MAX: usize = 256;
/// Cores a kernel mask can name (`CPU_SETSIZE`).
pub const CORES_MAX: usize = 1024;
/// Longest path of a local socket: what the system's address has room for (`sun_path`), less the closing zero.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Longest name of a channel, line, lane or consumer: names become file names and columns.
pub const NAME_BYTES_MAX: usize = 32;
