"""The thumbnail made anew from the result, and what a JPEG holds besides its first picture."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from lptn_cli import codecs
from lptn_cli.codecs import exif, second_pictures
from lptn_cli.codecs.formats import Format
from lptn_cli.codecs.ifd import ORIENTATION, Field, IfdError, Order, pack
from lptn_cli.codecs.image import EncodeOptions, Image, Metadata
from lptn_cli.codecs.thumbnail import renewed, small

from . import codec_samples as samples
from .exiftool import EXIFTOOL, needs_exiftool

BLOCK_FORMATS: tuple[Format, ...] = ("jpeg", "png", "webp", "avif")


def picture(height: int = 400, width: int = 600, **changes: Any) -> Image:
    """A result: nothing like the sample's thumbnail."""
    pixels = np.ascontiguousarray(samples.photo(height, width)[:, ::-1, ::-1])
    return replace(Image(pixels, "png"), **changes)


def block_with(jpeg: bytes, *more: Field, order: Order = ">", tail: bytes = b"") -> bytes:
    """An EXIF block with that thumbnail, and `more` in the directory that describes it."""
    block = samples.exif_block(1, order=order, thumb=False)
    block += b"\x00" * (len(block) % 2)
    at = len(block)

    def directory(start: int) -> bytes:
        said = ((0x0103, 3, 6), (0x0201, 4, start), (0x0202, 4, len(jpeg)))
        code = {3: f"{order}H", 4: f"{order}I"}
        return pack((*(Field(t, k, 1, struct.pack(code[k], v)) for t, k, v in said), *more), at, order)

    data = bytearray(block + directory(at + len(directory(0))) + jpeg + tail)
    count = struct.unpack_from(f"{order}H", data, 8)[0]
    struct.pack_into(f"{order}I", data, 8 + 2 + 12 * count, at)
    return bytes(data)


def jpeg_of(height: int, width: int, quality: int = 90) -> bytes:
    options = EncodeOptions("jpeg", quality=quality)
    return codecs.encode(Image(samples.photo(height, width), "png"), options)


def shown(block: bytes | None) -> NDArray[Any] | None:
    """The pixels of the block's thumbnail."""
    found = exif.thumbnail(block or b"")
    return None if found is None or block is None else codecs.decode(block[found[0] : found[1]]).pixels


def shows(block: bytes | None, image: Image) -> bool:
    """Whether the thumbnail is the picture, made small."""
    pixels = shown(block)
    if pixels is None:
        return False
    rows = (np.arange(len(pixels)) + 0.5) * len(image.pixels) / len(pixels)
    columns = (np.arange(pixels.shape[1]) + 0.5) * image.pixels.shape[1] / pixels.shape[1]
    expected = image.pixels[rows.astype(int)][:, columns.astype(int)]
    return bool(np.abs(pixels.astype(int) - expected).mean() < 6)


