"""Follows the shared memory of feed-handler until its writer ends, and says what was there.

python3 -m feed_shm FILE [SYMBOL]       prints the records of a symbol as they come

At the end: how many records it read and lost, a sum of all their words by word and position, the instruments with their
quotes. How long records took to come here it leaves beside the file, for the report of the run. The same as
feed-common/include/example_tail.c.
"""

import contextlib
import sys
import time

import numpy as np

import feed_shm


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        feed = feed_shm.open(sys.argv[1])
    except feed_shm.FeedError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        taken = feed.taken()
    except feed_shm.FeedError as error:
        print(error, file=sys.stderr)
        taken = None
    wanted = sys.argv[2].ljust(8).encode() if len(sys.argv) > 2 else None
    reader = feed.reader(oldest=True)
    with taken or contextlib.nullcontext():
        read, total = follow(feed, reader, taken, wanted)

    print(f"read {read} lost {reader.lost} sum {total % 2**64}")
    print(f"ended {feed.standing()}")
    for number, name, protocol in feed.channels:
        print(f"channel {number} {name} {protocol}")
    quotes = feed.snapshot()
    for row, name in enumerate(feed.names()):
        it = feed.instrument(row)
        print(f"instrument {it['instrument']} {name} of channel {it['channel']}: ", end="")
        q = feed.quote(feed.find(name))
        if q is None or q.tobytes() != quotes[row].tobytes():
            print("no quote")
        else:
            print(
                f"{q['bid']} x {q['bid_quantity']}, {q['ask']} x {q['ask_quantity']} at {q['sequence']}"
                f" trust {q['trust']} flags {q['flags']}"
            )
    return 0


def follow(feed, reader, taken, wanted):
    """Reads until nothing more can come: how many records, and their sum."""
    # What was there before says nothing of how fast this is.
    live = feed.reader().position
    print(f"session {feed.session}, epoch {feed.epoch}", flush=True)
    read = total = 0
    weights = np.arange(1, 17, 2, dtype=np.uint64)
    was_dead = False
    while True:
        lost = reader.lost
        records = reader.read()
        n = len(records)
        if taken:
            taken.take(records[max(live - (reader.position - n), 0) :])
        words = records.view("=u8").reshape(n, 8)
        positions = np.arange(reader.position - n + 1, reader.position + 1, dtype=np.uint64)
        total += int(((words * weights).sum(axis=1, dtype=np.uint64) * positions).sum(dtype=np.uint64))
        if wanted:
            for r in records[np.char.ljust(records["symbol"], 8) == wanted]:
                symbol = r["symbol"].decode(errors="replace")
                print(f"{symbol} {r['kind']} {r['sequence']} price {r['price']} quantity {r['quantity']}")
        read += n
        if n or reader.lost != lost:
            continue
        # A writer that was killed says nothing; what it had published is read to its end all the same.
        if reader.is_closed() or was_dead:
            return read, total
        was_dead = feed.standing() == "dead"
        time.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main())
