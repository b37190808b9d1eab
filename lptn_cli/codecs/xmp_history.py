"""What was done to a photo, said in its XMP where catalogue programs look (XMP part 2, 1.2.3 and 2.1)."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from .xml_places import Element, Splice, XmlError, appended, read, spliced
from .xmp import PACKET, RDF, about, descriptions, rdf_of
from .xmp_segments import is_part

_XMP, _MM = "http://ns.adobe.com/xap/1.0/", "http://ns.adobe.com/xap/1.0/mm/"
# An event may say when it was, and a packet when it was changed. Neither is said: the same photo and settings
# give the same bytes at any time, which resuming, comparing and caching build on.
_EVENT = (
    f'<rdf:li xmlns:rdf="{RDF}" xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#" '
    'stEvt:action="edited" stEvt:softwareAgent=%s/>'
).encode()
_HISTORY = f'<xmpMM:History xmlns:xmpMM="{_MM}"><rdf:Seq>%s</rdf:Seq></xmpMM:History>'.encode()
_TOOL = f' xmlns:xmp="{_XMP}" xmp:CreatorTool=%s'.encode()


def with_edit(packet: bytes | None, editor: str) -> bytes:
    """The packet with one more event in its history, by `editor`, who is the CreatorTool if none is named.

    A packet that cannot be read, or that lacks its extension, stays byte for byte.
    """
    printable = "".join(c if c.isprintable() else "\ufffd" for c in editor)  # a file's name may hold anything
    who = quoteattr(printable).encode("ascii", "xmlcharrefreplace")
    if packet is None:
        return PACKET % _description(b'""', _TOOL % who, _HISTORY % (_EVENT % who))
    try:
        root = read(packet)
    except XmlError:
        return packet
    rdf = rdf_of(root)
    if rdf is None or is_part(packet):
        return packet
    tool = b"" if _says(root, f"{_XMP}CreatorTool") else _TOOL % who
    if not _says(root, f"{_MM}History"):
        return spliced(
            packet, [appended(packet, rdf, _description(about(root), tool, _HISTORY % (_EVENT % who)))]
        )
    lists = [
        events
        for description in descriptions(root)
        for history in description.all(f"{_MM}History")
        for events in history.children
        if events.name in (f"{RDF}Seq", f"{RDF}Bag")
    ]
    if not lists:  # a history of another form, which is left to those who understand it
        return packet
    splices: list[Splice] = [appended(packet, lists[0], _EVENT % who)]
    if tool:
        splices.append(appended(packet, rdf, _description(about(root), tool, b"")))
    return spliced(packet, splices)


def _says(root: Element, name: str) -> bool:
    return any(d.attribute(name) or d.all(name) for d in descriptions(root))


def _description(subject: bytes, attributes: bytes, content: bytes) -> bytes:
    return b'<rdf:Description xmlns:rdf="%b" rdf:about=%b%b>%b</rdf:Description>' % (
        RDF.encode(),
        subject,
        attributes,
        content,
    )
