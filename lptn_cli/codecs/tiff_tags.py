"""A TIFF's descriptive tags to Metadata and back.

A TIFF keeps its EXIF in its own directories, so its first one is not byte for byte that of a JPEG's block but
has the same tags and values, those of `_DESCRIPTIVE`. The EXIF, GPS and interoperability directories are kept
whole. The offsets in many a maker note count from the start of the block or file, so it stays where it is:
the block is put at the start of a TIFF as it is, and a block made of a TIFF has a hole before the maker note.
One that lies beyond the size of a block, as at the end of a large TIFF, is moved and may lose parts.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from fractions import Fraction

from . import exif, photoshop
from .exif_gps import GEOGRAPHY
from .ifd import (
    EXIF_IFD,
    GPS_IFD,
    INTEROP_IFD,
    ORIENTATION,
    Field,
    Ifd,
    IfdError,
    Layout,
    Order,
    fields,
    pack,
    read_ifd,
    read_layout,
    tree,
)
from .image import Metadata

_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675
_DESCRIPTION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT = 270, 282, 283, 296
_STRIPS = 273
_MAKER_NOTE, _LAYERS = 0x927C, 0x935C  # the latter are Photoshop's, of the old picture
_LARGEST_BLOCK = 65000
# Names, dates, authors, ratings, chromaticities, camera and lens in DNG's words, Print Image Matching, places
# on a map (GeoTIFF), and what belongs in the EXIF directory but stands in the first one, as in TIFF/EP.
_DESCRIPTIVE = frozenset(
    {11, 269, 270, 271, 272, 274, 282, 283, 285, 296, 297, 301, 305, 306, 315, 316, 318, 319, 33432}
    | {18246, 18249, 50341, 50708, 50735, 50827, 0x829A, 0x829D, *GEOGRAPHY}
    | set(range(0x8822, 0x8834)) - {GPS_IFD}
    | set(range(0x9000, 0xA500)) - {INTEROP_IFD, _LAYERS}
)
_NOT_WORTH_A_BLOCK = {ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT}  # these have their own places


def collected(data: bytes, layout: Layout, first: Ifd) -> Metadata:
    """The metadata of a file's first directory; what is broken in it is left out."""
    try:
        content = tree(data, first.offset, layout, _DESCRIPTIVE)
    except IfdError:
        content = ()
    block = None
    if any(row.tag not in _NOT_WORTH_A_BLOCK for row in content):
        block = _block(data, layout, content)
    orientation = first.integer(ORIENTATION, 1)
    return Metadata(
        exif=block,
        xmp=_bytes(first, _XMP),
        icc=_bytes(first, _ICC),
        iptc=_iptc(first),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        dpi=_dpi(first),
    )


def _block(data: bytes, layout: Layout, content: tuple[Field, ...]) -> bytes:
    """The fields as an EXIF block, the maker note at the offset that it has in the file if that can be."""
    details = next((row.value for row in content if row.tag == EXIF_IFD), ())
    rows = details if isinstance(details, tuple) else ()
    found = read_ifd(data, layout.first, layout).integer(EXIF_IFD, 0)
    note = read_ifd(data, found, layout).get(_MAKER_NOTE) if rows else None
    if note is not None and note.start >= 8 and note.stop <= _LARGEST_BLOCK and note.count > 4:
        there = tuple(Field(r.tag, r.kind, r.count, note.start) if r.tag == _MAKER_NOTE else r for r in rows)
        base = note.stop + note.stop % 2
        hole = bytes(note.start - 8) + note.value + bytes(base - note.stop)
        moved = (Field(EXIF_IFD, 4, 1, there), *(row for row in content if row.tag != EXIF_IFD))
        block = _header(layout.order, base) + hole + pack(moved, base, layout.order)
        if len(block) <= _LARGEST_BLOCK:
            return block
    return _header(layout.order, 8) + pack(content, 8, layout.order)


def order_for(metadata: Metadata) -> Order:
    """The byte order to write in, so that EXIF values need no swapping."""
    return ">" if metadata.exif is not None and metadata.exif.startswith(b"MM") else "<"


def with_metadata(data: bytes, metadata: Metadata) -> bytes:
    """A TIFF that starts with the EXIF block and ends with a new first directory, of old tags and new."""
    layout = read_layout(data)
    block = _readable(metadata.exif, layout.order)
    block += bytes(len(block) % 2)
    shift = len(block) - 8
    rows = {row.tag: row for row in fields(read_ifd(data, layout.first, layout).entries)}
    rows[_STRIPS] = _shifted(rows[_STRIPS], shift, layout.order)
    rows.update(_descriptive(metadata, block, layout.order))
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
    end = len(data) + shift
    base = end + end % 2
    content = pack(rows.values(), base, layout.order)
    picture = memoryview(data)[8:]
    return b"".join([_header(layout.order, base), block[8:], picture, bytes(base - end), content])


def _readable(block: bytes | None, order: Order) -> bytes:
    """The block but for its thumbnail, or an empty one if nothing can read it."""
    try:
        read_ifd(block or b"", read_layout(block or b"").first, read_layout(block or b""))
    except IfdError:
        block = None
    return exif.without_thumbnail(block) if block else _header(order, 0)


def _shifted(strips: Field, shift: int, order: Order) -> Field:
    """The list of offsets as LONGs, each so much later."""
    code = {3: "H", 4: "I"}[strips.kind]
    starts = struct.unpack(f"{order}{strips.count}{code}", strips.value)  # type: ignore[arg-type]
    later = struct.pack(f"{order}{strips.count}I", *(start + shift for start in starts))
    return Field(_STRIPS, 4, strips.count, later)


def _descriptive(metadata: Metadata, block: bytes, order: Order) -> dict[int, Field]:
    """The tags of the first directory that metadata fills; those that lead to others lead into the block."""
    rows: dict[int, Field] = {}
    if metadata.dpi is not None:
        for tag, value in zip((_X_RESOLUTION, _Y_RESOLUTION), metadata.dpi, strict=True):
            ratio = Fraction(value).limit_denominator(1000)
            rows[tag] = Field(tag, 5, 1, struct.pack(f"{order}II", ratio.numerator, ratio.denominator))
        rows[_UNIT] = Field(_UNIT, 3, 1, struct.pack(f"{order}H", 2))
    comment = b"\n".join(metadata.comments).replace(b"\x00", b"")
    said = b""
    if len(block) > 8:
        layout = read_layout(block)
        first = read_ifd(block, layout.first, layout)
        rows.update((row.tag, row) for row in fields(e for e in first.entries if e.tag in _DESCRIPTIVE))
        said = (_bytes(first, _DESCRIPTION) or b"").rstrip(b"\x00")
        for link in (EXIF_IFD, GPS_IFD):
            target = first.integer(link, 0)
            with suppress(IfdError):  # a dangling pointer is worth less than the rest of the block
                if target and read_ifd(block, target, layout):
                    rows[link] = Field(link, 4, 1, target)
    if comment and comment not in said:  # some cameras describe every picture by their own name
        text = b"\n".join(filter(None, (said, comment))) + b"\x00"
        rows[_DESCRIPTION] = Field(_DESCRIPTION, 2, len(text), text)
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
