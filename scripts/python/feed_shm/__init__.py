"""Reads the shared memory of feed-handler with numpy: records as they are published, the latest quotes, the instruments.

    import feed_shm
    feed = feed_shm.open("/dev/shm/feed")
    reader = feed.reader()
    records = reader.read(1024)             # a structured array (RECORD), empty when there are none yet
    feed.quotes["bid"]                      # the table itself: a view of the mapping, which changes as one looks
    feed.snapshot()                         # a copy of it in which no row is torn
    with feed.taken() as taken:             # how long records took to come here, for the report of the run
        taken.take(reader.read())

What lies where, and why nothing is ever read torn, is in feed-common/src/ring/shared/mod.rs, ring/broadcast.rs and
ring/latest.rs. The file is mapped read-only and everything its header says is checked once, so nothing that is written into
it later leads outside of it.

The protocols want loads to stay in order, which Python cannot ask for. An x86-64 keeps them so, and on others this module
refuses to work. Put scripts/python on PYTHONPATH; it needs numpy and nothing else.
"""

import errno
import mmap
import os
import platform
import stat
import sys
import zlib

import numpy as np

from .taken import Taken

VERSION = 1
NO_PRICE = -(2**63)

#: A published record. Prices are in 1e-9, times in ns since the Unix epoch, `rx` in ticks of the time-stamp counter.
RECORD = np.dtype(
    [
        ("symbol", "S8"),
        ("price", "<i8"),
        ("quantity", "<u4"),
        ("kind", "u1"),
        ("side", "S1"),
        ("flags", "<u2"),
        ("timestamp", "<u8"),
        ("sequence", "<u8"),
        ("order_id", "<u8"),
        ("rx", "<u8"),
        ("instrument", "<u4"),
        ("channel", "<u2"),
        ("trust", "u1"),
        ("reserved", "u1"),
    ]
)

