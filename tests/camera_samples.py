"""RAW files as cameras write them, and the pictures of phones: made here, each of a few kilobytes."""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pillow_heif
import tifffile
from numpy.typing import NDArray

from lptn_cli.codecs.ifd import EXIF_IFD, GPS_IFD, Field, pack

from . import codec_samples as samples

MAKER_NOTE = (
    b"\xff\xffa maker's secrets" * 8
)  # LibRaw gives up on a photo for a note that looks like a directory
LOSSLESS_JPEG: dict[str, Any] = {
    "compression": "jpeg",
    "compressionargs": {"lossless": True, "bitspersample": 16},
}
DAYLIGHT = np.array([0.5, 1.0, 0.7])  # what the sensor sees of a neutral grey by day
WHITE_BALANCE = np.array([0.9, 1.0, 0.4])  # and in the light of the photo
_FROM_XYZ = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)


def sensor(pixels: NDArray[Any]) -> NDArray[np.uint16]:
    """(H, W) of a sensor behind an RGGB filter that saw these sRGB pixels."""
    seen = pixels.astype(float) / np.iinfo(pixels.dtype).max
    light = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4) * WHITE_BALANCE
    mosaic: NDArray[np.float64] = light[..., 1].copy()
    mosaic[0::2, 0::2] = light[0::2, 0::2, 0]
    mosaic[1::2, 1::2] = light[1::2, 1::2, 2]
    scaled: NDArray[np.uint16] = np.rint(mosaic * 65535).astype(np.uint16)
    return scaled


def dng(pixels: NDArray[Any] | None = None, orientation: int = 1, **options: Any) -> bytes:
    """A DNG whose camera sees exactly the primaries of sRGB; with EXIF, position, XMP and a maker note."""
    pixels = samples.photo(62, 84) if pixels is None else pixels
    matrix = np.diag(DAYLIGHT) @ _FROM_XYZ
    extra = [
        (271, 2, 0, "Lucida", True),
        (272, 2, 0, "Obscura 7", True),
        (274, 3, 1, orientation, True),
        (700, 1, len(XMP), XMP, True),
        (33421, 3, 2, (2, 2), True),  # the filter: size, colours
        (33422, 1, 4, bytes([0, 1, 1, 2]), True),
        (50706, 1, 4, bytes([1, 4, 0, 0]), True),
        (50707, 1, 4, bytes([1, 1, 0, 0]), True),
        (50708, 2, 0, "Lucida Obscura 7", True),
        (50717, 3, 1, 65535, True),
        (50721, 10, 9, _rationals(matrix), True),
        (50728, 5, 3, _rationals(WHITE_BALANCE), True),
        (50778, 3, 1, 21, True),  # D65
    ]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, sensor(pixels), photometric=32803, metadata=None, software=False, extratags=extra, **options
    )
    return _with_exif(buffer.getvalue())


XMP = samples.xmp_packet(gps=False).replace(
    b' xmp:Rating="4"',
    b' xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" crs:Exposure2012="+1.50" xmp:Rating="4"',
)


def _rationals(values: NDArray[Any]) -> list[int]:
    return [part for value in np.ravel(values) for part in (round(value * 10000), 10000)]


def exif_fields() -> tuple[Field, ...]:
    """As a camera set to Adobe RGB writes them; little-endian."""
    return (
        Field(0x829A, 5, 1, struct.pack("<II", 1, 250)),
        Field(0x8827, 3, 1, struct.pack("<H", 400)),
        Field(0x9003, 2, 20, b"2024:05:06 07:08:09\0"),
        Field(0x927C, 7, len(MAKER_NOTE), MAKER_NOTE),
        Field(0xA001, 3, 1, struct.pack("<H", 0xFFFF)),
        Field(0xA002, 4, 1, struct.pack("<I", 9999)),
        Field(0xA005, 4, 1, (Field(1, 2, 4, b"R03\0"),)),
        Field(0xA434, 2, 9, b"Lucid 35\0"),
    )


def gps_fields() -> tuple[Field, ...]:
    return (Field(1, 2, 2, b"N\0"), Field(2, 5, 3, struct.pack("<6I", 52, 1, 31, 1, 12, 1)))


