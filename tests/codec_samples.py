"""Photos, EXIF, XMP, profiles and whole files that the codec tests are made of."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from functools import lru_cache
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import simplejpeg
from numpy.typing import NDArray

from lptn_cli import codecs
from lptn_cli.codecs.formats import Format
from lptn_cli.codecs.ifd import EXIF_IFD, GPS_IFD, ORIENTATION, Field, Order, pack
from lptn_cli.codecs.image import EncodeOptions, Image, Metadata, MetadataPolicy

FORMATS: tuple[Format, ...] = ("jpeg", "png", "tiff", "webp", "avif")
LOSSLESS: tuple[Format, ...] = ("png", "tiff")
MAKER_NOTE = bytes(range(1, 201))
LATITUDE = struct.pack(">6I", 52, 1, 31, 1, 123457, 9973)
GPS_WORDS = b"WGS-84-SECRET"


def photo(height: int = 61, width: int = 83, dtype: Any = np.uint8) -> NDArray[Any]:
    """(height, width, 3): smooth, and different in every corner, so that a turn shows."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x / width, y / height, (x + y) / (width + height)]
    top = np.iinfo(dtype).max
    return np.ascontiguousarray(np.stack(planes, axis=-1) * top * 0.9 + top * 0.05).astype(dtype)


def thumbnail() -> bytes:
    return bytes(codecs.encode(Image(photo(16, 24), "png"), EncodeOptions("jpeg")))


def _text(tag: int, value: bytes) -> Field:
    return Field(tag, 2, len(value) + 1, value + b"\x00")


def exif_block(
    orientation: int | None = 6,
    *,
    order: Order = ">",
    gps: bool = True,
    thumb: bool = True,
    tail: bytes = b"",
    more: tuple[Field, ...] = (),
) -> bytes:
    """A block as a camera writes it: maker note, position, thumbnail; `tail` follows the thumbnail, `more` is
    of the EXIF directory."""
    latitude = LATITUDE if order == ">" else struct.pack("<6I", *struct.unpack(">6I", LATITUDE))
    details = (
        Field(0x829A, 5, 1, struct.pack(f"{order}II", 1, 250)),
        _text(0x9003, b"2024:05:06 07:08:09"),
        Field(0x927C, 7, len(MAKER_NOTE), MAKER_NOTE),
        *more,
    )
    place = (
        Field(0, 1, 4, b"\x02\x03\x00\x00"),
        _text(1, b"N"),
        Field(2, 5, 3, latitude),
        _text(18, GPS_WORDS),
    )
    rows = [_text(0x010F, b"Lucida"), _text(0x0110, b"Obscura 7"), _text(0x8298, b"(c) A. Photographer")]
    rows.append(Field(EXIF_IFD, 4, 1, details))
    if orientation is not None:
        rows.append(Field(ORIENTATION, 3, 1, struct.pack(f"{order}H", orientation)))
    if gps:
        rows.append(Field(GPS_IFD, 4, 1, place))
    header = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}I", 8)
    block = bytearray(header + pack(rows, 8, order))
    if thumb:
        block += b"\x00" * (len(block) % 2)
        start, small = len(block), thumbnail()
        length = struct.pack(f"{order}I", len(small))
        at = start + 2 + 3 * 12 + 4
        second = (
            Field(0x0103, 3, 1, struct.pack(f"{order}H", 6)),
            Field(0x0201, 4, 1, struct.pack(f"{order}I", at)),
            Field(0x0202, 4, 1, length),
        )
        struct.pack_into(f"{order}I", block, 8 + 2 + 12 * len(rows), start)
        block += pack(second, start, order) + small
    return bytes(block + tail)


def xmp_packet(size: int = 0, *, gps: bool = True) -> bytes:
    """A packet of at least `size` bytes with a title, and a position as attribute and as element."""
    place = b' exif:GPSLatitude="52,31.123457N"' if gps else b""
    element = b"<exif:GPSLongitude>13,24.654321E</exif:GPSLongitude>" if gps else b""
    return (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        b' xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        b' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmp:Rating="4"%b>%b'
        b"<photoshop:Instructions>%b</photoshop:Instructions></rdf:Description></rdf:RDF></x:xmpmeta>"
        b'<?xpacket end="w"?>'
    ) % (place, element, b"abcdefg " * (size // 8))


def iptc_block() -> bytes:
    """Photoshop resources: IPTC with a city, a resolution, and a stale thumbnail is not among them."""
    record = b"\x1c\x02\x5a\x00\x05Paris"
    return b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + b"\x00" * (len(body) % 2)
        for number, body in ((0x0404, record), (0x03F3, b"\x01\x02\x03"))
    )


@lru_cache  # a profile holds the second it was made in
def profile(name: str = "p3") -> bytes:
    """An ICC profile of a matrix and curves: p3, adobe, prophoto, srgb or, with its primaries, linear."""
    if name == "srgb":
        return bytes(imagecodecs.cms_profile("srgb"))
    if name == "adobe":
        return bytes(imagecodecs.cms_profile("adobergb"))
    white, red, green, blue, gamma = {
        "p3": ((0.3127, 0.3290), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060), 2.2),
        "prophoto": ((0.3457, 0.3585), (0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), 1.8),
        "linear": ((0.3127, 0.3290), (0.640, 0.330), (0.300, 0.600), (0.150, 0.060), 1.0),
    }[name]
    primaries = [v for xy in (red, green, blue) for v in (*xy, 1.0)]
    return bytes(imagecodecs.cms_profile("rgb", whitepoint=[*white, 1.0], primaries=primaries, gamma=gamma))


