"""WebP and AVIF files of other programs, and files that are none of ours."""

from __future__ import annotations

import io
import struct
import tracemalloc
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest

from lptn_cli import codecs
from lptn_cli.codecs import icc
from lptn_cli.codecs.avif_boxes import Still
from lptn_cli.codecs.image import EncodeOptions
from lptn_cli.errors import DecodeError, PhotoError, TooLargeError, UnsupportedError

from . import codec_samples as samples


@pytest.mark.parametrize(
    "options",
    [{"lossless": True}, {"quality": 90}, {"quality": 90, "exif": b"Exif\0\0" + samples.exif_block()}],
)
def test_webp_of_pillow(options: dict[str, Any]) -> None:
    data = samples.saved("WEBP", **options)
    with PIL.Image.open(io.BytesIO(data)) as other:
        expected = np.asarray(other.convert("RGB"))
    image = codecs.decode(data)
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.metadata.exif == (samples.exif_block() if "exif" in options else None)


def test_webp_metadata_is_read_by_another_program() -> None:
    data = samples.file("webp", samples.full_metadata())
    with PIL.Image.open(io.BytesIO(data)) as other:
        assert other.info["icc_profile"] == samples.profile()
        assert other.info["xmp"] == samples.xmp_packet()
        assert other.getexif()[0x010F] == "Lucida"


def test_avif_of_ten_bits_becomes_sixteen() -> None:
    y, x = np.mgrid[0:64, 0:96]
    deep = np.stack([x * 10, y * 15, (x + y) * 6], -1).astype(np.uint16)
    data = imagecodecs.avif_encode(deep, level=100, bitspersample=10)
    image = codecs.decode(bytes(data))
    assert image.depth == 16
    expected = deep.astype(float) / 1023 * 65535
    assert np.abs(image.pixels - expected).mean() < 200


def test_avif_metadata_is_read_by_another_program() -> None:
    data = samples.file("avif", samples.full_metadata())
    with PIL.Image.open(io.BytesIO(data)) as other:
        assert other.info["icc_profile"] == samples.profile()
        assert other.info["xmp"] == samples.xmp_packet()
        assert other.info["exif"] == samples.full_metadata().exif


def test_avif_turn_without_exif_is_kept() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 5
    image = codecs.decode(samples.saved("AVIF", exif=exif))
    assert image.metadata.exif is None and image.metadata.orientation == 5
    for format in samples.FORMATS:
        assert codecs.decode(codecs.encode(image, EncodeOptions(format))).metadata.orientation == 5


@pytest.mark.parametrize(("primaries", "srgb"), [(1, True), (2, True), (9, False), (12, False)])
def test_avif_of_wide_gamut_without_a_profile_is_given_one(primaries: int, srgb: bool) -> None:
    data = bytearray(samples.file("avif"))
    at = data.index(b"nclx") + 4
    data[at : at + 2] = struct.pack(">H", primaries)
    assert icc.is_srgb(codecs.decode(bytes(data)).metadata.icc) is srgb


def test_avif_of_high_dynamic_range_is_refused() -> None:
    data = bytearray(samples.file("avif"))
    at = data.index(b"nclx") + 6
    data[at : at + 2] = struct.pack(">H", 16)
    with pytest.raises(UnsupportedError, match="HDR"):
        codecs.read_header(bytes(data))


def test_avif_items_that_all_name_the_whole_file_take_no_memory() -> None:
    count, size = 5000, 2_000_000
    entries = b"".join(struct.pack(">HHHII", i + 1, 0, 1, 0, size) for i in range(count))
    boxes = {
        b"pitm": struct.pack(">H", 1),
        b"iloc": b"\x44\x00" + struct.pack(">H", count) + entries,
        b"iprp": box(b"ipco", box(b"ispe", bytes(4) + struct.pack(">II", 8, 8)))
        + box(b"ipma", bytes(4) + struct.pack(">IHBB", 1, 1, 1, 1)),
    }
    rows = [box(kind, (b"" if kind == b"iprp" else bytes(4)) + body) for kind, body in boxes.items()]
    data = box(b"ftyp", b"avif\0\0\0\0avif") + box(b"meta", bytes(4) + b"".join(rows)) + bytes(size)
    tracemalloc.start()
    try:
        assert codecs.read_header(data[:-size] + box(b"mdat", bytes(size))).width == 8
        assert tracemalloc.get_traced_memory()[1] < 20_000_000  # not 10 GB
    finally:
        tracemalloc.stop()


