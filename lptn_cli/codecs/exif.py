"""EXIF blocks changed in place: no value moves, so maker notes, whose offsets nobody documents, stay valid.

A block is the TIFF structure without the `Exif\\0\\0` prefix.
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
    put_rows,
    read_ifd,
    read_layout,
    rows,
)

_INTEROP_INDEX, _COLOR_SPACE, _SRGB, _UNCALIBRATED = 1, 0xA001, 1, 0xFFFF
_ACROSS, _DOWN, _SUBJECT_AREA = 0xA002, 0xA003, 0x9214
_SIZES = {3: "H", 4: "I"}  # struct's letters of SHORT and LONG
_MOST_STRIPS = 1000  # of an uncompressed thumbnail, which has 120 rows
_THUMBNAIL, _THUMBNAIL_LENGTH, _STRIPS, _STRIP_LENGTHS = 0x0201, 0x0202, 0x0111, 0x0117


def bare(block: bytes) -> bytes:
    """The block without the `Exif\\0\\0` that some writers put before it in PNG, WebP and AVIF."""
    return block[6:] if block.startswith(b"Exif\x00\x00") else block


def orientation(exif: bytes | None) -> int:
    """1 to 8; 1 where the block does not say or cannot be read."""
    try:
        _, first = opened(exif or b"")
    except IfdError:
        return 1
    value = first.integer(ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def says_adobe_rgb(exif: bytes | None) -> bool:
    """Whether the colours are DCF's optional ones (DCF 2.0): index R03, and ColorSpace not sRGB."""
    try:
        layout, first = opened(exif or b"")
        chain = directories(exif or b"", layout, first)
    except IfdError:
        return False
    index = next((entry for d in chain[2:] if (entry := d.get(_INTEROP_INDEX))), None)
    if index is None or index.value.rstrip(b"\x00 ") != b"R03":
        return False
    return chain[1].integer(_COLOR_SPACE, _UNCALIBRATED) != _SRGB


def minimal(value: int) -> bytes:
    """A block that says the orientation and nothing else."""
    return b"MM\x00*\x00\x00\x00\x08" + pack([_orientation_field(value, ">")], 8, ">")


def with_orientation(exif: bytes | None, value: int) -> bytes | None:
    """The block saying `value`, all else where it was; a new block if there is none and value is not 1."""
    if value == orientation(exif):
        return exif
    try:
        layout, first = opened(exif or b"")
    except IfdError:
        return minimal(value)
    data = bytearray(exif or b"")
    entry = first.get(ORIENTATION)
    if entry and entry.kind == 3 and entry.count >= 1:
        struct.pack_into(f"{layout.order}H", data, entry.start, value)
        return bytes(data)
    # No room for one more entry: a copy of the directory that has it goes to the end, values stay.
    data += b"\x00" * (len(data) % 2)
    table = [row for row in rows(data, first, layout.order) if row[0] != ORIENTATION]
    table.append((ORIENTATION, struct.pack(f"{layout.order}HHIHH", ORIENTATION, 3, 1, value, 0)))
    table.sort(key=lambda row: row[0])
    struct.pack_into(f"{layout.order}I", data, 4, len(data))
    data += struct.pack(f"{layout.order}H", len(table)) + b"".join(row for _, row in table)
    return bytes(data + struct.pack(f"{layout.order}I", first.next))


def turned_upright(exif: bytes, width: int, height: int) -> bytes:
    """The block of a picture whose pixels were turned: that size in place, without SubjectArea, which is told
    in the unturned picture. One that cannot be read stays."""
    data = bytearray(exif)
    try:
        layout, first = opened(exif)
        below = directories(exif, layout, first)[1:2]
    except IfdError:
        return exif
    for directory in below:
        for tag, side in ((_ACROSS, width), (_DOWN, height)):
            entry = directory.get(tag)
            if entry and entry.kind in _SIZES and entry.count == 1 and side <= 0xFFFF:
                struct.pack_into(f"{layout.order}{_SIZES[entry.kind]}", data, entry.start, side)
        kept = [row for row in rows(data, directory, layout.order) if row[0] != _SUBJECT_AREA]
        put_rows(data, directory, kept, layout.order)
    return bytes(data)


