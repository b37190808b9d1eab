"""XMP packets: the position taken out, and what has gone stale.

Packets are text that other programs own: what is changed is spliced, the rest stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .xml_places import Element, Splice, XmlError, read, spliced

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
WRAPPED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="' + RDF.encode() + b'">%s</rdf:RDF></x:xmpmeta>'
)
PACKET = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>' + WRAPPED + b'<?xpacket end="w"?>'
# ISOSpeedLatitude is another one; Flickr writes `geo:lat=48.1` as a keyword.
_REMAINS = re.compile(rb"gps(?!\w{0,20}stamp)|(?<!speed)latitude|longitude|\bgeo:(lat|lon)", re.IGNORECASE)
_POSITION = re.compile(r"gps|(?<!speed)latitude|longitude|wgs84_pos#", re.IGNORECASE)
# They announce pictures and videos after the first picture, which are not written again, or show the old one.
_STALE_NAMESPACES = (
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
    "http://ns.google.com/photos/1.0/container/",
)
_ORIENTATION = "http://ns.adobe.com/tiff/1.0/Orientation"
_CAMERA_RAW = "http://ns.adobe.com/camera-raw-settings/1.0/"
_STALE = (
    *_STALE_NAMESPACES,
    "http://ns.adobe.com/xap/1.0/Thumbnails",
    "http://ns.google.com/photos/1.0/camera/MotionPhoto",
    "http://ns.google.com/photos/1.0/camera/MicroVideo",
)


def without_gps(packet: bytes) -> bytes | None:
    """The packet without what is named after a position, and without properties whose text speaks of one, or
    those items of them that do.

    None if it cannot be read, or may still tell the position.
    """
    try:
        packet = _cut(packet, lambda name, value: bool(_POSITION.search(name)) or may_tell_position(value))
        if may_tell_position(packet):
            packet = _without_telling(packet, [f"{RDF}li"])
            packet = _without_telling(packet, [])
    except XmlError:
        return None
    return None if may_tell_position(packet) else packet


def _without_telling(packet: bytes, names: Sequence[str]) -> bytes:
    """Without the properties that tell the position; with names, without such elements of them alone."""
    properties = [p for d in descriptions(read(packet)) for p in d.children]
    parts = [part for p in properties for part in p.walk() if part.name in names] if names else properties
    cuts: list[Splice] = []
    for part in parts:
        within = bool(cuts) and part.start < cuts[-1][1]
        if not within and may_tell_position(packet[part.start : part.stop]):
            cuts.append((part.start, part.stop, b""))
    return spliced(packet, cuts)


def may_tell_position(text: bytes) -> bool:
    """Whether any text, not only a packet, speaks of GPS, latitude or longitude; also one in UTF-16."""
    return bool(_REMAINS.search(text.replace(b"\x00", b"")))


def without_stale(packet: bytes) -> bytes:
    """The packet without previews of the picture as it was, and without word of gain maps and videos.

    One that cannot be read stays as it is.
    """
    try:
        return _cut(
            packet, lambda name, value: name.startswith(_STALE) or value[1:-1].decode() in _STALE_NAMESPACES
        )
    except XmlError:
        return packet


def without_orientation(packet: bytes) -> bytes:
    """The packet without tiff:Orientation, for a picture that was turned. One that cannot be read stays."""
    try:
        return _cut(packet, lambda name, _: name == _ORIENTATION)
    except XmlError:
        return packet


def without_develop_settings(packet: bytes) -> bytes | None:
    """The packet of a RAW without Camera Raw's settings, which programs would apply to the result once more.

    None if it cannot be read.
    """
    try:
        return _cut(packet, lambda name, _: name.startswith(_CAMERA_RAW))
    except XmlError:
        return None


def _cut(packet: bytes, unwanted: Callable[[str, bytes], bool]) -> bytes:
    """Without elements and attributes of which `unwanted` says so: by name, and by value in its quotes."""
    cuts: list[Splice] = []
    for element in read(packet).walk():
        if unwanted(element.name, b""):
            cuts.append((element.start, element.stop, b""))
        cuts += [(a.start, a.stop, b"") for a in element.attributes if unwanted(a.name, a.value)]
    return spliced(packet, cuts)


def rdf_of(root: Element) -> Element | None:
    return next((element for element in root.walk() if element.name == f"{RDF}RDF"), None)


def descriptions(root: Element) -> list[Element]:
    """What holds a packet's properties, as attributes and as children."""
    rdf = rdf_of(root)
    return rdf.all(f"{RDF}Description") if rdf else []


def about(root: Element) -> bytes:
    """What the packet describes, in quotes, which all its descriptions must say alike (XMP part 1, 7.4)."""
    found = (d.attribute(f"{RDF}about") or d.attribute("about") for d in descriptions(root))
    return next((a.value for a in found if a), b'""')
