#!/usr/bin/env python3
"""Read an interval log with the Python hdrhistogram package and print what it holds.

usage: check_hlog.py FILE

One line per tag: tag, intervals, values, min, p50, p99, p99.9, max (nanoseconds).
Exits with 3 when the package (pip install hdrhistogram) is not there.
"""

import sys

try:
    from hdrh.histogram import HdrHistogram
except ImportError:
    print("the Python package hdrhistogram is not installed", file=sys.stderr)
    sys.exit(3)


def main(path):
    sums, intervals = {}, {}
    with open(path, encoding="ascii") as log:
        for line in log:
            if line.startswith(("#", '"')):
                continue
            fields = line.rstrip("\n").split(",")
            tag = ""
            if fields[0].startswith("Tag="):
                tag = fields.pop(0)[len("Tag="):]
            start, length, _, payload = fields
            float(start), float(length)
            histogram = HdrHistogram.decode(payload)
            if tag in sums:
                sums[tag].add(histogram)
            else:
                sums[tag] = histogram
            intervals[tag] = intervals.get(tag, 0) + 1
    for tag, h in sums.items():
        quantiles = [h.get_value_at_percentile(p) for p in (50, 99, 99.9)]
        print(tag, intervals[tag], h.get_total_count(), h.get_min_value(), *quantiles, h.get_max_value())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
