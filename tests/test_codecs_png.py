"""PNG files of other programs."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest

from lptn_cli import codecs
from lptn_cli.codecs import png
from lptn_cli.codecs.icc import of_primaries, profile_of, to_srgb
from lptn_cli.codecs.image import EncodeOptions, Format, Image, Metadata
from lptn_cli.codecs.metadata import left_out
from lptn_cli.errors import DecodeError, TooLargeError, UnsupportedError

from . import codec_samples as samples


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
def test_png_of_every_mode(mode: str) -> None:
    source = PIL.Image.fromarray(samples.photo()).convert(mode)
    image = codecs.decode(samples.saved("PNG", mode))
    np.testing.assert_array_equal(image.pixels, np.asarray(source.convert("RGB")))
    assert image.grey == (mode in ("1", "L", "LA"))
    assert (image.alpha is not None) == mode.endswith("A")
    assert image.pixels.flags.c_contiguous


def test_png_transparency_chunk_becomes_alpha() -> None:
    image = codecs.decode(samples.saved("PNG", "P", transparency=3))
    source = np.asarray(PIL.Image.fromarray(samples.photo()).convert("P"))
    assert image.alpha is not None
    np.testing.assert_array_equal(image.alpha == 0, source == 3)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_of_few_bits(bits: int) -> None:
    source = PIL.Image.fromarray(samples.photo()).quantize(1 << bits)
    buffer = io.BytesIO()
    source.save(buffer, "PNG", bits=bits)
    np.testing.assert_array_equal(codecs.decode(buffer.getvalue()).pixels, np.asarray(source.convert("RGB")))


def test_png_chunks_come_back_byte_for_byte() -> None:
    text = PIL.PngImagePlugin.PngInfo()
    text.add_text("Author", "A. Photographer")
    text.add_itxt("Title", "Früh am Morgen", zip=True)
    text.add_text("Warning", "x" * 3000, zip=True)
    data = samples.saved("PNG", pnginfo=text, dpi=(240, 240))
    extra = [(b"gAMA", struct.pack(">I", 45455)), (b"tIME", bytes(7))]
    rows = samples.png_chunks(data)
    data = samples.png(rows[0], *extra, *rows[1:])
    image = codecs.decode(data)
    written = samples.png_chunks(codecs.encode(image, EncodeOptions("png")))
    for kind, body in [*rows, *extra]:
        if kind not in (b"IHDR", b"IDAT", b"IEND"):
            assert (kind, body) in written
    assert codecs.decode(codecs.encode(image, EncodeOptions("tiff"))).metadata.dpi == pytest.approx(
        (240, 240), abs=0.01
    )


@pytest.mark.parametrize(
    "form", [b"\nexif\n%8d\n%b\n", b"exif %d %b", b"\nsome EXIF\r\n%d\r\n\r\n%b", b"exif\r%d\r%b"]
)
def test_png_of_imagemagick_keeps_its_raw_profiles(form: bytes) -> None:
    block = b"Exif\x00\x00" + samples.exif_block(3, thumb=False)
    body = form % (len(block), block.hex().encode())
    rows = samples.png_chunks(samples.saved("PNG"))
    data = samples.png(rows[0], (b"zTXt", b"Raw profile type exif\x00\x00" + zlib.compress(body)), *rows[1:])
    image = codecs.decode(data)
    assert image.metadata.exif == block[6:]
    assert image.metadata.orientation == 3


def test_png_comments_in_any_encoding_come_back() -> None:
    comments = (b"plain", "Grüße".encode(), b"latin \xe4")
    image = codecs.decode(samples.file("png", Metadata(comments=comments)))
    assert image.metadata.comments == (b"plain", "Grüße".encode(), "latin ä".encode())


def test_colours_that_only_a_png_chunk_tells_reach_every_format() -> None:
    header, *rest = samples.png_chunks(samples.saved("PNG"))
    data = samples.png(header, (b"cICP", bytes([12, 13, 0, 1])), *rest)
    image = codecs.decode(data)
    red = np.array([[[1, 0, 0]]], np.float32)
    assert float(to_srgb(red, profile_of(image.metadata)).max()) > 1.05
    for format in get_args(Format):
        written = codecs.decode(codecs.encode(image, EncodeOptions(format)))
        assert profile_of(written.metadata) == of_primaries(12)
    with pytest.raises(UnsupportedError, match="HDR PNG"):
        codecs.decode(samples.png(header, (b"cICP", bytes([9, 16, 0, 1])), *rest))


def test_texts_of_the_author_that_only_png_holds_are_told() -> None:
    info = PIL.PngImagePlugin.PngInfo()
    for keyword in ("Software", "Copyright", "Author", "Comment"):
        info.add_text(keyword, "Jane")
    image = codecs.decode(samples.saved("PNG", pnginfo=info))
    assert left_out(image, EncodeOptions("png")) == ""
    told = left_out(image, EncodeOptions("jpeg"))
    assert told == "loses its texts (Author, Copyright), which JPEG cannot hold"
    assert left_out(image, EncodeOptions("jpeg", metadata="none")) == ""


def chunk_of(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}I", *(round(100_000 * number) for number in numbers))


ADOBE = 0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06
GAMMA_1 = (b"gAMA", chunk_of(1))


def told(*chunks: tuple[bytes, bytes], mode: str = "RGB") -> Image:
    header, *rest = samples.png_chunks(samples.saved("PNG", mode))
    return codecs.decode(samples.png(header, *chunks, *rest))


def test_a_gamma_and_primaries_that_only_png_chunks_tell_reach_every_format() -> None:
    ramp = np.repeat(np.linspace(0.02, 1, 50, dtype=np.float32)[None, :, None], 3, axis=2)
    encoded = np.where(ramp <= 0.0031308, 12.92 * ramp, 1.055 * ramp ** (1 / 2.4) - 0.055)
    colours = np.random.default_rng(3).random((9, 9, 3), dtype=np.float32)
    wide = to_srgb(colours, samples.profile("adobe"))
    for chunks, before, after in (
        ([GAMMA_1], ramp, encoded),
        ([(b"cHRM", chunk_of(*ADOBE)), (b"gAMA", chunk_of(1 / 2.2))], colours, wide),
    ):
        image = told(*chunks)
        for format in get_args(Format):
            written = codecs.decode(codecs.encode(image, EncodeOptions(format)))
            assert np.abs(to_srgb(before, profile_of(written.metadata)) - after).max() < 0.01


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [(b"gAMA", chunk_of(0.45455))],
        [(b"gAMA", chunk_of(0.45455)), (b"cHRM", chunk_of(0.3127, 0.3290, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06))],
        [(b"sRGB", b"\x00"), GAMMA_1],
        [(b"cICP", bytes([1, 13, 0, 1])), GAMMA_1],
        [(b"gAMA", chunk_of(0))],
        [(b"gAMA", b"\xff\xff\xff\xff")],
        [(b"gAMA", b"")],
        [(b"cHRM", bytes(32))],
        [(b"cHRM", bytes(31))],
        [(b"cHRM", b"\xff" * 32)],
    ],
)
def test_png_chunks_that_say_srgb_or_nonsense_make_no_profile(chunks: list[tuple[bytes, bytes]]) -> None:
    assert told(*chunks).metadata.icc is None


def test_a_grey_png_of_another_gamma_keeps_its_tones_when_it_becomes_colour() -> None:
    image = told(GAMMA_1, mode="L")
    assert image.grey and image.metadata.icc and image.metadata.icc[16:20] == b"GRAY"
    ramp = np.repeat(np.linspace(0.02, 1, 50, dtype=np.float32)[None, :, None], 3, axis=2)
    seen = to_srgb(ramp, profile_of(image.metadata))
    assert np.abs(seen - (1.055 * ramp ** (1 / 2.4) - 0.055)).max() < 0.01
    written = codecs.decode(codecs.encode(replace(image, grey=False), EncodeOptions("jpeg")))
    np.testing.assert_array_equal(to_srgb(ramp, written.metadata.icc), seen)


@pytest.mark.parametrize("where", [0.2, 0.5, 0.9])
def test_png_damaged_in_the_middle(where: float) -> None:
    data = bytearray(samples.file("png"))
    data[int(len(data) * where)] ^= 0x55
    with pytest.raises(DecodeError, match="checksum"):
        codecs.decode(bytes(data))


def test_png_whose_data_is_short_though_every_checksum_is_right() -> None:
    rows = samples.png_chunks(samples.saved("PNG"))
    for cut in (2, 10, 1000):
        damaged = [(kind, body[:-cut] if kind == b"IDAT" else body) for kind, body in rows]
        with pytest.raises(DecodeError):
            codecs.decode(samples.png(*damaged))


def test_png_of_a_flood_of_chunks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_MOST_CHUNKS", 1000)
    rows = samples.png_chunks(samples.saved("PNG"))
    flood = samples.png((b"tEXt", b"a\0"))[8:] * 1001
    whole = samples.png(*rows)
    with pytest.raises(DecodeError, match="more chunks than a photo can have"):
        codecs.decode(whole[:33] + flood + whole[33:])


def test_png_huge_header() -> None:
    header = struct.pack(">IIBBBBB", 65000, 65000, 8, 2, 0, 0, 0)
    data = samples.png((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    with pytest.raises(TooLargeError):
        codecs.decode(data, max_pixels=250_000_000)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF"])
def test_animations_are_refused(format: str) -> None:
    buffer = io.BytesIO()
    frames = [PIL.Image.fromarray(np.roll(samples.photo(), i, 1)) for i in (0, 9, 18)]
    frames[0].save(buffer, format, save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedError, match="animated"):
        codecs.decode(buffer.getvalue())


def adam7(pixels: Any, colour: int) -> bytes:
    """An interlaced PNG of (H, W, channels) samples, unfiltered."""
    height, width = pixels.shape[:2]
    raw = b""
    for x, y, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        for row in pixels[y::dy, x::dx]:
            raw += b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() if row.size else b""
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, colour, 0, 0, 1)
    return samples.png((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_interlaced_is_exact(dtype: Any) -> None:
    pixels = samples.photo(dtype=dtype)
    image = codecs.decode(adam7(pixels, 2))
    np.testing.assert_array_equal(image.pixels, pixels)
    alpha = codecs.decode(adam7(np.dstack([pixels, pixels[::-1, :, :1]]), 6)).alpha
    assert alpha is not None
    np.testing.assert_array_equal(alpha, pixels[::-1, :, 0])


@pytest.mark.parametrize(("colour", "key"), [(0, (1000,)), (2, (1000, 2000, 3000))])
def test_png_transparent_colour_of_sixteen_bits_becomes_alpha(colour: int, key: tuple[int, ...]) -> None:
    pixels = np.full((4, 5, len(key)), 40_000, ">u2")
    pixels[1, 2] = key
    header = struct.pack(">IIBBBBB", 5, 4, 16, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    body = struct.pack(f">{len(key)}H", *key)
    chunks = [(b"IHDR", header), (b"tRNS", body), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    image = codecs.decode(samples.png(*chunks))
    assert image.alpha is not None and image.depth == 16
    assert image.alpha[1, 2] == 0 and (image.alpha == 65535).sum() == 19
