"""What a file says besides its pixels and may lose on the way: IPTC, packed texts, pages, density."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
import tifffile

from lptn_cli import codecs
from lptn_cli.codecs import photoshop
from lptn_cli.codecs.ifd import read_ifd, read_layout
from lptn_cli.codecs.image import EncodeOptions, Metadata

from . import codec_samples as samples

ROME = b"\x1c\x02\x5a\x00\x04Rome"
COPYRIGHTED = b"8BIM\x04\x0a\x00\x00\x00\x00\x00\x01\x01\x00"  # as exiftool writes it


def tiff_of(*tags: tuple[int, int, bytes]) -> bytes:
    """A TIFF with these (tag, kind, value of bytes)."""
    buffer = io.BytesIO()
    extra: list[Any] = [(tag, kind, len(value), value, True) for tag, kind, value in tags]
    tifffile.imwrite(buffer, samples.photo(), photometric="rgb", metadata=None, extratags=extra)
    return buffer.getvalue()


def tag_of(data: bytes, tag: int) -> bytes | None:
    layout = read_layout(data)
    entry = read_ifd(data, layout.first, layout).get(tag)
    return entry.value if entry else None


# IPTC in a TIFF: tag 33723 holds the record, tag 34377 a Photoshop block that may hold one too


@pytest.mark.parametrize("block", [COPYRIGHTED, COPYRIGHTED + bytes(2), COPYRIGHTED[:-4], b"not a block"])
def test_iptc_beside_a_photoshop_block_without_any_is_kept(block: bytes) -> None:
    image = codecs.decode(tiff_of((33723, 7, ROME), (34377, 7, block)))
    assert image.metadata.iptc is not None and image.metadata.iptc.endswith(block)
    assert photoshop.iptc_record(image.metadata.iptc) == ROME
    for format in ("tiff", "jpeg", "png"):
        again = codecs.decode(codecs.encode(image, EncodeOptions(format))).metadata
        assert again.iptc == image.metadata.iptc


def test_iptc_of_a_photoshop_block_is_not_doubled() -> None:
    block = COPYRIGHTED + samples.iptc_block()
    image = codecs.decode(tiff_of((33723, 7, ROME), (34377, 7, block)))
    assert image.metadata.iptc == block


def test_iptc_is_written_where_either_kind_of_program_looks() -> None:
    block = COPYRIGHTED + samples.iptc_block()
    data = samples.file("tiff", Metadata(iptc=block))
    assert tag_of(data, 34377) == block
    assert tag_of(data, 33723) == b"\x1c\x02\x5a\x00\x05Paris" + bytes(2)
    assert codecs.decode(data).metadata.iptc == block
    plain = samples.file("tiff", Metadata(iptc=COPYRIGHTED))
    assert tag_of(plain, 34377) == COPYRIGHTED and tag_of(plain, 33723) is None
    assert tag_of(samples.file("tiff"), 33723) is None


# Text in a PNG that may tell the position

SECRET = b"GPS latitude 48.137, N"


@pytest.mark.parametrize(
    "chunk",
    [
        (b"tEXt", b"Description\x00" + SECRET),
        (b"zTXt", b"Description\x00\x00" + zlib.compress(SECRET)),
        (b"iTXt", b"Description\x00\x01\x00\x00\x00" + zlib.compress(SECRET)),
        (b"iTXt", b"Description\x00\x00\x00de\x00GPS\x00 48,1 N"),
        (b"zTXt", b"Description\x00\x00" + zlib.compress(b"the sea")[:-6]),  # nobody knows what it says
        (b"iTXt", b"Description\x00\x01"),
        (b"zTXt", b"Raw profile type app12\x00\x00" + zlib.compress(b"00ff")),
        (b"zTXt", b"Description\x00\x00" + zlib.compress(SECRET.decode().encode("utf-16"))),
    ],
)
def test_no_gps_looks_into_packed_text(chunk: tuple[bytes, bytes]) -> None:
    others = ((b"zTXt", b"Author\x00\x00" + zlib.compress(b"A. Photographer")), (b"tEXt", b"Title\x00Sea"))
    image = samples.image(Metadata(chunks=(others[0], chunk, others[1])))
    kept = codecs.decode(codecs.encode(image, EncodeOptions("png"))).metadata.chunks
    assert chunk in kept and all(other in kept for other in others)
    hidden = codecs.decode(codecs.encode(image, EncodeOptions("png", metadata="no-gps"))).metadata.chunks
    assert hidden == others


def test_texts_that_unpack_without_end_take_no_memory() -> None:
    bomb = zlib.compress(bytes(1 << 24), 9)
    texts = [(b"zTXt", kind + b"\x00\x00" + bomb) for kind in (b"Comment", b"Description") for _ in range(12)]
    rows = samples.png_chunks(samples.file("png"))
    tracemalloc.start()
    image = codecs.decode(samples.png(rows[0], *texts, *rows[1:]))
    codecs.encode(image, EncodeOptions("png", metadata="no-gps"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(map(len, image.metadata.comments)) <= 1 << 26
    assert peak < 300_000_000


# Pages of a TIFF


def pages(*subfile_types: int | None, **options: Any) -> bytes:
    """A TIFF of one page for each NewSubfileType; None leaves the tag as tifffile writes it."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, **options) as writer:
        for kind in subfile_types:
            if kind == 4:
                mask = samples.photo()[..., 0] > 99
                writer.write(mask, photometric="mask", metadata=None, subfiletype=kind)
            else:
                writer.write(samples.photo(), photometric="rgb", metadata=None, subfiletype=kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (pages(None), ""),
        (pages(None, None), "has 2 pages, only the first is kept"),
        (pages(2, 2, 2), "has 3 pages, only the first is kept"),
        (pages(None, 0, None, bigtiff=True, byteorder=">"), "has 3 pages, only the first is kept"),
        (pages(None, 1, 1), ""),  # smaller copies of the first
        (pages(None, 4), ""),  # its mask
        (pages(None, 1, None), "has 2 pages, only the first is kept"),
    ],
)
def test_tiff_says_which_pages_it_loses(data: bytes, note: str) -> None:
    image = codecs.decode(data)
    assert image.note == note
    np.testing.assert_array_equal(image.pixels, samples.photo())
    assert codecs.decode(codecs.encode(image, EncodeOptions("tiff"))).note == ""


