"""A TIFF's descriptive tags to Metadata and back.

A TIFF keeps its EXIF in its own directories, so it is not byte for byte the block of a JPEG but has the same
tags and values: those of `_DESCRIPTIVE`, and the EXIF, GPS and interoperability directories whole. A maker
note whose offsets count from the block's start (Canon's do, Apple's do not) may lose parts on this way.
"""

from __future__ import annotations

import struct
from fractions import Fraction

from . import photoshop
from .ifd import ORIENTATION, Field, Ifd, IfdError, Layout, Order, fields, pack, read_ifd, read_layout, tree
from .image import Metadata

_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675
_DESCRIPTION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT = 270, 282, 283, 296
# Names, dates, authors, ratings, chromaticities, Windows' XP tags, camera and lens in DNG's words.
_DESCRIPTIVE = frozenset(
    {269, 270, 271, 272, 274, 282, 283, 285, 296, 297, 301, 305, 306, 315, 316, 318, 319, 33432}
    | {18246, 18249, 40091, 40092, 40093, 40094, 40095, 50708, 50735, 50827}
)
_NOT_WORTH_A_BLOCK = {ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT}  # these have their own places


def collected(data: bytes, layout: Layout, first: Ifd) -> Metadata:
    """The metadata of a file's first directory; what is broken in it is left out."""
    try:
        content = tree(data, first.offset, layout, _DESCRIPTIVE)
    except IfdError:
        content = ()
    exif = None
    if any(row.tag not in _NOT_WORTH_A_BLOCK for row in content):
        exif = _header(layout.order, 8) + pack(content, 8, layout.order)
    orientation = first.integer(ORIENTATION, 1)
    return Metadata(
        exif=exif,
        xmp=_bytes(first, _XMP),
        icc=_bytes(first, _ICC),
        iptc=_iptc(first),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        dpi=_dpi(first),
    )


def order_for(metadata: Metadata) -> Order:
    """The byte order to write in, so that EXIF values need no swapping."""
    return ">" if metadata.exif is not None and metadata.exif.startswith(b"MM") else "<"


def with_metadata(data: bytes, metadata: Metadata) -> bytes:
    """A TIFF with a new first directory at its end: the old one's tags and the metadata's."""
    layout = read_layout(data)
    rows = {row.tag: row for row in fields(read_ifd(data, layout.first, layout).entries)}
    rows.update(_descriptive(metadata, layout.order))
    for tag, kind, value in (
        (_XMP, 1, metadata.xmp),
        (_PHOTOSHOP, 1, metadata.iptc),
        (_ICC, 7, metadata.icc),
    ):
        if value is not None:
            rows[tag] = Field(tag, kind, len(value), value)
    record = photoshop.iptc_record(metadata.iptc or b"")
    if (
        record is not None
    ):  # a second copy, as some programs look only there; of LONGs, as Photoshop writes it
        record += bytes(-len(record) % 4)
        rows[_IPTC] = Field(_IPTC, 4, len(record) // 4, record)
    base = len(data) + len(data) % 2
    content = pack(rows.values(), base, layout.order)
    return b"".join([_header(layout.order, base), memoryview(data)[8:], bytes(base - len(data)), content])


def _descriptive(metadata: Metadata, order: Order) -> dict[int, Field]:
    rows: dict[int, Field] = {}
    if metadata.dpi is not None:
        for tag, value in zip((_X_RESOLUTION, _Y_RESOLUTION), metadata.dpi, strict=True):
            ratio = Fraction(value).limit_denominator(1000)
            rows[tag] = Field(tag, 5, 1, struct.pack(f"{order}II", ratio.numerator, ratio.denominator))
        rows[_UNIT] = Field(_UNIT, 3, 1, struct.pack(f"{order}H", 2))
    if metadata.comments:
        text = b"\n".join(metadata.comments).replace(b"\x00", b"") + b"\x00"
        rows[_DESCRIPTION] = Field(_DESCRIPTION, 2, len(text), text)
    if metadata.exif is not None:
        try:
            layout = read_layout(metadata.exif)
            content = tree(metadata.exif, layout.first, layout, _DESCRIPTIVE)
        except IfdError:
            content = ()  # a block that nothing can read has no tags to carry
        rows.update((row.tag, row) for row in content)
    turned = struct.pack(f"{order}H", metadata.orientation)
    rows[ORIENTATION] = Field(ORIENTATION, 3, 1, turned)
    return rows


def _header(order: Order, first: int) -> bytes:
    return (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}I", first)


def _bytes(first: Ifd, tag: int) -> bytes | None:
    entry = first.get(tag)
    return (entry.value or None) if entry else None


def _iptc(first: Ifd) -> bytes | None:
    """The Photoshop block, before it the record of the IPTC tag if the block has none of its own."""
    block, record = _bytes(first, _PHOTOSHOP), _bytes(first, _IPTC)
    if record is None or photoshop.iptc_record(block or b"") is not None:
        return block
    return photoshop.wrap(record) + (block or b"")


def _dpi(first: Ifd) -> tuple[float, float] | None:
    scale = {2: 1.0, 3: 2.54}.get(first.integer(_UNIT, 2))
    found = []
    for tag in (_X_RESOLUTION, _Y_RESOLUTION):
        entry = first.get(tag)
        if entry is None or entry.kind != 5 or entry.count != 1 or scale is None:
            return None
        upper, lower = struct.unpack(f"{entry.order}II", entry.value)
        if not upper or not lower:
            return None
        found.append(upper / lower * scale)
    return (found[0], found[1])
