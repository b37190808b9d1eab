"""JPEG through libjpeg-turbo (simplejpeg), metadata spliced past it segment by segment.

CMYK becomes sRGB through the file's profile, which has then done its work; without one it is refused. Second
pictures after the first (MPF, motion photos, gain maps) are dropped, which `note` says. An encoder's Adobe
segment is not kept, for the new file is always YCbCr.
"""

from __future__ import annotations

import re
import struct

import numpy as np
import simplejpeg

from lptn_cli.errors import EncodeError, UnsupportedError

from .cmyk import CMYK_NOTE, from_cmyk, require_cmyk_profile
from .image import Chroma, EncodeOptions, Header, Image, Metadata, Pixels
from .jpeg_segments import Frame, Segment, all_built, broken, collected, walk
from .samples import on_white
from .second_pictures import note_of_segments

LARGEST = 65500  # of libjpeg
_EOI = b"\xff\xd9"
_SCAN = re.compile(rb"\xff\xda\x00[\x08\x0a\x0c\x0e]")  # of one to four channels; data has no such bytes
_PROGRESSIVE, _MOST_SCANS = 0xC2, 500  # each goes over the whole picture; encoders make ten
_LEFT_OVER = re.compile(r"(\d{1,9}) extraneous bytes before marker 0xd9")  # data that no pixel needed
# What is left of the chroma decides: never fewer samples in a direction than the source had, if there is one.
_SUBSAMPLINGS: dict[tuple[int, int], Chroma] = {
    (1, 1): "444",
    (2, 1): "422",
    (2, 2): "420",
    (4, 1): "422",
    (4, 2): "420",
}


def read_header(data: bytes) -> Header:
    """Raises DecodeError, or UnsupportedError for 12-bit, lossless and arithmetic coding."""
    frame = walk(data).frame
    _check(frame)
    return Header("jpeg", frame.width, frame.height)


def decode(data: bytes) -> Image:
    """Pixels as stored; all metadata in `metadata.segments` and in its parts."""
    walked = walk(data)
    frame = walked.frame
    _check(frame)
    metadata, note = collected(walked.segments), ""
    cmyk = len(frame.factors) == 4
    if cmyk:
        require_cmyk_profile(metadata.icc, "JPEG")
    picture = b"".join(walked.picture)
    if frame.marker == _PROGRESSIVE and len(_SCAN.findall(picture)) > _MOST_SCANS:
        raise broken("more scans than a photo has")
    try:
        pixels = _pixels(picture, "CMYK" if cmyk else "RGB")
    except ValueError as error:
        if "subsampling level" in str(error):
            raise UnsupportedError(
                "its chroma has a rare sampling; export it as 4:4:4 or 4:2:0 first"
            ) from None
        raise broken(error) from None
    if pixels.shape[:2] != (frame.height, frame.width):
        raise broken("two sizes")
    if cmyk:
        pixels, metadata = from_cmyk(255 - pixels, metadata, "JPEG")  # stored as light, not as ink
        note = CMYK_NOTE
    grey = len(frame.factors) == 1
    return Image(
        pixels=pixels,
        format="jpeg",
        grey=grey,
        subsampling=None if grey else _subsampling(frame),
        metadata=metadata,
        note="; ".join(filter(None, (note, note_of_segments(walked.segments, data)))),
    )


def _pixels(data: bytes, colours: str) -> Pixels:
    """What libjpeg makes of it, without a warning. Zeros that some cameras put before the end are left out.

    Raises ValueError.
    """
    try:
        decoded: Pixels = simplejpeg.decode_jpeg(
            data, colours, fastdct=False, fastupsample=False, strict=True
        )
    except ValueError as error:
        zeros = bytes(int(found[1])) if (found := _LEFT_OVER.search(str(error))) else b""
        end = data.find(zeros + _EOI) if zeros else -1
        if end < 0 or end + len(zeros) != data.find(_EOI):
            raise
        return _pixels(data[:end] + data[end + len(zeros) :], colours)
    return decoded


def encode(image: Image, options: EncodeOptions) -> bytes:
    """A baseline JPEG; alpha is laid on white. Raises EncodeError beyond 65500 pixels a side."""
    height, width = image.pixels.shape[:2]
    if max(height, width) > LARGEST:
        raise EncodeError(f"{width}x{height} is too large for JPEG, which ends at 65500; use --format tiff")
    pixels = on_white(image)
    subsampling = options.subsampling
    if subsampling == "auto":
        subsampling = image.subsampling or "444"
    try:
        data = simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels[:, :, :1]) if image.grey else pixels,
            quality=options.quality,
            colorspace="GRAY" if image.grey else "RGB",
            colorsubsampling="Gray" if image.grey else subsampling,
            fastdct=False,
        )
    except ValueError as error:
        raise EncodeError(f"the JPEG encoder failed ({error}); try --format png") from None
    return spliced(data, image.metadata)


def _check(frame: Frame) -> None:
    if len(frame.factors) not in (1, 3, 4):
        raise UnsupportedError(f"it is a JPEG of {len(frame.factors)} channels; convert it to sRGB first")
    if frame.marker not in (0xC0, 0xC1, _PROGRESSIVE):
        kind = "arithmetic-coded" if frame.marker in (0xC9, 0xCA) else "lossless or hierarchical"
        raise UnsupportedError(
            f"it is a JPEG of a rare kind ({kind}); export it as baseline JPEG, PNG or TIFF first"
        )
    if frame.precision != 8:
        raise UnsupportedError(
            f"it is a {frame.precision}-bit JPEG; export it as 8-bit JPEG or 16-bit TIFF first"
        )


def _subsampling(frame: Frame) -> Chroma:
    (across, down), (chroma_across, chroma_down) = frame.factors[:2]
    if not chroma_across or not chroma_down:
        return "444"
    return _SUBSAMPLINGS.get((across // chroma_across, down // chroma_down), "444")


def spliced(data: bytes, metadata: Metadata) -> bytes:
    """The encoder's file with its density set and the segments after its JFIF one, which must come first."""
    start = 4 + int.from_bytes(data[4:6], "big")
    jfif = bytearray(data[:start])
    if metadata.density is not None:
        jfif[13:18] = metadata.density
    elif metadata.dpi is not None:
        jfif[13:18] = struct.pack(">BHH", *_density(metadata.dpi))
    segments = metadata.segments or all_built(metadata)
    return b"".join([jfif, *map(_written, segments), memoryview(data)[start:]])


def _density(dpi: tuple[float, float]) -> tuple[int, int, int]:
    """(unit, across, down): per inch, or per centimetre where only that is whole, as JFIF holds integers."""
    for unit, scale in ((1, 1.0), (2, 2.54)):
        across, down = (round(d / scale) for d in dpi)
        if abs(across * scale - dpi[0]) + abs(down * scale - dpi[1]) < 1e-3:
            return unit, min(across, 65535), min(down, 65535)
    return 1, min(max(1, round(dpi[0])), 65535), min(max(1, round(dpi[1])), 65535)


def _written(segment: Segment) -> bytes:
    marker, body = segment
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
