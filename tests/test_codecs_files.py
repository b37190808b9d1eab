"""PNG, WebP, TIFF and AVIF files of other programs, and files that are none of ours."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile

from lptn_cli import codecs
from lptn_cli.codecs import icc, png
from lptn_cli.codecs.ifd import Field, pack
from lptn_cli.codecs.image import EncodeOptions, Metadata
from lptn_cli.codecs.raw_kinds import raw_kind
from lptn_cli.errors import DecodeError, PhotoError, TooLargeError, UnsupportedError

from . import codec_samples as samples


def saved(format: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(samples.photo()).convert(mode).save(buffer, format, **options)
    return buffer.getvalue()


def tiff(data: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, data, metadata=None, software=False, **options)
    return buffer.getvalue()


# PNG


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
def test_png_of_every_mode(mode: str) -> None:
    source = PIL.Image.fromarray(samples.photo()).convert(mode)
    image = codecs.decode(saved("PNG", mode))
    np.testing.assert_array_equal(image.pixels, np.asarray(source.convert("RGB")))
    assert image.grey == (mode in ("1", "L", "LA"))
    assert (image.alpha is not None) == mode.endswith("A")
    assert image.pixels.flags.c_contiguous


def test_png_transparency_chunk_becomes_alpha() -> None:
    image = codecs.decode(saved("PNG", "P", transparency=3))
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
    data = saved("PNG", pnginfo=text, dpi=(240, 240))
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


def test_png_of_imagemagick_keeps_its_raw_profiles() -> None:
    block = b"Exif\x00\x00" + samples.exif_block(3, thumb=False)
    body = b"\nexif\n%8d\n%b\n" % (len(block), block.hex().encode())
    rows = samples.png_chunks(saved("PNG"))
    data = samples.png(rows[0], (b"zTXt", b"Raw profile type exif\x00\x00" + zlib.compress(body)), *rows[1:])
    image = codecs.decode(data)
    assert image.metadata.exif == block[6:]
    assert image.metadata.orientation == 3


def test_png_comments_in_any_encoding_come_back() -> None:
    comments = (b"plain", "Grüße".encode(), b"latin \xe4")
    image = codecs.decode(samples.file("png", Metadata(comments=comments)))
    assert image.metadata.comments == (b"plain", "Grüße".encode(), "latin ä".encode())


@pytest.mark.parametrize("where", [0.2, 0.5, 0.9])
def test_png_damaged_in_the_middle(where: float) -> None:
    data = bytearray(samples.file("png"))
    data[int(len(data) * where)] ^= 0x55
    with pytest.raises(DecodeError, match="checksum"):
        codecs.decode(bytes(data))


def test_png_whose_data_is_short_though_every_checksum_is_right() -> None:
    rows = samples.png_chunks(saved("PNG"))
    for cut in (2, 10, 1000):
        damaged = [(kind, body[:-cut] if kind == b"IDAT" else body) for kind, body in rows]
        with pytest.raises(DecodeError):
            codecs.decode(samples.png(*damaged))


def test_png_of_a_flood_of_chunks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_MOST_CHUNKS", 1000)
    rows = samples.png_chunks(saved("PNG"))
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


# WebP


@pytest.mark.parametrize(
    "options",
    [{"lossless": True}, {"quality": 90}, {"quality": 90, "exif": b"Exif\0\0" + samples.exif_block()}],
)
def test_webp_of_pillow(options: dict[str, Any]) -> None:
    data = saved("WEBP", **options)
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


# TIFF


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
        (saved("TIFF", "P"), "palette"),
        (saved("TIFF", compression="jpeg"), "YCbCr|compression"),
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


# AVIF


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
    image = codecs.decode(saved("AVIF", exif=exif))
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


# What is none of these


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
