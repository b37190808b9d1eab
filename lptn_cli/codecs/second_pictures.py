"""What of a file is not written again because it shows the photo as it was, in words for the photographer.

In a JPEG gain maps (ISO 21496-1, Ultra HDR, Apple's), other pictures of a Multi-Picture file (CIPA DC-007)
and the videos of motion photos all follow the first picture; in AVIF, HEIC and JPEG XL they lie in boxes.
Content Credentials (C2PA) sign the old pixels; about the new ones they would say that somebody forged them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from contextlib import suppress

from .boxes import BoxError, boxes
from .ifd import IfdError, read_ifd, read_layout
from .sniffing import brands_of

GAIN_MAP_SEGMENT = b"urn:iso:std:iso:ts:21496:-1\x00"
GAIN_MAP = "a gain map (HDR)"
MPF_SEGMENT = b"MPF\x00"
_GAIN_MAP = re.compile(
    rb"http://ns\.adobe\.com/hdr-gain-map/|Semantic=\"GainMap\"|http://ns\.apple\.com/HDRGainMap/"
    rb"|urn:com:apple:photo:20\d\d:aux:hdrgainmap"
)
_VIDEO = re.compile(rb"(MotionPhoto|MicroVideo)=\"1\"|<\w+:(MotionPhoto|MicroVideo)>1<")
_VIDEO_FILE = re.compile(rb"\x00\x00\x00[\x10-\x40]ftyp(?:mp4|iso|qt  |avc1|M4V )")  # as Samsung appends it
_ENTRIES = 0xB002  # of 16 bytes, the first four of which say what the picture is
_PREVIEWS = 0x01  # smaller copies of the first picture


def of_the_photo_itself(segments: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """A JPEG's segments, less those that tell of further pictures or vouch for the old one."""
    signing = _signing(segments)
    return [
        (marker, body)
        for marker, body in segments
        if not (marker == 0xE2 and body.startswith((MPF_SEGMENT, GAIN_MAP_SEGMENT)))
        and not (marker == 0xEB and body[:4] in signing)
    ]


def note_of_segments(segments: Sequence[tuple[int, bytes]], data: bytes) -> str:
    """What is dropped, worded to follow the file's name; "" if nothing is, or only smaller copies."""
    index = next((b[4:] for m, b in segments if m == 0xE2 and b.startswith(MPF_SEGMENT)), None)
    texts = [b for m, b in segments if m == 0xE1]
    iso = any(m == 0xE2 and b.startswith(GAIN_MAP_SEGMENT) for m, b in segments)
    found = []
    if iso or any(map(_GAIN_MAP.search, texts)) or (index is not None and _GAIN_MAP.search(data)):
        found.append(GAIN_MAP)
    elif index is not None and (count := _further(index)):
        found.append("a second picture (MPF)" if count == 1 else f"{count} further pictures (MPF)")
    if any(map(_VIDEO.search, texts)) or _VIDEO_FILE.search(data):
        found.append("a motion video")
    if _signing(segments):
        found.append("Content Credentials (C2PA)")
    return _worded(" and ".join(found)) if found else ""


def note_of_boxes(data: bytes) -> str:
    """The same of a file that is made of boxes."""
    with suppress(BoxError):
        kinds = {kind for kind, _ in boxes(data)}
        apart = b"tmap" in brands_of(data) or b"jhgm" in kinds or _GAIN_MAP.search(data)
        found = [*([GAIN_MAP] if apart else []), *(["a motion video"] if b"mpvd" in kinds else [])]
        return _worded(" and ".join(found)) if found else ""
    return ""


def _worded(what: str) -> str:
    """The words for it, to follow the file's name."""
    return f"had {what}, dropped as it shows the photo before retouching"


def _signing(segments: Sequence[tuple[int, bytes]]) -> set[bytes]:
    """How segments of C2PA's JUMBF boxes begin: all APP11 of a box have its number, the first its type."""
    return {b[:4] for m, b in segments if m == 0xEB and b.startswith(b"JP") and b"jumdc2pa" in b[:48]}


def _further(index: bytes) -> int:
    """How many pictures besides the first one and its smaller copies; 1 if the index cannot be read."""
    try:
        layout = read_layout(index)
        entry = read_ifd(index, layout.first, layout).get(_ENTRIES)
    except IfdError:
        return 1
    if entry is None:
        return 1
    kinds = [kind for kind, *_ in struct.iter_unpack(f"{entry.order}I12x", entry.value[: entry.count & ~15])]
    return sum(kind >> 16 & 0xFF != _PREVIEWS for kind in kinds[1:])