#: Best prices of an instrument. `mark` is odd in its bit 16 while the row is written, and below 65536 before it ever was.
QUOTE = np.dtype(
    {
        "names": [
            "mark", "trust", "flags", "bid", "bid_quantity", "ask", "ask_quantity", "timestamp", "sequence", "rx",
        ],
        "formats": ["<u8", "u1", "u1", "<i8", "<u8", "<i8", "<u8", "<u8", "<u8", "<u8"],
        "offsets": [0, 0, 1, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)

#: Whose quote a row is. Names and symbols are bytes, symbols padded with spaces.
INSTRUMENT = np.dtype(
    {
        "names": ["mark", "symbol", "instrument", "channel", "name"],
        "formats": ["<u8", "S8", "<u4", "<u2", "S24"],
        "offsets": [0, 8, 16, 20, 24],
        "itemsize": 64,
    }
)

_CHANNEL = np.dtype([("number", "<u8"), ("name", "S40"), ("protocol", "S16")])
_HEADER, _CHANNELS, _PAGE, _ROW = 512, 1024, 4096, 64
_HEAD, _WINDOW, _STATE, _ROWS = 512, 640, 768, 896


class FeedError(Exception):
    """A file that cannot be read, and why."""


class Unsettled(Exception):
    """A row that is being written for longer than a write takes: its writer was stopped, or has ended."""


def open(path, owner=None):
    """Opens a file of this owner: a user number, None for the user of this process or the system's, -1 for any."""
    return Feed(path, owner)


def _pages(end):
    return -(-end // _PAGE) * _PAGE


class Feed:
    """A file that is open. It stays mapped as long as anything that came from it is used."""

    def __init__(self, path, owner):
        if platform.machine() not in ("x86_64", "AMD64"):
            raise FeedError("this module works on x86-64 only: other machines let loads pass each other")
        self.path = os.fspath(path)
        self._owner = owner
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
            raise FeedError(f"{self.path}: {why}") from error
        try:
            facts = os.fstat(file)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size < _PAGE:
                self._refuse("it is not a shared-memory file of feed-handler")
            wanted = (0, os.geteuid()) if owner is None else (owner,)
            if owner != -1 and facts.st_uid not in wanted:
                self._refuse(f"it belongs to user {facts.st_uid}, not to {wanted[-1]}")
            self._map = mmap.mmap(file, facts.st_size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        finally:
            os.close(file)
        self._check(facts.st_size)

    def _refuse(self, why):
        raise FeedError(f"{self.path}: {why}")

    def _check(self, length):
        # Once; only the copy is looked at.
        header = self._map[:_HEADER]
        word = [int.from_bytes(header[i : i + 8], sys.byteorder) for i in range(0, _HEADER, 8)]
        if header[:8] != b"FEEDSHM\0":
            self._refuse("it is not a shared-memory file of feed-handler")
        if word[2] == 0x0807060504030201:
            self._refuse("it was written in the other byte order")
        if word[1] != VERSION:
            self._refuse(f"it has layout version {word[1]}, and this module reads version {VERSION}")
        slots, rows, channels = word[11], word[14], word[17]
        if not (
            word[2] == 0x0102030405060708
            and word[3] == length
            and word[10] == word[13] == _ROW
            and 4 <= slots <= 2**32
            and slots & (slots - 1) == 0
            and rows <= 2**24
            and channels <= 1024
            and word[18] == _CHANNELS
        ):
            self._refuse("its header is damaged")
        ring = _pages(_CHANNELS + channels * _ROW)
        quotes = _pages(ring + slots * _ROW)
        directory = _pages(quotes + rows * _ROW)
        if [word[12], word[15], word[16], length] != [ring, quotes, directory, _pages(directory + rows * _ROW)]:
            self._refuse("its header is damaged (places)")
        listed = self._map[_CHANNELS : _CHANNELS + channels * _ROW]
        if word[63] != zlib.crc32(listed, zlib.crc32(header[:504])):
            self._refuse("its header is damaged (checksum)")

        self.epoch, self.pid, self._started, self._namespace = word[4], word[5], word[6], word[9]
        self._boot = header[56:72]
        self.slots, self.instruments = slots, rows
        #: Nanoseconds per tick of the receive times.
        self.nanos_per_tick = word[19] / 2**32
        self._tick_factor = word[19]
        self.session = header[160:192].rstrip(b"\0").decode(errors="replace")
        #: Of the channels whose records are in the ring: number, name, protocol.
        self.channels = [
            (int(c["number"]), c["name"].decode(errors="replace"), c["protocol"].decode(errors="replace"))
            for c in np.frombuffer(listed, _CHANNEL)
        ]
        self._control = np.frombuffer(self._map, "=u8", _CHANNELS // 8)
        self._ring = np.frombuffer(self._map, "=u8", slots * 8, ring).reshape(slots, 8)
        #: The tables themselves, every row there is. What is written while one looks is seen half done: see `snapshot`.
        self.quotes = np.frombuffer(self._map, QUOTE, rows, quotes)
        self.directory = np.frombuffer(self._map, INSTRUMENT, rows, directory)

    def _word(self, offset):
        return int(self._control[offset // 8])

    @property
    def rows(self):
        """Rows of the directory in use."""
        return min(self._word(_ROWS), self.instruments)

    def reader(self, oldest=False):
        """Reads everything that becomes visible from now on, or begins with the oldest record that is still held."""
        position = self._word(_HEAD)
        if oldest:
            position = min(max(self._word(_WINDOW) - self.slots, 0), position)
        return Reader(self, position)

    def nanos(self, ticks):
        """Nanoseconds in an array of spans of ticks, such as from records' `rx` to a reading of their clock."""
        factor, whole, part = (np.uint64(f) for f in (self._tick_factor, self._tick_factor >> 32, self._tick_factor % 2**32))
        high, low = ticks >> np.uint64(32), ticks & np.uint64(2**32 - 1)
        return high * factor + low * whole + (low * part >> np.uint64(32))

    def taken(self):
        """Counts how long records took to come into this process, and leaves it to the run at its end: see `taken.py`."""
        try:
            return Taken(self)
        except OSError as error:
            raise FeedError(f"{self.path}: the clock of its receive times cannot be read: {error.strerror}") from error

    def quote(self, row):
        """The latest quote of a row, whole; None when there was none yet."""
        return self._settled(self.quotes[row : row + 1], row)

    def instrument(self, row):
        """Whose quote a row is; None when it is nobody's yet."""
        return self._settled(self.directory[row : row + 1], row)

    @staticmethod
    def _settled(there, row):
        if len(there) == 0:
            return None
        copy = _copied(there, row)[0]
        return copy if copy["mark"] >> 16 else None

    def snapshot(self):
        """A copy of the quotes of all rows in use, none of them torn. Those that were never written have a `mark` below
        65536."""
        return _copied(self.quotes[: self.rows], 0)

    def names(self):
        """Name by row."""
        return [name.decode(errors="replace") for name in _copied(self.directory[: self.rows], 0)["name"]]

    def find(self, name):
        """The row of the first instrument of a name, or None. Looks at all of them: a row stays that of its instrument."""
        try:
            return self.names().index(name)
        except ValueError:
            return None

    def standing(self):
        """`live`, `closed` by its writer, `dead` without a word, `superseded` by another file of the name (see `reopen`),
        or `unseen`: in another container. Looks into /proc unless the writer has said it itself."""
        state = self._word(_STATE)
        if state:
            return "superseded" if state == 2 else "closed"
        try:
            with _text("/proc/sys/kernel/random/boot_id") as file:
                if bytes.fromhex(file.read().strip().replace("-", "")) != self._boot:
                    return "dead"
            if os.stat("/proc/self/ns/pid").st_ino != self._namespace:
                return "unseen"
        except OSError:
            return "unseen"
        if not 0 < self.pid < 2**31:
            return "dead"
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return "dead"
        except PermissionError:
            pass
        try:
            with _text(f"/proc/{self.pid}/stat") as file:
                # Behind the name in brackets, which may hold brackets: the state is field 3, the start field 22.
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return "live"
        ended = fields[0] in "ZX" or int(fields[19]) != self._started
        return "dead" if ended else "live"

    def reopen(self):
        """Opens what has the name now: another file when its epoch is another."""
        return Feed(self.path, self._owner)


def _text(path):
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), encoding="ascii", errors="replace")


def _copied(table, first):
    """A copy of rows of a table, each as it was at some moment."""
    words = table.view("=u8").reshape(len(table), 8)
    out = np.empty_like(words)
    left = np.arange(len(table))
    for _ in range(1000):
        before = words[left, 0]
        out[left] = words[left]
        whole = (words[left, 0] == before) & (before >> np.uint64(16) & np.uint64(1) == 0)
        left = left[~whole]
        if len(left) == 0:
            return out.reshape(-1).view(table.dtype)
    raise Unsettled(f"row {first + int(left[0])}")


class Reader:
    """A place in the ring. `lost` counts the records that were overwritten before this reader came to them."""

    def __init__(self, feed, position):
        self._feed = feed
        self.position = position
        self.lost = 0

    def read(self, limit=65536):
        """A copy of the next records, at most `limit`, in order; none when there are none yet. Never waits. Whoever was too
        slow goes on half a ring behind the writer: none is returned then, `lost` has grown, and the next call has some."""
        feed = self._feed
        ring, slots = feed._ring, feed.slots
        there = feed._word(_HEAD) - self.position
        # More than the ring has cannot be there: the reader is too slow, or somebody writes what is no position.
        n = max(min(there, limit, slots), 0)
        out = np.empty((n, 8), "=u8")
        at = self.position & (slots - 1)
        whole = min(n, slots - at)
        out[:whole] = ring[at : at + whole]
        out[whole:] = ring[: n - whole]
        if n and feed._word(_WINDOW) > self.position + slots:
            position = max(feed._word(_HEAD) - slots // 2, 0)
            self.lost += position - self.position
            self.position = position
            n = 0
        self.position += n
        return out[:n].reshape(-1).view(RECORD)

    def is_closed(self):
        """True when the writer is gone and this reader has passed all it left."""
        # In this order: only a head loaded after the state was seen is the last one.
        return self._feed._word(_STATE) != 0 and self._feed._word(_HEAD) == self.position
