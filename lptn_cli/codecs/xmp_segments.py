"""An XMP packet in the APP1 segments of a JPEG, which hold 64 KB each (XMP specification part 3, 1.1.3.1)."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Sequence

from .xml_places import Element, XmlError, appended, read, spliced
from .xmp import PACKET, RDF, WRAPPED, about, descriptions, rdf_of

PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"
EXTENSION_PREFIX = b"http://ns.adobe.com/xmp/extension/\x00"
_MOST = 65502  # a JPEG segment's 65533 bytes less PREFIX
_PIECE = 65000
_HAS_EXTENDED = re.compile(rb"\s+xmpNote:HasExtendedXMP\s*=\s*[\"']([0-9A-Fa-f]{32})[\"']")
_HAS_EXTENDED_ELEMENT = re.compile(
    rb"<xmpNote:HasExtendedXMP>\s*([0-9A-Fa-f]{32})\s*</xmpNote:HasExtendedXMP>"
)
_RDF = re.compile(rb"<rdf:RDF(?:\s[^<>]*)?>(.*)</rdf:RDF\s*>", re.DOTALL)
_NOTE = (
    b'<rdf:Description rdf:about=%s xmlns:rdf="' + RDF.encode() + b'" '
    b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="%s"/>'
)
_OUR_NOTE = re.compile(re.escape(_NOTE).replace(b"%s", b"[^<>]*?"))


def merged(main: bytes, extensions: Sequence[bytes]) -> bytes:
    """One packet of a JPEG's main one and the bodies of its extension segments (after EXTENSION_PREFIX).

    The main packet alone if the extension is missing, incomplete or written in a way that cannot be merged.
    """
    note = _HAS_EXTENDED.search(main) or _HAS_EXTENDED_ELEMENT.search(main)
    extended = _assembled(note.group(1), extensions) if note else None
    content = _RDF.search(extended) if extended else None
    end = main.rfind(b"</rdf:RDF")
    if note is None or content is None or end < 0:
        return main
    whole = main[:end] + content.group(1) + main[end:]
    start, stop = (_OUR_NOTE.search(main) or note).span()
    return whole[:start] + whole[stop:]


def is_part(packet: bytes) -> bool:
    """Whether it says that an extension belongs to it, which `merged` did not find."""
    return b"HasExtendedXMP" in packet


def _assembled(guid: bytes, extensions: Sequence[bytes]) -> bytes | None:
    """The extension of that digest, complete and in order, or None."""
    pieces: dict[int, bytes] = {}
    length = 0
    for body in extensions:
        if len(body) > 40 and body[:32].upper() == guid.upper():
            length, offset = struct.unpack_from(">II", body, 32)
            pieces[offset] = body[40:]
    whole = b"".join(pieces[offset] for offset in sorted(pieces))
    return whole if whole and len(whole) == length else None


def segments(packet: bytes) -> list[bytes]:
    """Bodies of the APP1 segments that hold the packet: one, or the main one and the extension's pieces."""
    if len(packet) <= _MOST:
        return [PREFIX + packet]
    main, extended = _split(packet)
    bodies = [PREFIX + main]
    for offset in range(0, len(extended), _PIECE):
        place = struct.pack(">II", len(extended), offset)
        bodies.append(EXTENSION_PREFIX + _digest(extended) + place + extended[offset : offset + _PIECE])
    return bodies


def _split(packet: bytes) -> tuple[bytes, bytes]:
    """(main packet, extension): the largest properties move, as many programs read the main packet alone.

    Everything moves if the packet cannot be read or what may move is not enough.
    """
    try:
        root = read(packet)
    except XmlError:
        return _all_moved(packet)
    rdf, subject = rdf_of(root), about(root)
    largest = sorted(
        (one for owner in descriptions(root) for one in owner.children),
        key=lambda one: one.start - one.stop,
    )
    excess = len(packet) + len(_NOTE) + len(subject) + 32 - _MOST
    moved: list[Element] = []
    while excess > 0 and len(moved) < len(largest):
        moved.append(largest[len(moved)])
        excess -= moved[-1].stop - moved[-1].start
    if rdf is None or excess > 0:
        return _all_moved(packet)
    moved.sort(key=lambda one: one.start)
    extended = WRAPPED % b"".join(_alone(packet, subject, one) for one in moved)
    note = appended(packet, rdf, _NOTE % (subject, _digest(extended)))
    return spliced(packet, [note, *((one.start, one.stop, b"") for one in moved)]), extended


def _alone(packet: bytes, subject: bytes, one: Element) -> bytes:
    """A property in a description of its own, with every prefix that it may use."""
    declared = b"".join(
        b' xmlns:%b="%b"' % pair for pair in one.scope.items() if pair[0] not in (b"", b"xml")
    )
    inner = packet[one.start : one.stop]
    return b"<rdf:Description rdf:about=%b%b>%b</rdf:Description>" % (subject, declared, inner)


def _all_moved(packet: bytes) -> tuple[bytes, bytes]:
    start, stop = packet.find(b"<x:xmpmeta"), packet.rfind(b"</x:xmpmeta>")
    extended = packet[start : stop + 12] if 0 <= start < stop else packet
    return PACKET % (_NOTE % (b'""', _digest(extended))), extended


def _digest(extended: bytes) -> bytes:
    return hashlib.md5(extended, usedforsecurity=False).hexdigest().upper().encode()
