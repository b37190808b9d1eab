"""EXIF blocks changed in place: no value moves, so maker notes, whose offsets nobody documents, stay valid.

A block is the TIFF structure without the `Exif\\0\\0` prefix. Maker notes are opaque: a position that a
camera hides in one is not found by `without_gps`.
"""

from __future__ import annotations

import struct

from .ifd import (
    EXIF_IFD,
    GPS_IFD,
    INTEROP_IFD,
    ORIENTATION,
    Field,
    Ifd,
    IfdError,
    Layout,
    pack,
    read_ifd,
    read_layout,
)

_XMP, _PHOTOSHOP = 700, 34377
GEOGRAPHY = frozenset({33550, 33922, 34264, 34735, 34736, 34737})  # of a GeoTIFF
_TELLING = GEOGRAPHY | {_XMP, _PHOTOSHOP}
_INTEROP_INDEX, _COLOR_SPACE, _SRGB, _UNCALIBRATED = 1, 0xA001, 1, 0xFFFF
_THUMBNAIL, _THUMBNAIL_LENGTH, _STRIPS, _STRIP_LENGTHS = 0x0201, 0x0202, 0x0111, 0x0117


def bare(block: bytes) -> bytes:
    """The block without the `Exif\\0\\0` that some writers put before it in PNG, WebP and AVIF."""
    return block[6:] if block.startswith(b"Exif\x00\x00") else block


