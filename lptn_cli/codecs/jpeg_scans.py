"""A JPEG taken apart for another decoder and encoder of its scans, a GPU's, and put together again.

What goes round the scans is read and spliced as `jpeg` does it. Decoders on a GPU tell little of damage, so
libjpeg-turbo reads every code first, at an eighth of the size: as strict as `jpeg.decode` for half its time.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import get_args

import simplejpeg

from lptn_cli.errors import PhotoError

from .image import Chroma, EncodeOptions, Image, Metadata, Pixels
from .jpeg import LARGEST, read_header, spliced
from .jpeg_segments import collected, walk
from .metadata import prepared
from .second_pictures import note_of_segments

_ADOBE = b"\xff\xee"
_END = b"\xff\xd9"
_JFIF = b"\xff\xe0" + struct.pack(">H5sHBHHBB", 16, b"JFIF\x00", 0x0101, 0, 1, 1, 0, 0)
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # what ends a scan: 0 is stuffed, D0 to D7 restart it


@dataclass(frozen=True)
class Apart:
    """A plain JPEG in parts. scans: a JPEG too, of its picture alone, which it ends with."""

    scans: bytes
    width: int
    height: int
    subsampling: Chroma
    metadata: Metadata
    note: str

    def image(self, preview: Pixels) -> Image:
        """A result, with a small one of it, (h, w, 3) uint8, in the place of its pixels."""
        return Image(preview, "jpeg", subsampling=self.subsampling, metadata=self.metadata, note=self.note)


def apart(data: bytes, max_pixels: int) -> Apart | None:
    """The parts of a plain JPEG without damage: 8 bits, YCbCr in 4:4:4, 4:2:2 or 4:2:0; None for any other.

    `codecs.decode` then decodes it, or says what is wrong.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        header = read_header(data)
        if header.width * header.height > max_pixels or max(header.width, header.height) > LARGEST:
            return None
        walked = walk(data)
        *tables, rest = walked.picture
        picture = memoryview(rest)[: _end(rest)]
        # Three channels are YCbCr without an Adobe segment too, of which decoders make different things
        scans = b"".join((*(piece for piece in tables if piece[:2] != _ADOBE), picture))
        seen = simplejpeg.decode_jpeg_header(scans)
        if seen != simplejpeg.decode_jpeg_header(b"".join((*tables, picture))):
            return None
        subsampling = seen[3]
        if seen[:3] != (header.height, header.width, "YCbCr") or subsampling not in get_args(Chroma):
            return None
        simplejpeg.decode_jpeg(scans, "GRAY", min_height=1, min_width=1, strict=True)
    except (PhotoError, ValueError):
        return None
    metadata, note = collected(walked.segments), note_of_segments(walked.segments, data)
    return Apart(scans, header.width, header.height, subsampling, metadata, note)


def chroma(parts: Apart, options: EncodeOptions) -> Chroma:
    """The sampling to write."""
    return parts.subsampling if options.subsampling == "auto" else options.subsampling


def whole(scans: bytes, image: Image, parts: Apart, sampling: Chroma, options: EncodeOptions) -> bytes | None:
    """The file of new scans with what goes round `image`; None if they are not what was asked for.

    image: of the new picture, small, which its thumbnail is made of. Raises EncodeError as `codecs.encode`.
    """
    try:
        written = simplejpeg.decode_jpeg_header(scans)
    except ValueError:
        return None
    if written != (parts.height, parts.width, "YCbCr", sampling) or scans[-2:] != _END:
        return None
    if scans[2:4] != _JFIF[:2]:
        scans = scans[:2] + _JFIF + scans[2:]
    return spliced(scans, prepared(image, options))


def _end(rest: bytes | memoryview) -> int:
    """Where the picture ends in what begins with its first scan; a phone's file may go on after it."""
    at = 0
    while (found := _MARKER.search(rest, at)) and rest[found.start() + 1] != _END[1]:
        at = found.end() + int.from_bytes(rest[found.end() : found.end() + 2], "big")
    return found.end() if found else len(rest)
