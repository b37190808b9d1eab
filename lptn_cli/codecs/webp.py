"""WebP through libwebp (imagecodecs), metadata by its RIFF chunks (RFC 9649).

Written lossy, at 8 bits and 4:2:0, with lossless alpha; a lossless one stays lossless. The format has no
place for IPTC, comments or density, which are lost, and no grey. Lossy data carries no checksum: damage that
decodes is not seen.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import Any

import imagecodecs
from numpy.typing import NDArray

from lptn_cli.errors import EncodeError, UnsupportedError

from . import exif
from .damage import damaged
from .image import EncodeOptions, Header, Image, Metadata
from .samples import joined, split

_broken = partial(damaged, "WebP")

_LARGEST = 16383
_EFFORT = 0  # of a lossless one, 0..100: 75, libwebp's choice, takes three times as long for files 3% smaller
_ICC, _ALPHA, _EXIF, _XMP, _ANIMATION = 0x20, 0x10, 0x08, 0x04, 0x02


def read_header(data: bytes) -> Header:
    """Raises DecodeError; UnsupportedError for an animation."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10 and not (kind == b"VP8L" and len(body) >= 5):
        raise _broken("it ends in the header")
    if kind == b"VP8X":
        if body[0] & _ANIMATION:
            raise UnsupportedError("it is an animated WebP; export one frame of it first")
        width, height = (1 + int.from_bytes(body[i : i + 3], "little") for i in (4, 7))
    elif kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = (v & 0x3FFF for v in struct.unpack_from("<HH", body, 6))
    elif kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        raise _broken("an unknown header")
    if not width or not height:
        raise _broken("its header says 0 pixels")
    return Header("webp", width, height)


def decode(data: bytes) -> Image:
    """Raises DecodeError, UnsupportedError."""
    header = read_header(data)
    chunks = _walk(data)
    try:
        samples: NDArray[Any] = imagecodecs.webp_decode(data)
    except (imagecodecs.WebpError, ValueError) as error:
        raise _broken(error) from None
    if samples.shape[:2] != (header.height, header.width):
        raise _broken("two sizes")
    pixels, alpha, grey = split(samples)
    block = chunks.get(b"EXIF")
    block = None if block is None else exif.bare(block)
    metadata = Metadata(
        exif=block, xmp=chunks.get(b"XMP "), icc=chunks.get(b"ICCP"), orientation=exif.orientation(block)
    )
    lossless = b"VP8L" in chunks
    return Image(pixels, "webp", alpha=alpha, grey=grey, metadata=metadata, lossless=lossless)


def encode(image: Image, options: EncodeOptions) -> bytes:
    """Lossless if the picture comes from a lossless WebP. Raises EncodeError beyond 16383 pixels a side."""
    height, width = image.pixels.shape[:2]
    if max(height, width) > _LARGEST:
        raise EncodeError(
            f"{width}x{height} is too large for WebP, which ends at {_LARGEST}; use --format jpeg"
        )
    try:
        level = _EFFORT if image.lossless else options.quality
        data = bytes(imagecodecs.webp_encode(joined(image, grey=False), level=level, lossless=image.lossless))
    except (imagecodecs.WebpError, ValueError) as error:
        raise EncodeError(f"the WebP encoder failed ({error}); try --format jpeg") from None
    parts = [(kind, body) for kind, body in _walk(data).items() if kind != b"VP8X"]
    metadata = image.metadata
    flags = _ALPHA if image.alpha is not None else 0
    before, after = [], []
    if metadata.icc is not None:
        flags |= _ICC
        before.append((b"ICCP", metadata.icc))
    if metadata.exif is not None:
        flags |= _EXIF
        after.append((b"EXIF", metadata.exif))
    if metadata.xmp is not None:
        flags |= _XMP
        after.append((b"XMP ", metadata.xmp))
    if not before and not after:
        return data
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    rows = [(b"VP8X", bytes([flags, 0, 0, 0]) + size), *before, *parts, *after]
    content = b"".join(_chunk(kind, body) for kind, body in rows)
    return b"RIFF" + struct.pack("<I", len(content) + 4) + b"WEBP" + content


def _walk(data: bytes) -> dict[bytes, bytes]:
    """The first chunk of each kind; raises DecodeError if the file ends before its RIFF size."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise _broken("it ends early")
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= end:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            raise _broken("it ends inside a chunk")
        found.setdefault(data[at : at + 4], data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return found


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)
