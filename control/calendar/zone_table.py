#!/usr/bin/env python3
"""The time zone database of the machine that builds (Debian's tzdata) as C++: each zone's TZif bytes once, and its names.

usage: zone_table.py OUTPUT [DATABASE]
"""
import os
import struct
import sys

HEADER = ">4sc15x6I"
HEADER_SIZE = struct.calcsize(HEADER)


def data_size(counts, width):
    utc, standard, leaps, times, types, letters = counts
    return times * (width + 1) + types * 6 + letters + leaps * (width + 4) + standard + utc


def without_old_block(tzif):
    """Version 2 and later repeat everything with 64 bits; the block of 32 is left empty."""
    magic, version, *counts = struct.unpack_from(HEADER, tzif)
    if magic != b"TZif" or version < b"2":
        return tzif
    return struct.pack(HEADER, magic, version, 0, 0, 0, 0, 0, 0) + tzif[HEADER_SIZE + data_size(counts, 4):]


def zones(database):
    for folder, folders, files in os.walk(database):
        folders[:] = sorted(f for f in folders if f not in ("posix", "right"))
        for file in sorted(files):
            path = os.path.join(folder, file)
            name = os.path.relpath(path, database)
            with open(path, "rb") as stream:
                tzif = stream.read()
            if tzif.startswith(b"TZif") and name not in ("localtime", "posixrules", "Factory"):
                yield name, without_old_block(tzif)


def main():
    output = sys.argv[1]
    database = sys.argv[2] if len(sys.argv) > 2 else "/usr/share/zoneinfo"
    found = sorted(zones(database))
    if not found:
        sys.exit(f"no time zones in {database}: install the package tzdata")
    known, entries = {}, []
    with open(output, "w", encoding="ascii") as out:
        for name, tzif in found:
            if tzif not in known:
                known[tzif] = len(known)
                text = "".join(f"\\{byte:03o}" for byte in tzif)
                out.write(f'constexpr char kZone{known[tzif]}[] = "{text}";\n')
            entries.append(f'    {{"{name}", std::string_view(kZone{known[tzif]}, {len(tzif)})}},\n')
        out.write("constexpr ZoneEntry kZones[] = {\n" + "".join(entries) + "};\n")


main()
