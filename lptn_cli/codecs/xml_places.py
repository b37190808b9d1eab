"""Where the elements and attributes of an XML text lie, so that it can be changed there and nowhere else.

The text is read by expat, which also says whether it is well-formed; the changes are splices of bytes. What
is not changed stays byte for byte: prefixes, quotes, comments, white space, the wrapper of an XMP packet.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

Splice = tuple[int, int, bytes]  # what replaces the bytes from start to stop

_ATTRIBUTE = re.compile(rb"\s+([^\s=/>]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_XMLNS = b"xmlns"
_DEEPEST = 200  # elements in one another; XMP has about ten


class XmlError(ValueError):
    """Not well-formed, not in UTF-8, nested too deep, or with a document type, whose entities may grow."""


@dataclass(frozen=True)
class Attribute:
    """One attribute at start..stop, the white space before it included; `value` has its quotes."""

    name: str
    value: bytes
    start: int
    stop: int


@dataclass
class Element:
    """One element at start..stop, start tag start..inside. A name is the namespace's URI with the rest."""

    name: str
    tag: bytes  # its name as written, with its prefix
    start: int
    inside: int
    attributes: list[Attribute]
    scope: ChainMap[bytes, bytes] = field(repr=False)  # prefix -> URI
    stop: int = 0
    children: list[Element] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        """The element and all below it, in order."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting += reversed(element.children)

    def all(self, name: str) -> list[Element]:
        return [child for child in self.children if child.name == name]

    def attribute(self, name: str) -> Attribute | None:
        return next((a for a in self.attributes if a.name == name), None)


def read(text: bytes) -> Element:
    """The root of a text in UTF-8. Raises XmlError."""
    text = text[: text.rfind(b">") + 1]  # a NUL may follow, as macOS writes it
    if b"\x00" in text:
        raise XmlError("not in UTF-8")
    parser = expat.ParserCreate("UTF-8")
    top = Element("", b"", 0, 0, [], ChainMap({b"xml": b"xml:", b"": b""}))
    parents = [top]

    def begin(_name: str, _attributes: object) -> None:
        if len(parents) > _DEEPEST:
            raise XmlError("its elements are nested too deep")
        element = _begun(text, parser.CurrentByteIndex, parents[-1].scope)
        parents[-1].children.append(element)
        parents.append(element)

    def end(_name: str) -> None:
        element = parents.pop()
        closed = text[element.inside - 2 : element.inside] == b"/>"
        element.stop = element.inside if closed else text.index(b">", parser.CurrentByteIndex) + 1

    def refuse(*_declaration: object) -> None:
        raise XmlError("it has a document type")

    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise XmlError(str(error)) from None
    return top.children[0]


def _begun(text: bytes, start: int, outer: ChainMap[bytes, bytes]) -> Element:
    """The element whose start tag begins there."""
    at = start + 1
    while text[at : at + 1] not in (b" ", b"\t", b"\r", b"\n", b"/", b">"):
        at += 1
    tag = text[start + 1 : at]
    found: list[tuple[bytes, bytes, int, int]] = []
    while match := _ATTRIBUTE.match(text, at):
        found.append((match[1], match[2], match.start(), match.end()))
        at = match.end()
    declared = {
        name[6:]: value[1:-1] for name, value, *_ in found if name == _XMLNS or name.startswith(b"xmlns:")
    }
    scope = outer.new_child(declared) if declared else outer
    attributes = [
        Attribute(_resolved(name, scope) if b":" in name else name.decode(), value, begun, ended)
        for name, value, begun, ended in found
    ]
    return Element(_resolved(tag, scope), tag, start, text.index(b">", at) + 1, attributes, scope)


def _resolved(name: bytes, scope: ChainMap[bytes, bytes]) -> str:
    prefix, _, local = name.rpartition(b":")
    if prefix == _XMLNS:
        return name.decode()
    return (scope.get(prefix, prefix + b":") + local).decode()


def appended(text: bytes, element: Element, content: bytes) -> Splice:
    """What puts `content` last into an element, which may be an empty tag."""
    if element.stop == element.inside:  # <a/>
        return element.inside - 2, element.inside, b">" + content + b"</" + element.tag + b">"
    end = text.rindex(b"</", element.inside, element.stop)
    return end, end, content


def spliced(text: bytes, splices: Iterable[Splice]) -> bytes:
    """The text with all of them, none of which may overlap another but one that lies inside."""
    pieces, at = [], 0
    for start, stop, new in sorted(splices):
        if start >= at:
            pieces += [text[at:start], new]
            at = stop
    return b"".join([*pieces, text[at:]])