def _camera_fields(orientation: int = 6) -> tuple[Field, ...]:
    return (
        Field(271, 2, 7, b"Lucida\0"),
        Field(272, 2, 10, b"Obscura 7\0"),
        Field(274, 3, 1, struct.pack("<H", orientation)),
    )


def block() -> bytes:
    """A whole EXIF block of these."""
    rows = [*_camera_fields(), Field(EXIF_IFD, 4, 1, exif_fields()), Field(GPS_IFD, 4, 1, gps_fields())]
    return b"II*\0\x08\0\0\0" + pack(rows, 8, "<")


def _with_exif(data: bytes) -> bytes:
    """A little-endian TIFF with EXIF and GPS directories hung into its first one."""
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    rows = data[first + 2 : first + 2 + 12 * count]
    exif_at = len(data) + len(data) % 2
    exif = pack(exif_fields(), exif_at, "<")
    gps_at = exif_at + len(exif) + len(exif) % 2
    gps = pack(gps_fields(), gps_at, "<")
    table_at = gps_at + len(gps) + len(gps) % 2
    links = struct.pack("<HHII", EXIF_IFD, 4, 1, exif_at) + struct.pack("<HHII", GPS_IFD, 4, 1, gps_at)
    every = sorted((rows + links)[i : i + 12] for i in range(0, 12 * (count + 2), 12))
    every.sort(key=lambda row: int(struct.unpack_from("<H", row)[0]))
    table = struct.pack("<H", count + 2) + b"".join(every) + bytes(4)
    whole = data.ljust(exif_at, b"\0") + exif
    whole = whole.ljust(gps_at, b"\0") + gps
    whole = whole.ljust(table_at, b"\0") + table
    return whole[:4] + struct.pack("<I", table_at) + whole[8:]


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def cr3() -> bytes:
    """The boxes of a CR3 that hold its metadata; there is no picture in it."""

    def part(rows: tuple[Field, ...]) -> bytes:
        return b"II*\0\x08\0\0\0" + pack(rows, 8, "<")

    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
    parts = (
        box(b"CMT1", part(_camera_fields())),
        box(b"CMT2", part(exif_fields())),
        box(b"CMT4", part(gps_fields())),
    )
    return (
        box(b"ftyp", b"crx \0\0\0\1crx isom")
        + box(b"moov", box(b"uuid", canon, *parts))
        + box(b"mdat", bytes(64))
    )


def raf() -> bytes:
    """The head of a RAF and the JPEG that holds its metadata; there is no picture in it."""
    jpeg = samples.jpeg((0xE1, b"Exif\0\0" + block()))
    return b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">II", 160, len(jpeg)) + bytes(68) + jpeg


def orf() -> bytes:
    return b"IIRO" + block()[4:]


def rw2() -> bytes:
    return b"IIU\0" + block()[4:]


def heic(mode: str = "RGB", pixels: NDArray[Any] | None = None, **options: Any) -> bytes:
    """A HEIC of 8 bits; `exif` with an orientation is written as a phone does: as a turn and as the tag."""
    picture = PIL.Image.fromarray(samples.photo() if pixels is None else pixels).convert(mode)
    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, quality=options.pop("quality", 90), **options)
    return buffer.getvalue()


def deep_heic(pixels: NDArray[np.uint16] | None = None) -> bytes:
    """Of 10 bits, without loss."""
    buffer = io.BytesIO()
    deep = samples.photo(dtype=np.uint16) if pixels is None else pixels
    pillow_heif.from_bytes("RGB;16", deep.shape[1::-1], deep.tobytes()).save(buffer, quality=-1, chroma=444)
    return buffer.getvalue()


def jxl(pixels: NDArray[Any] | None = None, *boxes: bytes, **options: Any) -> bytes:
    """A JPEG XL; with boxes, in a container that has them before the picture."""
    pixels = samples.photo() if pixels is None else pixels
    data = bytes(imagecodecs.jpegxl_encode(pixels, **(options or {"lossless": True}), usecontainer=False))
    if not boxes:
        return data
    head = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return head + b"".join(boxes) + box(b"jxlc", data)
