"""A JPEG's marker segments: walked, made into Metadata, built or spliced back (ITU T.81, annex B)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from lptn_cli.errors import EncodeError

from . import exif, xmp_segments
from .damage import damaged
from .image import Metadata
from .second_pictures import of_the_photo_itself

broken = partial(damaged, "JPEG")

Segment = tuple[int, bytes]
Kind = Literal["exif", "xmp", "extended", "icc", "iptc", "comment", "other"]

_SOI, _EOI, _SOS, _COM, _APP0, _APP14 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xEE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = (0xC0, 0xC1)
_ALL_COEFFICIENTS = bytes([0, 63, 0])  # first and last of a block, and no successive approximation
_JFIF, _EXIF, _ICC, _PHOTOSHOP = b"JFIF\x00", b"Exif\x00", b"ICC_PROFILE\x00", b"Photoshop 3.0\x00"
_MOST = 65533
_MOST_SEGMENTS = 1 << 16  # each takes ten times its bytes in memory, if it is short


@dataclass(frozen=True)
class Frame:
    """The start-of-frame segment: which coding, bits per sample, size, (horizontal, vertical) factors."""

    marker: int
    precision: int
    width: int
    height: int
    factors: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Walked:
    """The frame header, every APPn and COM before the first scan, and the file in pieces without metadata.

    libjpeg must not see metadata: strict, it refuses a whole photo for one bad ICC segment. Nor must it see
    two slips of cameras and editors that bear on no pixel: a JFIF version other than 1, and in a sequential
    picture a scan that says it has only some of the coefficients.
    """

    frame: Frame
    segments: list[Segment]
    picture: list[bytes | memoryview]


def walk(data: bytes) -> Walked:
    """Raises DecodeError for segments that lead nowhere."""
    frame: Frame | None = None
    found: list[Segment] = []
    picture: list[bytes | memoryview] = [b"\xff\xd8"]
    at = 2
    while True:
        if data[at : at + 1] != b"\xff":
            raise broken("no marker where one must be" if at < len(data) else "it ends in the header")
        while data[at : at + 1] == b"\xff":  # fill bytes may precede a marker
            at += 1
        marker, start = data[at] if at < len(data) else _EOI, at - 1
        at += 1
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            continue
        if marker in (0x00, _SOI, _EOI):
            raise broken("it ends before the picture")
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            raise broken("a segment of impossible length")
        body = data[at + 2 : at + length]
        at += length
        if marker in _FRAMES:
            frame = _frame(marker, body)
        elif marker == _SOS:
            if frame is None:
                raise broken("a scan before its frame header")
            if not body:
                raise broken("a scan without its header")
            if frame.marker in _SEQUENTIAL and length == 6 + 2 * body[0]:
                picture.append(data[start : at - 3] + _ALL_COEFFICIENTS)
                start = at
            return Walked(frame, found, [*picture, memoryview(data)[start:]])
        if _APP0 <= marker <= 0xEF or marker == _COM:
            found.append((marker, body))
            if len(found) > _MOST_SEGMENTS:
                raise broken("more segments than a photo can have")
        if marker == _APP0 and body.startswith(_JFIF) and len(body) > len(_JFIF):
            picture.append(data[start : start + 9] + b"\x01" + data[start + 10 : at])
        elif marker in (_APP0, _APP14) or not (_APP0 < marker <= 0xEF or marker == _COM):
            picture.append(data[start:at])


def _frame(marker: int, body: bytes) -> Frame:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise broken("a short frame header")
    precision, height, width, count = struct.unpack_from(">BHHB", body)
    if not width or not height or not count:
        raise broken("its header says 0 pixels")
    factors = tuple((body[7 + 3 * i] >> 4, body[7 + 3 * i] & 15) for i in range(count))
    return Frame(marker, precision, width, height, factors)


def kind_of(segment: Segment) -> Kind:
    marker, body = segment
    if marker == 0xE1 and body.startswith(_EXIF):
        return "exif"
    if marker == 0xE1 and body.startswith(xmp_segments.PREFIX):
        return "xmp"
    if marker == 0xE1 and body.startswith(xmp_segments.EXTENSION_PREFIX):
        return "extended"
    if marker == 0xE2 and body.startswith(_ICC):
        return "icc"
    if marker == 0xED and body.startswith(_PHOTOSHOP):
        return "iptc"
    return "comment" if marker == _COM else "other"


def collected(segments: Iterable[Segment]) -> Metadata:
    """Metadata of all the segments of a file; its own `segments` are those to be spliced back."""
    every = list(segments)
    kept = tuple(s for s in of_the_photo_itself(every) if s[0] not in (_APP0, _APP14))
    bodies: dict[Kind, list[bytes]] = {}
    for segment in kept:
        bodies.setdefault(kind_of(segment), []).append(segment[1])
    block = bodies["exif"][0][6:] if "exif" in bodies else None
    extensions = [b[len(xmp_segments.EXTENSION_PREFIX) :] for b in bodies.get("extended", [])]
    packet = (
        xmp_segments.merged(bodies["xmp"][0][len(xmp_segments.PREFIX) :], extensions)
        if "xmp" in bodies
        else None
    )
    density = _density(every)
    return Metadata(
        exif=block,
        xmp=packet,
        icc=_profile(bodies.get("icc", [])),
        iptc=b"".join(b[len(_PHOTOSHOP) :] for b in bodies.get("iptc", [])) or None,
        comments=tuple(bodies.get("comment", [])),
        segments=kept,
        orientation=exif.orientation(block),
        dpi=None if density is None else _dpi(density),
        density=density,
    )


def _profile(bodies: list[bytes]) -> bytes | None:
    """The profile of its numbered pieces (ICC.1:2022, B.4), or None if one is missing or there twice."""
    pieces = {b[12]: b[14:] for b in bodies if len(b) > 14}
    counts = {b[13] for b in bodies if len(b) > 14}
    if len(counts) != 1 or len(pieces) != len(bodies) or set(pieces) != set(range(1, counts.pop() + 1)):
        return None
    return b"".join(pieces[i] for i in sorted(pieces))


def _density(segments: list[Segment]) -> bytes | None:
    jfif = (b for marker, b in segments if marker == _APP0 and b.startswith(_JFIF) and len(b) >= 12)
    return next((body[7:12] for body in jfif), None)


def _dpi(density: bytes) -> tuple[float, float] | None:
    unit, across, down = struct.unpack(">BHH", density)
    scale = {1: 1.0, 2: 2.54}.get(unit)  # 0: only the ratio of the two is said
    return (across * scale, down * scale) if scale and across and down else None


def built(kind: Kind, metadata: Metadata) -> list[Segment]:
    """The segments that hold one part of the metadata; none if it has none."""
    if kind == "exif" and metadata.exif is not None:
        if len(metadata.exif) > _MOST - 6:
            raise EncodeError(
                f"its EXIF block of {len(metadata.exif)} bytes does not fit in a JPEG; "
                "use --format png, tiff, webp or avif, or --metadata none"
            )
        return [(0xE1, b"Exif\x00\x00" + metadata.exif)]
    if kind == "xmp" and metadata.xmp is not None:
        return [(0xE1, body) for body in xmp_segments.segments(metadata.xmp)]
    if kind == "icc" and metadata.icc is not None:
        pieces = _pieces(metadata.icc, _MOST - 14)
        if len(pieces) > 255:
            raise EncodeError("its colour profile does not fit in a JPEG; use --format tiff or png")
        return [(0xE2, _ICC + bytes([i, len(pieces)]) + piece) for i, piece in enumerate(pieces, 1)]
    if kind == "iptc" and metadata.iptc is not None:
        return [(0xED, _PHOTOSHOP + piece) for piece in _pieces(metadata.iptc, _MOST - len(_PHOTOSHOP))]
    if kind == "comment":
        return [(_COM, piece) for comment in metadata.comments for piece in _pieces(comment, _MOST)]
    return []


def _pieces(whole: bytes, size: int) -> list[bytes]:
    return [whole[i : i + size] for i in range(0, len(whole), size)] or [b""]


def all_built(metadata: Metadata) -> tuple[Segment, ...]:
    """The segments of a picture that did not come from a JPEG."""
    kinds: tuple[Kind, ...] = ("exif", "xmp", "icc", "iptc", "comment")
    return tuple(segment for kind in kinds for segment in built(kind, metadata))


def synchronised(
    segments: tuple[Segment, ...], metadata: Metadata, *, known_only: bool
) -> tuple[Segment, ...]:
    """The segments saying what `metadata` says: verbatim where they do already, else built anew in place.

    known_only: build all but the profile anew and drop what is of no known kind, lest a second copy or a
    vendor's segment tells what the first no longer does.
    """
    source = collected(segments)
    same: dict[Kind, bool] = {
        "exif": source.exif == metadata.exif,
        "xmp": source.xmp == metadata.xmp,
        "icc": source.icc == metadata.icc,
        "iptc": source.iptc == metadata.iptc,
        "comment": source.comments == metadata.comments,
    }
    if known_only:
        same = {kind: kind == "icc" and same[kind] for kind in same}
    result: list[Segment] = []
    done: set[Kind] = set()
    for segment in segments:
        kind = kind_of(segment)
        part: Kind = "xmp" if kind == "extended" else kind
        if same.get(part, not known_only):
            result.append(segment)
        elif part not in done:
            result += built(part, metadata)
        done.add(part)
    for part in same:
        if part not in done:
            result += built(part, metadata)
    return tuple(result)
