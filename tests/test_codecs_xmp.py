"""XMP changed by splices: the history that grows, what has gone stale, packets over 64 KB, odd packets."""

from __future__ import annotations

from xml.dom import minidom

import numpy as np
import pytest

from lptn_cli import codecs
from lptn_cli.codecs import xmp, xmp_segments
from lptn_cli.codecs.formats import Format
from lptn_cli.codecs.image import EncodeOptions, Metadata
from lptn_cli.codecs.xml_places import XmlError, read
from lptn_cli.codecs.xmp_history import with_edit

from . import codec_samples as samples

EDITOR = "lptn 9.9 (preset dusk, strength 1)"
OTHER_PREFIXES = (
    b"\xef\xbb\xbf<?xpacket begin='\xef\xbb\xbf' id='W5M0MpCehiHzreSzNTczkc9d'?>\n<!-- by hand -->\n"
    b"<m:xmpmeta xmlns:m='adobe:ns:meta/'><R:RDF xmlns:R='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\n"
    b" <R:Description R:about='uuid:1' xmlns:xap='http://ns.adobe.com/xap/1.0/' xap:CreatorTool = 'a > b'\n"
    b"   xmlns:mm='http://ns.adobe.com/xap/1.0/mm/'>%s</R:Description>\n"
    b"</R:RDF></m:xmpmeta>\n" + b" " * 300 + b"<?xpacket end='w'?>\n\x20"
)
HISTORIES = [
    b"<mm:History><R:Seq><R:li R:parseType='Resource'>one</R:li></R:Seq></mm:History>",
    b"<mm:History>\n<R:Seq/></mm:History>",
    b"<mm:History><R:Seq></R:Seq ></mm:History><mm:DocumentID>&amp;\xc3\xa4</mm:DocumentID>",
    b"",
]


def agents(packet: bytes) -> list[str]:
    document = minidom.parseString(packet[: packet.rindex(b">") + 1])
    return [node.getAttribute("stEvt:softwareAgent") for node in document.getElementsByTagName("rdf:li")]


def removed(longer: bytes, shorter: bytes) -> bool:
    """Whether the shorter is the longer less one run of bytes."""
    start = next(i for i in range(len(shorter) + 1) if i == len(shorter) or longer[i] != shorter[i])
    return longer[start + len(longer) - len(shorter) :] == shorter[start:]


@pytest.mark.parametrize("history", HISTORIES)
def test_the_history_grows_and_nothing_else_changes(history: bytes) -> None:
    packet = OTHER_PREFIXES % history
    after = with_edit(packet, EDITOR)
    assert agents(after) == [EDITOR]
    assert agents(with_edit(after, "another")) == [EDITOR, "another"]
    assert after.count(b"CreatorTool") == 1 and after.count(b"History") in (2, history.count(b"History"))
    assert removed(after.replace(b"<R:Seq>", b"<R:Seq/>").replace(b"</R:Seq>", b""), packet) or removed(
        after, packet
    )
    if not history:
        assert b"about='uuid:1'" in after[after.index(b"</R:Description>") :]


def test_a_nul_after_the_packet_as_macos_writes_it_is_no_hindrance() -> None:
    packet = samples.xmp_packet() + b"\x00"
    after = with_edit(packet, EDITOR)
    assert agents(after) == [EDITOR] and after.endswith(b"\x00")
    assert xmp.without_gps(packet) == samples.xmp_packet(gps=False) + b"\x00"


def test_the_tool_is_named_where_none_is() -> None:
    named = with_edit(samples.xmp_packet(), EDITOR)
    assert b'xmp:CreatorTool="' + EDITOR.encode() in named and agents(named) == [EDITOR]
    element = samples.xmp_packet().replace(
        b"<photoshop:Instructions>", b"<xmp:CreatorTool>Darkroom</xmp:CreatorTool><photoshop:Instructions>"
    )
    assert with_edit(element, EDITOR).count(b"CreatorTool") == 2


def test_a_packet_is_made_where_there_is_none() -> None:
    made = with_edit(None, 'a "look" of <Zoë> \x07')
    assert agents(made) == ['a "look" of <Zoë> \ufffd']
    assert made == with_edit(None, 'a "look" of <Zoë> \x07')


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"no XML",
        samples.xmp_packet()[:-80],
        samples.xmp_packet().decode().encode("utf-16"),
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + samples.xmp_packet()[60:],
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
        samples.xmp_packet().replace(b'xmp:Rating="4"', b'xmpNote:HasExtendedXMP="00"'),
        OTHER_PREFIXES % b"<mm:History R:parseType='Literal'>x</mm:History>",
        OTHER_PREFIXES % b"\xff\xfe",
    ],
)
def test_a_packet_that_cannot_be_understood_stays_byte_for_byte(packet: bytes) -> None:
    assert with_edit(packet, EDITOR) == packet
    assert xmp.without_stale(packet) == packet


def test_entities_are_never_expanded() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><a>&b;</a>'
    with pytest.raises(XmlError, match="document type"):
        read(bomb)


