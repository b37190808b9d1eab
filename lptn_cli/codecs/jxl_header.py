"""The head of a JPEG XL, which no library here tells: size, turn, colours, metadata (ISO/IEC 18181-1, -2).

The names of the standard are kept: U32 is one of four distributions chosen by two bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import imagecodecs

from .boxes import BoxError, boxes

_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height
_MOST = 1 << 26  # bytes of one box of metadata
_MOST_PACKED = 4  # boxes that are unpacked
_XYB, _GREY = 2, 1  # colour spaces
_CUSTOM = 2  # of white points and primaries
_ALPHA, _SPOT, _CFA = 0, 2, 5  # types of extra channels


@dataclass(frozen=True)
class Colours:
    """What the codestream says of its colours; icc: that it has a profile, which is packed too deeply."""

    icc: bool = False
    white: int = 1
    primaries: int = 1
    transfer: int = 13


@dataclass(frozen=True)
class Codestream:
    """width and height as stored, before the turn that `orientation` says."""

    width: int
    height: int
    orientation: int = 1
    animated: bool = False
    bits: int = 8  # a sample, also of floats
    colours: Colours = Colours()


@dataclass(frozen=True)
class Parts:
    """A file in parts: the codestream's beginning, metadata boxes, whether a JPEG can be made of it again."""

    codestream: bytes = field(repr=False)
    exif: bytes | None = None
    xmp: bytes | None = None
    from_jpeg: bool = False


def read_parts(data: bytes) -> Parts:
    """Raises BoxError."""
    if data.startswith(b"\xff\x0a"):
        return Parts(data)
    head, exif, xmp, from_jpeg, packed = b"", None, None, False, 0
    for kind, body in boxes(data):
        if kind == b"brob" and body[:4] in (b"Exif", b"xml ") and packed < _MOST_PACKED:
            packed += 1
            kind, body = body[:4], _unpacked(body[4:])
        if kind == b"jxlc" or (kind == b"jxlp" and len(head) < 4096):
            head += body if kind == b"jxlc" else body[4:]
        elif kind == b"Exif" and len(body) > 4:
            exif = exif or _exif(body) or None
        elif kind == b"xml ":
            xmp = xmp or body or None
        from_jpeg = from_jpeg or kind == b"jbrd"
    return Parts(head, exif, xmp, from_jpeg)


def _exif(body: bytes) -> bytes:
    """The block after its offset, which some writers leave out."""
    return body if body[:4] in (b"II*\x00", b"MM\x00*") else body[4 + int.from_bytes(body[:4], "big") :]


def read_codestream(data: bytes) -> Codestream:
    """Raises BoxError."""
    if data[:2] != b"\xff\x0a":
        raise BoxError("no picture")
    bits = _Bits(data[2:4096])
    width, height = _size(bits)
    if bits(1):  # all default
        return Codestream(width, height)
    orientation, animated = 1, False
    if bits(1):  # extra fields
        orientation = 1 + bits(3)
        if bits(1):
            _size(bits)  # of the picture as it should be shown
        if bits(1):
            _preview_size(bits)
        animated = bool(bits(1))
    if animated:
        return Codestream(width, height, orientation, animated)
    depth = _bit_depth(bits)
    bits(1)  # 16-bit buffers suffice
    for _ in range(bits.u32((0, 0), (1, 0), (2, 4), (1, 12))):
        _extra_channel(bits)
    bits(1)  # XYB: libjxl undoes it
    return Codestream(width, height, orientation, animated, depth, _colours(bits))


class _Bits:
    """Bits from the lowest of each byte up."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def __call__(self, count: int) -> int:
        if count > self.left:
            raise BoxError("it ends in the header")
        taken = self.value & ((1 << count) - 1)
        self.value >>= count
        self.left -= count
        return taken

    def u32(self, *choices: tuple[int, int]) -> int:
        """(offset, bits) of each of the four distributions."""
        offset, count = choices[self(2)]
        return offset + self(count)

    def enum(self) -> int:
        return self.u32((0, 0), (1, 0), (2, 4), (18, 6))


def _size(bits: _Bits) -> tuple[int, int]:
    def side() -> int:
        return 8 * (1 + bits(5)) if small else bits.u32((1, 9), (1, 13), (1, 18), (1, 30))

    small = bits(1)
    height = side()
    across, down = _RATIOS[bits(3)]
    return (height * across // down if across else side()), height


def _preview_size(bits: _Bits) -> None:
    def side() -> int:
        if small:
            return bits.u32((16, 0), (32, 0), (1, 5), (33, 9))
        return bits.u32((1, 6), (65, 8), (321, 10), (1345, 12))

    small = bits(1)
    side()
    if not bits(3):
        side()


def _bit_depth(bits: _Bits) -> int:
    if not bits(1):
        return bits.u32((8, 0), (10, 0), (12, 0), (1, 6))
    depth = bits.u32((32, 0), (16, 0), (24, 0), (1, 6))
    bits(4)  # of the exponent
    return depth


def _extra_channel(bits: _Bits) -> None:
    if bits(1):  # all default: alpha of 8 bits
        return
    kind = bits.enum()
    _bit_depth(bits)
    bits.u32((0, 0), (3, 0), (4, 0), (1, 3))  # how much smaller
    for _ in range(bits.u32((0, 0), (0, 4), (16, 5), (48, 10))):
        bits(8)  # its name
    if kind == _ALPHA:
        bits(1)  # associated: libjxl undoes it
    elif kind == _SPOT:
        bits(64)
    elif kind == _CFA:
        bits.u32((1, 0), (0, 2), (3, 4), (19, 8))


def _colours(bits: _Bits) -> Colours:
    if bits(1):  # all default: sRGB
        return Colours()
    icc, space = bool(bits(1)), bits.enum()
    if icc:
        return Colours(icc=True)
    if space == _XYB:
        return Colours(white=0)
    white = bits.enum()
    if white == _CUSTOM:
        return Colours(white=_CUSTOM)
    primaries = 1 if space == _GREY else bits.enum()
    if primaries == _CUSTOM:
        return Colours(white=white, primaries=_CUSTOM)
    gamma = bits(1)
    return Colours(False, white, primaries, 0 if gamma else bits.enum())


def _unpacked(body: bytes) -> bytes:
    """Brotli's; nothing where it is broken or too large."""
    try:
        out = bytearray(min(_MOST, 64 * len(body) + 4096))
        return bytes(imagecodecs.brotli_decode(body, out=out))
    except (imagecodecs.BrotliError, ValueError):
        return b""
