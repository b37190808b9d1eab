"""TIFF files of other programs."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile

from lptn_cli import codecs
from lptn_cli.codecs.ifd import Field, pack
from lptn_cli.codecs.image import EncodeOptions, Metadata
from lptn_cli.codecs.metadata import left_out
from lptn_cli.codecs.raw_kinds import raw_kind
from lptn_cli.errors import PhotoError, TooLargeError, UnsupportedError

from . import codec_samples as samples


def tiff(data: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, data, metadata=None, software=False, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "rowsperstrip": 7},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"compression": "lzw", "tile": (32, 48)},
        {"byteorder": ">"},
        {"byteorder": ">", "compression": "zlib", "predictor": True},
        {"bigtiff": True},
    ],
)
def test_tiff_layouts_are_exact(dtype: Any, options: dict[str, Any]) -> None:
    pixels = samples.photo(dtype=dtype)
    data = tiff(pixels, photometric="rgb", **options)
    np.testing.assert_array_equal(codecs.decode(data).pixels, pixels)
    planar = tiff(np.moveaxis(pixels, 2, 0), photometric="rgb", planarconfig="separate", **options)
    image = codecs.decode(planar)
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.pixels.dtype == dtype and image.pixels.flags.c_contiguous
    single = codecs.decode(tiff(pixels[..., 0], photometric="minisblack", **options))
    np.testing.assert_array_equal(single.pixels[..., 2], pixels[..., 0])
    assert single.grey


def test_tiff_white_is_zero_is_inverted() -> None:
    grey = samples.photo()[..., 0]
    image = codecs.decode(tiff(255 - grey, photometric="miniswhite"))
    np.testing.assert_array_equal(image.pixels[..., 1], grey)


def test_tiff_associated_alpha_is_divided_out() -> None:
    alpha = np.full((61, 83, 1), 128, np.uint8)
    pixels = samples.photo()
    multiplied = ((pixels.astype(int) * 128 + 127) // 255).astype(np.uint8)
    data = tiff(np.concatenate([multiplied, alpha], 2), photometric="rgb", extrasamples=["assocalpha"])
    assert np.abs(codecs.decode(data).pixels.astype(int) - pixels).max() <= 2


@pytest.mark.parametrize("colour", [True, False])
def test_a_saved_selection_is_no_transparency(colour: bool) -> None:
    pixels, selection = samples.photo(20, 30), np.zeros((20, 30), np.uint8)
    selection[5:9] = 255
    all_channels = np.dstack([pixels if colour else pixels[..., :1], selection])
    kind = "rgb" if colour else "minisblack"
    data = tiff(all_channels, photometric=kind, planarconfig="contig", extrasamples=["unspecified"])
    image = codecs.decode(data)
    assert image.alpha is None and image.selection is not None and image.grey != colour
    np.testing.assert_array_equal(image.selection, selection)
    written = codecs.encode(image, EncodeOptions("tiff", depth=16))
    with tifffile.TiffFile(io.BytesIO(written)) as file:
        assert [int(kind) for kind in file.pages.first.extrasamples] == [0]
        np.testing.assert_array_equal(file.asarray(), all_channels.astype(np.uint16) * 257)
    told = left_out(image, EncodeOptions("jpeg"))
    assert told == "loses its saved selection, which JPEG cannot hold"
    plain = codecs.decode(codecs.encode(image, EncodeOptions("png")))
    assert plain.alpha is None and left_out(image, EncodeOptions("tiff")) == ""
    np.testing.assert_array_equal(plain.pixels, image.pixels)


def test_tiff_of_several_pages_gives_the_first() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(samples.photo(), photometric="rgb")
        writer.write(samples.photo(20, 30), photometric="rgb")
    np.testing.assert_array_equal(codecs.decode(buffer.getvalue()).pixels, samples.photo())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff(samples.photo().astype(np.int16), photometric="rgb"), "signed"),
        (tiff(samples.photo().astype(np.uint32), photometric="rgb"), "32 bits"),
        (tiff(samples.photo()[..., 0] > 99, photometric="minisblack"), "1 bits"),
        (samples.saved("TIFF", "P"), "palette"),
        (samples.saved("TIFF", compression="jpeg"), "YCbCr|compression"),
    ],
)
def test_tiff_kinds_that_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words) as caught:
        codecs.decode(data)
    assert "first" in str(caught.value)


def test_tiff_tags_are_read_by_another_program() -> None:
    data = samples.file("tiff", samples.full_metadata(6))
    with PIL.Image.open(io.BytesIO(data)) as other:
        exif = other.getexif()
        assert exif[0x010F] == "Lucida" and exif[0x8298] == "(c) A. Photographer"
        assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert exif.get_ifd(0x8769)[0x927C] == samples.MAKER_NOTE
        assert exif.get_ifd(0x8825)[1] == "N"
        assert other.info["icc_profile"] == samples.profile()
        assert other.info["dpi"] == (300, 300)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "predictor": 3, "byteorder": ">"}])
def test_tiff_of_floats_becomes_sixteen_bits_and_says_so(dtype: Any, options: dict[str, Any]) -> None:
    deep = samples.photo(dtype=np.uint16)
    image = codecs.decode(tiff((deep / 65535).astype(dtype), photometric="rgb", **options))
    assert image.depth == 16
    assert np.abs(image.pixels.astype(int) - deep).max() <= (32 if dtype is np.float16 else 0)
    assert image.note == "holds floats, of which 0 to 1 became 16 bits"
    single = codecs.decode(tiff((deep[..., 0] / 65535).astype(dtype), photometric="minisblack", **options))
    assert single.grey


def test_tiff_floats_beyond_white_and_those_that_are_no_number_are_cut_off() -> None:
    data = np.full((10, 10, 3), 0.5, np.float32)
    data[0] = [4.0, -1.0, np.nan]
    image = codecs.decode(tiff(data, photometric="rgb"))
    np.testing.assert_array_equal(image.pixels[0, 0], [65535, 0, 0])
    assert image.note.endswith("became 16 bits, 10.0% of its values lay outside and were cut off")


def raw(*rows: Field, start: bytes = b"II*\x00\x08\x00\x00\x00") -> bytes:
    return start + pack(rows, len(start), "<") + bytes(64)


def short(tag: int, value: int) -> Field:
    return Field(tag, 3, 1, struct.pack("<H", value))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (raw(short(254, 1), Field(50706, 1, 4, b"\x01\x04\x00\x00")), "DNG"),
        (raw(Field(271, 2, 6, b"NIKON\x00"), short(254, 1), Field(330, 4, 1, (short(262, 32803),))), "NEF"),
        (raw(Field(271, 2, 5, b"SONY\x00"), short(259, 32767), short(262, 32803)), "ARW"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(50), "CR2"),
    ],
)
def test_camera_raw_built_like_tiff_is_never_read_as_a_tiff(data: bytes, words: str) -> None:
    assert codecs.sniff(data) == "raw" and raw_kind(data) == words
    with pytest.raises(PhotoError, match="RAW"):
        codecs.decode(data)


def test_tiff_huge_header() -> None:
    rows = [
        short(256, 65000),
        short(257, 65000),
        Field(258, 3, 3, struct.pack("<3H", 8, 8, 8)),
        short(277, 3),
    ]
    rows += [
        short(262, 2),
        short(259, 1),
        Field(273, 4, 1, struct.pack("<I", 8)),
        Field(279, 4, 1, b"\x40\0\0\0"),
    ]
    with pytest.raises(TooLargeError):
        codecs.decode(raw(*rows), max_pixels=250_000_000)


@pytest.mark.parametrize("comment", [b"my caption", b"OLYMPUS"])
def test_a_comment_stands_beside_what_the_camera_calls_the_picture(comment: bytes) -> None:
    camera = b"OLYMPUS DIGITAL CAMERA"
    rows = [Field(270, 2, len(camera) + 1, camera + b"\x00")]
    block = b"MM\x00*\x00\x00\x00\x08" + pack(rows, 8, ">")
    metadata = Metadata(exif=block, comments=(comment,))
    written = codecs.encode(replace(samples.image(), metadata=metadata), EncodeOptions("tiff"))
    with tifffile.TiffFile(io.BytesIO(written)) as file:
        said = camera + (b"" if comment in camera else b"\n" + comment)
        assert file.pages.first.description.encode() == said


def test_a_first_page_that_is_a_smaller_copy_is_refused() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(samples.photo(20, 30), photometric="rgb", subfiletype=1, metadata=None)
        writer.write(samples.photo(40, 60), photometric="rgb", metadata=None)
    with pytest.raises(UnsupportedError, match="a smaller copy of a later one; export that page"):
        codecs.decode(buffer.getvalue())


def test_layers_that_are_lost_are_said() -> None:
    layers = (37724, "B", 6, b"8BIMxx", True)
    image = codecs.decode(tiff(samples.photo(20, 30), photometric="rgb", extratags=[layers]))
    assert image.note == "had Photoshop's layers, only the picture that they make is kept"