def test_avif_huge_header() -> None:
    data = bytearray(samples.file("avif"))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 65000, 65000)
    with pytest.raises(TooLargeError):
        codecs.decode(bytes(data), max_pixels=250_000_000)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def brand(name: bytes) -> bytes:
    return b"\x00\x00\x00\x18ftyp" + name + b"\x00\x00\x00\x00" + name + b"\x00" * 40


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (brand(b"isom"), "video"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"GIF89a" + bytes(40), "GIF"),
        (b"BM" + bytes(12) + b"\x28" + bytes(40), "BMP"),
        (b"8BPS\x00\x01", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "AVI"),
        (b"<!DOCTYPE html><html>", "starts with text"),
        ("Grüße aus dem Urlaub\n".encode(), "starts with text"),
        (bytes(100), "zeros"),
        (b"\x12\x99\xfe\xdc\xba\x98" * 9, "known format"),
    ],
)
def test_other_files_are_named_with_a_remedy(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words) as caught:
        codecs.read_header(data)
    assert ";" in str(caught.value)
    assert codecs.sniff(data) is None


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (brand(b"heic"), "heic"),
        (brand(b"mif1"), "heic"),
        (brand(b"crx "), "raw"),
        (b"\xff\x0a" + bytes(40), "jxl"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "jxl"),
        (b"FUJIFILMCCD-RAW 0201", "raw"),
        (b"IIRO\x08\x00\x00\x00", "raw"),
        (b"IIU\x00\x18\x00\x00\x00", "raw"),
    ],
)
def test_formats_that_are_read_and_not_written_are_told_by_content(data: bytes, format: str) -> None:
    assert codecs.sniff(data) == format
    with pytest.raises(PhotoError, match=";"):
        codecs.decode(data)


def test_an_empty_file_says_so() -> None:
    with pytest.raises(DecodeError, match="is empty"):
        codecs.decode(b"")


@pytest.mark.parametrize("format", samples.FORMATS)
def test_magic_bytes_decide(format: codecs.Format) -> None:
    data = samples.file(format)
    assert codecs.sniff(data) == codecs.decode(data).format == format
    for length in range(len(data[:40])):
        codecs.sniff(data[:length])


def test_suffixes_and_extensions_agree() -> None:
    assert set(codecs.EXTENSIONS) == set(codecs.WRITTEN_AS) == set(codecs.SUFFIXES.values())
    assert all(codecs.SUFFIXES[suffix] == format for format, suffix in codecs.EXTENSIONS.items())
    assert set(codecs.WRITTEN_AS.values()) == set(codecs.OUTPUT_SUFFIXES.values()) == set(samples.FORMATS)
    assert all(codecs.SUFFIXES[suffix] == format for suffix, format in codecs.OUTPUT_SUFFIXES.items())


CLAP = (48, 1, 32, 1, 0, 1, 0, 1)  # width, height, and how far right and down the middle lies, as fractions


def clapped(*numbers: int) -> Still:
    body = struct.pack(">IIIIiIiI", *numbers)
    return Still({b"ispe": struct.pack(">4xII", 96, 64), b"clap": body}, None, None)


@pytest.mark.parametrize(
    ("numbers", "rows", "columns"),
    [
        (CLAP, (16, 48), (24, 72)),
        ((48, 1, 32, 1, -24, 1, 16, 1), (32, 64), (0, 48)),
        ((95, 1, 63, 1, 1, 2, -1, 2), (0, 63), (1, 96)),
        ((48, 1, 32, 1, 25, 1, 0, 1), (0, 64), (0, 96)),  # beyond the edge
        ((47, 1, 32, 1, 0, 1, 0, 1), (0, 64), (0, 96)),  # half a pixel off
        ((0, 1, 32, 1, 0, 1, 0, 1), (0, 64), (0, 96)),
        ((48, 0, 32, 1, 0, 1, 0, 1), (0, 64), (0, 96)),
    ],
)
def test_where_an_avif_is_cropped(
    numbers: tuple[int, ...], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    assert clapped(*numbers).crop == (slice(*rows), slice(*columns))


@pytest.mark.parametrize("alpha", [False, True])
def test_a_cropped_avif_is_cropped(monkeypatch: pytest.MonkeyPatch, *, alpha: bool) -> None:
    data = codecs.encode(samples.image(alpha=alpha), EncodeOptions("avif"))
    whole = codecs.decode(data)
    rows, columns = slice(3, 20), slice(5, 31)
    monkeypatch.setattr(Still, "crop", property(lambda _: (rows, columns)))
    image = codecs.decode(data)
    np.testing.assert_array_equal(image.pixels, whole.pixels[rows, columns])
    if whole.alpha is not None:
        np.testing.assert_array_equal(image.alpha, whole.alpha[rows, columns])
    assert (whole.alpha is not None) == alpha