def without_thumbnail(exif: bytes) -> bytes:
    """The block without its second directory, which describes the thumbnail, and without the thumbnail.

    Their bytes are zeroed, or cut off at the end; what anything else uses is left alone, as is a block that
    cannot be read.
    """
    try:
        layout, first = opened(exif)
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
    free = [r for r in [*second.ranges(), *_thumbnail(second, len(exif))] if not overlaps(r, used)]
    wipe(data, free)
    for start, stop in sorted(free, reverse=True):
        if stop == len(data) and start >= max(end for _, end in used):
            del data[start:]
    return bytes(data)


def thumbnail(exif: bytes) -> tuple[int, int, Ifd] | None:
    """(start, stop) of the JPEG thumbnail and the directory that says so, or None.

    None also where anything else lies in its place. Raises IfdError for a block that cannot be read.
    """
    layout, first = opened(exif)
    if first.next == 0:
        return None
    second = read_ifd(exif, first.next, layout)
    start, length = second.get(_THUMBNAIL), second.get(_THUMBNAIL_LENGTH)
    if not (start and length and start.kind == length.kind == 4 and start.count == length.count == 1):
        return None
    place = start.integers()[0], start.integers()[0] + length.integers()[0]
    others = [*_used(exif, layout, first), *second.ranges()]
    if not exif[slice(*place)].startswith(b"\xff\xd8") or place[1] > len(exif) or overlaps(place, others):
        return None
    return *place, second


def opened(exif: bytes) -> tuple[Layout, Ifd]:
    """The layout and the first directory. Raises IfdError."""
    layout = read_layout(exif)
    if layout.big:
        raise IfdError("EXIF is never a BigTIFF")
    return layout, read_ifd(exif, layout.first, layout)


def _orientation_field(value: int, order: str) -> Field:
    return Field(ORIENTATION, 3, 1, struct.pack(f"{order}H", value))


def directories(exif: bytes, layout: Layout, first: Ifd) -> list[Ifd]:
    """IFD0 and the EXIF and interoperability directories below it; raises IfdError if a pointer dangles."""
    found = [first]
    for tag in (EXIF_IFD, INTEROP_IFD):
        if entry := found[-1].get(tag):
            found.append(read_ifd(exif, entry.integer() or 0, layout))
    return found


def _used(exif: bytes, layout: Layout, first: Ifd) -> list[tuple[int, int]]:
    """What IFD0 and all below it occupy."""
    chain = directories(exif, layout, first)
    gps = first.get(GPS_IFD)
    if gps:
        chain.append(read_ifd(exif, gps.integer() or 0, layout))
    return [(0, 8), *(r for d in chain for r in d.ranges())]


def _thumbnail(second: Ifd, size: int) -> list[tuple[int, int]]:
    """Where the thumbnail's own bytes are: one JPEG, or uncompressed strips."""
    found = []
    for at, length in ((_THUMBNAIL, _THUMBNAIL_LENGTH), (_STRIPS, _STRIP_LENGTHS)):
        starts, lengths = second.get(at), second.get(length)
        if starts and lengths:
            pairs = zip(starts.integers()[:_MOST_STRIPS], lengths.integers(), strict=False)
            found += [(s, s + n) for s, n in pairs if 8 <= s <= s + n <= size]
    return found


def overlaps(one: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    """Whether one (start, stop) shares a byte with any other."""
    return any(one[0] < stop and start < one[1] for start, stop in others)


def wipe(data: bytearray, ranges: list[tuple[int, int]]) -> None:
    """Zero every (start, stop)."""
    for start, stop in ranges:
        data[start:stop] = bytes(stop - start)
