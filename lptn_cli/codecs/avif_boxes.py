"""The boxes of an AVIF or HEIC that lptn reads itself (ISO/IEC 23008-12, 14496-12): size, turn, metadata.

Decoders hand these out late or changed: Pillow rewrites EXIF whose orientation differs from the file's turn.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from lptn_cli.errors import UnsupportedError

from . import exif
from .boxes import BoxError, boxes
from .damage import damaged
from .icc import HDR_CURVES
from .image import Chroma, Metadata

Place = tuple[bytes, int, int]  # what holds it, start, length; not cut out, for thousands may overlap
_MOST = 1 << 26  # bytes of one item

# By chroma_subsampling_x and _y of av1C.
_SUBSAMPLINGS: dict[int, Chroma] = {0x00: "444", 0x08: "422", 0x0C: "420"}


@dataclass(frozen=True)
class Still:
    """The primary picture: its properties by type, and the items besides it by type."""

    properties: dict[bytes, bytes]
    exif: bytes | None
    xmp: bytes | None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as stored."""
        body = self.properties.get(b"ispe", b"")
        if len(body) < 12:
            raise BoxError("no size")
        return struct.unpack_from(">II", body, 4)

    @property
    def crop(self) -> tuple[slice, slice]:
        """The rows and columns that clap says are the picture (ISO/IEC 14496-12, 12.1.4); all of them where
        it is not there or leads outside."""
        body, (width, height) = self.properties.get(b"clap", b""), self.size
        if len(body) >= 32:
            numbers = struct.unpack_from(">IIIIiIiI", body)
            if all(numbers[1::2]):
                across, down, right, below = (Fraction(*numbers[n : n + 2]) for n in (0, 2, 4, 6))
                left, top = right + (width - across) / 2, below + (height - down) / 2
                edges = top, top + down, left, left + across
                inside = 0 <= top < top + down <= height and 0 <= left < left + across <= width
                if inside and all(edge.denominator == 1 for edge in edges):
                    return slice(int(edges[0]), int(edges[1])), slice(int(edges[2]), int(edges[3]))
        return slice(0, height), slice(0, width)

    @property
    def depth(self) -> int:
        """Bits per sample: 8, 10 or 12."""
        configuration, pixi = self.properties.get(b"av1C", b""), self.properties.get(b"pixi", b"")
        if len(configuration) >= 3:
            flags = configuration[2]
            return (12 if flags & 0x20 else 10) if flags & 0x40 else 8
        return pixi[5] if len(pixi) > 5 else 8  # a grid of pictures has no av1C of its own

    @property
    def subsampling(self) -> Chroma | None:
        """None for grey, and for a grid of pictures."""
        flags = self.properties.get(b"av1C", b"")[2:3]
        if not flags or flags[0] & 0x10:
            return None
        return _SUBSAMPLINGS.get(flags[0] & 0x0C)

    @property
    def coding(self) -> tuple[int, int]:
        """(colour primaries, transfer) of the nclx box, in ITU-T H.273's numbers; (2, 2) is unspecified."""
        body = self.properties.get(b"nclx", b"")
        return struct.unpack_from(">HH", body, 4) if len(body) >= 8 else (2, 2)

    @property
    def orientation(self) -> int:
        """irot (quarter turns to the left), then imir (axis), as one EXIF orientation."""
        turns = (self.properties.get(b"irot", b"\0") or b"\0")[0] & 3
        mirror = self.properties.get(b"imir")
        if not mirror:
            return (1, 8, 3, 6)[turns]
        return ((4, 5, 2, 7), (2, 7, 4, 5))[mirror[0] & 1][turns]

    @property
    def metadata(self) -> Metadata:
        return Metadata(
            exif=self.exif,
            xmp=self.xmp,
            icc=self.properties.get(b"prof", b"")[4:] or None,
            orientation=self.orientation,
        )


def checked_still(data: bytes, name: str) -> Still:
    """The still of a file of that format's name. Raises DecodeError; UnsupportedError where it is HDR."""
    try:
        still = read_still(data)
        width, height = still.size
    except BoxError as error:
        raise damaged(name, error) from None
    if not width or not height:
        raise damaged(name, "its header says 0 pixels")
    if still.coding[1] in HDR_CURVES:
        raise UnsupportedError(f"it is an HDR {name}; export it as SDR first")
    return still


