"""How long records took to reach a consumer, for the report of the run.

    with feed.taken() as taken:
        ...
        records = reader.read()
        taken.take(records)                 # as soon as they are there

A consumer counts while it reads and leaves a file beside the shared memory when it ends; the run collects the files of its
consumers at its own end, which it delays by a tenth of a second for that, and shows a row for each process: so end when
`reader.is_closed()` says so. What the file is, is in feed-common/src/ring/shared/taken.rs.

Only records that were published while the consumer was there say how fast it is: leave out what a reader that begins with
the oldest finds of earlier.
"""

import base64
import os
import struct
import time
import warnings
import zlib

import numpy as np

from . import clock

#: Nanoseconds up to which values are told apart; a longer one counts as this.
HIGHEST = 10_000_000_000
#: Values below 2 to the power of this have a cell each, and every doubling beyond has half as many cells as these: three
#: decimal digits.
BITS = 11
CELLS = 24_745


class Taken:
    """What a consumer in this process has counted of what it reads of a feed. For one thread."""

    def __init__(self, feed):
        self._feed = feed
        self._ticks = clock.ticks()
        self._begun = time.time_ns()
        #: How many records took how long, in HdrHistogram's cells.
        self.counts = np.zeros(CELLS, np.uint64)

    def take(self, records, now=None):
        """The consumer has these records in its hands now, or had them at a reading of the receive times' clock. A record
        that was made without a packet says nothing, and one that was received later than now, by the counter of another
        core, took no time."""
        if len(records) == 0:
            return
        if now is None:
            now = self._ticks()
        rx = records["rx"][records["rx"] != 0]
        nanos = self._feed.nanos(np.uint64(now) - np.minimum(rx, np.uint64(now)))
        np.add.at(self.counts, _cells(nanos), np.uint64(1))

    def leave(self):
        """Leaves what was counted so far beside the file of the feed, in place of what was left before; where that is.
        OSError where that cannot be, and then nothing new is there: who may read a feed need not be allowed to leave
        anything beside it."""
        process = os.getpid()
        path = f"{self._feed.path}.taken.{self._feed.epoch}.{process}"
        made = f"{path}.new"
        text = self._log(process).encode("ascii")
        try:
            # Left by a process of the same number that ended in the middle of this.
            os.unlink(made)
        except OSError:
            pass
        file = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(file, "wb") as out:
                out.write(text)
                # Not left to the creation mask.
                os.fchmod(file, 0o644)
            os.rename(made, path)
        except OSError:
            os.unlink(made)
            raise
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # What a consumer is for does not fail because of this.
        try:
            self.leave()
        except PermissionError:
            pass
        except OSError as error:
            warnings.warn(f"{self._feed.path}: its latency is not left: {error.strerror}", stacklevel=2)

    def _log(self, process):
        """An interval log with a line of what was counted; without one when that is nothing."""
        # The wall clock may step back.
        length = max(time.time_ns() - self._begun, 0)
        base = f"{self._begun / 1e9:.3f} (seconds since epoch)"
        weekday, month, day, of_day, year = time.asctime(time.gmtime(self._begun // 10**9)).split()
        lines = [
            "#[Logged with feed-handler]",
            "#[Histogram log format version 1.3]",
            f"# taken by process {process}",
            f"#[BaseTime: {base}]",
            f"#[StartTime: {base}, {weekday} {month} {day:0>2} {of_day} UTC {year}]",
            '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
        ]
        cells = np.flatnonzero(self.counts)
        if len(cells):
            packed = zlib.compress(_encoded(cells, self.counts[cells]))
            packed = base64.b64encode(struct.pack(">II", 0x1C849314, len(packed)) + packed).decode()
            most = _highest(int(cells[-1]))
            lines.append(f"Tag=process:{process}/taken,0.000,{length / 1e9:.3f},{most / 1e6:.3f},{packed}")
        return "\n".join(lines) + "\n"


def _cells(nanos):
    """The cells of numbers of nanoseconds, as HdrHistogram numbers them."""
    nanos = np.minimum(nanos, np.uint64(HIGHEST))
    # The exponent of a double is the number of bits: what is at most HIGHEST is whole in one.
    bits = np.frexp(nanos.astype(np.float64))[1]
    doublings = np.maximum(bits - BITS, 0).astype(np.uint64)
    return ((doublings << np.uint64(BITS - 1)) + (nanos >> doublings)).astype(np.intp)


def _highest(cell):
    """The highest number of nanoseconds that falls into a cell."""
    doublings = max((cell >> (BITS - 1)) - 1, 0)
    return (cell - (doublings << (BITS - 1)) + 1 << doublings) - 1


def _encoded(cells, counts):
    """Cells with counts in HdrHistogram's encoding V2: zigzag varints of counts, or of minus how many cells are empty."""
    # As the others count.
    counts = np.minimum(counts, np.uint64(2**32 - 1))
    out, next_cell = bytearray(), 0
    for cell, count in zip(cells.tolist(), counts.tolist()):
        empty = cell - next_cell
        if empty:
            _varint(out, 2 * empty - 1 if empty > 1 else 0)
        _varint(out, 2 * count)
        next_cell = cell + 1
    # Cookie, length, no shift, digits, lowest, highest, no scale.
    return struct.pack(">IIIIQQd", 0x1C849313, len(out), 0, 3, 1, HIGHEST, 1.0) + out


def _varint(out, value):
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
