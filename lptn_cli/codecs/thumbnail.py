"""The JPEG thumbnail in EXIF, made anew from the picture that it goes with (EXIF 3.0, 4.5.4 and 4.8).

File managers and cameras show it instead of the photo. It takes the place of the old one, in its directory
and with its size; nothing else in the block moves.
"""

from __future__ import annotations

import struct

import numpy as np

from lptn_cli.errors import DecodeError

from . import exif, jpeg_segments
from .ifd import ORIENTATION, Ifd, IfdError
from .image import Image, Pixels

_START, _LENGTH, _WIDTH, _HEIGHT = 0x0201, 0x0202, 0x0100, 0x0101
_LONG_SIDE = 160  # DCF's size, for old thumbnails that do not say theirs and those too large for a block
_QUALITY = 80
_MOST = 65527  # of an EXIF block, so that it fits in a JPEG's segment


def renewed(block: bytes, image: Image) -> bytes:
    """The block with a new thumbnail where it had one in JPEG; without any if it cannot have a new one."""
    bare = exif.without_thumbnail(block)
    try:
        old = exif.thumbnail(block)
    except IfdError:
        return bare
    if old is None:
        return bare
    start, stop, directory = old
    for side in dict.fromkeys((_long_side(block[start:stop]), _LONG_SIDE)):
        jpeg, width, height = small(image, side)
        data = bytearray(block)
        if len(jpeg) <= stop - start or stop == len(block):
            place = start
            data[start:stop] = jpeg if stop == len(block) else jpeg.ljust(stop - start, b"\x00")
        else:
            data[start:stop] = bytes(stop - start)
            data += bytes(len(data) % 2)
            place = len(data)
            data += jpeg
        if len(data) <= _MOST:
            said = {_START: place, _LENGTH: len(jpeg), _WIDTH: width, _HEIGHT: height}
            _say(data, directory, {**said, ORIENTATION: image.metadata.orientation})
            return bytes(data)
    return bare


def small(image: Image, long_side: int) -> tuple[bytes, int, int]:
    """(JPEG, width, height) of the picture as stored, in sRGB, as nothing looks for a profile here.

    Never enlarged. Alpha is laid on white.
    """
    import cv2
    import simplejpeg

    from .icc import profile_of, to_srgb

    height, width = image.pixels.shape[:2]
    ratio = min(1.0, long_side / max(height, width))
    size = max(1, round(width * ratio)), max(1, round(height * ratio))

    def shrunk(samples: Pixels) -> np.typing.NDArray[np.float32]:
        less = cv2.resize(samples, size, interpolation=cv2.INTER_AREA)
        return np.multiply(less, 1 / np.iinfo(samples.dtype).max, dtype=np.float32)

    pixels = to_srgb(shrunk(image.pixels), profile_of(image.metadata))
    if image.alpha is not None:
        alpha = shrunk(image.alpha)[..., None]
        pixels = pixels * alpha + (1 - alpha)
    levels = np.ascontiguousarray(np.rint(pixels.clip(0, 1) * 255), dtype=np.uint8)
    jpeg = simplejpeg.encode_jpeg(levels, quality=_QUALITY, colorsubsampling="420", fastdct=False)
    return bytes(jpeg), *size


def _long_side(jpeg: bytes) -> int:
    try:
        frame = jpeg_segments.walk(jpeg).frame
    except DecodeError:
        return _LONG_SIDE
    return max(frame.width, frame.height)


def _say(data: bytearray, directory: Ifd, values: dict[int, int]) -> None:
    """Set those entries that the directory has."""
    for entry in directory.entries:
        if entry.tag in values and entry.count == 1 and entry.kind in (3, 4):
            code = {3: "H", 4: "I"}[entry.kind]
            struct.pack_into(f"{entry.order}{code}", data, entry.start, values[entry.tag])
