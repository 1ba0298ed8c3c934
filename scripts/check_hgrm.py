#!/usr/bin/env python3
"""Hold percentile distributions against an interval log, with the Python hdrhistogram package.

usage: check_hgrm.py LOG DIR

DIR has a file STAGE.hgrm for each stage of LOG (its lines of single channels left out), in microseconds. For each stage the package decodes
the log's histograms, adds them up and walks their percentiles; every row, the mean, the standard deviation, the maximum and
the count must be those of the file. Prints stage, rows and values; exits with 1 and says what differs, with 3 when the
package (pip install hdrhistogram) is not there.
"""

import math
import os
import re
import sys

try:
    from hdrh.histogram import HdrHistogram
    from hdrh.iterators import PercentileIterator
except ImportError:
    print("the Python package hdrhistogram is not installed", file=sys.stderr)
    sys.exit(3)

UNIT = 1000  # ns in a µs


def sums(path):
    """The sum of each stage's histograms."""
    stages = {}
    with open(path, encoding="ascii") as log:
        for line in log:
            if not line.startswith("Tag=") or line.startswith("Tag=channel:"):
                continue
            tag, _, _, _, payload = line.rstrip("\n").split(",")
            histogram = HdrHistogram.decode(payload)
            stage = tag[len("Tag="):]
            if stage in stages:
                stages[stage].add(histogram)
            else:
                stages[stage] = histogram
    return stages


class Halvings(PercentileIterator):
    """The package's percentiles, with steps as Java, C and wrk2 have them: equal until the distance to 100 % has halved.
    The package itself makes each step smaller than the one before."""

    def increment_iteration_level(self):
        self.percentile_to_iterate_from = self.percentile_to_iterate_to
        left = 100.0 - self.percentile_to_iterate_to
        if left:
            halvings = math.floor(math.log2(100.0 / left)) + 1
            self.percentile_to_iterate_to += 100.0 / (self.percentile_ticks_per_half_distance * 2.0**halvings)


def expected(histogram):
    """The rows, as text."""
    for at in Halvings(histogram, 5):
        level = at.percentile_level_iterated_to / 100
        row = "%12.3f %2.12f %10d" % (at.value_iterated_to / UNIT, level, at.total_count_to_this_value)
        yield row + (" %14.2f" % (1 / (1 - level)) if level < 1 else "")


def check(stage, histogram, path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    rows = [line for line in lines[2:] if line and not line.startswith("#")]
    wanted = list(expected(histogram))
    for number, (row, want) in enumerate(zip(rows, wanted), 1):
        if row != want:
            sys.exit(f"{path}: row {number} is {row!r}, expected {want!r}")
    if len(rows) != len(wanted):
        sys.exit(f"{path}: {len(rows)} rows, expected {len(wanted)}")
    foot = dict(re.findall(r"[#\[, ]*([A-Za-z ]+?) *= *([0-9.]+)[,\]]", "\n".join(lines[-6:])))
    facts = {
        "Mean": "%.3f" % (histogram.get_mean_value() / UNIT),
        "StdDeviation": "%.3f" % (histogram.get_stddev() / UNIT),
        "Max": "%.3f" % (histogram.get_max_value() / UNIT),
        "Total count": str(histogram.get_total_count()),
        "Buckets": str(histogram.bucket_count),
        "SubBuckets": str(histogram.sub_bucket_count),
    }
    for name, want in facts.items():
        got = foot.get(name)
        # The last digit of a mean may be rounded either way.
        near = got is not None and abs(float(got) - float(want)) <= (0.0011 if "." in want else 0)
        if not near:
            sys.exit(f"{path}: {name} is {got}, expected {want}")
    print(stage, len(rows), histogram.get_total_count())


def main(log, folder):
    stages = sums(log)
    for stage, histogram in stages.items():
        check(stage, histogram, os.path.join(folder, stage + ".hgrm"))
    others = {name for name in os.listdir(folder) if name.endswith(".hgrm")} - {s + ".hgrm" for s in stages}
    if others:
        sys.exit(f"{folder}: {', '.join(sorted(others))}: no such stage in {log}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
