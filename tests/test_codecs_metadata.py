"""EXIF changed in place, XMP without a position, Photoshop resources; exiftool as a second opinion."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lptn_cli import codecs
from lptn_cli.codecs import exif, photoshop, xmp
from lptn_cli.codecs.exif_gps import without_gps
from lptn_cli.codecs.formats import Format
from lptn_cli.codecs.icc import profile_of
from lptn_cli.codecs.ifd import EXIF_IFD, GPS_IFD, INTEROP_IFD, Field, Order, pack
from lptn_cli.codecs.image import EncodeOptions, Image, Metadata, MetadataPolicy
from lptn_cli.codecs.metadata import left_out

from . import codec_samples as samples

ORDERS = pytest.mark.parametrize("order", ["<", ">"])


@ORDERS
def test_thumbnail_goes_and_nothing_before_it_moves(order: Order) -> None:
    block = samples.exif_block(order=order)
    plain = samples.exif_block(order=order, thumb=False)
    cleaned = exif.without_thumbnail(block)
    assert cleaned.rstrip(b"\x00") == plain.rstrip(b"\x00")
    assert len(cleaned) <= len(plain) + 1
    assert exif.without_thumbnail(cleaned) == cleaned


@ORDERS
def test_thumbnail_before_other_data_is_zeroed_in_place(order: Order) -> None:
    block = samples.exif_block(order=order, tail=b"a maker note's far data")
    cleaned = exif.without_thumbnail(block)
    assert len(cleaned) == len(block) and cleaned.endswith(b"a maker note's far data")
    assert samples.thumbnail() not in cleaned


def test_thumbnail_that_overlaps_other_data_is_left_alone() -> None:
    block = bytearray(samples.exif_block(order=">"))
    at = block.index(struct.pack(">HHI", 0x0201, 4, 1)) + 8
    struct.pack_into(">I", block, at, 8)  # it claims to start where the first directory is
    cleaned = exif.without_thumbnail(bytes(block))
    assert b"Lucida" in cleaned and samples.MAKER_NOTE in cleaned


@ORDERS
def test_gps_goes_and_nothing_else_moves(order: Order) -> None:
    block = samples.exif_block(order=order, thumb=False)
    cleaned = without_gps(block)
    assert cleaned is not None and len(cleaned) == len(block)
    assert samples.GPS_WORDS not in cleaned
    assert cleaned.index(samples.MAKER_NOTE) == block.index(samples.MAKER_NOTE)
    assert exif.orientation(cleaned) == 6
    assert without_gps(cleaned) == cleaned


def test_gps_in_a_broken_block_takes_the_block_with_it() -> None:
    block = samples.exif_block(order=">", thumb=False)
    at = block.index(struct.pack(">HHI", 0x8825, 4, 1)) + 8
    for target in (0, 9, len(block) - 3, 0xFFFFFFF0):
        assert without_gps(block[:at] + struct.pack(">I", target) + block[at + 4 :]) is None
    assert without_gps(b"no EXIF at all") is None
    assert without_gps(block[:60]) is None


@ORDERS
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_set_with_and_without_an_entry_for_it(order: Order, value: int) -> None:
    for before in (samples.exif_block(6, order=order), samples.exif_block(None, order=order)):
        after = exif.with_orientation(before, value)
        assert exif.orientation(after) == value
        assert after is not None and after[8:].count(samples.MAKER_NOTE) == 1
        assert after.index(samples.MAKER_NOTE) == before.index(samples.MAKER_NOTE)
    assert exif.with_orientation(None, value) == (None if value == 1 else exif.minimal(value))


def test_random_blocks_never_fail() -> None:
    rng = np.random.default_rng(5)
    whole = samples.exif_block()
    for _ in range(1500):
        block = bytearray(whole)
        for _ in range(rng.integers(1, 8)):
            block[rng.integers(0, 330)] = rng.integers(256)
        data = bytes(block[: rng.integers(1, len(block))] if rng.random() < 0.2 else block)
        assert 1 <= exif.orientation(data) <= 8
        assert len(exif.without_thumbnail(data)) <= len(data)
        exif.with_orientation(data, 5)
        cleaned = without_gps(data)
        assert cleaned is None or len(cleaned) == len(data)


def test_xmp_position_goes_and_the_rest_stays() -> None:
    assert xmp.without_gps(samples.xmp_packet(100)) == samples.xmp_packet(100, gps=False)


@pytest.mark.parametrize(
    "packet",
    [
        samples.xmp_packet().decode().encode("utf-16"),
        b"<exif:GPSLatitude>52,31N<exif:Broken>",
        b"<!-- longitude 13 E --><a/>",
        b'<!DOCTYPE a [<!ENTITY e "N 52">]><a>&e;</a>',
    ],
)
def test_xmp_that_may_still_tell_is_dropped(packet: bytes) -> None:
    assert xmp.without_gps(packet) is None


def test_xmp_nested_and_single_quoted_positions_go() -> None:
    packet = b"<a x:GpsLongitude='1' b='2'><x:GPSAll><rdf:li>9</rdf:li></x:GPSAll><x:GPSImg/></a>"
    assert xmp.without_gps(packet) == b"<a b='2'></a>"
    assert xmp.without_gps(b'<a drone:Latitude="52.1" exifEX:ISOSpeedLatitudeyyy="3"/>') == (
        b'<a exifEX:ISOSpeedLatitudeyyy="3"/>'
    )


def test_xmp_property_whose_text_speaks_of_the_position_goes_alone() -> None:
    packet = samples.xmp_packet(gps=False)
    told = packet.replace(b"</photoshop:Instructions>", b"Longitude 13 E</photoshop:Instructions>")
    cleaned = xmp.without_gps(told)
    assert cleaned == packet.replace(b"<photoshop:Instructions></photoshop:Instructions>", b"")


GEO = b"http://www.w3.org/2003/01/geo/wgs84_pos#"
KEYWORDS = (b"castle", b"geo:lat=48.1374", b"geo:lon=11.5755", b"geometry")


def keyword_packet(keywords: tuple[bytes, ...], attributes: bytes = b"") -> bytes:
    items = b"".join(b"<rdf:li>%b</rdf:li>" % word for word in keywords)
    subject = b"<dc:subject><rdf:Bag>" + items + b"</rdf:Bag></dc:subject>"
    namespaces = b' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:geo="' + GEO + b'"'
    start = b"<rdf:Description" + namespaces + attributes + b">"
    return xmp.WRAPPED % (start + subject + b"</rdf:Description>")


def test_of_keywords_those_that_tell_the_position_go_alone() -> None:
    told = keyword_packet(KEYWORDS, b' geo:lat="48.1374" geo:long="11.5755"')
    assert xmp.without_gps(told) == keyword_packet((b"castle", b"geometry"))
    plain = keyword_packet((b"castle", b"geometry"))
    assert xmp.without_gps(plain) == plain


def dataset(number: int, text: bytes, *, extended: bool = False) -> bytes:
    length = b"\x80\x04" + len(text).to_bytes(4, "big") if extended else len(text).to_bytes(2, "big")
    return bytes([0x1C, 2, number]) + length + text


def test_of_iptc_those_datasets_go_that_tell_the_position() -> None:
    kept = [dataset(25, b"castle"), dataset(80, b"Jane Doe", extended=True), dataset(116, b"(c) Jane Doe")]
    telling = [dataset(25, b"geo:lat=48.1374"), dataset(120, b"My GPS watch", extended=True)]
    block = photoshop.wrap(kept[0] + b"".join(telling) + kept[1] + kept[2] + bytes(3))
    cleaned = photoshop.without(block, (), xmp.may_tell_position)
    assert cleaned == photoshop.wrap(b"".join(kept))
    for broken in (b"".join(telling)[:-1], telling[0] + b"castle", b"\x1c\x02GPS", telling[1]):
        cleaned = photoshop.without(photoshop.wrap(broken), (), xmp.may_tell_position)
        assert cleaned == b""
    other = samples.iptc_block() + b"8BIM" + struct.pack(">HHI", 0x0BB7, 0, 4) + b"GPS "
    assert photoshop.without(other, (), xmp.may_tell_position) == samples.iptc_block()


def test_exif_that_goes_whole_is_told_and_its_colours_stay() -> None:
    interop = (Field(1, 2, 4, b"R03\x00"),)
    details = (Field(0xA001, 3, 1, b"\xff\xff"), Field(INTEROP_IFD, 4, 1, interop))
    rows = [Field(EXIF_IFD, 4, 1, details), Field(GPS_IFD, 4, 1, 0x00FFFFFF)]  # which leads nowhere
    broken = b"MM\x00*\x00\x00\x00\x08" + pack(rows, 8, ">")
    image = Image(samples.photo(), "jpeg", metadata=Metadata(exif=broken))
    options = EncodeOptions("jpeg", metadata="no-gps")
    assert left_out(image, options) == "loses its EXIF, in which the position cannot be found for sure"
    assert left_out(image, EncodeOptions("jpeg")) == ""
    written = codecs.decode(codecs.encode(image, options)).metadata
    assert written.exif is None and written.icc == profile_of(image.metadata) is not None


def test_photoshop_thumbnails_go_and_iptc_stays() -> None:
    small = b"8BIM" + struct.pack(">HHI", 0x040C, 0, 5) + b"small\x00"
    block = small + samples.iptc_block()
    assert photoshop.without(block, photoshop.THUMBNAILS) == samples.iptc_block()
    assert photoshop.without(block, ()) == block
    assert photoshop.without(block[:9], ()) is None
    image = codecs.decode(samples.file("jpeg", Metadata(iptc=block)))
    assert image.metadata.iptc == samples.iptc_block()


EXIFTOOL = shutil.which("exiftool")


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")
@pytest.mark.parametrize("format", samples.FORMATS)
def test_exiftool_reads_what_is_written(format: Format, tmp_path: Path) -> None:
    found = {}
    policies: tuple[MetadataPolicy, ...] = ("keep", "no-gps", "none")
    for policy in policies:
        metadata = samples.full_metadata(6, exif=samples.exif_block(6))
        path = tmp_path / f"{policy}{codecs.EXTENSIONS[format]}"
        path.write_bytes(codecs.encode(samples.image(metadata), EncodeOptions(format, metadata=policy)))
        done = subprocess.run(
            [str(EXIFTOOL), "-j", "-n", "-a", "-all", str(path)], capture_output=True, check=True
        )
        found[policy] = json.loads(done.stdout)[0]
    keep, hidden, none = (found[policy] for policy in policies)
    for tags in (keep, hidden):
        assert tags["Make"] == "Lucida" and tags["DateTimeOriginal"] == "2024:05:06 07:08:09"
        assert tags["Rating"] == 4 and "maker" in tags.get("Warning", "maker").lower()
        assert format in ("webp", "avif") or tags["City"] == "Paris"
    assert 52 < keep["GPSLatitude"] < 53
    assert not [name for name in hidden if name.startswith("GPS")]
    assert "Make" not in none and "Rating" not in none
    assert all(tags.get("Orientation", 6) == 6 for tags in found.values())
    assert all(tags["ProfileClass"] for tags in found.values())


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")
def test_exiftool_joins_our_extended_xmp(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(samples.file("jpeg", Metadata(xmp=samples.xmp_packet(200_000))))
    done = subprocess.run(
        [str(EXIFTOOL), "-j", "-Rating", "-Instructions", "-Warning", str(path)],
        capture_output=True,
        check=True,
    )
    tags = json.loads(done.stdout)[0]
    assert tags["Rating"] == 4 and len(tags["Instructions"]) > 199_000 and "Warning" not in tags


def test_a_changed_part_is_written_in_the_place_of_the_old_one() -> None:
    image = codecs.decode(
        samples.jpeg((0xFE, b"before"), (0xE1, b"Exif\x00\x00" + samples.exif_block(1)), (0xFE, b"after"))
    )
    other = samples.exif_block(1, thumb=False, gps=False)
    changed = Image(image.pixels, "jpeg", metadata=replace(image.metadata, exif=other))
    segments = codecs.decode(codecs.encode(changed, EncodeOptions("jpeg"))).metadata.segments
    assert segments == ((0xFE, b"before"), (0xE1, b"Exif\x00\x00" + other), (0xFE, b"after"))


def test_no_gps_drops_texts_and_comments_that_speak_of_it() -> None:
    text = (b"tEXt", b"exif:GPSLatitude\x0052/1")
    raw = (b"zTXt", b"Raw profile type app12\x00\x00" + b"x")
    other = (b"tEXt", b"Author\x00A. Photographer")
    metadata = Metadata(chunks=(text, raw, other), comments=(b"GPS 52.1 13.4", b"a comment"))
    hidden = codecs.decode(
        codecs.encode(samples.image(metadata), EncodeOptions("png", metadata="no-gps"))
    ).metadata
    assert hidden.chunks == (other,) and hidden.comments == (b"a comment",)
    jpeg = samples.jpeg((0xFE, b"GPS 52.1 13.4"), (0xFE, b"a comment"))
    kept = codecs.decode(codecs.encode(codecs.decode(jpeg), EncodeOptions("jpeg", metadata="no-gps")))
    assert kept.metadata.comments == (b"a comment",)
