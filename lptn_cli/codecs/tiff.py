"""TIFF through tifffile: 8 and 16 bits, grey or RGB, with or without alpha, in any layout, also BigTIFF.

Of a file of several pages the first is read, and `note` says so. White-is-zero grey is inverted and
associated alpha divided out, for the new file says black-is-zero and unassociated. Written with deflate and a
predictor; never BigTIFF.
LZW and uncompressed data carry no checksum: damage that decodes to the right size is not seen.
"""

from __future__ import annotations

import io
import logging
import struct
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lptn_cli.errors import EncodeError, UnsupportedError

from .damage import damaged
from .ifd import EXIF_IFD, GPS_IFD, Ifd, IfdError, Layout, read_ifd, read_layout
from .image import EncodeOptions, Header, Image
from .samples import joined, split
from .sniffing import raw_error
from .tiff_tags import collected, order_for, with_metadata

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else its warnings land on stderr

_broken = partial(damaged, "TIFF")
_REMEDY = "export it as 8-bit or 16-bit RGB with ZIP or LZW compression first"
_COMPRESSIONS = frozenset({1, 5, 8, 32773, 32946, 34926, 50000})  # none, LZW, deflate, PackBits, Zstandard
_PHOTOMETRIC = {3: "palette", 4: "transparency mask", 5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "Lab", 10: "Lab"}
_NEW_SUBFILE, _SUBFILE = 254, 255  # bits: 1 a smaller copy, 2 a page, 4 a mask; 255 is the one of TIFF 4
_CFA, _LINEAR_RAW = 32803, 34892
_MAKERS = {
    b"NIK": "NEF",
    b"SON": "ARW",
    b"PEN": "PEF",
    b"SAM": "SRW",
    b"Has": "3FR",
    b"KOD": "DCR",
    b"Can": "TIF",
}
# What tifffile and the decompressors below it raise for damaged files, found by fuzzing.
_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class _Page:
    """What the first directory says, checked to be something that is read."""

    layout: Layout
    ifd: Ifd
    width: int
    height: int
    photometric: int
    channels: int
    associated: bool


def read_header(data: bytes) -> Header:
    """Raises DecodeError; UnsupportedError for camera RAW, CMYK, palettes, floats and the like."""
    page = _first_page(data)
    return Header("tiff", page.width, page.height)


def decode(data: bytes) -> Image:
    """Raises DecodeError, UnsupportedError."""
    page = _first_page(data)
    try:
        samples = _samples(data)
    except _FAILURES as error:
        raise _broken(error) from None
    if samples.shape[:2] != (page.height, page.width) or samples.dtype not in (np.uint8, np.uint16):
        raise _broken("two sizes")
    if page.photometric == 0:
        top = np.iinfo(samples.dtype).max
        samples = np.concatenate([top - samples[..., :1], samples[..., 1:]], axis=2)
    if page.associated:
        samples = _divided(samples)
    pixels, alpha, grey = split(samples)
    count = _page_count(data, page)
    return Image(
        pixels=pixels,
        format="tiff",
        alpha=alpha,
        grey=grey,
        metadata=collected(data, page.layout, page.ifd),
        note=f"has {count} pages, only the first is kept" if count > 1 else "",
    )


def encode(image: Image, options: EncodeOptions) -> bytes:
    """Raises EncodeError over 4 GB; `options.quality` has no meaning here."""
    buffer = io.BytesIO()
    try:
        with tifffile.TiffWriter(buffer, byteorder=order_for(image.metadata), bigtiff=False) as writer:
            writer.write(
                joined(image),
                photometric="minisblack" if image.grey else "rgb",
                planarconfig=None if image.grey and image.alpha is None else "contig",
                extrasamples=None if image.alpha is None else ["unassalpha"],
                compression="zlib",
                predictor=True,
                metadata=None,
                software=False,
            )
        return with_metadata(buffer.getvalue(), image.metadata)
    except (ValueError, RuntimeError, struct.error) as error:
        raise EncodeError(f"the TIFF encoder failed ({error}); try --format png") from None


