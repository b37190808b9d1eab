"""An XMP packet in the APP1 segments of a JPEG, which hold 64 KB each (XMP specification part 3, 1.1.3.1)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from .xml_places import Element, Splice, XmlError, appended, read, spliced
from .xmp import PACKET, RDF, WRAPPED, about, descriptions, rdf_of

PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"
EXTENSION_PREFIX = b"http://ns.adobe.com/xmp/extension/\x00"
_MOST = 65502  # a JPEG segment's 65533 bytes less PREFIX
_PIECE = 65000
_HAS_EXTENDED = "http://ns.adobe.com/xmp/note/HasExtendedXMP"
_NOTE = (
    b'<rdf:Description rdf:about=%s xmlns:rdf="' + RDF.encode() + b'" '
    b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="%s"/>'
)


def merged(main: bytes, extensions: Sequence[bytes]) -> bytes:
    """One packet of a JPEG's main one and the bodies of its extension segments (after EXTENSION_PREFIX).

    The main packet alone if the extension is missing or incomplete, or either cannot be read.
    """
    if not extensions:
        return main
    try:
        root = read(main)
        note, guid = _note(main, root)
        extended = _assembled(guid, extensions)
        content = b"".join(_whole(extended, one) for one in descriptions(read(extended)))
    except XmlError:
        return main
    rdf = rdf_of(root)
    return spliced(main, [note, appended(main, rdf, content)]) if rdf else main


def _note(main: bytes, root: Element) -> tuple[Splice, bytes]:
    """What cuts the word of an extension out of the main packet, and the extension's digest."""
    for owner in descriptions(root):
        attribute, elements = owner.attribute(_HAS_EXTENDED), owner.all(_HAS_EXTENDED)
        rest = [a for a in owner.attributes if not a.name.startswith(("xmlns", RDF, _HAS_EXTENDED))]
        if attribute:
            alone = not rest and not owner.children
            cut = owner if alone else attribute
            return (cut.start, cut.stop, b""), attribute.value[1:-1]
        for one in elements:
            return (one.start, one.stop, b""), main[one.inside : one.stop].partition(b"<")[0].strip()
    raise XmlError("no word of an extension")


def _whole(extended: bytes, one: Element) -> bytes:
    """A description with the prefixes that were declared round it."""
    own = {a.name.encode() for a in one.attributes}
    outer = {prefix: uri for prefix, uri in one.scope.items() if b"xmlns:" + prefix not in own}
    at = one.start + 1 + len(one.tag)
    return extended[one.start : at] + _declared(outer) + extended[at : one.stop]


def is_part(packet: bytes) -> bool:
    """Whether it says that an extension belongs to it, which `merged` did not find."""
    return b"HasExtendedXMP" in packet


def _assembled(guid: bytes, extensions: Sequence[bytes]) -> bytes:
    """The extension of that digest, in order. Raises XmlError if it is not complete."""
    pieces: dict[int, bytes] = {}
    length = 0
    for body in extensions:
        if len(body) > 40 and body[:32].upper() == guid.upper():
            length, offset = struct.unpack_from(">II", body, 32)
            pieces[offset] = body[40:]
    whole = b"".join(pieces[offset] for offset in sorted(pieces))
    if not whole or len(whole) != length:
        raise XmlError("an incomplete extension")
    return whole


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
    """A property in a description of its own."""
    inner = packet[one.start : one.stop]
    return b'<rdf:Description xmlns:rdf="%b" rdf:about=%b%b>%b</rdf:Description>' % (
        RDF.encode(),
        subject,
        _declared({prefix: uri for prefix, uri in one.scope.items() if prefix != b"rdf"}),
        inner,
    )


def _declared(scope: dict[bytes, bytes]) -> bytes:
    return b"".join(b' xmlns:%b="%b"' % pair for pair in scope.items() if pair[0] not in (b"", b"xml"))


def _all_moved(packet: bytes) -> tuple[bytes, bytes]:
    start, stop = packet.find(b"<x:xmpmeta"), packet.rfind(b"</x:xmpmeta>")
    extended = packet[start : stop + 12] if 0 <= start < stop else packet
    return PACKET % (_NOTE % (b'""', _digest(extended))), extended


def _digest(extended: bytes) -> bytes:
    return hashlib.md5(extended, usedforsecurity=False).hexdigest().upper().encode()