def orientation(exif: bytes | None) -> int:
    """1 to 8; 1 where the block does not say or cannot be read."""
    try:
        _, first = _open(exif or b"")
    except IfdError:
        return 1
    value = first.integer(ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def says_adobe_rgb(exif: bytes | None) -> bool:
    """Whether the colours are DCF's optional ones (DCF 2.0): index R03, and ColorSpace not sRGB."""
    try:
        layout, first = _open(exif or b"")
        directories = _directories(exif or b"", layout, first)
    except IfdError:
        return False
    index = next((entry for d in directories[2:] if (entry := d.get(_INTEROP_INDEX))), None)
    if index is None or index.value.rstrip(b"\x00 ") != b"R03":
        return False
    return directories[1].integer(_COLOR_SPACE, _UNCALIBRATED) != _SRGB


def minimal(value: int) -> bytes:
    """A block that says the orientation and nothing else."""
    return b"MM\x00*\x00\x00\x00\x08" + pack([_orientation_field(value, ">")], 8, ">")


def with_orientation(exif: bytes | None, value: int) -> bytes | None:
    """The block saying `value`, all else where it was; a new block if there is none and value is not 1."""
    if value == orientation(exif):
        return exif
    try:
        layout, first = _open(exif or b"")
    except IfdError:
        return minimal(value)
    data = bytearray(exif or b"")
    entry = first.get(ORIENTATION)
    if entry and entry.kind == 3 and entry.count >= 1:
        struct.pack_into(f"{layout.order}H", data, entry.start, value)
        return bytes(data)
    # No room for one more entry: a copy of the directory that has it goes to the end, values stay.
    data += b"\x00" * (len(data) % 2)
    rows = [bytes(data[i : i + 12]) for i in range(first.offset + 2, first.end - 4, 12)]
    rows = [row for row in rows if struct.unpack_from(f"{layout.order}H", row)[0] != ORIENTATION]
    rows.append(struct.pack(f"{layout.order}HHIHH", ORIENTATION, 3, 1, value, 0))
    rows.sort(key=lambda row: int(struct.unpack_from(f"{layout.order}H", row)[0]))
    struct.pack_into(f"{layout.order}I", data, 4, len(data))
    data += struct.pack(f"{layout.order}H", len(rows)) + b"".join(rows)
    return bytes(data + struct.pack(f"{layout.order}I", first.next))


def without_thumbnail(exif: bytes) -> bytes:
    """The block without its second directory, which describes the thumbnail, and without the thumbnail.

    Their bytes are zeroed, or cut off at the end; what anything else uses is left alone, as is a block that
    cannot be read.
    """
    try:
        layout, first = _open(exif)
    except IfdError:
        return exif
    if first.next == 0:
        return exif
    data = bytearray(exif)
    struct.pack_into(f"{layout.order}I", data, first.end - 4, 0)
    try:
        second = read_ifd(exif, first.next, layout)
        used = _used(exif, layout, first)
    except IfdError:
        return bytes(data)
    free = [r for r in [*second.ranges(), *_thumbnail(second, len(exif))] if not _overlaps(r, used)]
    _wipe(data, free)
    for start, stop in sorted(free, reverse=True):
        if stop == len(data) and start >= max(end for _, end in used):
            del data[start:]
    return bytes(data)


def thumbnail(exif: bytes) -> tuple[int, int, Ifd] | None:
    """(start, stop) of the JPEG thumbnail and the directory that says so, or None.

    None also where anything else lies in its place. Raises IfdError for a block that cannot be read.
    """
    layout, first = _open(exif)
    if first.next == 0:
        return None
    second = read_ifd(exif, first.next, layout)
    start, length = second.get(_THUMBNAIL), second.get(_THUMBNAIL_LENGTH)
    if not (start and length and start.kind == length.kind == 4 and start.count == length.count == 1):
        return None
    place = start.integers()[0], start.integers()[0] + length.integers()[0]
    others = [*_used(exif, layout, first), *second.ranges()]
    if not exif[slice(*place)].startswith(b"\xff\xd8") or place[1] > len(exif) or _overlaps(place, others):
        return None
    return *place, second


def without_gps(exif: bytes) -> bytes | None:
    """The block without its GPS directory, whose bytes are zeroed, and without XMP, Photoshop, GeoTIFF tags.

    None, and so no block at all, if it is broken in any place, since the position may then be anywhere.
    """
    try:
        layout, first = _open(exif)
        holders = _directories(exif, layout, first)
        if first.next:
            holders.append(read_ifd(exif, first.next, layout))
        if any(h.broken for h in holders) or len({h.offset for h in holders}) < len(holders):
            return None
        secret, kept = _gps_ranges(exif, layout, holders)
    except IfdError:
        return None
    if any(_overlaps(r, kept) for r in secret):
        return None
    data = bytearray(exif)
    _wipe(data, secret)
    for holder in holders:
        _remove(data, holder, layout)
    return bytes(data)


def _open(exif: bytes) -> tuple[Layout, Ifd]:
    layout = read_layout(exif)
    if layout.big:
        raise IfdError("EXIF is never a BigTIFF")
    return layout, read_ifd(exif, layout.first, layout)


def _orientation_field(value: int, order: str) -> Field:
    return Field(ORIENTATION, 3, 1, struct.pack(f"{order}H", value))


def _directories(exif: bytes, layout: Layout, first: Ifd) -> list[Ifd]:
    """IFD0 and the EXIF and interoperability directories below it; raises IfdError if a pointer dangles."""
    found = [first]
    for parent, tag in ((first, EXIF_IFD), (None, INTEROP_IFD)):
        entry = (parent or found[-1]).get(tag)
        if entry:
            found.append(read_ifd(exif, entry.integer() or 0, layout))
    return found


def _used(exif: bytes, layout: Layout, first: Ifd) -> list[tuple[int, int]]:
    """What IFD0 and all below it occupy."""
    directories = _directories(exif, layout, first)
    gps = first.get(GPS_IFD)
    if gps:
        directories.append(read_ifd(exif, gps.integer() or 0, layout))
    return [(0, 8), *(r for d in directories for r in d.ranges())]


def _gps_ranges(
    exif: bytes, layout: Layout, holders: list[Ifd]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(what to wipe, what must stay)."""
    secret: list[tuple[int, int]] = []
    kept = [(0, 8)]
    for holder in holders:
        for start, stop in holder.ranges():
            hidden = any(e.start == start and e.tag in _TELLING for e in holder.entries)
            (secret if hidden else kept).append((start, stop))
        gps = holder.get(GPS_IFD)
        if gps:
            directory = read_ifd(exif, gps.integer() or 0, layout)
            if directory.broken:
                raise IfdError("the position cannot be found whole")
            secret += directory.ranges()
    return secret, kept


def _remove(data: bytearray, holder: Ifd, layout: Layout) -> None:
    """Take the entries that lead to the position out of a directory; those after them move up."""
    leading = _TELLING | {GPS_IFD}
    table = holder.offset + 2
    rows = [bytes(data[i : i + 12]) for i in range(table, holder.end - 4, 12)]
    kept = [row for row in rows if struct.unpack_from(f"{layout.order}H", row)[0] not in leading]
    tail = bytes(data[holder.end - 4 : holder.end])
    struct.pack_into(f"{layout.order}H", data, holder.offset, len(kept))
    data[table : holder.end] = (b"".join(kept) + tail).ljust(holder.end - table, b"\x00")


def _thumbnail(second: Ifd, size: int) -> list[tuple[int, int]]:
    """Where the thumbnail's own bytes are: one JPEG, or uncompressed strips."""
    found = []
    for at, length in ((_THUMBNAIL, _THUMBNAIL_LENGTH), (_STRIPS, _STRIP_LENGTHS)):
        starts, lengths = second.get(at), second.get(length)
        if starts and lengths:
            pairs = zip(starts.integers(), lengths.integers(), strict=False)
            found += [(s, s + n) for s, n in pairs if 8 <= s <= s + n <= size]
    return found


def _overlaps(one: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(one[0] < stop and start < one[1] for start, stop in others)


def _wipe(data: bytearray, ranges: list[tuple[int, int]]) -> None:
    for start, stop in ranges:
        data[start:stop] = bytes(stop - start)
