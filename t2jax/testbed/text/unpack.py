"""Reading Debian packages and the compressed windows of bible-kjv-text, without running anything."""

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
    """The bytes of named files, such as "usr/lib/bible.data", in a .deb file.

    Raises: ValueError where the file is no Debian package or a name is missing in it.
    """
    data = package.read_bytes()
    if not data.startswith(AR):
        raise ValueError(f"{package}: found {data[:8]!r} at its start, expected a Debian package")
    at = len(AR)
    while at + HEADER <= len(data):
        name, size = data[at : at + 16].decode("ascii").strip().rstrip("/"), int(data[at + 48 : at + 58])
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(data[at + HEADER : at + HEADER + size])) as archive:
                wanted, found = set(names), {}
                for member in archive:  # in the order of the file: seeking back would unpack it again
                    place = member.name.removeprefix("./")
                    if place in wanted and member.isfile() and (file := archive.extractfile(member)):
                        found[place] = file.read()
            missing = [name for name in names if name not in found]
            if missing:
                raise ValueError(f"{package}: found no file {missing[0]!r} in it")
            return [found[name] for name in names]
        at += HEADER + size + size % 2
    raise ValueError(f"{package}: found no data.tar in it, expected a Debian package")


def windows(data: bytes) -> bytes:
    """The text of bible.data, all of whose windows of 64 KiB are compressed apart from each other.

    Its header of 0x50 bytes is followed by big-endian integers: 0, the window's size, the number of the last window,
    and where each window begins; the first of these tells where the integers end.
    """
    last, first = struct.unpack_from(">2I", data, 0x58)
    starts = [*struct.unpack_from(f">{last + 1}I", data, 0x5C), len(data)]
    if first != starts[0]:
        raise ValueError("the file of the Bible's text has another layout than expected")
    return b"".join(expand(data[a:b]) for a, b in itertools.pairwise(starts))


def expand(data: bytes) -> bytes:
    """What Unix `compress` -b 16 shortened to `data`, its header of three bytes left out (LZW)."""
    table = [bytes([i]) for i in range(256)] + [b""]
    width, at, begun, before, out = 9, 0, 0, b"", []
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
            at = begun = begun + -(-(at - begun) // (8 * width)) * 8 * width
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
