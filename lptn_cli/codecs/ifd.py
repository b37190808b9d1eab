"""Image file directories, the structure that TIFF files and EXIF blocks share (TIFF 6.0; EXIF 3.0, 4.6)."""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Order = Literal["<", ">"]

SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}

MOST_BYTES = 1 << 26  # of the values that one directory names, and of all below it
EXIF_IFD, GPS_IFD, INTEROP_IFD, ORIENTATION = 0x8769, 0x8825, 0xA005, 0x0112
_LINKS = (EXIF_IFD, GPS_IFD, INTEROP_IFD)


class IfdError(ValueError):
    """The structure leads outside the data or nowhere."""


@dataclass(frozen=True)
class Layout:
    """Byte order, whether BigTIFF, and the offset of the first directory."""

    order: Order
    big: bool
    first: int


@dataclass(frozen=True)
class Entry:
    """One tag as read; its value lies at start..stop of the data."""

    tag: int
    kind: int
    count: int
    start: int
    stop: int
    order: Order
    data: bytes = field(repr=False)

    @property
    def value(self) -> bytes:
        """The bytes of the value in the file's order; copied on demand, as many entries may name one."""
        return self.data[self.start : self.stop]

    def integers(self) -> tuple[int, ...]:
        """The value as integers; empty if it is of another kind."""
        code = _INTEGERS.get(self.kind)
        return struct.unpack(f"{self.order}{self.count}{code}", self.value) if code else ()

    def integer(self) -> int | None:
        """The first of `integers`."""
        values = self.integers() if self.count else ()
        return values[0] if values else None


@dataclass(frozen=True)
class Ifd:
    """A directory that lies at offset..end; `broken` if entries that lead outside the data were left out."""

    offset: int
    end: int
    entries: tuple[Entry, ...]
    next: int
    broken: bool

    def get(self, tag: int) -> Entry | None:
        return next((e for e in self.entries if e.tag == tag), None)

    def integer(self, tag: int, default: int) -> int:
        entry = self.get(tag)
        value = entry.integer() if entry else None
        return default if value is None else value

    def ranges(self) -> list[tuple[int, int]]:
        """Where the directory and those values that lie outside it are: (start, stop) each."""
        outside = [(e.start, e.stop) for e in self.entries]
        return [(self.offset, self.end), *(r for r in outside if not self.offset <= r[0] < self.end)]


@dataclass(frozen=True)
class Field:
    """One tag to write: its bytes in the target's order, the fields of a directory of its own, or, for what
    is in the target already, its offset there."""

    tag: int
    kind: int
    count: int
    value: bytes | tuple[Field, ...] | int


def read_layout(data: bytes) -> Layout:
    """Raises IfdError if `data` does not start like a TIFF."""
    order: Order = "<" if data[:2] == b"II" else ">"
    if data[:4] in (b"II*\x00", b"MM\x00*") and len(data) >= 8:
        return Layout(order, False, struct.unpack_from(f"{order}I", data, 4)[0])
    if data[:8] in (b"II+\x00\x08\x00\x00\x00", b"MM\x00+\x00\x08\x00\x00") and len(data) >= 16:
        return Layout(order, True, struct.unpack_from(f"{order}Q", data, 8)[0])
    raise IfdError("no TIFF header")


def read_ifd(data: bytes, offset: int, layout: Layout) -> Ifd:
    """The directory at `offset`; entries that lead outside are left out. Raises IfdError."""
    head, width = ("Q", 20) if layout.big else ("H", 12)
    link = "Q" if layout.big else "I"
    try:
        if offset < 8:
            raise IfdError("no directory")
        count = struct.unpack_from(layout.order + head, data, offset)[0]
        table = offset + struct.calcsize(layout.order + head)
        end = table + count * width
        following = struct.unpack_from(layout.order + link, data, end)[0]
    except (struct.error, OverflowError):
        raise IfdError("a directory lies outside the data") from None
    found = [_read_entry(data, table + i * width, layout) for i in range(count)]
    inside = tuple(e for e in found if e is not None and e.stop <= len(data))
    broken = any(e is not None and e.stop > len(data) for e in found)
    return Ifd(offset, end + struct.calcsize(layout.order + link), inside, following, broken)


