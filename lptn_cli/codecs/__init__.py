"""Photographs in and out: bytes to Image and back. A library is loaded when its first photo comes.

sniff -> read_header -> decode -> (pixels change) -> encode. Formats are told by magic bytes, never by suffix.
Errors are PhotoError subclasses whose text is one phrase without the file's name; the caller puts that first.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from lptn_cli.errors import TooLargeError

from .formats import EXTENSIONS as EXTENSIONS
from .formats import OUTPUT_SUFFIXES as OUTPUT_SUFFIXES
from .formats import SUFFIXES as SUFFIXES
from .formats import WRITTEN_AS as WRITTEN_AS
from .formats import Format as Format
from .formats import Source as Source
from .sniffing import named_format
from .sniffing import sniff as sniff

if TYPE_CHECKING:
    from .image import EncodeOptions, Header, Image


class _Codec(Protocol):
    """What each module named after a format offers; `encode` only those that are written."""

    def read_header(self, data: bytes) -> Header: ...
    def decode(self, data: bytes) -> Image: ...
    def encode(self, image: Image, options: EncodeOptions) -> bytes: ...


def _codec(format: Source) -> _Codec:
    return cast(_Codec, import_module(f"{__name__}.{format}"))


def read_header(data: bytes) -> Header:
    """Format and size in pixels as stored, without decoding.

    Raises UnsupportedError, which names a file of another kind and a remedy; DecodeError for a broken header.
    """
    return _codec(named_format(data)).read_header(data)


def decode(data: bytes, *, max_pixels: int | None = None) -> Image:
    """The whole picture exactly as stored, never rotated and never half of it.

    Raises TooLargeError before anything of the picture's size is allocated, UnsupportedError, DecodeError.
    """
    header = read_header(data)
    if max_pixels is not None and header.width * header.height > max_pixels:
        size = header.width * header.height / 1e6
        number = f"{size:.0f}" if size >= 10 else f"{size:.2g}"
        raise TooLargeError(
            f"{header.width}x{header.height} is {number} megapixels, over the limit of "
            f"{max_pixels / 1e6:g}; raise it with --max-megapixels"
        )
    return _codec(header.format).decode(data)


def encode(image: Image, options: EncodeOptions) -> bytes:
    """The complete file. Alpha is laid on white where the format has none (JPEG).

    Depth "auto" gives 8 bits, rounded, where the format has no 16 (JPEG, WebP, AVIF); asking for 16 there
    raises EncodeError, as does a picture beyond the format's size limit. Metadata follows `options.metadata`,
    see `metadata.prepared`.
    """
    from dataclasses import replace

    from .metadata import prepared
    from .samples import with_depth

    image = with_depth(image, options)
    image = replace(image, metadata=prepared(image, options))
    return _codec(options.format).encode(image, options)