def test_random_damage_gives_the_packet_back_or_one_that_can_be_read() -> None:
    rng = np.random.default_rng(6)
    whole = OTHER_PREFIXES % HISTORIES[0]
    for _ in range(1500):
        packet = bytearray(whole)
        for _ in range(rng.integers(1, 5)):
            packet[rng.integers(len(packet))] = rng.choice(list(b"<>/ '\"=:&;ax\x00\xff"))
        after = with_edit(bytes(packet), EDITOR)
        if after != packet:
            assert EDITOR.encode() in after
            read(after)
        xmp.without_gps(bytes(packet))
        xmp.without_stale(bytes(packet))


GAIN_MAP = (
    b"<R:li xmlns:Container='http://ns.google.com/photos/1.0/container/'/><Container:Directory"
    b" xmlns:Container='http://ns.google.com/photos/1.0/container/'"
    b" xmlns:Item='http://ns.google.com/photos/1.0/container/item/'><R:Seq><R:li R:parseType='Resource'>"
    b"<Container:Item Item:Semantic='GainMap' Item:Length='99'/></R:li></R:Seq></Container:Directory>"
)


def test_word_of_gain_maps_videos_and_old_previews_goes() -> None:
    packet = OTHER_PREFIXES % (
        b"<mm:DocumentID>1</mm:DocumentID>" + GAIN_MAP + b"<xap:Thumbnails>old</xap:Thumbnails>"
    )
    packet = packet.replace(
        b" xmlns:mm",
        b" xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/' hdrgm:Version='1.0'"
        b" xmlns:g='http://ns.google.com/photos/1.0/camera/' g:MotionPhoto='1' g:BurstID='b' xmlns:mm",
    )
    after = xmp.without_stale(packet)
    read(after)
    for gone in (b"hdrgm", b"GainMap", b"Container:", b"MotionPhoto", b"Thumbnails"):
        assert gone in packet and gone not in after
    assert b"g:BurstID='b'" in after and b"<mm:DocumentID>1</mm:DocumentID>" in after


@pytest.mark.parametrize("format", samples.FORMATS)
def test_every_format_carries_the_history_and_none_carries_nothing(format: Format) -> None:
    for metadata in (Metadata(), Metadata(xmp=samples.xmp_packet()), Metadata(comments=(b"c",))):
        image = samples.image(metadata)
        image = codecs.decode(codecs.encode(image, EncodeOptions(format)))
        options = EncodeOptions(format, editor=EDITOR)
        data = codecs.encode(image, options)
        packet = codecs.decode(data).metadata.xmp
        assert packet is not None and agents(packet) == [EDITOR]
        assert codecs.encode(image, options) == data
        bare = codecs.encode(image, EncodeOptions(format, editor=EDITOR, metadata="none"))
        assert EDITOR.encode() not in bare
        assert codecs.encode(image, EncodeOptions(format)).count(b"softwareAgent") == 0


def large(size: int = 200_000) -> bytes:
    return OTHER_PREFIXES % (HISTORIES[0] + b"<xap:Label>%b</xap:Label>" % (b"abcdefg " * (size // 8)))


def test_of_a_large_packet_all_that_fits_stays_where_every_program_looks() -> None:
    bodies = xmp_segments.segments(large())
    main = bodies[0][len(xmp_segments.PREFIX) :]
    assert len(bodies) > 3 and all(len(body) <= 65533 for body in bodies)
    assert b"xap:CreatorTool" in main and b"mm:History" in main and b"xap:Label" not in main
    read(main)
    whole = xmp_segments.merged(main, [b[len(xmp_segments.EXTENSION_PREFIX) :] for b in bodies[1:]])
    read(whole)
    assert not xmp_segments.is_part(whole) and b"<xap:Label>" + b"abcdefg " * 25_000 in whole
    assert whole.startswith(large()[:200])
    assert xmp_segments.segments(with_edit(whole, EDITOR))[0].count(EDITOR.encode()) == 1


def test_a_large_packet_of_a_jpeg_gets_its_history_too() -> None:
    first = codecs.decode(samples.file("jpeg", Metadata(xmp=large())))
    second = codecs.decode(codecs.encode(first, EncodeOptions("jpeg", editor=EDITOR)))
    assert second.metadata.xmp is not None and agents(second.metadata.xmp) == [EDITOR]
    third = codecs.decode(codecs.encode(second, EncodeOptions("jpeg", editor=EDITOR)))
    assert third.metadata.xmp is not None and agents(third.metadata.xmp) == [EDITOR] * 2
    assert b"abcdefg " * 25_000 in third.metadata.xmp
    assert len(third.metadata.xmp) < len(large()) + 2000


def test_large_packets_that_cannot_be_split_move_whole() -> None:
    for packet in (b"not XML " * 20_000, large().replace(b"</xap:Label>", b"")):
        main, *rest = xmp_segments.segments(packet)
        read(main[len(xmp_segments.PREFIX) :])
        assert b"".join(body[len(xmp_segments.EXTENSION_PREFIX) + 40 :] for body in rest) in packet
