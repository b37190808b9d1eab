"""A PNG's ancillary chunks to Metadata and back (PNG specification, third edition, chapter 11)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

from . import exif, photoshop, xmp
from .image import Metadata

Chunk = tuple[bytes, bytes]

_KEPT = frozenset({b"sRGB", b"gAMA", b"cHRM", b"cICP", b"pHYs", b"tIME", b"tEXt", b"zTXt", b"iTXt"})
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
_AUTHORS = (b"Title", b"Author", b"Description", b"Copyright", b"Disclaimer", b"Warning", b"Source")
_XMP = b"XML:com.adobe.xmp"
_RAW = b"Raw profile type "
_MOST = 1 << 26  # bytes that all packed profiles and texts of a file may become, against decompression bombs
_LARGEST_RATIO = 1032  # of deflate
_INCH = 0.0254


class _Inflate:
    """Unpacks zlib streams until together they fill `_MOST` bytes."""

    def __init__(self) -> None:
        self.left = _MOST

    def __call__(self, packed: bytes) -> bytes | None:
        """None for what is broken, empty or too large."""
        stream = zlib.decompressobj()
        try:
            data = stream.decompress(packed, self.left)
        except zlib.error:
            self.left = max(1, self.left - _LARGEST_RATIO * len(packed))
            return None
        self.left = max(1, self.left - len(data))  # 0 would mean no limit to zlib
        return data if stream.eof and data else None


def collected(chunks: list[Chunk]) -> Metadata:
    """The metadata of the chunks besides the picture; what is broken in them is left out."""
    metadata = Metadata()
    kept: list[Chunk] = []
    comments: list[bytes] = []
    inflate = _Inflate()
    for kind, body in chunks:
        taken = _taken(metadata, kind, body, inflate, comments)
        if taken is not None:
            metadata = taken
        elif kind in _KEPT:
            kept.append((kind, body))
    return replace(
        metadata,
        chunks=tuple(kept),
        comments=tuple(comments),
        orientation=exif.orientation(metadata.exif),
        dpi=next((_dpi(body) for kind, body in kept if kind == b"pHYs"), None),
    )


def without_position(chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    """The chunks but for texts that speak of a position, or may: raw profiles and what cannot be unpacked."""
    inflate = _Inflate()
    kept = []
    for kind, body in chunks:
        if kind in _TEXT:
            keyword, text = _text(kind, body, inflate)
            if text is None or keyword.startswith(_RAW) or any(map(xmp.may_tell_position, (body, text))):
                continue
        kept.append((kind, body))
    return tuple(kept)


def of_the_author(chunks: tuple[Chunk, ...]) -> list[str]:
    """The keywords of the texts that people write, in the standard's order."""
    there = {body.partition(b"\x00")[0] for kind, body in chunks if kind in _TEXT}
    return [keyword.decode() for keyword in _AUTHORS if keyword in there]


def _taken(
    metadata: Metadata, kind: bytes, body: bytes, inflate: _Inflate, comments: list[bytes]
) -> Metadata | None:
    """The metadata with what this chunk adds to its named parts; None if it adds nothing there."""
    if kind == b"eXIf":
        return replace(metadata, exif=exif.bare(body))
    if kind == b"iCCP":
        _, _, packed = body.partition(b"\x00")
        return replace(metadata, icc=inflate(packed[1:]))
    if kind not in _TEXT:
        return None
    keyword, text = _text(kind, body, inflate)
    if text is None:
        return None
    if keyword == _XMP:
        return replace(metadata, xmp=text)
    if keyword == b"Comment":
        comments.append(text)
        return metadata
    if keyword.startswith(_RAW):
        return _raw_taken(metadata, keyword[len(_RAW) :], text)
    return None


def _raw_taken(metadata: Metadata, name: bytes, text: bytes) -> Metadata | None:
    """ImageMagick's profiles in text, from before eXIf: name, length and hexadecimal digits.

    The name is one word, or as exiftool writes it "IPTC profile".
    """
    parts = next((p for n in (2, 3) if len(p := text.split(None, n)) > n and p[n - 1].isdigit()), None)
    if parts is None:
        return None
    try:
        body = bytes.fromhex(parts[-1].decode("ascii"))
    except ValueError:
        return None
    if name in (b"exif", b"APP1") and body.startswith(b"Exif\x00\x00") and metadata.exif is None:
        return replace(metadata, exif=exif.bare(body))
    if name == b"xmp" and body and metadata.xmp is None:
        return replace(metadata, xmp=body)
    if name in (b"iptc", b"8bim") and body:
        if body.startswith(b"Photoshop 3.0\x00"):
            body = body[14:]
        return replace(metadata, iptc=body if body.startswith(b"8BIM") else photoshop.wrap(body))
    return None


def _text(kind: bytes, body: bytes, inflate: _Inflate) -> tuple[bytes, bytes | None]:
    """(keyword, text in UTF-8) of a text chunk; the text is None if it cannot be unpacked."""
    keyword, _, rest = body.partition(b"\x00")
    if kind == b"tEXt":
        return keyword, rest.decode("latin-1").encode()
    if kind == b"zTXt":
        text = inflate(rest[1:])
        return keyword, None if text is None else text.decode("latin-1").encode()
    packed = rest[:1] != b"\x00"
    parts = rest[2:].split(b"\x00", 2)  # language, translated keyword, text
    if len(parts) < 3:
        return keyword, None
    return keyword, inflate(parts[2]) if packed else parts[2]


def _dpi(body: bytes) -> tuple[float, float] | None:
    if len(body) != 9 or body[8] != 1:
        return None
    across, down = struct.unpack_from(">II", body)
    return (across * _INCH, down * _INCH) if across and down else None


def written(metadata: Metadata) -> list[Chunk]:
    """The chunks to put right after IHDR, where all of these may stand."""
    result: list[Chunk] = []
    if metadata.icc is not None:
        result.append((b"iCCP", b"ICC profile\x00\x00" + zlib.compress(metadata.icc)))
    result += [c for c in metadata.chunks if metadata.icc is None or c[0] != b"sRGB"]
    if metadata.dpi is not None and not any(kind == b"pHYs" for kind, _ in result):
        across, down = (min(round(d / _INCH), 0x7FFFFFFF) for d in metadata.dpi)
        result.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif is not None:
        result.append((b"eXIf", metadata.exif))
    if metadata.xmp is not None:
        result.append((b"iTXt", _XMP + b"\x00" * 5 + metadata.xmp))
    if metadata.iptc is not None:
        result.append((b"zTXt", _RAW + b"iptc\x00\x00" + zlib.compress(_raw(b"iptc", metadata.iptc))))
    return result + [_comment(text) for text in metadata.comments]


def _raw(name: bytes, body: bytes) -> bytes:
    digits = body.hex().encode()
    lines = [digits[i : i + 72] for i in range(0, len(digits), 72)]
    return b"\n%b\n%8d\n%b\n" % (name, len(body), b"\n".join(lines))


def _comment(text: bytes) -> Chunk:
    """Latin-1 if it is ASCII or of an unknown encoding, UTF-8 where it is that; a NUL may not stand in it."""
    text = text.replace(b"\x00", b"")
    if text.isascii():
        return b"tEXt", b"Comment\x00" + text
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return b"tEXt", b"Comment\x00" + text
    return b"iTXt", b"Comment" + b"\x00" * 5 + text