@pytest.mark.parametrize("format", BLOCK_FORMATS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_thumbnail_shows_the_result(format: Format, order: Order) -> None:
    block = block_with(jpeg_of(120, 160), order=order)
    image = picture(metadata=Metadata(exif=block))
    after = codecs.decode(codecs.encode(image, EncodeOptions(format))).metadata.exif
    assert after is not None and not shows(block, image) and shows(after, image)
    pixels = shown(after)
    assert pixels is not None and pixels.shape == (107, 160, 3)
    start = exif.thumbnail(block)
    assert start is not None and after[8 : start[0] - 60] == block[8 : start[0] - 60]


@pytest.mark.parametrize("policy", ["no-gps", "none"])
def test_it_does_so_without_a_position_too_and_goes_with_all_else(policy: Any) -> None:
    image = picture(metadata=Metadata(exif=block_with(jpeg_of(120, 160))))
    data = codecs.encode(image, EncodeOptions("jpeg", metadata=policy))
    after = codecs.decode(data).metadata.exif
    assert after is None if policy == "none" else shows(after, image)
    assert samples.GPS_WORDS not in data


@pytest.mark.parametrize(
    ("size", "expected"), [((96, 160), 160), ((288, 512), 512), ((60, 80), 80), ((200, 320), 320)]
)
def test_its_long_side_is_that_of_the_old_one(size: tuple[int, int], expected: int) -> None:
    pixels = shown(renewed(block_with(jpeg_of(*size)), picture()))
    assert pixels is not None and max(pixels.shape) == expected


def test_it_is_never_larger_than_the_picture() -> None:
    pixels = shown(renewed(block_with(jpeg_of(120, 160)), picture(30, 40)))
    assert pixels is not None and pixels.shape == (30, 40, 3)


@pytest.mark.parametrize("quality", [10, 100])  # the new one is longer, or shorter, than the old one
@pytest.mark.parametrize("tail", [b"", b"a maker note's far data"])
def test_nothing_else_in_the_block_moves(quality: int, tail: bytes) -> None:
    old = jpeg_of(120, 160, quality)
    block = block_with(old, tail=tail)
    after = renewed(block, picture())
    assert shows(after, picture()) and old not in after
    start, stop, _ = exif.thumbnail(block) or (0, 0, None)
    changed = [n for n in range(start) if block[n] != after[n]]
    assert len(changed) <= 8  # where it lies and how long it is
    assert after[stop : stop + len(tail)] == tail


def test_the_directory_says_the_new_size_and_the_photo_s_orientation() -> None:
    rows = (
        Field(0x0100, 4, 1, struct.pack(">I", 160)),
        Field(0x0101, 3, 1, struct.pack(">H", 120)),
        Field(ORIENTATION, 3, 1, struct.pack(">H", 1)),
    )
    image = picture(metadata=Metadata(orientation=8))
    after = renewed(block_with(jpeg_of(120, 160), *rows), image)
    _, _, directory = exif.thumbnail(after) or (0, 0, None)
    assert directory is not None
    assert [directory.integer(tag, 0) for tag in (0x0100, 0x0101, ORIENTATION)] == [160, 107, 8]


def test_one_that_does_not_fit_becomes_smaller_or_goes() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    image = Image(noise, "png")
    large = renewed(block_with(jpeg_of(900, 1200, 5)), image)
    pixels = shown(large)
    assert pixels is not None and max(pixels.shape) == 160 and len(large) < 65528
    full = renewed(block_with(jpeg_of(6, 8, 5), tail=b"\x01" * 62_000), image)
    assert shown(full) is not None
    fuller = renewed(block_with(jpeg_of(120, 160, 5), tail=b"\x01" * 64_000), image)
    assert shown(fuller) is None and fuller.endswith(b"\x01" * 64_000)


def test_what_is_no_jpeg_or_lies_on_other_data_is_no_thumbnail() -> None:
    for jpeg in (b"<dummy thumbnail>", b""):
        assert shown(renewed(block_with(jpeg), picture())) is None
    block = bytearray(block_with(jpeg_of(120, 160)))
    at = bytes(block).index(struct.pack(">HHI", 0x0201, 4, 1)) + 8
    struct.pack_into(">I", block, at, bytes(block).index(samples.MAKER_NOTE))
    after = renewed(bytes(block), picture())
    assert exif.thumbnail(bytes(block)) is None and samples.MAKER_NOTE in after
    assert renewed(b"no block", picture()) == b"no block"
    with pytest.raises(IfdError):
        exif.thumbnail(b"no block")


def test_it_is_in_srgb_and_alpha_is_laid_on_white() -> None:
    wide = picture(metadata=Metadata(icc=samples.profile("adobe")))
    plain = codecs.decode(small(picture(), 160)[0]).pixels.astype(int)
    seen = codecs.decode(small(wide, 160)[0]).pixels.astype(int)
    assert np.abs(seen - plain).max() > 20  # Adobe RGB's green is far outside sRGB
    clear = picture(alpha=np.zeros((400, 600), np.uint8))
    assert codecs.decode(small(clear, 160)[0]).pixels.min() > 250
    deep = picture(pixels=samples.photo(400, 600, np.uint16)[:, ::-1, ::-1])
    assert np.abs(codecs.decode(small(deep, 160)[0]).pixels.astype(int) - plain).mean() < 2


@needs_exiftool
@pytest.mark.parametrize("format", BLOCK_FORMATS)
def test_exiftool_finds_it(format: Format, tmp_path: Path) -> None:
    path = tmp_path / f"a{codecs.EXTENSIONS[format]}"
    image = picture(metadata=Metadata(exif=block_with(jpeg_of(120, 160))))
    path.write_bytes(codecs.encode(image, EncodeOptions(format)))
    said = subprocess.run(
        [str(EXIFTOOL), "-b", "-ThumbnailImage", str(path)], capture_output=True, check=True
    )
    assert codecs.decode(said.stdout).pixels.shape == (107, 160, 3)
    said = subprocess.run([str(EXIFTOOL), "-validate", "-a", "-warning", str(path)], capture_output=True)
    assert b"humbnail" not in said.stdout, said.stdout


# What follows the first picture


def index(*kinds: int, order: Order = "<") -> bytes:
    """A Multi-Picture index of pictures of these kinds."""
    entries = b"".join(struct.pack(f"{order}IIIHH", kind, 1000, 2000, 0, 0) for kind in kinds)
    rows = [Field(0xB000, 7, 4, b"0100"), Field(0xB001, 4, 1, struct.pack(f"{order}I", len(kinds)))]
    rows.append(Field(0xB002, 7, len(entries), entries))
    header = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}I", 8)
    return b"MPF\x00" + header + pack(rows, 8, order)