def _first_page(data: bytes) -> _Page:
    try:
        layout = read_layout(data)
        ifd = read_ifd(data, layout.first, layout)
    except IfdError as error:
        raise _broken(error) from None
    _refuse_raw(data, layout, ifd)
    if ifd.broken or max(ifd.integer(EXIF_IFD, 0), ifd.integer(GPS_IFD, 0)) >= len(data):
        raise _broken("a tag leads outside the file")
    width, height = ifd.integer(256, 0), ifd.integer(257, 0)
    if width <= 0 or height <= 0:
        raise _broken("no size in its first directory")
    entry = ifd.get(258)
    bits = set(entry.integers() if entry else (1,))
    photometric, channels = ifd.integer(262, -1), ifd.integer(277, 1)
    formats = ifd.get(339)
    if photometric not in (0, 1, 2):
        raise UnsupportedError(
            f"it is a TIFF of {_PHOTOMETRIC.get(photometric, 'unknown')} colour; {_REMEDY}"
        )
    if formats and set(formats.integers()) != {1}:
        raise UnsupportedError(f"it is a TIFF of signed or floating-point samples; {_REMEDY}")
    if bits not in ({8}, {16}):
        raise UnsupportedError(f"it is a TIFF of {max(bits, default=0)} bits a sample; {_REMEDY}")
    extra = channels - (3 if photometric == 2 else 1)
    if extra not in (0, 1):
        raise UnsupportedError(f"it is a TIFF of {channels} channels; {_REMEDY}")
    if ifd.integer(259, 1) not in _COMPRESSIONS:
        raise UnsupportedError(f"it is a TIFF of compression {ifd.integer(259, 1)}; {_REMEDY}")
    _check_layout(data, ifd, width, height)
    return _Page(layout, ifd, width, height, photometric, channels, extra == 1 and ifd.integer(338, 0) == 1)


def _page_count(data: bytes, first: _Page) -> int:
    """The first page and those after it that are pictures of their own: no smaller copies and no masks."""
    places, count, place = {first.ifd.offset}, 1, first.ifd.next
    while place not in places:
        places.add(place)
        try:
            ifd = read_ifd(data, place, first.layout)
        except IfdError:
            break
        copy = ifd.integer(_NEW_SUBFILE, 0) & 5 or ifd.integer(_SUBFILE, 0) == 2
        count += not copy and ifd.integer(256, 0) > 0 and ifd.integer(257, 0) > 0
        place = ifd.next
    return count


def _check_layout(data: bytes, ifd: Ifd, width: int, height: int) -> None:
    """Tiles of a sane size, each strip or tile inside the file; tifffile fills those without bytes with 0."""
    across, down = ifd.integer(322, 1), ifd.integer(323, 1)
    if (
        across <= 0
        or down <= 0
        or across > width + 4096
        or down > height + 4096
        or ifd.integer(32997, 1) != 1
    ):
        raise _broken("tiles of impossible size")
    starts, sizes = (ifd.get(324) or ifd.get(273)), (ifd.get(325) or ifd.get(279))
    if starts is None or sizes is None or starts.count != sizes.count or not starts.count:
        raise _broken("no list of its strips")
    pairs = zip(starts.integers(), sizes.integers(), strict=False)
    if not all(start > 0 and size > 0 and start + size <= len(data) for start, size in pairs):
        raise _broken("it ends early")


def _refuse_raw(data: bytes, layout: Layout, first: Ifd) -> None:
    """Raises UnsupportedError if any directory holds sensor data: the first one is then only a thumbnail."""
    if first.get(50706):
        raise raw_error("DNG")
    maker = first.get(271)
    name = _MAKERS.get(maker.value[:3] if maker else b"", "built like a TIFF")
    subs = first.get(330)
    places = [first.next, *(subs.integers()[:16] if subs else ())]
    directories = [first]
    for place in places:
        try:
            directories.append(read_ifd(data, place, layout))
        except IfdError:
            continue
    if any(
        d.integer(262, 0) in (_CFA, _LINEAR_RAW) or d.integer(259, 1) in (32767, 34713) for d in directories
    ):
        raise raw_error(name)
    if subs and first.integer(_NEW_SUBFILE, 0) & 1:
        raise raw_error(name)


def _samples(data: bytes) -> NDArray[Any]:
    """(H, W, channels) of the first page, strips and tiles put together, in the machine's byte order."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        samples = np.asarray(page.asarray())
        planes = page.axes.startswith("S")
    if samples.ndim == 2:
        samples = samples[:, :, np.newaxis]
    elif planes:
        samples = np.moveaxis(samples, 0, 2)
    if samples.ndim != 3:
        raise ValueError("more dimensions than a picture has")
    return samples.astype(samples.dtype.newbyteorder("="), copy=False)


def _divided(samples: NDArray[Any]) -> NDArray[Any]:
    """Colours that were multiplied by alpha, divided by it again and rounded; black where it is 0."""
    top = int(np.iinfo(samples.dtype).max)
    alpha = samples[..., -1:].astype(np.uint64)
    colours = (samples[..., :-1] * np.uint64(top) + alpha // np.uint64(2)) // np.maximum(alpha, np.uint64(1))
    return np.concatenate([np.minimum(colours, top).astype(samples.dtype), samples[..., -1:]], axis=2)
