"""What a camera RAW says of the photo, as far as it still holds of the developed picture.

Kept: camera, lens, dates, exposure, position, author, captions, ratings. Left out, for they describe the
sensor's data or the file they were in: maker notes (whose offsets would dangle), the colour space the camera
was set to, previews, profiles, Lightroom's develop settings.
"""

from __future__ import annotations

import struct

from lptn_cli.errors import DecodeError

from . import jpeg_segments, xmp
from .boxes import BoxError, boxes
from .ifd import (
    EXIF_IFD,
    GPS_IFD,
    INTEROP_IFD,
    ORIENTATION,
    Field,
    IfdError,
    Layout,
    Order,
    pack,
    read_ifd,
    read_layout,
    tree,
)
from .image import Metadata
from .raw_kinds import TIFF_MAGIC
from .tiff_tags import collected

_MAKER_NOTE, _COLOR_SPACE, _ACROSS, _DOWN = 0x927C, 0xA001, 0xA002, 0xA003
_DPI = (282, 283, 296)
_LOST_NOTE = "is a RAW file whose EXIF cannot be read; it is not in the result"
_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")  # the uuid box with a CR3's CMT boxes


def developed(data: bytes, width: int, height: int, orientation: int, icc: bytes) -> tuple[Metadata, str]:
    """(metadata of a developed picture in the profile's colours, what to say if EXIF is lost)."""
    try:
        metadata = _found(data)
        block = _true_block(metadata.exif or b"", width, height, orientation)
    except (IfdError, BoxError, DecodeError, struct.error):
        return Metadata(icc=icc, orientation=orientation), _LOST_NOTE
    packet = None if metadata.xmp is None else xmp.without_develop_settings(metadata.xmp)
    return Metadata(exif=block, xmp=packet, iptc=metadata.iptc, icc=icc, orientation=orientation), ""


def _found(data: bytes) -> Metadata:
    """EXIF, XMP and IPTC as they are in the file. Raises IfdError, BoxError, DecodeError or struct.error."""
    if data.startswith(b"FUJIFILM"):  # RAF: in the camera's JPEG
        start, length = struct.unpack_from(">II", data, 84)
        return jpeg_segments.collected(jpeg_segments.walk(data[start : start + length]).segments)
    if data[4:8] == b"ftyp":
        return Metadata(exif=_of_cr3(data))
    if data[:4] in TIFF_MAGIC:
        layout = read_layout(data)
    elif data[:4] in (b"IIRO", b"IIRS", b"IIU\x00", b"MMOR"):  # ORF and RW2: a TIFF but for its magic number
        order: Order = "<" if data[:2] == b"II" else ">"
        layout = Layout(order, False, struct.unpack_from(f"{order}I", data, 4)[0])
    else:
        raise IfdError("EXIF is somewhere else")
    return collected(data, layout, read_ifd(data, layout.first, layout))


def _true_block(block: bytes, width: int, height: int, orientation: int) -> bytes:
    """The block without what no longer holds and with what does."""
    layout = read_layout(block)
    order = layout.order
    rows = {row.tag: row for row in tree(block, layout.first, layout) if row.tag not in _DPI}
    exif = rows.get(EXIF_IFD)
    inner = {row.tag: row for row in exif.value} if exif and isinstance(exif.value, tuple) else {}
    for tag in (_MAKER_NOTE, INTEROP_IFD):
        inner.pop(tag, None)
    inner[_COLOR_SPACE] = Field(_COLOR_SPACE, 3, 1, struct.pack(f"{order}H", 1))
    for tag, side in ((_ACROSS, width), (_DOWN, height)):
        inner[tag] = Field(tag, 4, 1, struct.pack(f"{order}I", side))
    rows[EXIF_IFD] = Field(EXIF_IFD, 4, 1, tuple(inner.values()))
    rows[ORIENTATION] = Field(ORIENTATION, 3, 1, struct.pack(f"{order}H", orientation))
    return block[:4] + struct.pack(f"{order}I", 8) + pack(rows.values(), 8, order)


def _of_cr3(data: bytes) -> bytes:
    """One block of the three that a CR3 has: IFD0 in CMT1, EXIF in CMT2, the position in CMT4."""
    moov = next((body for kind, body in boxes(data) if kind == b"moov"), b"")
    uuid = next((b[16:] for k, b in boxes(moov) if k == b"uuid" and b.startswith(_CANON)), b"")
    parts = {kind: body for kind, body in boxes(uuid) if kind.startswith(b"CMT")}
    layout = read_layout(parts.get(b"CMT1", b""))
    rows = list(tree(parts[b"CMT1"], layout.first, layout))
    for kind, link in ((b"CMT2", EXIF_IFD), (b"CMT4", GPS_IFD)):
        try:
            below = read_layout(parts.get(kind, b""))
            if below.order == layout.order:
                rows.append(Field(link, 4, 1, tree(parts[kind], below.first, below)))
        except IfdError:
            continue
    return parts[b"CMT1"][:4] + struct.pack(f"{layout.order}I", 8) + pack(rows, 8, layout.order)
