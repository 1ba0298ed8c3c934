"""The forms a capture can have that editcap does not write, and one view of what a capture holds.

    capture_forms.py forms IN.pcap NS_DIR US_DIR   writes every form of a nanosecond pcap, by unit of time
    capture_forms.py floor IN.pcap OUT.pcap        the same with times cut to microseconds
    capture_forms.py packets IN.pcap               time and UDP payload, a line each, as tshark's fields give them
    capture_forms.py facts                         the facts of `info` that no format may change, from standard input

Written from the format's specification (draft-ietf-opsawg-pcapng), independent of the project's own readers and writers.
"""
import json
import struct
import sys


def read(path):
    """Time in nanoseconds, original length, bytes."""
    data = open(path, "rb").read()
    assert data[:4] == b"\x4d\x3c\xb2\xa1", f"{path}: not a little-endian nanosecond pcap"
    at, packets = 24, []
    while at < len(data):
        seconds, nanos, held, original = struct.unpack_from("<4I", data, at)
        packets.append((seconds * 10**9 + nanos, original, data[at + 16 : at + 16 + held]))
        at += 16 + held
    return packets


def pcap(packets, order, unit):
    magic = {1: 0xA1B23C4D, 1000: 0xA1B2C3D4}[unit]
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)]
    for time, original, data in packets:
        fields = time // 10**9, time % 10**9 // unit, len(data), original
        out += struct.pack(order + "4I", *fields), data
    return b"".join(out)


def block(order, kind, body):
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def padded(data):
    return data + bytes(-len(data) % 4)


def option(order, code, value):
    return struct.pack(order + "HH", code, len(value)) + padded(value)


def section(order, packets, interfaces, length=True):
    """A section whose packets come from its interfaces in turn; each is a resolution and an offset in seconds."""
    blocks = []
    for number, (resolution, offset) in enumerate(interfaces):
        body = struct.pack(order + "HHI", 1, 0, 0) + option(order, 2, b"line%d" % number)
        if resolution != 6 or number:
            body += option(order, 9, bytes([resolution]))
        if offset:
            body += option(order, 14, struct.pack(order + "q", offset))
        # The end of options may be left out.
        blocks.append(block(order, 1, body + (b"" if number else option(order, 0, b""))))
    # Blocks to be skipped: names without any, and one for local use.
    blocks += block(order, 4, bytes(4)), block(order, 0x80000001, b"whatever")
    for i, (time, original, data) in enumerate(packets):
        number = i % len(interfaces)
        resolution, offset = interfaces[number]
        units = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
        # Rounded up: in any unit finer than a nanosecond the nanosecond comes back exactly.
        stamp = -(-(time - offset * 10**9) * units // 10**9)
        body = struct.pack(order + "5I", number, stamp >> 32, stamp & 0xFFFFFFFF, len(data), original) + padded(data)
        if i % 3 == 0:
            body += option(order, 1, b"a comment") + option(order, 0, b"")
        blocks.append(block(order, 6, body))
    blocks.append(block(order, 5, struct.pack(order + "III", 0, 0, 0)))
    body = b"".join(blocks)
    header = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, len(body) if length else -1)
    return block(order, 0x0A0D0D0A, header) + body


def forms(path, ns_dir, us_dir):
    packets = read(path)
    floored = floor(packets)
    half = len(packets) // 2
    binary, offset = 0x80 | 33, 1_700_000_000
    for name, data in {
        f"{ns_dir}/big.pcap": pcap(packets, ">", 1),
        f"{us_dir}/little.pcap": pcap(floored, "<", 1000),
        f"{us_dir}/big.pcap": pcap(floored, ">", 1000),
        f"{ns_dir}/big.pcapng": section(">", packets, [(9, 0)]),
        f"{us_dir}/default-resolution.pcapng": section("<", floored, [(6, 0)], length=False),
        f"{ns_dir}/power-of-two.pcapng": section("<", packets, [(binary, 0)]),
        f"{ns_dir}/offset.pcapng": section(">", packets, [(binary, offset), (9, -offset)]),
        f"{ns_dir}/interfaces.pcapng": section("<", packets, [(9, 0), (10, offset), (binary, 0)]),
        f"{ns_dir}/sections.pcapng": section("<", packets[:half], [(9, 0)], length=False)
        + section(">", packets[half:], [(binary, 0), (9, 0)]),
    }.items():
        open(name, "wb").write(data)


def floor(packets):
    return [(time // 1000 * 1000, original, data) for time, original, data in packets]


def lines(packets):
    for time, _, data in packets:
        yield f"{time // 10**9}.{time % 10**9:09}\t{data[42:].hex()}"


KEPT = ("frames packets bytes first last duration_ns packets_per_second peak_packets_per_ms skipped streams cut").split()


def main(command, *paths):
    if command == "forms":
        forms(*paths)
    elif command == "floor":
        open(paths[1], "wb").write(pcap(floor(read(paths[0])), "<", 1))
    elif command == "packets":
        print("\n".join(lines(read(paths[0]))))
    elif command == "facts":
        facts = json.load(sys.stdin)
        print(json.dumps({key: facts[key] for key in KEPT}))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:] or [""])
