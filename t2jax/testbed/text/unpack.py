"""Reads Debian packages and the compressed windows of bible-kjv-text, without running any program."""

import io
import itertools
import struct
import tarfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["expand", "members", "windows"]

AR, HEADER = b"!<arch>\n", 60
FIRST_CODE = 256  # of LZW: clears the table
WIDEST = 16


def members(package: Path, names: Sequence[str]) -> list[bytes]:
    """Reads the bytes of named files, such as "usr/lib/bible.data", from a .deb file.

    A file that is no Debian package, or lacks a name, raises ValueError.
    """
    data = package.read_bytes()
    if not data.startswith(AR):
        raise ValueError(f"{package}: found {data[:8]!r} at its start, expected a Debian package")
    at = len(AR)
    while at + HEADER <= len(data):
        name, size = data[at : at + 16].decode("ascii").strip().rstrip("/"), int(data[at + 48 : at + 58])
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(data[at + HEADER : at + HEADER + size])) as archive:
                requested, contents = set(names), {}
                for member in archive:  # in the order of the file: seeking back would unpack it again
                    place = member.name.removeprefix("./")
                    if place in requested and member.isfile() and (file := archive.extractfile(member)):
                        contents[place] = file.read()
            missing = [name for name in names if name not in contents]
            if missing:
                raise ValueError(f"{package}: found no file {missing[0]!r} in it")
            return [contents[name] for name in names]
        at += HEADER + size + size % 2
    raise ValueError(f"{package}: found no data.tar in it, expected a Debian package")


def windows(data: bytes) -> bytes:
    """Decompresses the text of bible.data, whose windows of 64 KiB are compressed independently.

    A header of 0x50 bytes comes before big-endian integers: 0, the window's size and the number of the last window.
    The starts of the windows follow; the first of these marks the end of the integers.
    """
    last, first = struct.unpack_from(">2I", data, 0x58)
    starts = [*struct.unpack_from(f">{last + 1}I", data, 0x5C), len(data)]
    if first != starts[0]:
        raise ValueError("the file of the Bible's text has another layout than expected")
    return b"".join(expand(data[a:b]) for a, b in itertools.pairwise(starts))


def expand(data: bytes) -> bytes:
    """Decompresses the output of Unix `compress` -b 16 (LZW) without its header of three bytes."""
    table = [bytes([i]) for i in range(256)] + [b""]
    width, at, group_start, before, out = 9, 0, 0, b"", []
    while True:
        # Codes are written in groups of eight of one width: after a change the rest of a group is skipped.
        full, cleared = len(table) >= 1 << width and width < WIDEST, False
        code = -1
        if not full:
            if at + width > 8 * len(data):
                return b"".join(out)
            code = (int.from_bytes(data[at >> 3 : (at >> 3) + 4], "little") >> (at & 7)) & ((1 << width) - 1)
            at += width
            cleared = code == FIRST_CODE
        if full or cleared:
            at = group_start = group_start + -(-(at - group_start) // (8 * width)) * 8 * width
            width = width + 1 if full else 9
            if cleared:
                del table[FIRST_CODE + 1 :]
                before = b""
            continue
        if code > len(table) or (code == len(table) and not before):
            raise ValueError("damaged compressed text")
        entry = table[code] if code < len(table) else before + before[:1]
        if before and len(table) < 1 << WIDEST:
            table.append(before + entry[:1])
        out.append(entry)
        before = entry