@lru_cache
def cmyk_profile() -> bytes:
    """A press of its own kind: inks are not what 1 - C - K says, and the darkest print is grey."""
    inks = np.array([[-30.0, -35.0, -50.0], [-45.0, 70.0, -5.0], [-10.0, -5.0, 90.0], [-80.0, 0.0, 0.0]])
    corners = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), axis=-1).reshape(16, 4)
    lab = np.clip(np.array([100.0, 0.0, 0.0]) + corners @ inks, [22, -100, -100], [100, 100, 100])
    table = np.rint((lab + np.array([0, 128, 128])) * [255 / 100, 1, 1]).astype(np.uint8)
    ramp = bytes(range(256))
    unity = struct.pack(">9i", *np.eye(3, dtype=int).ravel() * 65536)
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + unity + ramp * 4 + table.tobytes() + ramp * 3
    # Back: black ink for what is dark. It serves to find the darkest print alone.
    back = b"mft1" + bytes(4) + bytes([3, 4, 2, 0]) + unity + ramp * 3
    back += (b"\0\0\0\xff" * 4 + bytes(16)) + ramp * 4
    words = b"a press"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(words) + 1) + words + bytes(1 + 78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"A2B0": lut,
        b"B2A0": back,
    }
    at, rows, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        rows += name + struct.pack(">II", at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = struct.pack(">I", at + len(body))
    head = size + bytes(4) + b"\x02\x10\0\0prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + rows + body


def cmyk_jpeg(icc: bytes | None = None, subsampling: str = "444") -> bytes:
    """A YCCK JPEG, as Photoshop writes it."""
    ink = np.concatenate([photo(), photo()[::-1, :, :1] // 3], axis=2)
    data = simplejpeg.encode_jpeg(255 - ink, quality=100, colorspace="CMYK", colorsubsampling=subsampling)
    body = b"ICC_PROFILE\0\1\1" + (icc or b"")
    segment = struct.pack(">BBH", 0xFF, 0xE2, len(body) + 2) + body if icc else b""
    return bytes(data[:2] + segment + data[2:])


def large_profile(size: int = 150_000) -> bytes:
    """A profile with unused bytes at its end, so that it needs several JPEG segments."""
    noise = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8).tobytes()
    whole = bytearray(profile() + noise)
    struct.pack_into(">I", whole, 0, len(whole))
    return bytes(whole)


def full_metadata(orientation: int = 6, **changes: Any) -> Metadata:
    """EXIF, XMP, profile, IPTC and comment."""
    metadata = Metadata(
        exif=exif_block(orientation, thumb=False),
        xmp=xmp_packet(),
        icc=profile(),
        iptc=iptc_block(),
        comments=(b"a comment",),
        orientation=orientation,
        dpi=(300.0, 300.0),
    )
    return replace(metadata, **changes)


def image(metadata: Metadata | None = None, dtype: Any = np.uint8, alpha: bool = False) -> Image:
    pixels = photo(dtype=dtype)
    plane = np.ascontiguousarray(pixels[::-1, ::-1, 2]) if alpha else None
    return Image(pixels, "png", plane, metadata=metadata or Metadata())


def file(format: Format, metadata: Metadata | None = None, policy: MetadataPolicy = "keep") -> bytes:
    return codecs.encode(image(metadata), EncodeOptions(format, quality=97, metadata=policy))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these chunks, checksums right."""
    rows = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(rows)


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """A JPEG that has these segments, in this order, after its JFIF segment."""
    plain = file("jpeg")
    rows = [struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments]
    return plain[:20] + b"".join(rows) + plain[20:]


def saved(format: str, mode: str = "RGB", **options: Any) -> bytes:
    """The picture of `photo`, as Pillow writes it."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(photo()).convert(mode).save(buffer, format, **options)
    return buffer.getvalue()
