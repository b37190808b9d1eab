"""Photoshop image resource blocks, where IPTC lives: in APP13 of a JPEG, tag 34377 of a TIFF.

Each resource is `8BIM`, a 16-bit number, a padded Pascal string, a 32-bit length and padded data.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

IPTC = 0x0404
THUMBNAILS = frozenset({0x0409, 0x040C})
HIDDEN_METADATA = frozenset({0x0422, 0x0423, 0x0424})  # EXIF 1, EXIF 3, XMP: a position may be in them
_SIGNATURES = (b"8BIM", b"PHUT", b"DCSR", b"AgHg", b"MeSa")


@dataclass(frozen=True)
class _Resource:
    """One resource, `whole` with its header and padding; the number of what pads the block's end is -1."""

    number: int
    content: bytes
    whole: bytes


def wrap(iptc: bytes) -> bytes:
    """A block whose only resource is an IPTC record."""
    return b"8BIM" + struct.pack(">HHI", IPTC, 0, len(iptc)) + iptc + b"\x00" * (len(iptc) % 2)


def iptc_record(block: bytes) -> bytes | None:
    """The block's first IPTC record that is not empty, or None; one behind a broken place is not found."""
    try:
        return next((r.content for r in _resources(block) if r.number == IPTC and r.content), None)
    except ValueError:
        return None


def without(
    block: bytes, numbers: Iterable[int], telling: Callable[[bytes], bool] | None = None
) -> bytes | None:
    """The block without these resources, and without those whose content is telling; of an IPTC record only
    the telling datasets go.

    Unchanged if it has none of them; None if it cannot be walked.
    """
    unwanted = frozenset(numbers)
    try:
        kept = [r for r in _resources(block) if r.number not in unwanted]
    except ValueError:
        return None
    return b"".join(_told(r, telling) if telling and telling(r.content) else r.whole for r in kept)


def _told(resource: _Resource, telling: Callable[[bytes], bool]) -> bytes:
    """What may stay of a resource that is telling: the other datasets of an IPTC record."""
    if resource.number != IPTC:
        return b""
    try:
        record = b"".join(d for d in _datasets(resource.content) if not telling(d))
    except ValueError:
        return b""
    return wrap(record) if record and not telling(record) else b""


def _datasets(record: bytes) -> Iterator[bytes]:
    """Those of an IPTC record (IIM 4.2, 1.5), each whole; raises ValueError where it is broken."""
    at, end = 0, len(record.rstrip(b"\0"))  # zeros may pad it
    while at < end:
        if record[at] != 0x1C or at + 5 > len(record):
            raise ValueError("no dataset")
        length, data = int.from_bytes(record[at + 3 : at + 5]), at + 5
        if length & 0x8000:  # that many bytes tell the length
            data += length & 0x7FFF
            length = int.from_bytes(record[at + 5 : data])
        if data + length > len(record):
            raise ValueError("a dataset leads outside the record")
        yield record[at : data + length]
        at = data + length


def _resources(block: bytes) -> Iterator[_Resource]:
    """In order; raises ValueError where the block is broken."""
    at = 0
    while at < len(block):
        if len(block) - at < 12 or block[at : at + 4] not in _SIGNATURES:
            if any(block[at:]):
                raise ValueError("no resource")
            yield _Resource(-1, b"", block[at:])
            return
        number = struct.unpack_from(">H", block, at + 4)[0]
        data = at + 6 + (block[at + 6] + 2) // 2 * 2
        if data + 4 > len(block):
            raise ValueError("a name leads outside the block")
        start, length = data + 4, struct.unpack_from(">I", block, data)[0]
        if start + length > len(block):
            raise ValueError("a resource leads outside the block")
        stop = start + length + length % 2
        yield _Resource(number, block[start : start + length], block[at:stop])
        at = stop