def read_still(data: bytes) -> Still:
    """Raises BoxError if the boxes are broken."""
    try:
        return _read_still(data)
    except (struct.error, IndexError):
        raise BoxError("a box is cut short") from None


def _read_still(data: bytes) -> Still:
    meta = dict(reversed(list(boxes(dict(reversed(list(boxes(data)))).get(b"meta", b"")[4:]))))
    if b"pitm" not in meta or b"iprp" not in meta or b"iloc" not in meta:
        raise BoxError("no primary picture")
    primary = _number(meta[b"pitm"], 4, 2 if meta[b"pitm"][0] == 0 else 4)
    places = _locations(meta[b"iloc"], data, meta.get(b"idat", b""))
    kinds = _kinds(meta.get(b"iinf", b""))
    block = next((_content(places.get(i)) for i, kind in kinds if kind == b"Exif"), None)
    packet = next((_content(places.get(i)) for i, kind in kinds if kind == b"application/rdf+xml"), None)
    if block is not None and len(block) >= 4:
        block = exif.bare(block[4 + _number(block, 0, 4) :]) or None
    return Still(_properties(meta[b"iprp"], primary), block, packet)


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise BoxError("a box is cut short")
    return int.from_bytes(data[at : at + size], "big")


def _content(place: Place | None) -> bytes | None:
    return None if place is None else place[0][place[1] : place[1] + min(place[2], _MOST)]


def _locations(body: bytes, data: bytes, idat: bytes) -> dict[int, Place]:
    """Item number to place, for items in one piece."""
    version, sizes = body[0], _number(body, 4, 2)
    offset_size, length_size, base_size, index_size = (
        sizes >> 12,
        sizes >> 8 & 15,
        sizes >> 4 & 15,
        sizes & 15,
    )
    index_size = index_size if version in (1, 2) else 0
    wide = 4 if version == 2 else 2
    count, at = _number(body, 6, wide), 6 + wide
    found: dict[int, Place] = {}
    for _ in range(count):
        item, at = _number(body, at, wide), at + wide
        method = 0
        if version in (1, 2):
            method, at = _number(body, at, 2) & 15, at + 2
        base = _number(body, at + 2, base_size)
        extents, at = _number(body, at + 2 + base_size, 2), at + 4 + base_size
        if method < 2 and extents == 1:
            start = base + _number(body, at + index_size, offset_size)
            length = _number(body, at + index_size + offset_size, length_size)
            found[item] = (idat if method == 1 else data, start, length)
        at += extents * (index_size + offset_size + length_size)  # 0 bytes an extent is allowed
    return found


def _kinds(body: bytes) -> list[tuple[int, bytes]]:
    """(item number, type or, for `mime`, its content type) of every item."""
    found = []
    for kind, entry in boxes(body[6 if body[:1] == b"\0" else 8 :]):
        if kind == b"infe" and entry[:1] in (b"\2", b"\3"):
            wide = 2 if entry[0] == 2 else 4
            name = entry[6 + wide : 10 + wide]
            if name == b"mime":
                name = [*entry[10 + wide :].split(b"\0"), b""][1]
            found.append((_number(entry, 4, wide), name))
    return found


def _properties(body: bytes, primary: int) -> dict[bytes, bytes]:
    """The properties of the primary picture by type; a colr box by its own type: nclx or prof."""
    inner = list(boxes(body))
    every = [p for kind, content in inner if kind == b"ipco" for p in boxes(content)]
    found: dict[bytes, bytes] = {}
    for index in [i for kind, content in inner if kind == b"ipma" for i in _associated(content, primary)]:
        if 1 <= index <= len(every):
            kind, content = every[index - 1]
            if kind == b"colr":
                kind = b"prof" if content[:4] in (b"prof", b"rICC") else content[:4]
            found[kind] = content
    return found


def _associated(body: bytes, primary: int) -> list[int]:
    wide = 2 if body[0] == 0 else 4
    step = 2 if body[3] & 1 else 1
    at = 8
    for _ in range(_number(body, 4, 4)):
        item, count = _number(body, at, wide), _number(body, at + wide, 1)
        at += wide + 1
        if item == primary:
            return [
                _number(body, at + i * step, step) & (0x7FFF if step == 2 else 0x7F) for i in range(count)
            ]
        at += count * step
    return []
