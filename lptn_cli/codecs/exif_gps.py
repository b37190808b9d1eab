"""The position taken out of an EXIF block, in place: no value that stays moves."""

from __future__ import annotations

import struct

from .exif import directories, opened, overlaps, wipe
from .ifd import GPS_IFD, Entry, Ifd, IfdError, Layout, put_rows, read_ifd, rows
from .xmp import may_tell_position

GEOGRAPHY = frozenset({33550, 33922, 34264, 34735, 34736, 34737})  # of a GeoTIFF
_LEADING = frozenset({GPS_IFD, 700, 34377})  # the latter two hold XMP and Photoshop's resources
_EQUIPMENT = frozenset({271, 272, 305, 50708, 50735, 0xA433, 0xA434})  # there is a camera called WG-3 GPS
_LATITUDE, _LONGITUDE = 2, 4


def without_gps(exif: bytes) -> bytes | None:
    """The block without its GPS directory and any other tag that tells the position; their bytes are zeroed.

    None, and so no block at all, if it is broken in any place, since the position may then be anywhere.
    """
    try:
        layout, first = opened(exif)
        holders = directories(exif, layout, first)
        if first.next:
            holders.append(read_ifd(exif, first.next, layout))
        if any(h.broken for h in holders) or len({h.offset for h in holders}) < len(holders):
            return None
        secret, kept, coordinates = _gps_ranges(exif, layout, holders)
    except IfdError:
        return None
    if any(overlaps(r, kept) for r in secret):
        return None
    data = bytearray(exif)
    wipe(data, secret)
    for holder in holders:
        _remove(data, holder, coordinates, layout)
    return bytes(data)


def _gps_ranges(
    exif: bytes, layout: Layout, holders: list[Ifd]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]], set[bytes]]:
    """(what to wipe, what must stay, the coordinates)."""
    secret: list[tuple[int, int]] = []
    coordinates: set[bytes] = set()
    for holder in holders:
        gps = holder.get(GPS_IFD)
        if gps:
            directory = read_ifd(exif, gps.integer() or 0, layout)
            if directory.broken:
                raise IfdError("the position cannot be found whole")
            secret += directory.ranges()
            coordinates |= _coordinates(directory)
    kept = [(0, 8)]
    for holder in holders:
        hidden = {e.start for e in holder.entries if _tells(e, coordinates)}
        for place in holder.ranges():
            (secret if place[0] in hidden else kept).append(place)
    return secret, kept, coordinates


def _tells(entry: Entry, coordinates: set[bytes]) -> bool:
    """Whether a tag leads to the position, holds blocks that may, speaks of it or repeats it.

    Maker notes are opaque: those that say it in words, or as the GPS directory does, are found.
    """
    if entry.tag in _LEADING or entry.tag in GEOGRAPHY:
        return True
    if entry.stop - entry.start <= 4 or entry.tag in _EQUIPMENT:
        return False
    value = entry.value
    return may_tell_position(value) or any(c in value for c in coordinates)


def _coordinates(gps: Ifd) -> set[bytes]:
    """Latitude and longitude as the directory holds them, and in the other byte order."""
    found: set[bytes] = set()
    for tag in (_LATITUDE, _LONGITUDE):
        entry = gps.get(tag)
        if entry is None or entry.kind != 5 or entry.count != 3:
            continue
        numbers = struct.unpack(f"{entry.order}6I", entry.value)
        if any(numbers[::2]):
            found |= {struct.pack(f"{order}6I", *numbers) for order in "<>"}
    return found


def _remove(data: bytearray, holder: Ifd, coordinates: set[bytes], layout: Layout) -> None:
    """Take the entries that tell the position out of a directory; those after them move up."""
    telling = {entry.tag for entry in holder.entries if _tells(entry, coordinates)}
    kept = [row for row in rows(data, holder, layout.order) if row[0] not in telling]
    put_rows(data, holder, kept, layout.order)