def test_sub_images_of_a_tiff_are_no_pages() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(samples.photo(), photometric="rgb", metadata=None, subifds=1)
        writer.write(samples.photo(30, 40), photometric="rgb", metadata=None)
    assert codecs.decode(buffer.getvalue()).note == ""


def test_pages_of_a_tiff_that_lead_in_a_circle_or_nowhere_are_counted_once() -> None:
    data = bytearray(pages(None, None))
    layout = read_layout(bytes(data))
    first = read_ifd(bytes(data), layout.first, layout)
    second = read_ifd(bytes(data), first.next, layout)
    for target in (layout.first, first.next, len(data) + 8):
        data[second.end - 4 : second.end] = target.to_bytes(4, "little")
        assert codecs.decode(bytes(data)).note == "has 2 pages, only the first is kept"
    data[first.end - 4 : first.end] = (len(data) + 8).to_bytes(4, "little")
    assert codecs.decode(bytes(data)).note == ""


# A JPEG's density without a unit, which says the shape of a pixel


@pytest.mark.parametrize(
    "density", [(0, 72, 72), (0, 1, 1), (0, 2, 1), (1, 0, 0), (1, 300, 150), (2, 118, 118)]
)
def test_density_of_a_jpeg_is_kept_in_any_unit(density: tuple[int, int, int]) -> None:
    data = bytearray(samples.file("jpeg"))
    data[13:18] = struct.pack(">BHH", *density)
    image = codecs.decode(bytes(data))
    written = codecs.encode(image, EncodeOptions("jpeg"))
    assert written[13:18] == data[13:18]
    assert codecs.decode(written).metadata == image.metadata


def test_density_without_a_unit_of_a_file_that_has_no_jfif_segment_is_not_made_up() -> None:
    data = samples.file("jpeg")
    image = codecs.decode(data[:2] + data[20:])
    written = codecs.encode(image, EncodeOptions("jpeg"))
    assert image.metadata.density is None and written[13:18] == data[13:18]