def _read_entry(data: bytes, at: int, layout: Layout) -> Entry | None:
    link, room = ("Q", 8) if layout.big else ("I", 4)
    tag, kind, count = struct.unpack_from(f"{layout.order}HH{link}", data, at)
    size = SIZES.get(kind, 0) * count
    start = at + 4 + room
    if size > room:
        start = struct.unpack_from(layout.order + link, data, start)[0]
    if kind not in SIZES:  # of a later standard: "readers should skip over" these (TIFF 6.0, page 16)
        return None
    return Entry(tag, kind, count, start, start + size, layout.order, data)


def rows(data: bytes | bytearray, directory: Ifd, order: Order) -> list[tuple[int, bytes]]:
    """The rows of a directory that is no BigTIFF's as they lie there: (tag, its 12 bytes)."""
    places = range(directory.offset + 2, directory.end - 4, 12)
    return [(struct.unpack_from(f"{order}H", data, at)[0], bytes(data[at : at + 12])) for at in places]


def put_rows(data: bytearray, directory: Ifd, kept: Sequence[tuple[int, bytes]], order: Order) -> None:
    """Write these rows, no more than there were, in place of the directory's; zeros fill what that leaves."""
    table = b"".join(row for _, row in kept) + data[directory.end - 4 : directory.end]
    table = struct.pack(f"{order}H", len(kept)) + table
    data[directory.offset : directory.end] = table.ljust(directory.end - directory.offset, b"\x00")


def fields(entries: Iterable[Entry], without: Iterable[int] = ()) -> tuple[Field, ...]:
    """Entries as fields to write, but for the tags in `without` and what only a BigTIFF can hold."""
    left_out = frozenset(without)
    chosen = [e for e in entries if e.tag not in left_out and e.kind <= 13]
    if sum(e.stop - e.start for e in chosen) > MOST_BYTES:
        raise IfdError("a directory claims more than a photo's metadata can hold")
    return tuple(Field(e.tag, e.kind, e.count, e.value) for e in chosen)


def tree(
    data: bytes, offset: int, layout: Layout, only: Container[int] | None = None, levels: int = 2
) -> tuple[Field, ...]:
    """A directory as fields, with the EXIF, GPS and interoperability directories on the levels below it.

    `only` limits the directory's own tags. What dangles, or makes the whole claim too much, is left out.
    Raises IfdError.
    """
    found = read_ifd(data, offset, layout)
    own = [e for e in found.entries if e.tag not in _LINKS and (only is None or e.tag in only)]
    result = fields(own)
    for link in _LINKS if levels else ():
        if target := found.integer(link, 0):
            try:
                whole = (*result, Field(link, 4, 1, tree(data, target, layout, levels=levels - 1)))
            except IfdError:
                continue  # a dangling pointer is worth less than the rest of the block
            result = whole if _size(whole) <= MOST_BYTES else result
    return result


def _size(content: Iterable[Field]) -> int:
    values = (row.value for row in content)
    return sum(_size(v) if isinstance(v, tuple) else len(v) if isinstance(v, bytes) else 0 for v in values)


def pack(content: Iterable[Field], base: int, order: Order) -> bytes:
    """The bytes of a directory with all that hangs on it, to be put at offset `base`; the next one is 0."""
    rows = sorted(content, key=lambda row: row.tag)
    table = bytearray(struct.pack(f"{order}H", len(rows)))
    start = base + 2 + 12 * len(rows) + 4
    body = bytearray()
    for row in rows:
        body += b"\x00" * (len(body) % 2)  # values start on a word boundary (TIFF 6.0, page 15)
        here = start + len(body)
        if isinstance(row.value, tuple):
            table += struct.pack(f"{order}HHII", row.tag, 4, 1, here)
            body += pack(row.value, here, order)
        elif isinstance(row.value, int):
            table += struct.pack(f"{order}HHII", row.tag, row.kind, row.count, row.value)
        elif len(row.value) <= 4:
            table += struct.pack(f"{order}HHI", row.tag, row.kind, row.count) + row.value.ljust(4, b"\x00")
        else:
            table += struct.pack(f"{order}HHII", row.tag, row.kind, row.count, here)
            body += row.value
    return bytes(table) + b"\x00" * 4 + bytes(body)
