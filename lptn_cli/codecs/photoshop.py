"""Photoshop image resource blocks, where IPTC lives: in APP13 of a JPEG, tag 34377 of a TIFF.

Each resource is `8BIM`, a 16-bit number, a padded Pascal string, a 32-bit length and padded data.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

IPTC = 0x0404
THUMBNAILS = frozenset({0x0409, 0x040C})
HIDDEN_METADATA = frozenset({0x0422, 0x0423, 0x0424})  # EXIF 1, EXIF 3, XMP: a position may be in them


def wrap(iptc: bytes) -> bytes:
    """A block whose only resource is an IPTC record."""
    return b"8BIM" + struct.pack(">HHI", IPTC, 0, len(iptc)) + iptc + b"\x00" * (len(iptc) % 2)


def without(block: bytes, numbers: Iterable[int]) -> bytes | None:
    """The block without these resources; unchanged if it has none of them; None if it cannot be walked."""
    unwanted = frozenset(numbers)
    kept = []
    at = 0
    while at < len(block):
        if len(block) - at < 12 or block[at : at + 4] not in (b"8BIM", b"PHUT", b"DCSR", b"AgHg", b"MeSa"):
            if any(block[at:]):
                return None
            kept.append(block[at:])
            break
        number = struct.unpack_from(">H", block, at + 4)[0]
        data = at + 6 + (block[at + 6] + 2) // 2 * 2
        if data + 4 > len(block):
            return None
        length = struct.unpack_from(">I", block, data)[0]
        stop = data + 4 + length + length % 2
        if data + 4 + length > len(block):
            return None
        if number not in unwanted:
            kept.append(block[at:stop])
        at = stop
    return b"".join(kept)