XMP = b"http://ns.adobe.com/xap/1.0/\x00"
HDR = b'<a xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>'
MOTION = b'<a xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1"/>'
PRIMARY, PREVIEW, UNDEFINED, DISPARITY = 0x20030000, 0x40010002, 0, 0x020002


@pytest.mark.parametrize(
    ("segments", "after", "note"),
    [
        ([], b"", ""),
        ([(0xE1, XMP + samples.xmp_packet())], b"", ""),
        ([(0xE2, index(PRIMARY, PREVIEW))], b"", ""),  # a smaller copy is no loss
        ([(0xE2, index(PRIMARY, PREVIEW, PREVIEW, order=">"))], b"", ""),
        ([(0xE2, index(PRIMARY, DISPARITY))], b"", "a second picture (MPF)"),
        ([(0xE2, index(PRIMARY, DISPARITY, DISPARITY, PREVIEW, order=">"))], b"", "2 further pictures (MPF)"),
        ([(0xE2, b"MPF\x00broken")], b"", "a second picture (MPF)"),
        ([(0xE2, index(PRIMARY, UNDEFINED)), (0xE1, XMP + HDR)], b"", "a gain map (HDR)"),
        ([(0xE2, b"urn:iso:std:iso:ts:21496:-1\x00\x00\x00")], b"", "a gain map (HDR)"),
        ([(0xE2, index(PRIMARY, 0))], b"urn:com:apple:photo:2020:aux:hdrgainmap", "a gain map (HDR)"),
        ([(0xE1, XMP + MOTION)], b"", "a motion video"),
        ([], b"MotionPhoto_Data\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42", "a motion video"),
        ([(0xE1, XMP + MOTION), (0xE1, XMP + HDR)], b"", "a gain map (HDR) and a motion video"),
    ],
)
def test_what_is_dropped_of_a_jpeg_is_said_and_is_gone(
    segments: list[tuple[int, bytes]], after: bytes, note: str
) -> None:
    image = codecs.decode(samples.jpeg(*segments) + after)
    assert image.note == (f"had {note}, dropped as it shows the photo before retouching" if note else "")
    data = codecs.encode(image, EncodeOptions("jpeg"))
    for gone in (b"MPF\x00", b"21496", b"hdrgm", b"hdrgainmap", b"MotionPhoto"):
        assert gone not in data
    assert codecs.decode(data).note == ""


def test_a_gain_map_of_an_avif_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = samples.file("avif")
    data = plain.replace(b"MA1A", b"tmap", 1)
    real = imagecodecs.avif_decode  # which looks for the gain map itself, and nothing at hand writes one
    monkeypatch.setattr(imagecodecs, "avif_decode", lambda _, index: real(plain, index=index))
    assert data != plain and codecs.decode(plain).note == ""
    assert codecs.decode(data).note == "had a gain map (HDR), dropped as it shows the photo before retouching"


def test_gain_maps_and_videos_in_boxes_are_told() -> None:
    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(body), kind) + body

    plain = box(b"ftyp", b"heic" + bytes(4) + b"mif1") + box(b"meta", bytes(20)) + box(b"mdat", bytes(9))
    apple = box(b"meta", b"auxCurn:com:apple:photo:2020:aux:hdrgainmap\x00")
    video = box(b"mpvd", b"\x00\x00\x00\x18ftypmp42" + bytes(12))
    assert second_pictures.note_of_boxes(plain) == ""
    for more, what in (
        (apple, "a gain map (HDR)"),
        (box(b"jhgm", bytes(9)), "a gain map (HDR)"),
        (video, "a motion video"),
        (apple + video, "a gain map (HDR) and a motion video"),
    ):
        assert second_pictures.note_of_boxes(plain + more) == second_pictures._worded(what)
    assert second_pictures.note_of_boxes(plain + b"\xff\xff\xff\xffmpvd") == ""


def test_the_word_for_several_pictures_fits_a_multi_picture_file_without_entries() -> None:
    empty = b"MPF\x00II*\x00\x08\x00\x00\x00" + pack([Field(0xB000, 7, 4, b"0100")], 8, "<")
    assert "a second picture" in second_pictures.note_of_segments([(0xE2, empty)], b"")
