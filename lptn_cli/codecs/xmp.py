"""XMP packets: the position taken out, and packets over 64 KB for JPEG (XMP specification part 3, 1.1.3.1).

Packets are text that other programs own, so they are edited as text and stay the same apart from what goes.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Sequence

PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"
EXTENSION_PREFIX = b"http://ns.adobe.com/xmp/extension/\x00"
_MOST = 65502  # a JPEG segment's 65533 bytes less PREFIX
_PIECE = 65000
_NAME = rb"[\w.-]+:[\w.-]*GPS[\w.-]*"
_GPS_ATTRIBUTE = re.compile(rb"\s+" + _NAME + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_GPS_EMPTY = re.compile(rb"<" + _NAME + rb"(?:\s[^<>]*)?/>", re.IGNORECASE)
_GPS_ELEMENT = re.compile(rb"<(" + _NAME + rb")(?:\s[^<>]*)?>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_REMAINS = re.compile(rb"gps(?!\w*stamp)|latitude|longitude", re.IGNORECASE)
_THUMBNAILS = re.compile(rb"<xmp:Thumbnails(?:\s[^<>]*)?>.*?</xmp:Thumbnails\s*>", re.DOTALL)
_DEVELOP_ATTRIBUTE = re.compile(rb"\s+crs:[\w.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_DEVELOP_EMPTY = re.compile(rb"<crs:[\w.-]+(?:\s[^<>]*)?/>")
_DEVELOP_ELEMENT = re.compile(rb"<(crs:[\w.-]+)(?:\s[^<>]*)?>.*?</\1\s*>", re.DOTALL)
_HAS_EXTENDED = re.compile(rb"\s+xmpNote:HasExtendedXMP\s*=\s*[\"']([0-9A-Fa-f]{32})[\"']")
_HAS_EXTENDED_ELEMENT = re.compile(
    rb"<xmpNote:HasExtendedXMP>\s*([0-9A-Fa-f]{32})\s*</xmpNote:HasExtendedXMP>"
)
_RDF = re.compile(rb"<rdf:RDF(?:\s[^<>]*)?>(.*)</rdf:RDF\s*>", re.DOTALL)
_POINTER = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="%s"/></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)


def without_gps(packet: bytes) -> bytes | None:
    """The packet without attributes and elements named GPS*; None if it may still tell the position."""
    if b"\x00" in packet:  # UTF-16 or UTF-32, which the patterns do not see through
        return None
    for pattern in (_GPS_ATTRIBUTE, _GPS_EMPTY, _GPS_ELEMENT):
        packet = pattern.sub(b"", packet)
    return None if may_tell_position(packet) else packet


def without_develop_settings(packet: bytes) -> bytes | None:
    """The packet of a RAW without Camera Raw's settings, which programs would apply to the result once more.

    None if some may be left.
    """
    for pattern in (_DEVELOP_ATTRIBUTE, _DEVELOP_EMPTY, _DEVELOP_ELEMENT):
        packet = pattern.sub(b"", packet)
    return None if b"crs:" in packet or b"\x00" in packet else packet


def may_tell_position(text: bytes) -> bool:
    """Whether any text, not only a packet, speaks of GPS, latitude or longitude; also one in UTF-16."""
    return bool(_REMAINS.search(text.replace(b"\x00", b"")))


def without_thumbnails(packet: bytes) -> bytes:
    """The packet without its previews of the picture as it was before."""
    return _THUMBNAILS.sub(b"", packet)


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
    return whole[: note.start()] + whole[note.end() :]


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
    """Bodies of the APP1 segments that hold the packet: one, or a pointer and the extension's pieces."""
    if len(packet) <= _MOST:
        return [PREFIX + packet]
    start, stop = packet.find(b"<x:xmpmeta"), packet.rfind(b"</x:xmpmeta>")
    extended = packet[start : stop + 12] if 0 <= start < stop else packet
    guid = hashlib.md5(extended, usedforsecurity=False).hexdigest().upper().encode()
    bodies = [PREFIX + _POINTER % guid]
    for offset in range(0, len(extended), _PIECE):
        place = struct.pack(">II", len(extended), offset)
        bodies.append(EXTENSION_PREFIX + guid + place + extended[offset : offset + _PIECE])
    return bodies
