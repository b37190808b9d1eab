"""The boxes that AVIF, HEIC, JPEG XL and CR3 are made of (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

Box = tuple[bytes, bytes]  # type and content


class BoxError(ValueError):
    """The boxes lead nowhere."""


def boxes(data: bytes) -> Iterator[Box]:
    """Each box in turn; of `mdat`, which is large and reached by offsets, no content. Raises BoxError."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        elif size == 0:
            size = len(data) - at
        if size < head or at + size > len(data):
            raise BoxError("a box leads outside the file")
        yield kind, data[at + head : at + size] if kind != b"mdat" else b""
        at += size
