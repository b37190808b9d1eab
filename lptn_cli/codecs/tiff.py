"""TIFF through tifffile: 8 and 16 bits and floats, grey, RGB or CMYK, with or without alpha, also BigTIFF.

Floats are taken as they are stored, 0 as black and 1 as white of the file's profile, and become 16 bits. CMYK
becomes sRGB through the file's profile, which has then done its work; without one it is refused. Of a file of
several pages the first is read, and `note` says so. White-is-zero grey is inverted and associated alpha
divided out, for the new file says black-is-zero and unassociated. Written with deflate and a predictor; never
BigTIFF. LZW and uncompressed data carry no checksum: damage that decodes to the right size is not seen.
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

from . import lzw
from .cmyk import CMYK_NOTE, from_cmyk, require_cmyk_profile
from .damage import damaged
from .ifd import EXIF_IFD, GPS_IFD, Ifd, IfdError, Layout, read_ifd, read_layout
from .image import EncodeOptions, Header, Image
from .samples import from_floats, joined, split, unmultiplied
from .tiff_tags import collected, order_for, with_metadata

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else its warnings land on stderr

_broken = partial(damaged, "TIFF")
_REMEDY = "export it as 8-bit or 16-bit RGB with ZIP or LZW compression first"
_COMPRESSIONS = frozenset({1, 5, 8, 32773, 32946, 34926, 50000})  # none, LZW, deflate, PackBits, Zstandard
_LZW, _FILL_ORDER = 5, 266
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # its bits in the other order
_CMYK, _INK_SET, _FLOAT = 5, 332, 3
_ASSOCIATED, _UNASSOCIATED = 1, 2  # of ExtraSamples: transparency, that colours are multiplied by or not
_COLOURS = {0: 1, 1: 1, 2: 3, _CMYK: 4}  # channels by photometric interpretation
_PHOTOMETRIC = {
    3: "palette",
    4: "transparency mask",
    5: "multi-ink",
    6: "YCbCr",
    8: "Lab",
    9: "Lab",
    10: "Lab",
}
_LAYERS = 37724  # Photoshop's ImageSourceData
_TILE = 4096  # pixels that a side of a tile may have beyond the picture
_MOST_PAGES = 1 << 24  # bytes of all directories that are looked at to count the pages
_NEW_SUBFILE, _SUBFILE = 254, 255  # bits: 1 a smaller copy, 2 a page, 4 a mask; 255 is the one of TIFF 4
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
    extra: int  # what the channel after the colours is: ExtraSamples, 0 if not said

    @property
    def cmyk(self) -> bool:
        return self.photometric == _CMYK


def read_header(data: bytes) -> Header:
    """Raises DecodeError; UnsupportedError for palettes, CMYK without a profile and the like."""
    page = _first_page(data)
    return Header("tiff", page.width, page.height)


def decode(data: bytes) -> Image:
    """Raises DecodeError, UnsupportedError."""
    page = _first_page(data)
    metadata = collected(data, page.layout, page.ifd)
    if page.cmyk:
        require_cmyk_profile(metadata.icc, "TIFF")
    if page.ifd.integer(259, 1) == _LZW:
        _check_lzw(data, page.ifd)
    try:
        samples = _samples(data)
    except _FAILURES as error:
        raise _broken(error) from None
    if samples.shape != (page.height, page.width, page.channels):
        raise _broken("two sizes")
    notes = []
    if samples.dtype.kind == "f":
        samples, said = from_floats(samples)
        notes.append(said)
    if samples.dtype not in (np.uint8, np.uint16):
        raise _broken("two sizes")
    if page.photometric == 0:
        top = np.iinfo(samples.dtype).max
        samples = np.concatenate([top - samples[..., :1], samples[..., 1:]], axis=2)
    selection = None
    if page.channels > _COLOURS[page.photometric] and page.extra not in (_ASSOCIATED, _UNASSOCIATED):
        selection, samples = np.ascontiguousarray(samples[..., -1]), samples[..., :-1]
    elif page.extra == _ASSOCIATED:
        samples = unmultiplied(samples)
    if page.cmyk:
        colours, metadata = from_cmyk(samples[..., :4], metadata, "TIFF")
        samples = np.concatenate([colours, samples[..., 4:]], axis=2)
        notes.append(CMYK_NOTE)
    pixels, alpha, grey = split(samples)
    count, all_counted = _page_count(data, page)
    if count > 1 and page.ifd.integer(_NEW_SUBFILE, 0) & 1:
        raise UnsupportedError("its first page is a smaller copy of a later one; export that page first")
    if page.ifd.get(_LAYERS):
        notes.append("had Photoshop's layers, only the picture that they make is kept")
    if count > 1:
        notes.append(f"has {count}{'' if all_counted else ' and more'} pages, only the first is kept")
    return Image(
        pixels=pixels,
        format="tiff",
        alpha=alpha,
        grey=grey,
        metadata=metadata,
        note="; ".join(notes),
        selection=selection,
    )


def encode(image: Image, options: EncodeOptions) -> bytes:
    """Raises EncodeError over 4 GB; `options.quality` has no meaning here."""
    buffer = io.BytesIO()
    samples: NDArray[Any] = joined(image)
    extras = [] if image.alpha is None else ["unassalpha"]
    if image.selection is not None:
        samples, extras = np.dstack([samples, image.selection]), [*extras, "unspecified"]
    try:
        with tifffile.TiffWriter(buffer, byteorder=order_for(image.metadata), bigtiff=False) as writer:
            writer.write(
                samples,
                photometric="minisblack" if image.grey else "rgb",
                planarconfig="contig" if samples.ndim == 3 else None,
                extrasamples=extras or None,
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
    if ifd.broken or max(ifd.integer(EXIF_IFD, 0), ifd.integer(GPS_IFD, 0)) >= len(data):
        raise _broken("a tag leads outside the file")
    width, height = ifd.integer(256, 0), ifd.integer(257, 0)
    if width <= 0 or height <= 0:
        raise _broken("no size in its first directory")
    entry = ifd.get(258)
    bits = set(entry.integers() if entry else (1,))
    photometric, channels = ifd.integer(262, -1), ifd.integer(277, 1)
    formats = set(entry.integers() if (entry := ifd.get(339)) else (1,))
    if photometric not in _COLOURS or (photometric == _CMYK and ifd.integer(_INK_SET, 1) != 1):
        raise UnsupportedError(
            f"it is a TIFF of {_PHOTOMETRIC.get(photometric, 'unknown')} colour; {_REMEDY}"
        )
    floats = formats == {_FLOAT} and photometric in (1, 2)
    if formats != {1} and not floats:
        raise UnsupportedError(f"it is a TIFF of signed or complex samples; {_REMEDY}")
    if bits not in (({16}, {32}, {64}) if floats else ({8}, {16})):
        raise UnsupportedError(f"it is a TIFF of {max(bits, default=0)} bits a sample; {_REMEDY}")
    extra = channels - _COLOURS[photometric]
    if extra not in (0, 1):
        raise UnsupportedError(f"it is a TIFF of {channels} channels; {_REMEDY}")
    if ifd.integer(259, 1) not in _COMPRESSIONS:
        raise UnsupportedError(f"it is a TIFF of compression {ifd.integer(259, 1)}; {_REMEDY}")
    _check_layout(data, ifd, width, height)
    return _Page(layout, ifd, width, height, photometric, channels, ifd.integer(338, 0) if extra else 0)


def _page_count(data: bytes, first: _Page) -> tuple[int, bool]:
    """The first page and those after it that are pictures of their own: no smaller copies and no masks; and
    whether all were looked at."""
    places, count, place, seen = {first.ifd.offset}, 1, first.ifd.next, 0
    while place not in places:
        if seen > _MOST_PAGES:  # large directories may overlap
            return count, False
        places.add(place)
        try:
            ifd = read_ifd(data, place, first.layout)
        except IfdError:
            break
        seen += ifd.end - ifd.offset
        copy = ifd.integer(_NEW_SUBFILE, 0) & 5 or ifd.integer(_SUBFILE, 0) == 2
        count += not copy and ifd.integer(256, 0) > 0 and ifd.integer(257, 0) > 0
        place = ifd.next
    return count, True


def _check_layout(data: bytes, ifd: Ifd, width: int, height: int) -> None:
    """Tiles of a sane size, each strip or tile inside the file; tifffile fills those without bytes with 0."""
    across, down = ifd.integer(322, 1), ifd.integer(323, 1)
    if (
        across <= 0
        or down <= 0
        or across > width + _TILE
        or down > height + _TILE
        or across * down > 4 * width * height + _TILE**2
        or ifd.integer(32997, 1) != 1
    ):
        raise _broken("tiles of impossible size")
    places = _places(ifd)
    if not places:
        raise _broken("no list of its strips")
    if not all(start > 0 and size > 0 and start + size <= len(data) for start, size in places):
        raise _broken("it ends early")


def _places(ifd: Ifd) -> list[tuple[int, int]]:
    """(start, size) of its strips or tiles; none if they are not told one by one."""
    starts, sizes = (ifd.get(324) or ifd.get(273)), (ifd.get(325) or ifd.get(279))
    if starts is None or sizes is None or starts.count != sizes.count:
        return []
    return list(zip(starts.integers(), sizes.integers(), strict=False))


def _check_lzw(data: bytes, ifd: Ifd) -> None:
    low_first = ifd.integer(_FILL_ORDER, 1) == 2
    for start, size in _places(ifd):
        stream = data[start : start + size]
        if not lzw.is_sound(stream.translate(_TURNED) if low_first else stream):
            raise _broken("its LZW codes make no sense")


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
